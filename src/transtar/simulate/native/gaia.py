"""Mock Gaia XP spectra in the forms of the archive: sampled, and continuous (coefficients of basis functions).

De Angeli et al. 2023, A&A 674, A2; Montegriffo et al. 2023, A&A 674, A3. Coefficients are those whose sampled
spectrum, by GaiaXPy, is the one given: GaiaXPy's map from 55 + 55 coefficients to 343 points is linear.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from ...errors import InputError
from ...files import atomic_path
from ...spectra import SpectrumBatch
from ...surveys.gaia_xp import SAMPLING_NM, SCALE
from ...surveys.xp_continuous import BASES, calibrated
from .fits_blocks import simulated_cards

SOLUTION_ID = 4545469030156206080
BANDS = ("bp", "rp")
_INTEGERS = {
    "basis_function_id": (56, 57),
    "degrees_of_freedom": (1000, 1000),
    "n_parameters": (BASES, BASES),
    "n_measurements": (1055, 1055),
    "n_rejected_measurements": (5, 5),
}
_NULL = -32768


def _check(batch: SpectrumBatch) -> tuple[np.ndarray, np.ndarray]:
    """Fluxes and errors in the archive's units; NaN where masked."""
    if len(batch.wave) != len(SAMPLING_NM) or np.abs(batch.wave - 10 * SAMPLING_NM).max() > 0.01:
        raise InputError("XP spectra must lie on the archive's sampling: 3360 to 10200 A in steps of 20 A")
    if batch.ivar is None:
        raise InputError("XP spectra need inverse variances")
    good = ~batch.mask & (batch.ivar > 0)
    flux = np.where(good, batch.flux, np.nan).astype(np.float64) / SCALE
    error = np.where(good, 1 / np.sqrt(np.where(good, batch.ivar, 1).astype(np.float64)), np.nan) / SCALE
    return flux, error


def write_sampled(batch: SpectrumBatch, path: Path) -> Path:
    """Write sampled spectra, one source a row: the archive's RAW structure.

    Parameters
    ----------
    batch : SpectrumBatch
        In 1e-17 erg/s/cm2/A on the 343 points; its ids are Gaia's.
    path : Path
        ``.csv`` (arrays as text) or ``.fits``.

    Returns
    -------
    Path
        The same.

    Raises
    ------
    InputError
        For other wavelengths, spectra without errors, or another suffix.
    """
    flux, error = _check(batch)
    path = Path(path)
    ids = batch.ids
    if path.suffix == ".csv":
        with atomic_path(path, ours=True) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["source_id", "solution_id", "ra", "dec", "flux", "flux_error"])
            places = [_column(batch, name) for name in ("ra", "dec")]
            for i, identifier in enumerate(ids.tolist()):
                arrays = ["(" + ", ".join(f"{v:.8g}" for v in values[i]) + ")" for values in (flux, error)]
                writer.writerow([identifier, SOLUTION_ID, *(f"{place[i]:.8f}" for place in places), *arrays])
        return path
    if path.suffix != ".fits":
        raise InputError(f"{path}: sampled spectra are written as .csv or .fits")
    n = len(SAMPLING_NM)
    columns = [
        fits.Column("source_id", "K", array=ids),
        fits.Column("solution_id", "K", array=np.full(len(ids), SOLUTION_ID)),
        fits.Column("ra", "D", unit="deg", array=_column(batch, "ra")),
        fits.Column("dec", "D", unit="deg", array=_column(batch, "dec")),
        fits.Column("flux", f"{n}E", unit="W.m**-2.nm**-1", array=flux.astype(np.float32)),
        fits.Column("flux_error", f"{n}E", unit="W.m**-2.nm**-1", array=error.astype(np.float32)),
    ]
    return _write_fits(columns, path)


