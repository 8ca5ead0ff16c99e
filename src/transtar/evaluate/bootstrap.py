"""Bootstrap errors of the metrics: stars drawn with replacement, all draws at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import SettingsError
from .metrics import check_pairs, clipped_std

BLOCK = 2**21
"""Values drawn at a time: bounds the memory to some tens of megabytes."""


def _r2_draws(reference: np.ndarray, residuals: np.ndarray) -> np.ndarray:
    scatter = reference - reference.mean(axis=1, keepdims=True)
    total = np.einsum("ij,ij->i", scatter, scatter)
    lost = np.einsum("ij,ij->i", residuals, residuals)
    # A draw of one star many times has no variance, and so no R2.
    constant = np.ptp(reference, axis=1) == 0
    return 1.0 - np.divide(lost, total, out=np.full(len(total), np.nan), where=~constant & (total > 0))


_DRAWS = {
    "r2": _r2_draws,
    "sigma": lambda reference, residuals: clipped_std(residuals),
    "bias": lambda reference, residuals: residuals.mean(axis=1),
}


def bootstrap(
    reference, predicted, metrics: Sequence[str] = ("r2",), n_boot: int = 1000, seed: int = 0
) -> dict[str, np.ndarray]:
    """Metrics of bootstrap samples of the stars (Efron 1979, Ann. Statist. 7, 1).

    Parameters
    ----------
    reference, predicted : array_like, shape (n,)
    metrics : sequence of {'r2', 'sigma', 'bias'}
    n_boot : int
        Number of samples.
    seed : int
        The samples depend on `seed`, `n_boot` and n only.

    Returns
    -------
    dict of str to ndarray, shape (n_boot,), float64
        By metric; NaN where a sample has no answer.

    Raises
    ------
    InputError
        See `metrics.check_pairs`.
    SettingsError
        If a metric is not known.
    """
    reference, predicted = check_pairs(reference, predicted)
    unknown = sorted(set(metrics) - set(_DRAWS))
    if unknown:
        raise SettingsError(f"no metric {', '.join(unknown)}; known metrics: {', '.join(_DRAWS)}")
    draws = {name: np.full(n_boot, np.nan) for name in metrics}
    n = len(reference)
    if n < 2:
        return draws
    # Centred, so that large means (Teff) cost no digits.
    reference, residuals = reference - reference.mean(), predicted - reference
    rng = np.random.default_rng(seed)
    step = max(1, BLOCK // n)
    for start in range(0, n_boot, step):
        rows = slice(start, min(start + step, n_boot))
        stars = rng.integers(0, n, size=(rows.stop - rows.start, n))
        for name in metrics:
            draws[name][rows] = _DRAWS[name](reference[stars], residuals[stars])
    return draws


def bootstrap_errors(
    reference, predicted, metrics: Sequence[str] = ("r2",), n_boot: int = 1000, seed: int = 0
) -> dict[str, float]:
    """Estimate standard errors of the metrics: the standard deviation of each over bootstrap samples of the stars.

    Parameters
    ----------
    reference, predicted : array_like, shape (n,)
    metrics : sequence of {'r2', 'sigma', 'bias'}
    n_boot, seed : int
        As for `bootstrap`.

    Returns
    -------
    dict of str to float
        By metric, in its unit; NaN where fewer than two samples have an answer.

    Raises
    ------
    InputError, SettingsError
        As `bootstrap`.
    """
    errors = {}
    for name, values in bootstrap(reference, predicted, metrics, n_boot, seed).items():
        values = values[np.isfinite(values)]
        errors[name] = float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
    return errors
