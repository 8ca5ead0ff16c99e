"""The survey 'generic': spectra from CSV, text, ECSV, npz and parquet files in a plain, documented form.

Columns, keys and their other accepted names (case does not matter):

- ``wave`` (wavelength, lambda; in Angstrom) or ``loglam`` (log_wave; log10 of it), and ``flux``: required;
- ``ivar`` (inverse_variance, invvar) or ``error`` (sigma, err, uncertainty, flux_err, flux_error, e_flux): optional;
- ``mask``: optional, true where bad; ``id`` (ids): optional 64-bit integers; ``velocity``: optional, km/s;
- ``medium``: required, 'vacuum' or 'air', for a wrong guess shifts a spectrum by 80 km/s;
- ``frame``: 'observed' (heliocentric; the default) or 'rest'.

How a file states medium and frame is said in `generic_text` and `generic_binary`, which read the formats.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..spectra import FRAMES, SpectrumBatch, check_wave
from ..tables.ids import NO_ID, to_int64
from .air import MEDIA, air_to_vacuum
from .base import Survey

ALIASES = {
    "wavelength": "wave",
    "lambda": "wave",
    "log_wave": "loglam",
    "loglambda": "loglam",
    "inverse_variance": "ivar",
    "invvar": "ivar",
    **dict.fromkeys(("sigma", "err", "uncertainty", "flux_err", "flux_error", "e_flux"), "error"),
    "ids": "id",
}
PIXEL_COLUMNS = ("wave", "loglam", "flux", "ivar", "error", "mask")
META_PREFIX = "meta_"
"""Marks columns of stars in an npz file, lest one is named like a plane, or like an argument of numpy (``file``)."""

SCALARS = ("medium", "frame", "native_medium")


def canonical(name: str) -> str:
    """Canonical name of a column or key."""
    name = name.strip().lower()
    return ALIASES.get(name, name)


@dataclass
class Content:
    """What a generic file holds, before it is checked.

    Parameters
    ----------
    pixels : dict of str to ndarray
        `PIXEL_COLUMNS`; wavelengths of shape (n_pixels,), the others (n_spectra, n_pixels) or (n_pixels,).
    stars : dict of str to ndarray
        Columns of length n_spectra, ``id`` and ``velocity`` among them.
    scalars : dict of str to str
        Values of `SCALARS` that the file states.
    keys : tuple of str
        As in `SpectrumBatch`.
    names : list of str
        All columns found, for messages.
    """

    pixels: dict[str, np.ndarray] = field(default_factory=dict)
    stars: dict[str, np.ndarray] = field(default_factory=dict)
    scalars: dict[str, str] = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    names: list[str] = field(default_factory=list)


def read_generic(path: Path) -> SpectrumBatch:
    """Read a CSV, text, ECSV, npz or parquet file of spectra, told apart by content.

    Parameters
    ----------
    path : Path

    Returns
    -------
    SpectrumBatch
        Masked where the file's own mask says so or the flux is not finite; ivar is 1 / error^2, and 0 where the error
        is not positive. Spectra without ``velocity`` have NaN (0 in the rest frame).

    Raises
    ------
    InputError
        If columns are missing, shapes differ, the wavelengths are unsorted or not Angstrom, or the medium is not
        stated.
    """
    from . import generic_binary, generic_text
    from .native import read_bytes

    path = Path(path)
    content = read_bytes(path)
    if content.startswith(b"SIMPLE  ="):
        raise InputError(f"{path}: a FITS file; 'generic' reads CSV, npz and parquet, is --survey right?")
    if content.startswith(b"PK\x03\x04"):
        parsed, how = generic_binary.parse_npz(content), "save it with medium='vacuum' (or 'air')"
    elif content.startswith(b"PAR1"):
        parsed = generic_binary.parse_parquet(content, str(path))
        how = "add a column or schema metadata 'medium' of vacuum (or air)"
    else:
        parsed, how = generic_text.parse_text(content, str(path)), "add a line '# medium: vacuum' (or air) at its top"
    return build(parsed, path, how)


def build(content: Content, path: Path, how: str) -> SpectrumBatch:
    """Check parsed content and make a batch of it; `how` tells the user how to state the medium."""
    wave = _wavelengths(content, path)
    medium = _choice(content.scalars.get("medium", ""), "medium", MEDIA, f"; {how}", path)
    frame = _choice(content.scalars.get("frame", "observed"), "frame", FRAMES, "", path)
    if medium == "air":
        wave = air_to_vacuum(wave)
    flux = np.atleast_2d(np.asarray(content.pixels["flux"], dtype=np.float32))
    shape = (len(flux), len(wave))
    planes = {}
    for name, values in {**content.pixels, "flux": flux}.items():
        if name not in ("wave", "loglam"):
            planes[name] = np.atleast_2d(values)
            if planes[name].shape != shape:
                raise InputError(f"{path}: {name} has shape {planes[name].shape}, expected {shape} (spectra, pixels)")
    mask = ~np.isfinite(flux)
    if "mask" in planes:
        mask |= np.nan_to_num(planes["mask"].astype(np.float64), nan=1.0) != 0
    stars = dict(content.stars)
    n = len(flux)
    for name, column in stars.items():
        if len(column) != n:
            raise InputError(f"{path}: {name} has {len(column)} values for {n} spectra")
    identifiers = stars.pop("id", np.full(n, NO_ID, dtype=np.int64))
    unknown = 0.0 if frame == "rest" else np.nan
    velocity = np.asarray(stars.pop("velocity", np.full(n, unknown)), dtype=np.float64)
    file = stars.pop("file", np.full(n, path.name)).astype(str)
    return SpectrumBatch(
        wave=wave,
        flux=flux,
        ivar=_inverse_variance(planes),
        mask=mask,
        ids=to_int64(identifiers, f"{path}: id"),
        survey="generic",
        frame=frame,
        medium=content.scalars.get("native_medium", medium),
        meta={"file": file, "velocity": velocity, **stars},
        keys=content.keys,
    )


def _choice(value: str, what: str, known: tuple[str, ...], how: str, path: Path) -> str:
    value = value.strip().lower()
    if value not in known:
        problem = f"{what} '{value}' is none of {', '.join(known)}" if value else f"does not say its {what}"
        raise InputError(f"{path}: {problem}{how}")
    return value


def _wavelengths(content: Content, path: Path) -> np.ndarray:
    pixels = content.pixels
    if "flux" not in pixels or not ("wave" in pixels or "loglam" in pixels):
        found = ", ".join(content.names) or "none"
        raise InputError(f"{path}: needs wave (or loglam) and flux; columns found: {found}")
    if "wave" in pixels:
        wave = np.asarray(pixels["wave"], dtype=np.float64)
    else:
        loglam = np.asarray(pixels["loglam"], dtype=np.float64)
        if not (np.abs(loglam) < 10).all():
            raise InputError(f"{path}: loglam is not log10 of a wavelength in Angstrom")
        wave = 10.0**loglam
    check_wave(wave, str(path))
    return wave


def _inverse_variance(planes: dict[str, np.ndarray]) -> np.ndarray | None:
    if "ivar" in planes:
        return planes["ivar"].astype(np.float32)
    if "error" not in planes:
        return None
    error = planes["error"].astype(np.float64)
    good = np.isfinite(error) & (error > 0)
    return np.where(good, 1.0 / np.where(good, error, 1.0) ** 2, 0.0).astype(np.float32)


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
    description="spectra in CSV, text, ECSV, npz or parquet files that state their medium",
    read_file=read_generic,
    patterns=("*.csv", "*.txt", "*.ecsv", "*.npz", "*.parquet"),
    frame="observed",
)
