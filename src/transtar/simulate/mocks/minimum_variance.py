"""The weights that an ideal linear estimator of a label would give to the pixels: what a network's gradient is held against."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...errors import InputError
from .moved import STEPS, UNITS, MovedSpectra

FEWEST = 3
"""Stars from which a regime has weights, and responses."""

SNR = 50.0
"""Median signal-to-noise ratio per pixel at which noise is quoted."""


def pixel_variance(ivar: np.ndarray | None, n_pixels: int, snr: float = SNR) -> np.ndarray:
    """Noise of a typical star on the grid, scaled to a median S/N.

    Parameters
    ----------
    ivar : ndarray, shape (n_stars, n_pixels), or None
        Inverse variances of the flux, 0 where bad; without it the noise is the same everywhere.
    n_pixels : int
    snr : float

    Returns
    -------
    ndarray, shape (n_pixels,), float64
        Variance; infinite where no star has a good pixel.
    """
    if ivar is None or not (ivar > 0).any():
        return np.full(n_pixels, snr**-2.0)
    variance = np.where(ivar > 0, 1 / np.where(ivar > 0, ivar, 1).astype(np.float64), np.nan)
    variance = variance[np.isfinite(variance).any(axis=1)]
    relative = variance / np.nanmedian(variance, axis=1, keepdims=True)
    usable = np.isfinite(relative).any(axis=0)
    typical = np.full(n_pixels, np.inf)
    typical[usable] = np.nanmedian(relative[:, usable], axis=0)
    return typical / np.median(typical[usable]) * snr**-2.0


def minimum_variance(derivatives: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Weights of the unbiased linear estimators of least variance: ``N^-1 D (D^T N^-1 D)^-1`` (Gauss and Markov).

    Each answers with 1 to its own label and with 0 to the others. Noise of different pixels is taken as independent, which it
    is not quite: continuum and resampling tie them.

    Parameters
    ----------
    derivatives : ndarray, shape (n_labels, n_pixels)
        Change of the flux with each label.
    variance : ndarray, shape (n_pixels,)
        Of the noise; infinite where there is no information.

    Returns
    -------
    ndarray, shape (n_labels, n_pixels), float64
        Unit of the label per unit flux.

    Raises
    ------
    InputError
        If shapes differ, or the labels cannot be told apart.
    """
    change = np.asarray(derivatives, np.float64)
    if change.ndim != 2 or change.shape[1:] != np.shape(variance):
        raise InputError(f"minimum variance: derivatives {change.shape} and noise {np.shape(variance)} do not fit")
    weighted = change / variance
    information = weighted @ change.T
    scale = np.sqrt(np.diag(information))
    if not (np.isfinite(scale).all() and (scale > 0).all()):
        raise InputError("minimum variance: a label changes no pixel")
    correlated = information / np.outer(scale, scale)
    if np.linalg.cond(correlated) > 1e10:
        raise InputError("minimum variance: the labels change the spectra in the same way and cannot be told apart")
    return np.linalg.solve(correlated, weighted / scale[:, None]) / scale[:, None]


def best_weights(
    label: str, spectra: MovedSpectra, regimes: Mapping[str, np.ndarray], variance: np.ndarray
) -> dict[str, np.ndarray]:
    """Minimum-variance weights of a label for the mean star of each regime.

    Parameters
    ----------
    label : str
        One of `STEPS`.
    spectra : MovedSpectra
    regimes : mapping of str to ndarray, shape (n_given,), bool
    variance : ndarray, shape (n_pixels,)
        As from `pixel_variance`.

    Returns
    -------
    dict of str to ndarray, shape (n_pixels,), float64
        By regime, in the label's own unit (dex, K) per unit flux; empty if the label is none of those moved.
    """
    if label not in STEPS:
        return {}
    derivatives = spectra.derivatives()
    weights = {}
    for regime, mask in regimes.items():
        chosen = derivatives[mask[spectra.rows]]
        if len(chosen) >= FEWEST:
            weights[regime] = minimum_variance(chosen.mean(axis=0), variance)[list(STEPS).index(label)] * UNITS[label]
    return weights


def noise_of(weights: np.ndarray, variance: np.ndarray) -> float:
    """Standard deviation of a label whose gradient is `weights`, (n_pixels,), under noise of `variance`."""
    known = np.isfinite(variance)
    return float(np.sqrt(np.sum(np.asarray(weights, np.float64)[known] ** 2 * np.asarray(variance)[known])))


def correlation(gradient: np.ndarray, weights: np.ndarray) -> float:
    """Pearson's coefficient of a gradient and weights, both (n_pixels,), over the pixels of the grid."""
    return float(np.corrcoef(gradient, weights)[0, 1])
