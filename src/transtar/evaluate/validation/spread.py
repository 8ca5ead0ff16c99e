"""How far values scatter, and by how much they scatter more than their stated errors, with bootstrap errors by star."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...errors import InputError
from ..metrics import CLIP, PASSES

MAD_TO_SIGMA = 1.4826022185056018
"""Standard deviation of a Gaussian over its median absolute deviation, 1 / (sqrt(2) erfinv(1/2))."""

N_BOOT, FEWEST_SAMPLES = 500, 100
"""Bootstrap samples, and how many there are at least of many values."""

BLOCK, MOST_DRAWN = 2**21, 4 * 10**6
"""Values looked at in one go, and in all samples together: bounds memory and time."""

MOST_GROUPS = 20_000
"""Groups that the bootstrap draws from; of more a part at random, whose errors are those of the whole times sqrt(n / part)."""

FEWEST = 10
"""Values below which no scatter is told."""


@dataclass(frozen=True)
class Spread:
    """Scatter of values about their middle.

    Parameters
    ----------
    n, n_groups, n_clipped : int
        Values; groups (stars, say) that they are of, which are what the bootstrap draws; values that the clip took.
    sigma, sigma_err : float
        Standard deviation (n) after a clip at 3 sigma about the median in at most five passes, as `transtar.evaluate.sigma`, and
        its bootstrap error. Of a Gaussian the clip takes 1.3 % of sigma.
    mad, mad_err : float
        1.48 times the median absolute deviation from the median, and its bootstrap error.
    """

    n: int
    n_groups: int
    n_clipped: int
    sigma: float
    sigma_err: float
    mad: float
    mad_err: float


@dataclass(frozen=True)
class Pulls:
    """Differences over the errors stated for them: of Gaussian errors that are right they scatter by 1.

    Parameters
    ----------
    spread : Spread
        Of the pulls.
    within, within_twice : float
        Shares within once and twice the stated error; 0.68 and 0.95 if Gaussian and right.
    stated : float
        Median of the stated errors, in the unit of the label.
    """

    spread: Spread
    within: float
    within_twice: float
    stated: float


def spread(values, groups=None, n_boot: int = N_BOOT, seed: int = 0) -> Spread:
    """Measure the scatter of values.

    Parameters
    ----------
    values : array_like, shape (n,)
        Finite.
    groups : array_like, shape (n,), optional
        What each value is of: values of one group are drawn together (bootstrap by star). Each its own if not given.
    n_boot, seed : int
        Samples of the bootstrap; fewer, but at least 100, of more than 8,000 values.

    Returns
    -------
    Spread
        NaN of fewer than two values.

    Raises
    ------
    InputError
        If shapes differ or a value is not finite.
    """
    values = np.asarray(values, np.float64)
    groups = np.arange(len(values)) if groups is None else np.asarray(groups)
    if values.ndim != 1 or groups.shape != values.shape:
        raise InputError(f"values and their groups have shapes {values.shape} and {groups.shape}; need (n,) twice")
    if not np.isfinite(values).all():
        raise InputError("values whose scatter is measured must be finite; leave missing ones out first")
    order = np.argsort(values, kind="stable")
    values, numbers = values[order], np.unique(groups, return_inverse=True)[1].ravel()[order]
    n, n_groups = len(values), int(numbers.max(initial=-1)) + 1
    if n < 2:
        return Spread(n, n_groups, 0, *[float("nan")] * 4)
    sigma, mad, kept = _measure(values, np.ones((1, n), np.int64))
    errors = _errors(values, numbers, n_groups, n_boot, seed)
    return Spread(n, n_groups, n - int(kept[0]), float(sigma[0]), errors[0], float(mad[0]), errors[1])


def pulls(differences, errors, groups=None, stated=None, n_boot: int = N_BOOT, seed: int = 0) -> Pulls | None:
    """Compare differences with the errors stated for them.

    Parameters
    ----------
    differences, errors : array_like, shape (n,)
        Those without an error above zero are left out.
    groups : array_like, shape (n,), optional
    stated : array_like, shape (n,), optional
        Errors whose median is told, if not those of the differences.
    n_boot, seed : int
        As for `spread`.

    Returns
    -------
    Pulls or None
        None if fewer than `FEWEST` have an error.
    """
    differences, errors = np.asarray(differences, np.float64), np.asarray(errors, np.float64)
    usable = np.isfinite(differences) & np.isfinite(errors) & (errors > 0)
    if usable.sum() < FEWEST:
        return None
    ratio = differences[usable] / errors[usable]
    told = errors if stated is None else np.asarray(stated, np.float64)
    return Pulls(
        spread(ratio, None if groups is None else np.asarray(groups)[usable], n_boot, seed),
        float(np.mean(np.abs(ratio) <= 1)),
        float(np.mean(np.abs(ratio) <= 2)),
        float(np.nanmedian(told[usable])),
    )


def _errors(values: np.ndarray, numbers: np.ndarray, n_groups: int, n_boot: int, seed: int) -> list[float]:
    """Errors of both measures of scatter of sorted values, by the bootstrap."""
    share = 1.0
    if n_groups > MOST_GROUPS:
        chosen = np.zeros(n_groups, bool)
        chosen[np.random.default_rng([seed, 1]).permutation(n_groups)[:MOST_GROUPS]] = True
        values, numbers = values[chosen[numbers]], (np.cumsum(chosen) - 1)[numbers[chosen[numbers]]]
        share, n_groups = MOST_GROUPS / n_groups, MOST_GROUPS
    samples = [_measure(values, times)[:2] for times in _drawn(numbers, n_groups, n_boot, seed)]
    if not samples:
        return [float("nan")] * 2
    return [_error(np.concatenate(one)) * share**0.5 for one in zip(*samples, strict=True)]


def _drawn(numbers: np.ndarray, n_groups: int, n_boot: int, seed: int) -> Iterator[np.ndarray]:
    """How often each value is in each sample, (n_samples, n); groups are drawn with replacement."""
    if n_groups < 3:
        # Of two groups half of the samples are one of them twice.
        return
    n = len(numbers)
    n_boot = min(n_boot, max(FEWEST_SAMPLES, MOST_DRAWN // n))
    rng = np.random.default_rng(seed)
    step = max(1, BLOCK // n)
    for start in range(0, n_boot, step):
        rows = min(step, n_boot - start)
        drawn = rng.integers(0, n_groups, size=(rows, n_groups)) + n_groups * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=drawn.size).reshape(rows, n_groups)[:, numbers]


def _measure(values: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Clipped standard deviation, 1.48 MAD and number of values kept, of each row of `times`.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Sorted.
    times : ndarray, shape (n_rows, n), int
        How often each value counts.
    """
    # The deviation is from the median of all, so that one sorting does for all samples.
    away = np.abs(values - np.median(values))
    order = np.argsort(away, kind="stable")
    mad = MAD_TO_SIGMA * _middle(away[order], times[:, order])
    kept = times
    for _ in range(PASSES):
        middle, deviation = _middle(values, kept), _deviation(values, kept)
        inside = np.where(np.abs(values - middle[:, None]) <= CLIP * deviation[:, None], times, 0)
        inside = np.where(kept > 0, inside, 0)
        if (inside == kept).all():
            break
        kept = inside
    return _deviation(values, kept), mad, kept.sum(axis=1)


def _middle(values: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Median of each row of sorted values, each counted `times`; NaN where none counts."""
    so_far = np.cumsum(times, axis=1)
    n = so_far[:, -1:]
    low, high = ((so_far > place).argmax(axis=1) for place in ((n - 1) // 2, n // 2))
    return np.where(n[:, 0] > 0, (values[low] + values[high]) / 2, np.nan)


def _deviation(values: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Standard deviation (n) of each row."""
    n = times.sum(axis=1)
    # Centred first: the difference of large sums would lose the digits of Teff.
    centred = values - values.mean()
    mean = times @ centred / n
    return np.sqrt(np.maximum(times @ centred**2 / n - mean**2, 0))


def _error(samples: np.ndarray) -> float:
    samples = samples[np.isfinite(samples)]
    return float(np.std(samples, ddof=1)) if len(samples) > 1 else float("nan")