def fit_coefficients(flux: np.ndarray, ridge: float = 1e-5) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients whose sampled spectra are those given, and the matrix that samples them.

    Parameters
    ----------
    flux : ndarray, shape (n, 343)
        In W m-2 nm-1, without NaN.
    ridge : float
        Weight of small coefficients, which settles what the 343 points leave open, relative to the largest singular
        value.

    Returns
    -------
    coefficients : ndarray, shape (n, 110)
        BP, then RP.
    design : ndarray, shape (343, 110)

    Raises
    ------
    TranstarError
        If GaiaXPy is not installed.
    """
    design = design_matrix()
    u, s, vt = np.linalg.svd(design, full_matrices=False)
    shrunk = s / (s**2 + (ridge * s[0]) ** 2)
    return ((flux @ u) * shrunk) @ vt, design


def design_matrix() -> np.ndarray:
    """Sampled spectra of unit coefficients, shape (343, 110); needs GaiaXPy."""
    try:
        import pandas as pd
    except ImportError:
        pd = None
    if pd is None:
        return calibrated(None)[2]  # says what to install
    units = np.eye(2 * BASES)
    table: dict[str, Any] = {"source_id": np.arange(1, 2 * BASES + 1, dtype=np.int64)}
    for band, half in zip(BANDS, (units[:, :BASES], units[:, BASES:]), strict=True):
        table[f"{band}_n_parameters"] = np.full(len(units), BASES)
        table[f"{band}_standard_deviation"] = np.ones(len(units))
        table[f"{band}_coefficients"] = list(half)
        table[f"{band}_coefficient_errors"] = list(np.ones_like(half))
        table[f"{band}_coefficient_correlations"] = list(np.zeros((len(units), BASES * (BASES - 1) // 2)))
    return calibrated(pd.DataFrame(table))[2].T


def write_continuous(batch: SpectrumBatch, path: Path, seed: int = 0, without_bp: np.ndarray | None = None) -> Path:
    """Write continuous spectra as a FITS table of coefficients: the archive's RAW structure.

    Parameters
    ----------
    batch : SpectrumBatch
        Spectra without noise, on the 343 points, in 1e-17 erg/s/cm2/A; the median of its errors over each band sets
        the noise of the coefficients, which is drawn here, uncorrelated.
    path : Path
        ``.fits``
    seed : int
    without_bp : ndarray of bool, shape (n,), optional
        Sources whose BP spectrum is missing.

    Returns
    -------
    Path
        The same.

    Raises
    ------
    InputError
        For other wavelengths, or spectra without errors or with masked points.
    TranstarError
        If GaiaXPy is not installed.
    """
    flux, error = _check(batch)
    if not np.isfinite(flux).all():
        raise InputError("continuous XP spectra are fitted to whole spectra; some points are masked")
    n = len(flux)
    missing = np.zeros(n, bool) if without_bp is None else np.asarray(without_bp, bool)
    values, design = fit_coefficients(flux)
    rng = np.random.default_rng(seed)
    columns = [
        fits.Column("source_id", "K", array=batch.ids),
        fits.Column("solution_id", "K", array=np.full(n, SOLUTION_ID)),
    ]
    for place, band in enumerate(BANDS):
        part = slice(place * BASES, (place + 1) * BASES)
        gone = missing & (band == "bp")
        in_band = SAMPLING_NM < 640 if band == "bp" else SAMPLING_NM >= 640
        # What a unit error of all coefficients does to a point of the sampled spectrum.
        gain = np.median(np.sqrt((design[in_band][:, part] ** 2).sum(axis=1)))
        sigma = np.median(error[:, in_band], axis=1)[:, None] / gain * np.ones(BASES)
        noisy = values[:, part] + sigma * rng.standard_normal(sigma.shape)
        columns += _band_columns(band, place, noisy, sigma, gone)
    return _write_fits(columns, Path(path))


def _band_columns(band: str, place: int, values: np.ndarray, sigma: np.ndarray, gone: np.ndarray) -> list[fits.Column]:
    def integers(name: str, number: int) -> fits.Column:
        return fits.Column(f"{band}_{name}", "I", null=_NULL, array=np.where(gone, _NULL, number).astype(np.int16))

    def floats(name: str, number: float) -> fits.Column:
        return fits.Column(f"{band}_{name}", "E", array=np.where(gone, np.nan, number).astype(np.float32))

    def vectors(name: str, code: str, rows: np.ndarray, dtype: type) -> fits.Column:
        cells = np.empty(len(rows), dtype=object)
        cells[:] = [np.zeros(0, dtype) if no else row.astype(dtype) for row, no in zip(rows, gone, strict=True)]
        return fits.Column(f"{band}_{name}", f"P{code}({rows.shape[1]})", array=cells)

    correlations = np.zeros((len(values), BASES * (BASES - 1) // 2))
    return [
        *(integers(name, numbers[place]) for name, numbers in _INTEGERS.items()),
        floats("standard_deviation", 1.0),
        floats("chi_squared", 1000.0),
        vectors("coefficients", "D", values, np.float64),
        vectors("coefficient_errors", "E", sigma, np.float32),
        vectors("coefficient_correlations", "E", correlations, np.float32),
        integers("n_relevant_bases", BASES),
        floats("relative_shrinking", 1.0),
    ]


def _column(batch: SpectrumBatch, name: str) -> np.ndarray:
    return batch.meta[name] if name in batch.meta else np.full(len(batch), np.nan)


def _write_fits(columns: list[fits.Column], path: Path) -> Path:
    table = fits.BinTableHDU.from_columns(columns)
    for key, value in simulated_cards().items():
        table.header[key] = value
    with atomic_path(path, ours=True) as temporary:
        fits.HDUList([fits.PrimaryHDU(), table]).writeto(temporary, overwrite=True)
    return path
