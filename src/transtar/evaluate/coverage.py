"""How many stars lie within the errors that a catalog states."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


def coverage(
    predicted: np.ndarray,
    error: np.ndarray,
    reference: np.ndarray,
    masks: Mapping[str, np.ndarray],
    ends: tuple[np.ndarray, np.ndarray] | None = None,
    reference_error: np.ndarray | None = None,
) -> dict[str, tuple[int, float, float]]:
    """Shares of the stars of each regime whose reference lies within the stated error, and within the 95 % interval.

    Of errors that are right these are 0.68 and 0.95. Intervals are for the truth: they are widened in quadrature by the errors of
    the reference where those are given, once for 68 and 1.96 times for 95 %; else these are in the differences, too.

    Parameters
    ----------
    predicted, error, reference : ndarray, shape (n,), float64
        One label, its stated error (1 sigma) and the reference; stars that lack one of them, or whose error is not above zero,
        are left out.
    masks : mapping of str to ndarray, shape (n,), bool
        As from `regimes`.
    ends : (ndarray, ndarray), shape (n,), optional
        Of the 95 % intervals; twice the error if not given.
    reference_error : ndarray, shape (n,), optional
        1 sigma of the reference; NaN counts as none.

    Returns
    -------
    dict of str to (int, float, float)
        Stars, and shares of them within the error and within the 95 % interval; regimes without stars are left out.
    """
    usable = np.isfinite(predicted) & np.isfinite(reference) & np.isfinite(error) & (error > 0)
    difference = reference - predicted
    low, high = (2 * error, 2 * error) if ends is None else (predicted - ends[0], ends[1] - predicted)
    usable &= np.isfinite(low) & np.isfinite(high)
    noise = np.zeros(len(error)) if reference_error is None else np.nan_to_num(reference_error)
    once = np.abs(difference) <= np.hypot(error, noise)
    wide = np.hypot(np.where(difference < 0, low, high), 1.96 * noise)
    twice = np.abs(difference) <= wide
    shares = {}
    for name, mask in masks.items():
        some = mask & usable
        if some.any():
            shares[name] = int(some.sum()), float(np.mean(once[some])), float(np.mean(twice[some]))
    return shares
