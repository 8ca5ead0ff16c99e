"""Is a prediction of [alpha/Fe] worth more than knowing [Fe/H]? Partial correlations and baselines, each cross-validated."""

from __future__ import annotations

import numpy as np

from ..errors import TooFew
from .metrics import clipped_std

FEWEST_FOR_LINE = 5
"""Stars through which a line is drawn."""


def rank_correlation(first, second) -> float:
    """Spearman's rank correlation of two samples, shape (n,)."""
    return float(np.corrcoef(_ranks(first), _ranks(second))[0, 1])


def partial_rank_correlation(first, second, given) -> float:
    """Spearman's rank correlation of two samples at a fixed third.

    It is the correlation of what is left of their ranks after a regression on the ranks of `given` (Kim 2015, Commun. Stat.
    Appl. Methods 22, 665).

    Parameters
    ----------
    first, second, given : array_like, shape (n,)

    Returns
    -------
    float
    """
    x, y, z = (_ranks(values) for values in (first, second, given))
    design = np.stack([np.ones_like(z), z], axis=1)
    left = [values - design @ np.linalg.lstsq(design, values, rcond=None)[0] for values in (x, y)]
    return float(np.corrcoef(*left)[0, 1])


def bootstrap_interval(
    statistic, *samples, n_boot: int = 2000, seed: int = 0, level: float = 0.95
) -> tuple[float, float]:
    """Percentile interval of a statistic of paired samples under drawing stars with replacement.

    Parameters
    ----------
    statistic : callable
        Takes as many arrays as there are samples.
    *samples : array_like, shape (n,)
    n_boot, seed : int
    level : float

    Returns
    -------
    (float, float)
    """
    arrays = [np.asarray(sample, float) for sample in samples]
    rng = np.random.default_rng(seed)
    n = len(arrays[0])
    values = [statistic(*(array[rows] for array in arrays)) for rows in rng.integers(0, n, (n_boot, n))]
    return tuple(float(v) for v in np.nanquantile(values, [(1 - level) / 2, (1 + level) / 2]))  # type: ignore[return-value]


def cross_validated_sigma(terms, reference, n_folds: int = 5, repeats: int = 20, seed: int = 0) -> float:
    """Scatter about a least-squares fit of `reference` to `terms`, of stars that the fit has not seen.

    Parameters
    ----------
    terms : array_like, shape (n, n_terms)
        Regressors; a constant is added.
    reference : array_like, shape (n,)
    n_folds, repeats, seed : int
        Stars are dealt into folds anew `repeats` times; the mean of the scatters is returned.

    Returns
    -------
    float
        Standard deviation after 3-sigma clipping, in the units of `reference`.

    Raises
    ------
    TooFew
        If there are fewer stars than twice the number of coefficients in a fold's fit.
    """
    reference = np.asarray(reference, float)
    terms = np.asarray(terms, float).reshape(len(reference), -1)
    scale = terms.std(axis=0)
    design = np.column_stack([np.ones(len(terms)), (terms - terms.mean(axis=0)) / np.where(scale > 0, scale, 1)])
    if len(reference) * (n_folds - 1) / n_folds < 2 * design.shape[1]:
        raise TooFew(f"{len(reference)} stars are too few to fit {design.shape[1]} coefficients in {n_folds} folds")
    rng = np.random.default_rng(seed)
    scatters = []
    for _ in range(repeats):
        fold = rng.permutation(np.arange(len(reference)) % n_folds)
        missed = np.empty_like(reference)
        for number in range(n_folds):
            out = fold == number
            solution = np.linalg.lstsq(design[~out], reference[~out], rcond=None)[0]
            missed[out] = reference[out] - design[out] @ solution
        scatters.append(float(clipped_std(missed[None, :])[0]))
    return float(np.mean(scatters))


def line_of_others(x, y, star) -> np.ndarray:
    """Predict each star by the least-squares line through all others.

    Parameters
    ----------
    x, y : array_like, shape (n,)
        Finite.
    star : array_like, shape (n,)
        Rows of equal value are one star, and are left out together.

    Returns
    -------
    ndarray, shape (n,), float64
        In the unit of `y`; NaN where the others have but one `x`.

    Raises
    ------
    TooFew
        If there are fewer than `FEWEST_FOR_LINE` stars.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    groups = np.unique(np.asarray(star), return_inverse=True)[1].ravel()
    n_stars = int(groups.max()) + 1 if len(groups) else 0
    if n_stars < FEWEST_FOR_LINE:
        raise TooFew(f"{n_stars} stars are too few for a line, which needs {FEWEST_FOR_LINE}")
    x_mean, y_mean = x.mean(), y.mean()
    x, y = x - x_mean, y - y_mean
    # Sums over all stars without those over the star: no fit is done twice, and none for each star.
    sums = np.stack([np.bincount(groups, weights) for weights in (np.ones_like(x), x, y, x * x, x * y)])
    n, sx, sy, sxx, sxy = (sums.sum(axis=1, keepdims=True) - sums)[:, groups]
    spread = n * sxx - sx**2
    usable = spread > 1e-12 * n * np.sum(x * x)
    slope = np.divide(n * sxy - sx * sy, spread, out=np.full(len(x), np.nan), where=usable)
    return y_mean + (sy - slope * sx) / np.maximum(n, 1) + slope * x


def polynomial(*variables, degree: int = 2) -> np.ndarray:
    """All products of standardised variables up to `degree`, without the constant, shape (n, n_terms)."""
    columns = [(np.asarray(v, float) - np.mean(v)) / (np.std(v) or 1.0) for v in variables]
    terms, last = list(columns), [(i, column) for i, column in enumerate(columns)]
    for _ in range(degree - 1):
        last = [(j, column * columns[j]) for i, column in last for j in range(i, len(columns))]
        terms += [column for _, column in last]
    return np.stack(terms, axis=1)


def _ranks(values) -> np.ndarray:
    from scipy.stats import rankdata

    return rankdata(np.asarray(values, float))
