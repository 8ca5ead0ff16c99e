"""Continuous Gaia XP spectra, coefficients of basis functions, sampled by GaiaXPy.

The coefficients are read as every table is, checked, and handed over in memory: GaiaXPy's own readers tell formats by the names
of files, verify no sums, and take whatever cannot be a spectrum for one that lacks a band.
"""

from __future__ import annotations

import contextlib
import io
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError, missing_package
from ..telling import tell
from .xp_tables import ARRAYS, BANDS, CONTINUOUS, NUMBERS, XpTable, vectors

BASES = 55
"""Basis functions of each band (Carrasco et al. 2021, A&A 652, A86; De Angeli et al. 2023, section 3)."""


def sample(table: XpTable, ids: np.ndarray, path: Path) -> tuple[Any, ...]:
    """Sample the sources of a table.

    Parameters
    ----------
    table : XpTable
    ids : ndarray, shape (n,), int64
        Of its rows.
    path : Path
        For messages.

    Returns
    -------
    ids : ndarray, shape (m,), int64
        Of those rows whose coefficients are whole; others are told.
    wave, flux, error : ndarray
        As of `calibrated`.
    n_broken : int

    Raises
    ------
    InputError
        If a column is missing, or no row is whole.
    TranstarError
        If GaiaXPy is not installed.
    """
    # Before anything else, pandas among it: both come with the extra.
    if find_spec("gaiaxpy") is None:
        raise missing_package("gaiaxpy", "gaia")
    lacking = [name for name in CONTINUOUS if name not in table.columns and name != "source_id"]
    if lacking:
        raise InputError(f"{path}: continuous spectra without the column {lacking[0]}; fetch them again")
    columns: dict[str, list] = {"source_id": ids.tolist()}
    wrong = np.full(len(ids), "", dtype=object)
    empty = np.zeros(len(ids), int)
    for band in BANDS:
        numbers = {name: table.columns[f"{band}_{name}"].numbers("") for name in NUMBERS}
        arrays = {name: [_without_blanks(cell) for cell in vectors(table.columns[f"{band}_{name}"])] for name in ARRAYS}
        for row in range(len(ids)):
            sizes = [len(cells[row]) for cells in arrays.values()]
            n, sigma = (values[row] for values in numbers.values())
            if not any(sizes) and (np.isnan(n) or n == 0) and np.isnan(sigma):
                empty[row] += 1
            elif sizes != [BASES, BASES, BASES * (BASES - 1) // 2] or n != BASES:
                wrong[row] = f"{band.upper()} has {n:g} parameters and arrays of {', '.join(map(str, sizes))} numbers"
            elif not (
                sigma > 0 and np.isfinite(sigma) and all(np.isfinite(cells[row]).all() for cells in arrays.values())
            ):
                wrong[row] = f"{band.upper()} lacks numbers"
        columns |= {f"{band}_{name}": values.tolist() for name, values in numbers.items()}
        columns |= {f"{band}_{name}": cells for name, cells in arrays.items()}
    wrong[(empty == len(BANDS)) & (wrong == "")] = "it has neither band"
    whole = wrong == ""
    if not whole.all():
        row = int(np.argmin(whole))
        message = f"{path}: {(~whole).sum()} of {len(whole)} rows are not whole; the first: row {row + 1}"
        message += f" (source {ids[row]}): {wrong[row]}"
        if not whole.any():
            raise InputError(f"{message}; fetch it again")
        tell(f"{message}; left out")
    kept = np.flatnonzero(whole).tolist()
    import pandas as pd

    frame = pd.DataFrame({name: pd.Series([values[row] for row in kept]) for name, values in columns.items()})
    _, wave, flux, error = calibrated(frame)
    return ids[whole], wave, flux, error, int((~whole).sum())


def _without_blanks(cell: np.ndarray) -> np.ndarray:
    """A cell; an empty one where it is nothing but a missing value."""
    return cell[:0] if np.isnan(cell).all() else cell


def calibrated(source: Any) -> tuple[np.ndarray, ...]:
    """Sampled spectra of continuous ones, through GaiaXPy.

    Parameters
    ----------
    source : pandas.DataFrame
        Table of coefficients, arrays of the columns that the archive has; empty ones where a band is missing.

    Returns
    -------
    ids : ndarray, shape (n,), int64
    wave : ndarray, shape (343,)
        In nm.
    flux, error : ndarray, shape (n, 343)
        In W m-2 nm-1; NaN where a band is missing.
    """
    from matplotlib import rc_context

    # Its import has all text of figures drawn by LaTeX from then on.
    with rc_context():
        from gaiaxpy import calibrate
        from gaiaxpy.calibrator import calibrator

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
