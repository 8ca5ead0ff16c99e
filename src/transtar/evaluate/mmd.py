"""How alike two distributions of stars are: the maximum mean discrepancy (Gretton et al. 2012, JMLR 13, 723).

What is computed is the unbiased estimator of its square with a Gaussian kernel, their Eq. 3. For samples of one
distribution its mean is zero, so that it is negative about as often as positive; it is not to be rooted.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from ..errors import InputError, TooFew
from ..processes import usable_threads

GAMMA = 2.0
"""Of the kernel ``exp(-gamma |x - y|^2)``, in dex^-2 for abundances (the paper's)."""

GAMMAS = (GAMMA, 20.0, 200.0)
"""A scan over kernels whose standard deviation, (2 gamma)^-1/2, is 0.5, 0.16 and 0.05 dex. The first compares means and
widths of distributions; it takes the others to see two sequences 0.2 dex apart run together."""

BLOCK = 1024
"""Rows of a block of `halves_floor`: kernels of BLOCK x BLOCK pairs, 8 MB, are held at a time."""

GROUPS = 20
"""Parts of each sample that the jackknife leaves out in turn."""

FEW_PAIRS = 10**6
"""So few are done before threads have started."""


@dataclass(frozen=True)
class Discrepancy:
    """Squared maximum mean discrepancy.

    Parameters
    ----------
    value : float
        May be negative.
    error : float
        Standard error over both samples of stars; NaN where they are too small for one.
    """

    value: float
    error: float


def squared_mmd(x, y, gamma: float = GAMMA, seed: int = 0) -> Discrepancy:
    """Unbiased squared maximum mean discrepancy of two samples, over all pairs: `squared_mmds` with one kernel.

    Parameters
    ----------
    x, y : array_like, shape (n_x, n_dim) and (n_y, n_dim)
        For instance [Fe/H] and [alpha/Fe] in dex; finite.
    gamma : float
        Of the kernel ``exp(-gamma * |x - y|^2)``.
    seed : int
        Decides the groups.

    Returns
    -------
    Discrepancy

    Raises
    ------
    InputError
        As `squared_mmds`.
    """
    return squared_mmds(x, y, (gamma,), seed)[0]


def squared_mmds(
    x, y, gammas: Sequence[float] = GAMMAS, seed: int = 0, threads: int | None = None
) -> tuple[Discrepancy, ...]:
    """Unbiased squared maximum mean discrepancies of two samples, over all pairs, by several kernels at once.

    Mean kernel of pairs within `x` (no star with itself) plus the same within `y`, minus twice that of pairs between
    them. Memory is that of the samples, whatever their sizes; the time goes with (n_x + n_y)^2, some 14 s of one core
    for 126,253 x 7,608 and `GAMMAS`. The error is that of a jackknife over `GROUPS` random groups of each sample, taken
    as independent; stars that are in both samples make it too large.

    Parameters
    ----------
    x, y : array_like, shape (n_x, n_dim) and (n_y, n_dim)
        For instance [Fe/H] and [alpha/Fe] in dex; finite.
    gammas : sequence of float
        Of the kernels ``exp(-gamma * |x - y|^2)``. One that is ten times that before it is quick.
    seed : int
        Decides the groups.
    threads : int, optional
        Number of threads; all processors if not given. It does not change the result.

    Returns
    -------
    tuple of Discrepancy
        One for each gamma.

    Raises
    ------
    InputError
        If the samples do not fit together, hold values that are not finite, or have fewer than two stars, or if a gamma is
        not a positive number.
    """
    x, y = _check(x, y, gammas)
    rng = np.random.default_rng(seed)
    groups = [np.array_split(sample[rng.permutation(len(sample))], min(GROUPS, len(sample))) for sample in (x, y)]
    sizes = [np.array([len(part) for part in parts]) for parts in groups]
    return tuple(_discrepancy(*sums, *sizes) for sums in zip(*_group_sums(groups, gammas, threads), strict=True))


def _discrepancy(
    within_x: np.ndarray, within_y: np.ndarray, between: np.ndarray, sizes_x: np.ndarray, sizes_y: np.ndarray
) -> Discrepancy:
    """Value and jackknife error from the kernel's sums over pairs of groups, of shape (n_groups, n_groups)."""
    within, sizes = (within_x, within_y), (sizes_x, sizes_y)
    value = float(_combine(within_x.sum(), within_y.sum(), between.sum(), sizes_x.sum(), sizes_y.sum()))
    variance = 0.0
    for side in (0, 1):
        left_out = []
        for group, size in enumerate(sizes[side]):
            n = [sizes_x.sum(), sizes_y.sum()]
            n[side] -= size
            if n[side] < 2:
                return Discrepancy(value, float("nan"))
            sums = [within_x.sum(), within_y.sum()]
            sums[side] -= within[side][group].sum() + within[side][:, group].sum() - within[side][group, group]
            lost = between[group].sum() if side == 0 else between[:, group].sum()
            left_out.append(_combine(sums[0], sums[1], between.sum() - lost, n[0], n[1]))
        k = len(left_out)
        variance += (k - 1) / k * np.sum((np.array(left_out) - np.mean(left_out)) ** 2)
    return Discrepancy(value, float(np.sqrt(variance)))


def halves_floor(x, gamma: float = GAMMA, n_splits: int = 100, seed: int = 0) -> Discrepancy:
    """The squared discrepancy between random halves of one sample: what chance alone makes of equal distributions.

    Parameters
    ----------
    x : array_like, shape (n, n_dim)
        An odd star is left out of each split.
    gamma : float
    n_splits : int
    seed : int

    Returns
    -------
    Discrepancy
        `value` is the mean over the splits, near zero, and `error` their standard deviation, the smallest difference
        that samples of this size can show.

    Raises
    ------
    InputError
        As `squared_mmd`; four stars are needed.
    """
    x, _ = _check(x, x, (gamma,))
    if len(x) < 4:
        raise TooFew(f"halves of {len(x)} stars cannot be compared; four are needed")
    half = len(x) // 2
    rng = np.random.default_rng(seed)
    # +1 and -1 for the halves, 0 for the odd star; all splits share the kernels.
    signs = np.zeros((len(x), n_splits))
    for split in range(n_splits):
        order = rng.permutation(len(x))
        signs[order[:half], split], signs[order[half : 2 * half], split] = 1, -1
    first, second = (signs == 1).astype(float), (signs == -1).astype(float)
    sums = np.zeros((3, n_splits))
    for rows in _slices(len(x)):
        for columns in _slices(len(x)):
            kernel = _kernel(x[rows], x[columns], gamma)
            to_first, to_second = kernel @ first[columns], kernel @ second[columns]
            sums[0] += np.einsum("ij,ij->j", first[rows], to_first)
            sums[1] += np.einsum("ij,ij->j", second[rows], to_second)
            sums[2] += np.einsum("ij,ij->j", first[rows], to_second)
    values = _combine(sums[0], sums[1], sums[2], half, half)
    return Discrepancy(float(values.mean()), float(values.std(ddof=1)) if n_splits > 1 else float("nan"))


def _check(x, y, gammas: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
        raise InputError(f"samples to be compared need shapes (n, k) and (m, k), not {x.shape} and {y.shape}")
    if min(len(x), len(y)) < 2:
        raise TooFew(f"samples of {len(x)} and {len(y)} stars cannot be compared; two each are needed")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise InputError("labels to be compared must be finite; leave missing ones out first")
    if not all(0 < gamma < np.inf for gamma in gammas):
        raise InputError(f"gamma of a kernel must be a positive number, not {', '.join(map(str, gammas))}")
    # About one centre, so that squares of large numbers do not cancel.
    centre = y.mean(axis=0)
    return x - centre, y - centre


def _slices(n: int) -> list[slice]:
    return [slice(start, min(start + BLOCK, n)) for start in range(0, n, BLOCK)]


def _kernel(x: np.ndarray, y: np.ndarray, gamma: float) -> np.ndarray:
    exponent = x @ (2 * gamma * y.T)
    exponent -= gamma * np.einsum("ij,ij->i", x, x)[:, None]
    exponent -= gamma * np.einsum("ij,ij->i", y, y)
    # Rounding may leave a pair of equals a little above zero.
    np.minimum(exponent, 0.0, out=exponent)
    return np.exp(exponent, out=exponent)


def _group_sums(groups: list[list[np.ndarray]], gammas: Sequence[float], threads: int | None) -> list[np.ndarray]:
    """Sums of each kernel over all pairs of each two groups.

    Within x, within y and between them, of shape (n_gammas, n_groups, n_groups); of those of a sample with itself half are
    computed.
    """
    # Here, for it brings the compiler along.
    from .pairs import kernel_sums

    columns = [[np.ascontiguousarray(part.T) for part in parts] for parts in groups]
    widths = np.array(gammas, np.float64)
    results: list[np.ndarray] = []
    rows: list[tuple] = []
    for first, second in ((0, 0), (1, 1), (0, 1)):
        results.append(np.zeros((len(columns[first]), len(columns[second]), len(widths))))
        for i, x in enumerate(columns[first]):
            start = i if first == second else 0
            rows.append((x, columns[second][start:], results[-1][i, start:]))

    def fill(row: tuple) -> None:
        x, others, sums = row
        for j, other in enumerate(others):
            kernel_sums(x, other, widths, sums[j])

    if sum(len(part) for parts in groups for part in parts) ** 2 < FEW_PAIRS:
        for row in rows:
            fill(row)
    else:
        with ThreadPoolExecutor(threads or usable_threads()) as pool:
            list(pool.map(fill, rows))
    for sums in results[:2]:
        below = np.tril_indices(len(sums), -1)
        sums[below] = sums.transpose(1, 0, 2)[below]
    return [sums.transpose(2, 0, 1) for sums in results]


def _combine(xx, yy, xy, n_x: int, n_y: int):
    """The estimator from sums over all pairs; each star's kernel with itself, which is 1, is taken out."""
    return (xx - n_x) / (n_x * (n_x - 1)) + (yy - n_y) / (n_y * (n_y - 1)) - 2 * xy / (n_x * n_y)
