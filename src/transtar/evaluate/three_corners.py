"""The three-cornered hat: the noise of two catalogs and of a prediction, from their differences alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import InputError, TooFew
from .bootstrap import stars_drawn
from .metrics import CLIP, PASSES

FEWEST = 10
"""Stars below which nothing is said of the noise."""

MOST_DRAWN, FEWEST_SAMPLES = 2 * 10**7, 100
"""Stars drawn for the bootstrap at most, but for this number of samples: of many stars fewer samples do."""

ROUNDING = 1e-6
"""Of the largest label: what copies may differ by, for some files hold 32 bits and some six digits."""

CENTRAL = (0.1587, 0.8413)
"""Quantiles between which a Gaussian has what is within 1 sigma."""


@dataclass(frozen=True)
class Noise:
    """Noise of one of three.

    Parameters
    ----------
    variance, variance_err : float
        In the unit of the label squared; the error is half of the central 68 % of bootstrap samples. A variance may be negative:
        differences scatter less than the errors of the others would have them, by chance or because errors are not independent.
    sigma, sigma_err : float
        Square root of the variance, NaN if that is negative, and its error, variance_err / (2 sigma).
    negative : float
        Share of bootstrap samples whose variance is negative.
    """

    variance: float
    variance_err: float
    sigma: float
    sigma_err: float
    negative: float


@dataclass(frozen=True)
class ThreeCorners:
    """Noise of two catalogs and of a prediction of the same stars.

    Parameters
    ----------
    reference, second, predicted : Noise
    n : int
        Stars that have all three labels.
    n_clipped : int
        Those of them that the clip took.
    """

    reference: Noise
    second: Noise
    predicted: Noise
    n: int
    n_clipped: int


def three_corners(reference, second, predicted, n_boot: int = 1000, seed: int = 0) -> ThreeCorners:
    """Tell the noise of three sets of labels of the same stars apart.

    With independent errors the variance of the difference of two is the sum of theirs, V(ab) = a^2 + b^2, so that
    a^2 = (V(ab) + V(ac) - V(bc)) / 2, which is the covariance of a - b and a - c (Gray & Allan 1974, Proc. 28th Annual Symp.
    on Frequency Control, 243; Sjoberg et al. 2021, J. Atmos. Oceanic Technol. 38, 555, on its limits). Offsets drop out;
    a difference of scale, and an error that two share, does not.

    Stars that are more than 3 sigma from the median in any of the three differences are left out of all, in at most five passes:
    on one and the same set of stars the sums hold exactly, which they do not for 1.48 MAD, or where each difference is clipped
    by itself. Of Gaussian errors the clip takes 1 % of the stars and 2 % of sigma.

    Parameters
    ----------
    reference, second, predicted : array_like, shape (n,)
        Labels, NaN where missing; each star once.
    n_boot, seed : int
        Bootstrap samples of the stars, for the errors; each is clipped anew. Fewer are taken of more than 20,000 stars.

    Returns
    -------
    ThreeCorners

    Raises
    ------
    InputError
        If shapes differ, or two of the three are one and the same; `TooFew` if fewer than ten stars have all three.
    """
    arrays = [np.asarray(values, np.float64) for values in (reference, second, predicted)]
    if arrays[0].ndim != 1 or len({array.shape for array in arrays}) != 1:
        raise InputError(
            f"three sets of labels of the same stars have shapes {', '.join(str(a.shape) for a in arrays)}"
        )
    a, b, c = (array[np.isfinite(arrays).all(axis=0)] for array in arrays)
    if len(a) < FEWEST:
        raise TooFew(f"{len(a)} stars have all three labels, and {FEWEST} are needed to tell their noise apart")
    for what, difference in (
        ("both catalogs", a - b),
        ("reference and prediction", a - c),
        ("second and prediction", b - c),
    ):
        # Copies differ by the rounding of a file at most, and a constant is no noise.
        if np.ptp(difference) <= ROUNDING * np.abs([a, b, c]).max():
            but = " but for a constant" if abs(difference.mean()) > ROUNDING * np.abs([a, b, c]).max() else ""
            raise InputError(f"{what} have the same labels{but} for all {len(a)} stars: they are no two opinions")
    ab, ac = (a - b)[None, :], (a - c)[None, :]
    values, kept = _variances(ab, ac)
    n_boot = min(n_boot, max(FEWEST_SAMPLES, MOST_DRAWN // len(a)))
    draws = [_variances(ab[0][stars], ac[0][stars])[0] for stars in stars_drawn(len(a), n_boot, seed)]
    samples = np.concatenate(draws, axis=1) if draws else np.full((3, 0), np.nan)
    of_a, of_b, of_c = (_noise(float(value), some) for value, some in zip(values[:, 0], samples, strict=True))
    return ThreeCorners(of_a, of_b, of_c, len(a), int((~kept).sum()))


def _variances(ab: np.ndarray, ac: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Variances (n - 1) of a, b and c from the differences a - b and a - c, clipped, row by row.

    Parameters
    ----------
    ab, ac : ndarray, shape (n_rows, n)

    Returns
    -------
    variances : ndarray, shape (3, n_rows)
    kept : ndarray, shape (n_rows, n), bool
        Stars within the clip in all three differences.
    """
    kept = np.ones(ab.shape, bool)
    for _ in range(PASSES):
        inside = kept.copy()
        for difference in (ab, ac, ac - ab):
            some = np.where(kept, difference, np.nan)
            limit = CLIP * np.nanstd(some, axis=1, keepdims=True)
            inside &= np.abs(difference - _medians(some)) <= limit
        if (inside == kept).all():
            break
        kept = inside
    n = kept.sum(axis=1)
    ab, ac = (np.where(kept, values - _means(values, kept), 0) for values in (ab, ac))
    of_ab, of_ac, both = (np.sum(x * y, axis=1) / (n - 1) for x, y in ((ab, ab), (ac, ac), (ab, ac)))
    return np.stack([both, of_ab - both, of_ac - both]), kept


def _means(values: np.ndarray, kept: np.ndarray) -> np.ndarray:
    return np.sum(values, axis=1, keepdims=True, where=kept) / kept.sum(axis=1, keepdims=True)


def _medians(values: np.ndarray) -> np.ndarray:
    """Median of each row without its NaN, shape (n_rows, 1); many times as fast as nanmedian, for NaN are sorted to the end."""
    ordered = np.sort(values, axis=1)
    n = np.isfinite(values).sum(axis=1, keepdims=True)
    low, high = (np.take_along_axis(ordered, place, axis=1) for place in ((n - 1) // 2, n // 2))
    return (low + high) / 2


def _noise(variance: float, samples: np.ndarray) -> Noise:
    # Half of the central 68 %: samples in which a far star comes often enough to escape the clip are few, and would rule a
    # standard deviation.
    error = float(np.diff(np.quantile(samples, CENTRAL))[0] / 2) if len(samples) > 1 else np.nan
    sigma = float(np.sqrt(variance)) if variance >= 0 else np.nan
    share = float(np.mean(samples < 0)) if len(samples) else np.nan
    return Noise(variance, error, sigma, error / (2 * sigma) if sigma > 0 else np.nan, share)
