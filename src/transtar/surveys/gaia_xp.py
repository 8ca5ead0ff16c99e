"""Gaia XP spectra as the archive gives them.

De Angeli et al. 2023, A&A 674, A2; Montegriffo et al. 2023, A&A 674, A3. Sampled: 343 points from 336 to 1020 nm. RAW
files, and the bulk files ``XpSampledMeanSpectrum_*``, hold one source a row, with ``flux`` and ``flux_error`` as arrays;
INDIVIDUAL files hold one source, with ``wavelength``, ``flux`` and ``flux_error`` in each row, whose identifier is in a PARAM
of the VOTable, in the header of the FITS file or, for CSV, only in the file name. Continuous: coefficients of basis functions,
which GaiaXPy turns into a sampled spectrum (`xp_continuous`). CSV, ECSV, FITS and VOTable; told by content. How tables are read
is in `xp_tables`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError, shown
from ..grids import XP
from ..spectra import SpectrumBatch, check_wave, inverse_variance
from ..tables.ids import NO_ID
from ..telling import tell
from .base import Survey
from .wave_units import per_frequency, unit_ratio
from .xp_continuous import sample
from .xp_tables import COEFFICIENTS, XpTable, read_tables, vectors

SAMPLING_NM = XP.wave / 10
"""Wavelengths of the archive's sampled spectra in nm, shape (343,)."""

_NAMED = re.compile(
    r"(?i)dr3[ _-]*(?P<dr3>\d{6,19})(?!\d)|^xp_(?:sampled|continuous)[a-z_]*[ _-](?P<bare>\d{10,19})(?=\.)"
)
"""How the archive puts the identifier of a single source into the name of its file. Other numbers may be dates or coordinates."""

SCALE = 1e19
"""From W m-2 nm-1 to 1e-17 erg s-1 cm-2 A-1: inverse variances in the archive's units overflow single precision."""

BROKEN = "with broken arrays"
"""What a row is called whose flux or error has another number of points than all others, or whose coefficients are not whole."""


def read_gaia_xp(path: Path) -> SpectrumBatch:
    """Read a file of Gaia XP spectra.

    Parameters
    ----------
    path : Path
        CSV, ECSV, FITS or VOTable; gzipped or not; sampled or continuous.

    Returns
    -------
    SpectrumBatch
        All sources, in vacuum Angstrom (3360 to 10200 A) and units of 1e-17 erg/s/cm2/A. Masked where flux or error
        are missing (``null``) or not finite, as all of a continuous source that lacks BP is below its red half. ids are
        Gaia's source_id. Rows whose arrays have another length than all others, or
        whose coefficients are not whole, are left out, counted and told.

    Raises
    ------
    InputError
        If the file is broken or is none of these.
    TranstarError
        If it is continuous and GaiaXPy (the extra ``gaia``) is not installed.
    """
    path = Path(path)
    parts = [_spectra(table, path) for table in read_tables(path)]
    wave = parts[0][1]
    if any(len(part[1]) != len(wave) or np.abs(part[1] - wave).max() > 1e-6 for part in parts):
        raise InputError(f"{path}: its spectra differ in wavelengths; split the file")
    check_wave(10.0 * wave, str(path))
    ids = np.concatenate([part[0] for part in parts])
    flux, error = (np.concatenate([part[k] for part in parts]) * SCALE for k in (2, 3))
    n_broken = sum(part[4] for part in parts)
    ivar = inverse_variance(error, "gaia-xp")
    bad = ~np.isfinite(flux)
    if ivar is not None:
        # Where there are no errors at all every finite point is good.
        bad |= ~(ivar > 0) & ~np.isnan(ivar)
    n = len(ids)
    values: dict[str, Any] = {
        "file": np.full(n, path.name),
        "velocity": np.full(n, np.nan),
        "star": np.array([f"Gaia DR3 {i}" if i != NO_ID else path.name.split(".")[0] for i in ids.tolist()]),
        "snr_survey": _median_snr(flux, error, bad),
    }
    return SpectrumBatch(
        wave=10.0 * wave,
        flux=np.where(bad, 0, flux),
        ivar=None if ivar is None else np.where(bad & ~np.isnan(ivar), 0, ivar),
        mask=bad,
        ids=ids,
        survey="gaia-xp",
        frame="observed",
        medium="vacuum",
        meta=values,
        left_out={BROKEN: n_broken} if n_broken else {},
    )


