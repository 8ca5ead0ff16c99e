"""Bootstrap errors of the metrics: stars drawn with replacement, all draws at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np

from ..errors import SettingsError
from .metrics import check_pairs, clipped_std

METRICS = ("r2", "sigma", "bias")

BLOCK = 2**21
"""Values drawn at a time: bounds the memory to some tens of megabytes."""

KEPT = 2**23
"""Values up to which the samples of a number of stars are kept for the next call."""


def _from_times(reference: np.ndarray, residuals: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """R2 and bias of samples; sums over one are products with how often it holds each star, and all are one product."""
    columns = np.stack([reference, reference**2, residuals**2, residuals], axis=1)
    total, squares, lost, shift = (times.astype(np.float64) @ columns).T
    variance = squares - total**2 / len(reference)
    # A draw of one star many times has no variance, and so no R2.
    r2 = 1.0 - np.divide(lost, variance, out=np.full(len(lost), np.nan), where=variance > 1e-12 * squares)
    return r2, shift / len(reference)


def stars_drawn(n: int, n_boot: int, seed: int) -> Iterator[np.ndarray]:
    """Stars of the samples, block by block; int64, shape (n_samples, n)."""
    rng = np.random.default_rng(seed)
    step = max(1, BLOCK // n)
    for start in range(0, n_boot, step):
        yield rng.integers(0, n, size=(min(step, n_boot - start), n))


@lru_cache(maxsize=16)
def _times_drawn(n: int, n_boot: int, seed: int) -> tuple[np.ndarray, ...]:
    """How often each star is in each sample, block by block; uint16, shape (n_samples, n).

    Kept, because a study scores the same few numbers of stars hundreds of times; 11 MB for 5,539 stars.
    """
    blocks = []
    for stars in stars_drawn(n, n_boot, seed):
        places = stars + n * np.arange(len(stars))[:, None]
        blocks.append(np.bincount(places.ravel(), minlength=places.size).reshape(stars.shape).astype(np.uint16))
    return tuple(blocks)


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
    unknown = sorted(set(metrics) - set(METRICS))
    if unknown:
        raise SettingsError(f"no metric {', '.join(unknown)}; known metrics: {', '.join(METRICS)}")
    draws = {name: np.full(n_boot, np.nan) for name in metrics}
    n = len(reference)
    if n < 2 or not n_boot:
        return draws
    # Centred, so that large means (Teff) cost no digits.
    reference, residuals = reference - reference.mean(), predicted - reference
    # Large samples are not kept: their samples would fill the memory, and cost less than what is done with them.
    keeps = n * n_boot <= KEPT
    times = _times_drawn(n, n_boot, seed) if keeps else _times_drawn.__wrapped__(n, n_boot, seed)
    if {"r2", "bias"} & set(metrics):
        block_draws = [_from_times(reference, residuals, block) for block in times]
        for name, values in zip(("r2", "bias"), map(np.concatenate, zip(*block_draws, strict=True)), strict=True):
            if name in draws:
                draws[name] = values
    if "sigma" in draws:
        blocks = stars_drawn(n, n_boot, seed)
        draws["sigma"] = np.concatenate([clipped_std(residuals[stars]) for stars in blocks])
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
        By metric, in its unit; NaN of fewer than three stars, and where fewer than two samples have an answer.

    Raises
    ------
    InputError, SettingsError
        As `bootstrap`.
    """
    errors = {}
    for name, values in bootstrap(reference, predicted, metrics, n_boot, seed).items():
        # Of two stars every sample that has an R2 is the two themselves, and their error would come out as zero.
        values = values[np.isfinite(values)] if len(reference) > 2 else values[:0]
        errors[name] = float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
    return errors
