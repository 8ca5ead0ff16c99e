"""Gaia XP spectra as the archive gives them.

De Angeli et al. 2023, A&A 674, A2; Montegriffo et al. 2023, A&A 674, A3. Sampled: 343 points from 336 to 1020 nm. RAW
files hold one source a row, with ``flux`` and ``flux_error`` as arrays; INDIVIDUAL files hold one source, with
``wavelength``, ``flux`` and ``flux_error`` in each row, whose identifier is in a PARAM of the VOTable, in the header of
the FITS file or, for CSV, only in the file name. Continuous: coefficients of basis functions, which GaiaXPy turns into a
sampled spectrum. CSV, ECSV, FITS and VOTable; told by content.
"""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError, missing_package
from ..spectra import SpectrumBatch
from ..tables.ids import NO_ID, to_int64
from .base import Survey
from .native import read_bytes

SAMPLING_NM = np.arange(336.0, 1021.0, 2.0)
"""Wavelengths of the archive's sampled spectra in nm, shape (343,)."""

SCALE = 1e19
"""From W m-2 nm-1 to 1e-17 erg s-1 cm-2 A-1: inverse variances in the archive's units overflow single precision."""

_NUMBERS = re.compile(r"[^\s,()\[\]\"]+")


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
        are not finite, as all of a continuous source that lacks BP is below its red half. ids are Gaia's source_id.

    Raises
    ------
    InputError
        If the file is broken or is none of these.
    TranstarError
        If it is continuous and GaiaXPy (the extra ``gaia``) is not installed. GaiaXPy tells formats by suffix and
        reads no gzip.
    """
    path = Path(path)
    tables = _tables(read_bytes(path), path)
    parts = [_spectra(table, path) for table in tables]
    wave = parts[0][1]
    if any(len(part[1]) != len(wave) or np.abs(part[1] - wave).max() > 1e-6 for part in parts):
        raise InputError(f"{path}: its spectra differ in wavelengths; split the file")
    ids = np.concatenate([part[0] for part in parts])
    flux, error = (np.concatenate([part[k] for part in parts]) * SCALE for k in (2, 3))
    with np.errstate(divide="ignore", invalid="ignore"):
        ivar = error**-2.0
        bad = ~np.isfinite(flux) | ~np.isfinite(ivar) | (error <= 0)
        snr = np.array(
            [np.median((f / e)[~b]) if not b.all() else np.nan for f, e, b in zip(flux, error, bad, strict=True)]
        )
    n = len(ids)
    values: dict[str, Any] = {
        "file": np.full(n, path.name),
        "velocity": np.full(n, np.nan),
        "star": np.array([f"Gaia DR3 {i}" if i != NO_ID else path.name.split(".")[0] for i in ids.tolist()]),
        "snr_survey": snr,
    }
    return SpectrumBatch(
        wave=10.0 * wave,
        flux=np.where(bad, 0, flux).astype(np.float32),
        ivar=np.where(bad, 0, ivar).astype(np.float32),
        mask=bad,
        ids=ids,
        survey="gaia-xp",
        frame="observed",
        medium="vacuum",
        meta=values,
    )


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
    for table in _tables(read_bytes(path), path):
        if not {"flux", "bp_coefficients", "rp_coefficients"} & set(table):
            raise InputError(f"{path}: not Gaia XP spectra (columns {', '.join(table)}); is --service right?")
        if "wavelength" in table or "source_id" not in table:
            ids.append(_identifier(table, path))
        else:
            ids.append(to_int64(np.atleast_1d(np.asarray(table["source_id"])), f"{path}: source_id"))
    return np.concatenate(ids)


def _tables(content: bytes, path: Path) -> list[dict[str, Any]]:
    """Columns by lower-case name for each table of the file; scalars are parameters."""
    start = content[:512].lstrip()
    if start.startswith(b"SIMPLE  ="):
        return _fits_tables(content)
    if start.startswith((b"<?xml", b"<VOTABLE")):
        return _votables(content)
    if b"\0" in content[:4096]:
        raise InputError(f"{path}: not a CSV, FITS or VOTable file of Gaia XP spectra; is --survey right?")
    text = content.decode("utf-8")
    lines = [line for line in text.splitlines(keepends=True) if line.strip() and not line.startswith("#")]
    # Arrays of 1485 correlations are long fields.
    csv.field_size_limit(10**8)
    rows = list(csv.reader(io.StringIO("".join(lines))))
    names = [name.strip().lower() for name in rows[0]]
    return [{name: list(column) for name, column in zip(names, zip(*rows[1:], strict=True), strict=True)}]


def _fits_tables(content: bytes) -> list[dict[str, Any]]:
    from astropy.io import fits

    tables = []
    with fits.open(io.BytesIO(content), memmap=False) as hdus:
        for hdu in hdus:
            if isinstance(hdu, fits.BinTableHDU):
                table: dict[str, Any] = {name.lower(): hdu.data[name] for name in hdu.columns.names}
                for key in ("SOURCE_ID", "SOURCEID"):
                    if key in hdu.header:
                        table.setdefault("source_id", hdu.header[key])
                tables.append(table)
    return tables


def _votables(content: bytes) -> list[dict[str, Any]]:
    from astropy.io.votable import parse

    tables = []
    for votable in parse(io.BytesIO(content), verify="ignore").iter_tables():
        table: dict[str, Any] = {param.name.lower(): param.value for param in votable.params}
        names = votable.array.dtype.names or ()
        tables.append({**table, **{name.lower(): np.ma.getdata(votable.array[name]) for name in names}})
    return tables


def _spectra(table: dict[str, Any], path: Path) -> tuple[np.ndarray, ...]:
    """Identifiers, wavelengths in nm, fluxes and errors in W/m2/nm."""
    if "bp_coefficients" in table or "rp_coefficients" in table:
        return calibrated(str(path))
    if not {"flux", "flux_error"} <= set(table):
        raise InputError(
            f"{path}: not Gaia XP spectra (columns {', '.join(table)}): needs flux and flux_error, or coefficients of "
            "BP and RP; is --survey right?"
        )
    if "wavelength" in table:
        wave, flux, error = (np.array(table[name], dtype=np.float64) for name in ("wavelength", "flux", "flux_error"))
        return _identifier(table, path), wave, flux[None, :], error[None, :]
    ids = to_int64(np.array(table["source_id"]), f"{path}: source_id")
    flux, error = (np.stack([_vector(cell) for cell in table[name]]) for name in ("flux", "flux_error"))
    if flux.shape[1] != len(SAMPLING_NM):
        raise InputError(
            f"{path}: {flux.shape[1]} points a spectrum and no wavelengths; the archive's sampling has 343"
        )
    return ids, SAMPLING_NM, flux, error


def _identifier(table: dict[str, Any], path: Path) -> np.ndarray:
    given = table.get("source_id")
    if given is not None:
        return to_int64(np.atleast_1d(np.asarray(given))[:1], f"{path}: source_id")
    found = re.search(r"(\d{6,19})(?=\D*$)", path.name.removesuffix(".gz"))
    return np.array([int(found[1]) if found else NO_ID], dtype=np.int64)


def _vector(cell: Any) -> np.ndarray:
    if isinstance(cell, str):
        return np.array(_NUMBERS.findall(cell), dtype=np.float64)
    return np.asarray(np.ma.getdata(cell), dtype=np.float64)


def calibrated(source: Any) -> tuple[np.ndarray, ...]:
    """Sampled spectra of continuous ones, through GaiaXPy.

    Parameters
    ----------
    source : str or pandas.DataFrame
        File, or table of coefficients.

    Returns
    -------
    ids : ndarray, shape (n,), int64
    wave : ndarray, shape (343,)
        In nm.
    flux, error : ndarray, shape (n, 343)
        In W m-2 nm-1; NaN where a band is missing.

    Raises
    ------
    TranstarError
        If GaiaXPy is not installed.
    """
    try:
        from gaiaxpy import calibrate
        from gaiaxpy.calibrator import calibrator
    except ImportError:
        raise missing_package("gaiaxpy", "gaia") from None
    import contextlib

    sink = io.StringIO()
    # It prints its progress, to the stream that was standard output when it was imported.
    calibrator.stdout, before = sink, getattr(calibrator, "stdout", None)
    try:
        with contextlib.redirect_stdout(sink):
            spectra, wave = calibrate(source, save_file=False)
    finally:
        calibrator.stdout = before
    flux, error = (
        np.stack([np.asarray(cell, np.float64) for cell in spectra[name]]) for name in ("flux", "flux_error")
    )
    return spectra["source_id"].to_numpy(np.int64), np.asarray(wave, np.float64), flux, error


SURVEY = Survey(
    name="gaia-xp",
    description="Gaia XP spectra, sampled or continuous (R 15 to 80, 336-1020 nm), CSV, FITS or VOTable",
    read_file=read_gaia_xp,
    patterns=tuple(
        f"{stem}_*{suffix}"
        for stem in ("XP", "xp")
        for suffix in (".csv", ".csv.gz", ".ecsv", ".fits", ".fits.gz", ".xml", ".vot")
    ),
    frame="observed",
    resolution=25.0,
    citation="De Angeli et al. 2023, A&A 674, A2; Montegriffo et al. 2023, A&A 674, A3",
    id_columns=("source_id", "gaia_source_id", "dr3_source_id", "gaiadr3"),
)
