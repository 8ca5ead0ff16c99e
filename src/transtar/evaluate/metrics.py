"""How well labels agree: pure functions on arrays.

Residuals are always predicted minus reference. All functions take one-dimensional arrays of finite numbers; leave
missing values out first (`regimes.evaluate` does).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from astropy.stats import sigma_clip

from ..errors import InputError

CLIP = 3.0
"""Clip of `sigma` in standard deviations."""
PASSES = 5
"""Passes of the clip at most; it ends earlier when a pass takes nothing."""


def check_pairs(reference, predicted) -> tuple[np.ndarray, np.ndarray]:
    """Bring two label arrays to float64 and check that they belong together.

    Parameters
    ----------
    reference, predicted : array_like, shape (n,)

    Returns
    -------
    tuple of ndarray, shape (n,), float64

    Raises
    ------
    InputError
        If the arrays differ in shape, are not one-dimensional, or hold values that are not finite.
    """
    reference, predicted = np.asarray(reference, np.float64), np.asarray(predicted, np.float64)
    if reference.ndim != 1 or reference.shape != predicted.shape:
        raise InputError(
            f"reference and predicted labels have shapes {reference.shape} and {predicted.shape}; need (n,) twice"
        )
    if not (np.isfinite(reference).all() and np.isfinite(predicted).all()):
        raise InputError("labels to be compared must be finite; leave missing ones out first")
    return reference, predicted


def r2(reference, predicted) -> float:
    """Coefficient of determination against the mean of these stars.

    1 - sum (predicted - reference)^2 / sum (reference - mean reference)^2; 1 is perfect, 0 as good as the mean,
    negative worse than it. The same as scikit-learn's ``r2_score``, but for the cases that have no answer.

    Parameters
    ----------
    reference, predicted : array_like, shape (n,)

    Returns
    -------
    float
        NaN for fewer than two stars, or if all reference labels are equal.

    Raises
    ------
    InputError
        See `check_pairs`.
    """
    reference, predicted = check_pairs(reference, predicted)
    if len(reference) < 2 or np.ptp(reference) == 0:
        return float("nan")
    total = np.sum((reference - reference.mean()) ** 2)
    return float(1.0 - np.sum((predicted - reference) ** 2) / total) if total > 0 else float("nan")


def sigma(reference, predicted) -> float:
    """Compute the standard deviation (n) of the residuals after astropy's 3-sigma clip about the median, of at most 5 passes.

    Parameters
    ----------
    reference, predicted : array_like, shape (n,)

    Returns
    -------
    float
        In the unit of the label; NaN for fewer than two stars.

    Raises
    ------
    InputError
        See `check_pairs`.
    """
    reference, predicted = check_pairs(reference, predicted)
    return float(clipped_std((predicted - reference)[None, :])[0])


def n_clipped(reference, predicted) -> int:
    """Count the stars that the clip of `sigma` takes.

    Parameters
    ----------
    reference, predicted : array_like, shape (n,)

    Returns
    -------
    int

    Raises
    ------
    InputError
        See `check_pairs`.
    """
    reference, predicted = check_pairs(reference, predicted)
    return int(np.isnan(_clipped((predicted - reference)[None, :])).sum()) if len(reference) > 1 else 0


def bias(reference, predicted) -> float:
    """Mean residual, predicted minus reference, of all stars: outliers are not clipped away.

    Parameters
    ----------
    reference, predicted : array_like, shape (n,)

    Returns
    -------
    float
        In the unit of the label; NaN without stars.

    Raises
    ------
    InputError
        See `check_pairs`.
    """
    reference, predicted = check_pairs(reference, predicted)
    return float(np.mean(predicted - reference)) if len(reference) else float("nan")


def clipped_std(residuals: np.ndarray) -> np.ndarray:
    """Clipped standard deviation of each row.

    Parameters
    ----------
    residuals : ndarray, shape (n_rows, n)

    Returns
    -------
    ndarray, shape (n_rows,), float64
        NaN for rows of fewer than two values.
    """
    if residuals.shape[1] < 2:
        return np.full(len(residuals), np.nan)
    return np.nanstd(_clipped(residuals), axis=1)


def _clipped(residuals: np.ndarray) -> np.ndarray:
    """Each row with NaN for what the clip takes."""
    return sigma_clip(residuals, sigma=CLIP, maxiters=PASSES, cenfunc="median", axis=1, masked=False)


METRICS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {"r2": r2, "sigma": sigma, "bias": bias}
"""All that `evaluate` computes, by the name of the column in results.csv, tables and metrics.json: functions of reference and
predicted labels."""