def _median_snr(flux: np.ndarray, error: np.ndarray, bad: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.ma.masked_array(flux / error, bad | ~(error > 0))
    return np.ma.median(ratio, axis=1).filled(np.nan) if len(flux) else np.empty(0)


def source_ids(path: Path) -> np.ndarray:
    """Gaia's source_ids in a file of XP spectra, sampled or continuous; GaiaXPy is not needed.

    Parameters
    ----------
    path : Path

    Returns
    -------
    ndarray, shape (n,), int64

    Raises
    ------
    InputError
        If the file is none of those that `read_gaia_xp` reads.
    """
    path = Path(path)
    ids = []
    for table in read_tables(path, ("source_id",)):
        if not {"flux", *COEFFICIENTS} & set(table.names):
            raise InputError(f"{path}: not Gaia XP spectra ({table.found}); is --service right?")
        # Where each point is a row, the identifier may stand in all of them.
        points = "wavelength" in table.names
        ids.append(_one_source(table, path) if points else _rows(table, path))
    return np.concatenate(ids)


def _spectra(table: XpTable, path: Path) -> tuple[Any, ...]:
    """Identifiers, wavelengths in nm, fluxes and errors in W/m2/nm, and the number of rows left out."""
    if any(not len(column) for column in table.columns.values()):
        raise InputError(f"{path}: holds no row")
    if set(COEFFICIENTS) & set(table.names):
        return sample(table, _rows(table, path), path)
    if not {"flux", "flux_error"} <= set(table.names):
        raise InputError(
            f"{path}: not Gaia XP spectra ({table.found}): needs flux and flux_error, or coefficients of BP and RP; "
            "is --survey right?"
        )
    named = {
        name: vectors(table.columns[name]) for name in ("wavelength", "flux", "flux_error") if name in table.columns
    }
    if "wavelength" in named and all(len(cell) == 1 for cells in named.values() for cell in cells):
        wave, flux, error = (np.concatenate(cells) for cells in named.values())
        wave = _nanometres(wave, table, path)
        flux, error = _per_wavelength(table, wave, flux[None, :], error[None, :])
        return _one_source(table, path), wave, flux, error, 0
    ids = _rows(table, path)
    wave = _nanometres(named["wavelength"][0], table, path) if "wavelength" in named else SAMPLING_NM
    whole = np.array([all(len(cells[row]) == len(wave) for cells in named.values()) for row in range(len(ids))])
    if "wavelength" in named:
        whole[whole] = [
            np.array_equal(named["wavelength"][row], named["wavelength"][0]) for row in np.flatnonzero(whole)
        ]
    _tell_broken(whole, ids, named, len(wave), path)
    flux, error = (
        np.stack([cell for cell, good in zip(named[name], whole, strict=True) if good])
        for name in ("flux", "flux_error")
    )
    flux, error = _per_wavelength(table, wave, flux, error)
    return ids[whole], wave, flux, error, int((~whole).sum())


def _per_wavelength(table: XpTable, wave: np.ndarray, *values: np.ndarray) -> tuple[np.ndarray, ...]:
    """Fluxes and errors per wavelength, which the archive's are; a factor is of no consequence."""
    flux, error = (table.columns[name] for name in ("flux", "flux_error"))
    ratio = unit_ratio(error.unit, flux.unit, 1, error.where)
    factor = wave**-2.0 if per_frequency(flux.unit, flux.where) else np.ones(len(wave))
    return tuple(part * factor * (1.0 if number == 0 else ratio) for number, part in enumerate(values))


def _tell_broken(whole: np.ndarray, ids: np.ndarray, named: Mapping[Any, list], size: int, path: Path) -> None:
    if whole.all():
        return
    row = int(np.argmin(whole))
    counts = " and ".join(f"{len(named[name][row])} points of {name}" for name in ("flux", "flux_error"))
    if not whole.any() and "wavelength" not in named:
        raise InputError(f"{path}: {counts} a spectrum and no wavelengths; the archive's sampling has {size}")
    message = f"{path}: {(~whole).sum()} of {len(whole)} rows have not the {size} points of the others; the first: row {row + 1}"
    message += f" (source {ids[row]}) with {counts}"
    if not whole.any():
        raise InputError(f"{message}; fetch it again")
    tell(f"{message}; left out")


def _nanometres(wave: np.ndarray, table: XpTable, path: Path) -> np.ndarray:
    """Wavelengths in nm: in the unit that the file states, which is nm in all of the archive's."""
    unit = table.columns["wavelength"].unit.strip() or "nm"
    if unit != "nm":
        from astropy import units

        try:
            wave = wave * units.Unit(unit).to(units.nm)
        except (ValueError, TypeError, units.UnitConversionError):
            raise InputError(f"{path}: wavelengths in '{shown(unit)}', which is no length") from None
    if not (np.isfinite(wave).all() and wave.min() > 250 and wave.max() < 1200):
        raise InputError(
            f"{path}: wavelengths from {np.min(wave):.6g} to {np.max(wave):.6g} nm are not Gaia's (336 to 1020 nm)"
        )
    return wave


def _rows(table: XpTable, path: Path) -> np.ndarray:
    """Identifiers of a table with a source in each row."""
    if "source_id" in table.columns:
        return table.columns["source_id"].ids()
    rows = next((len(column) for column in table.columns.values()), 1)
    if rows > 1:
        raise InputError(f"{path}: {rows} spectra and no column source_id")
    return _one_source(table, path)


def _one_source(table: XpTable, path: Path) -> np.ndarray:
    """Identifier of a table that holds one source, of the column, of the table, or else of the name of the file."""
    if "source_id" in table.columns:
        ids = np.unique(table.columns["source_id"].ids())
        if len(ids) > 1:
            raise InputError(
                f"{path}: {len(ids)} sources in rows that are points of a spectrum; write each into a file of its own"
            )
        return ids
    if table.source_id != NO_ID:
        return np.array([table.source_id])
    named = _NAMED.search(path.name)
    number = int(named["dr3"] or named["bare"]) if named else NO_ID
    return np.array([number if number < 2**63 else NO_ID], dtype=np.int64)


def _file_names(stars: Mapping[str, np.ndarray]) -> np.ndarray | None:
    """Files of a list of stars: identifiers are those of Gaia, files beside them may be those of another survey."""
    return None if "id" in stars else stars.get("file")


SURVEY = Survey(
    name="gaia-xp",
    description="Gaia XP spectra, sampled or continuous (R 15 to 80, 336-1020 nm), CSV, FITS or VOTable",
    read_file=read_gaia_xp,
    patterns=tuple(
        f"{stem}{suffix}{packed}"
        for stem in ("XP_*", "xp_*", "XpSampledMeanSpectrum_*", "XpContinuousMeanSpectrum_*")
        for suffix in (".csv", ".ecsv", ".fits", ".xml", ".vot")
        for packed in ("", ".gz")
    ),
    frame="observed",
    resolution=25.0,
    file_names=_file_names,
    citation="De Angeli et al. 2023, A&A 674, A2; Montegriffo et al. 2023, A&A 674, A3",
    id_columns=("source_id", "gaia_source_id", "dr3_source_id", "gaiadr3"),
    # Its own points, so that nothing is interpolated. At R = 15 to 80 a velocity shifts nothing that is seen, and most sources
    # have none. An envelope would divide out the shape of the energy distribution, which is where the temperature is.
    # How few pixels do was found out on the grid 'blue'; what the others do to labels is not known here.
    preprocessing={"grid": "xp", "frame": "observed", "continuum": "none", "good_fraction": 0.8},
)
