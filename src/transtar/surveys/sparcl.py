"""Spectra that `transtar fetch` retrieved from SPARCL (https://astrosparcl.datalab.noirlab.edu), in parquet files.

One row is one spectrum: lists ``flux``, ``ivar`` and ``mask``, and the scalar fields under the names that SPARCL gives them.
The wavelengths, which all spectra of a file share, are a JSON list in the metadata of the schema, in vacuum Angstrom and the
barycentric (DESI) or heliocentric (SDSS, BOSS) frame. DESI spectra are summed over the three cameras, 3600 to 9824 A in steps of
0.8 A; those of SDSS and BOSS lie on one logarithmic grid, padded where a spectrum is shorter.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..content import first_bytes
from ..errors import InputError
from ..flags import Flag
from ..grids import MOST_VELOCITY, SPEED_OF_LIGHT, LogGrid
from ..spectra import SpectrumBatch
from ..tables import Column
from ..tables.ids import NO_ID
from .base import Survey
from .desi import KEYS, RESTRICTED
from .generic_binary import parse_parquet
from .generic_build import build

SDSS_GRID = LogGrid("sdss", 3.5500, 1e-4, 4750)
"""Pixels of SDSS and BOSS coadds, 3548 to 10590 A vacuum: every spectrum fills some of them."""

GRID_TOLERANCE = 0.05
"""In pixels; wavelengths are served with about seven digits."""

TEXT = ("sparcl_id", "data_release", "spectype", "subtype", "survey", "program", "instrument", "telescope")
WHOLE = ("specid", "targetid", "redshift_warning", "healpix", "coadd_fiberstatus", "specprimary")
REAL = ("ra", "dec", "redshift", "redshift_err")
"""Scalar fields that are kept, where a release has them, by type."""

ARRAYS = ("wavelength", "flux", "ivar", "mask")


def read_sparcl(path: Path) -> SpectrumBatch:
    """Read a file of spectra from SPARCL.

    Parameters
    ----------
    path : Path
        Parquet, as `transtar fetch` writes it.

    Returns
    -------
    SpectrumBatch
        Flux in 1e-17 erg/s/cm2/A. ids are TARGETIDs for DESI and specids for other releases; `keys` are SURVEY, PROGRAM and
        HEALPIX ('' and -1 outside DESI). ``velocity`` is c times the redshift for spectype STAR without redshift_warning, else
        NaN; ``class`` and ``subclass`` are unknown where there is a warning. ``survey_flags`` holds BAD_FIBER where
        coadd_fiberstatus has a bit other than RESTRICTED. Further columns: ``sparcl_id``, ``specid``, ``release``.

    Raises
    ------
    InputError
        If the file is broken or is none that `transtar fetch` wrote.
    """
    path = Path(path)
    if not first_bytes(path, 4) == b"PAR1":
        raise InputError(f"{path}: not a parquet file; 'sparcl' reads what transtar fetch wrote, is --survey right?")
    (parsed, *others) = parse_parquet(path)
    scalars = {name: column for name, column in parsed.columns.items() if not column.is_vector}
    parsed.columns = {name: column for name, column in parsed.columns.items() if column.is_vector}
    fields = _fields(scalars, path)
    if others or not {"sparcl_id", "specid", "data_release"} <= set(fields):
        raise InputError(f"{path}: no columns sparcl_id, specid and data_release; transtar fetch writes them")
    (batch,) = build(parsed, path)
    return replace(batch, survey="sparcl", ids=_ids(fields), meta=_meta(fields, path), keys=KEYS)


def on_common_pixels(
    wave: np.ndarray, flux: np.ndarray, ivar: np.ndarray | None, mask: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray]:
    """Place a spectrum on `SDSS_GRID` if its wavelengths are among those pixels, so that many spectra share one array.

    Parameters
    ----------
    wave, flux, ivar, mask : ndarray, shape (n_pixels,)
        Vacuum Angstrom, float32, float32 or None, bool.

    Returns
    -------
    tuple of ndarray
        The same, padded (masked, flux and ivar 0); unchanged where the wavelengths are others.
    """
    pixel = (np.log10(wave) - SDSS_GRID.start) / SDSS_GRID.step
    index = np.rint(pixel).astype(np.int64)
    if np.abs(pixel - index).max() > GRID_TOLERANCE or (np.diff(index) < 1).any():
        return wave, flux, ivar, mask
    if index[0] < 0 or index[-1] >= SDSS_GRID.size:
        return wave, flux, ivar, mask
    full_flux, full_ivar = np.zeros((2, SDSS_GRID.size), dtype=np.float32)
    full_mask = np.ones(SDSS_GRID.size, dtype=bool)
    full_flux[index], full_mask[index] = flux, mask
    if ivar is not None:
        full_ivar[index] = ivar
    return SDSS_GRID.wave, full_flux, None if ivar is None else full_ivar, full_mask


def _fields(columns: dict[str, Column], path: Path) -> dict[str, np.ndarray]:
    """The scalar fields that are kept, each in its type: str, int64 (-1 where missing) or float64 (NaN)."""
    twice = next((name for name in (*TEXT, *WHOLE, *REAL) if f"{name}#2" in columns), None)
    if twice is not None:
        raise InputError(f"{path}: the column {twice} is there twice; transtar fetch writes it once")
    fields = {name: columns[name].text() for name in TEXT if name in columns}
    fields |= {name: columns[name].ids() for name in WHOLE if name in columns}
    return fields | {name: columns[name].numbers("") for name in REAL if name in columns}


def _column(fields: dict[str, np.ndarray], name: str, filler: Any) -> np.ndarray:
    return fields.get(name, np.full(len(fields["sparcl_id"]), filler))


def _is_desi(fields: dict[str, np.ndarray]) -> np.ndarray:
    return np.char.startswith(np.char.upper(fields["data_release"].astype(str)), "DESI")


def _ids(fields: dict[str, np.ndarray]) -> np.ndarray:
    targets, spectra = _column(fields, "targetid", NO_ID), fields["specid"]
    return np.where(_is_desi(fields) & (targets != NO_ID), targets, spectra).astype(np.int64)


def _meta(fields: dict[str, np.ndarray], path: Path) -> dict[str, np.ndarray]:
    n = len(fields["sparcl_id"])
    desi = _is_desi(fields)
    # With a warning neither class nor redshift can be relied upon; -1 where the release has no warnings.
    sure = np.isin(_column(fields, "redshift_warning", -1), (0, -1))
    kind = np.where(sure, np.char.upper(_column(fields, "spectype", "").astype(str)), "")
    velocity = SPEED_OF_LIGHT * _column(fields, "redshift", np.nan).astype(np.float64)
    with np.errstate(invalid="ignore"):
        star = (kind == "STAR") & (np.abs(velocity) <= MOST_VELOCITY)
    status = np.maximum(_column(fields, "coadd_fiberstatus", 0).astype(np.int64), 0)
    return {
        "file": np.full(n, path.name),
        "velocity": np.where(star, velocity, np.nan),
        "star": _stars(fields),
        "class": kind,
        "subclass": np.where(sure, _column(fields, "subtype", "").astype(str), ""),
        "ra": _column(fields, "ra", np.nan).astype(np.float64),
        "dec": _column(fields, "dec", np.nan).astype(np.float64),
        "survey_flags": np.where(desi & (status & ~RESTRICTED != 0), int(Flag.BAD_FIBER), 0).astype(np.int32),
        "SURVEY": np.where(desi, _column(fields, "survey", "").astype(str), ""),
        "PROGRAM": np.where(desi, _column(fields, "program", "").astype(str), ""),
        "HEALPIX": np.where(desi, _column(fields, "healpix", -1).astype(np.int64), -1),
        "sparcl_id": fields["sparcl_id"].astype(str),
        "specid": fields["specid"].astype(np.int64),
        "release": fields["data_release"].astype(str),
    }


def _stars(fields: dict[str, np.ndarray]) -> np.ndarray:
    """Name that all spectra of a star share, within one survey: its targetid, the specid where there is none."""
    surveys = [name.split("-")[0] for name in fields["data_release"].astype(str).tolist()]
    targets, spectra = _column(fields, "targetid", NO_ID).tolist(), fields["specid"].tolist()
    rows = zip(surveys, targets, spectra, strict=True)
    return np.array([f"{name} {target if target > 0 else specid}" for name, target, specid in rows], dtype=str)


SURVEY = Survey(
    name="sparcl",
    description="spectra of DESI, SDSS and BOSS that transtar fetch retrieved from SPARCL, parquet",
    read_file=read_sparcl,
    patterns=("sparcl-*.parquet",),
    frame="observed",
    sky_lines=((5570.0, 5590.0),),
    citation="Juneau et al. 2024, arXiv:2401.05576 (SPARCL), and the release that the spectra are from",
    id_columns=("specid", "specobjid", "targetid"),
)
