"""What a plane of stars shows, in numbers, for those who cannot see it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Spread(NamedTuple):
    """How values are spread.

    Parameters
    ----------
    low, median, high : float
        5th, 50th and 95th percentile.
    """

    low: float
    median: float
    high: float


def spread(values: np.ndarray) -> Spread:
    """Percentiles of finite values, of which there is at least one."""
    return Spread(*np.percentile(values[np.isfinite(values)].astype(np.float64), (5, 50, 95)).tolist())


def limits(values: np.ndarray, share: float = 0.0, margin: float = 0.05) -> tuple[float, float]:
    """Where an axis begins and ends.

    Parameters
    ----------
    values : ndarray
        What is not finite does not count.
    share : float
        Of the values that may lie outside at either end.
    margin : float
        Of the range, that is added at either end.

    Returns
    -------
    tuple of float
        (0, 1) without any value.
    """
    finite = values[np.isfinite(values)].astype(np.float64)
    if not len(finite):
        return 0.0, 1.0
    low, high = np.quantile(finite, (share, 1 - share)).tolist()
    wide = (high - low) or max(abs(low) * 0.1, 0.1)
    return low - margin * wide, high + margin * wide


def count_outside(x: np.ndarray, y: np.ndarray, x_limits: tuple[float, float], y_limits: tuple[float, float]) -> int:
    """Stars with both values of which one lies outside of limits."""
    both = np.isfinite(x) & np.isfinite(y)
    inside = (x >= min(x_limits)) & (x <= max(x_limits)) & (y >= min(y_limits)) & (y <= max(y_limits))
    return int((both & ~inside).sum())
