"""How many stars lie within the errors that a catalog states."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


def coverage(
    predicted: np.ndarray, error: np.ndarray, reference: np.ndarray, masks: Mapping[str, np.ndarray]
) -> dict[str, tuple[int, float, float]]:
    """Shares of the stars of each regime that lie within once and twice the stated error of the reference.

    Of Gaussian errors that are right these are 0.68 and 0.95. The errors of the reference are in the differences, too.

    Parameters
    ----------
    predicted, error, reference : ndarray, shape (n,), float64
        One label, its stated error (1 sigma) and the reference; stars that lack one of them, or whose error is not above zero,
        are left out.
    masks : mapping of str to ndarray, shape (n,), bool
        As from `regimes`.

    Returns
    -------
    dict of str to (int, float, float)
        Stars, and shares of them within once and twice the error; regimes without stars are left out.
    """
    usable = np.isfinite(predicted) & np.isfinite(reference) & np.isfinite(error) & (error > 0)
    pulls = np.abs(predicted - reference)[usable] / error[usable]
    shares = {}
    for name, mask in masks.items():
        some = pulls[mask[usable]]
        if len(some):
            shares[name] = len(some), float(np.mean(some <= 1)), float(np.mean(some <= 2))
    return shares
