"""The survey 'generic': spectra in any file that says which column is which, FITS, text, VOTable, npz and parquet among them.

What each format must hold is said in docs/spectra.md; names in `generic_names`, headers in `generic_header`, units in
`wave_units`. What files do not say is said beside them, in `Stated`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..spectra import SpectrumBatch
from .base import Survey
from .generic_binary import META_PREFIX
from .stated import Stated


def read_generic(path: Path, stated: Stated | None = None) -> SpectrumBatch | list[SpectrumBatch]:
    """Read a file of spectra, whose format its content tells.

    Parameters
    ----------
    path : Path
        FITS, CSV or other text, ECSV, VOTable, npz or parquet.
    stated : Stated, optional
        What the file does not say.

    Returns
    -------
    SpectrumBatch or list of SpectrumBatch
        A list where spectra differ in wavelengths. Masked where the file's own mask says so or the flux is not finite; ivar is
        1 / error^2, and 0 where the error is not positive. Spectra without ``velocity`` have NaN (0 in the rest frame).

    Raises
    ------
    InputError
        If nobody can tell which column is which, shapes differ, a unit is unknown, the wavelengths are unsorted, the medium is
        not stated, or the file says something else than `stated`.
    """
    from ..content import first_bytes
    from ..tables import votable
    from . import generic_binary, generic_fits, generic_text
    from .generic_build import build

    path, stated = Path(path), stated or Stated()
    start = first_bytes(path, 1 << 16).removeprefix(b"\xef\xbb\xbf")
    if start.startswith(b"SIMPLE  ="):
        contents = generic_fits.parse_fits(path, stated.columns)
    elif start.startswith(b"PK\x03\x04"):
        contents = [generic_binary.parse_npz(path, stated.columns)]
    elif start.startswith(b"PAR1"):
        contents = generic_binary.parse_parquet(path, stated.columns)
    elif votable.recognise(start):
        contents = [generic_text.parse_votable(path)]
    else:
        contents = [generic_text.parse_text(path, stated)]
    batches = [batch for content in contents for batch in build(content, path, stated)]
    if not batches:
        raise InputError(f"{path}: holds no spectrum")
    return batches[0] if len(batches) == 1 else batches


def write_npz(path: Any, batch: SpectrumBatch) -> None:
    """Write a batch as an npz file that the survey 'generic' reads back.

    Wavelengths, fluxes, inverse variances, mask, ids, meta columns, frame and medium come back unchanged; the name of
    the survey becomes 'generic'.

    Parameters
    ----------
    path : path
    batch : SpectrumBatch

    Raises
    ------
    TranstarError
        If the disk is full; what stood at `path` before is untouched.
    """
    from ..files import atomic_path

    arrays: dict[str, Any] = {"wave": batch.wave, "flux": batch.flux, "mask": batch.mask, "id": batch.ids}
    if batch.ivar is not None:
        arrays["ivar"] = batch.ivar
    scalars = {"medium": "vacuum", "native_medium": batch.medium, "frame": batch.frame}
    # Columns of objects would need pickle, which is never read back.
    meta = {
        META_PREFIX + name: column.astype(str) if column.dtype == object else column
        for name, column in batch.meta.items()
    }
    content: dict[str, Any] = {**meta, **arrays, **scalars, "keys": np.array(batch.keys, dtype=str)}
    with atomic_path(path) as temporary, temporary.open("wb") as handle:
        np.savez(handle, allow_pickle=False, **content)


SURVEY = Survey(
    name="generic",
    description="spectra of any origin: FITS, CSV, text, ECSV, VOTable, npz or parquet (docs/spectra.md)",
    read_file=read_generic,
    patterns=("*.csv", "*.txt", "*.dat", "*.tsv", "*.ecsv", "*.vot", "*.npz", "*.parquet", "*.fits"),
    frame="observed",
    read_stated=read_generic,
)
