"""Splits that keep repeat visits of a star together and the regimes of [Fe/H] in proportion."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import InputError
from ..glossary import POOR_BELOW as POOR_LIMIT


def regime(feh: np.ndarray) -> np.ndarray:
    """Number the regimes: 0 poor ([Fe/H] < -1), 1 rich, 2 unknown (NaN); int, shape of `feh`."""
    feh = np.asarray(feh, dtype=np.float64)
    return np.where(np.isnan(feh), 2, np.where(feh < POOR_LIMIT, 0, 1))


def stratified_order(star_groups, feh: np.ndarray | None, seed: int) -> np.ndarray:
    """Rank the stars at random, such that every leading part has the regimes in proportion.

    Each regime's stars are shuffled and spread evenly over (0, 1); all are then sorted together. A star takes the
    regime of the mean [Fe/H] of its rows.

    Parameters
    ----------
    star_groups : array-like, shape (n,)
        Label of the star of each row; rows of equal label are one star.
    feh : ndarray, shape (n,), or None
        [Fe/H] in dex, NaN if unknown; None does not stratify.
    seed : int

    Returns
    -------
    ndarray, shape (n,), int64
        Rank of each row's star, from 0; rows of one star share it.
    """
    groups = np.unique(np.asarray(star_groups), return_inverse=True)[1].ravel()
    n_groups = int(groups.max()) + 1 if len(groups) else 0
    if feh is None:
        strata = np.zeros(n_groups, dtype=int)
    else:
        values = np.asarray(feh, dtype=np.float64)
        known = np.isfinite(values)
        counts = np.bincount(groups[known], minlength=n_groups)
        sums = np.bincount(groups[known], weights=values[known], minlength=n_groups)
        strata = regime(np.where(counts > 0, sums / np.maximum(counts, 1), np.nan))
    generator = np.random.default_rng(seed)
    place = np.empty(n_groups)
    for stratum in np.unique(strata):
        members = generator.permutation(np.flatnonzero(strata == stratum))
        place[members] = (np.arange(len(members)) + 0.5) / len(members)
    rank = np.empty(n_groups, dtype=np.int64)
    rank[np.lexsort((generator.permutation(n_groups), place))] = np.arange(n_groups)
    return rank[groups]


def validation_split(star_groups, feh: np.ndarray | None, fraction: float, seed: int) -> np.ndarray:
    """Choose the rows held out for validation.

    Parameters
    ----------
    star_groups, feh, seed
        As in `stratified_order`.
    fraction : float
        Part of the stars to hold out, in [0, 1): at least one star if it is positive, and never all.

    Returns
    -------
    ndarray, shape (n,), bool
        True for validation.

    Raises
    ------
    InputError
        If a fraction of fewer than two stars is asked for.
    """
    rank = stratified_order(star_groups, feh, seed)
    n_stars = int(rank.max()) + 1 if len(rank) else 0
    if fraction <= 0:
        return np.zeros(len(rank), dtype=bool)
    if n_stars < 2:
        raise InputError(f"{n_stars} star(s) cannot be split for validation; set validation_fraction to 0")
    return rank < min(max(round(fraction * n_stars), 1), n_stars - 1)


def nested_subsets(star_groups, feh: np.ndarray | None, sizes: Sequence[int], seed: int) -> dict[int, np.ndarray]:
    """Draw nested subsets: every smaller one is part of every larger one.

    Parameters
    ----------
    star_groups, feh, seed
        As in `stratified_order`.
    sizes : sequence of int
        Numbers of stars.

    Returns
    -------
    dict of int to ndarray, shape (n,), bool
        Rows of each subset; a star comes with all its rows.

    Raises
    ------
    InputError
        If a size is not positive or there are fewer stars.
    """
    rank = stratified_order(star_groups, feh, seed)
    n_stars = int(rank.max()) + 1 if len(rank) else 0
    for size in sizes:
        if not 1 <= size <= n_stars:
            raise InputError(f"a subset of {size} stars cannot be drawn from {n_stars}")
    return {int(size): rank < size for size in sizes}


METALLICITY_EDGES = (POOR_LIMIT, -0.7)
"""Edges of the bins of [Fe/H] in which `matched_split` divides stars; fine-tuning sets of the paper end at the second."""


def matched_split(star_groups, feh, teff, pool, seed: int) -> np.ndarray:
    """Divide stars anew into a pool to learn from and others, so that at every [Fe/H] both have one distribution of Teff.

    A pool that was cut in Teff (Zhao et al. 2026 learn from all stars with Teff > 4500 K and [Fe/H] < -0.7) leaves test stars of
    other temperatures, and an error of extrapolation in Teff passes for one in [Fe/H]. Here each bin of [Fe/H] gives as many
    stars as before, but at most half of its own, and the metal-rich bin makes up for what others cannot give. Within a bin
    the stars are ordered by Teff, cut into as many runs of neighbours as stars are wanted, and one of each is drawn.

    Parameters
    ----------
    star_groups : array-like, shape (n,)
        Rows of equal label are one star, which takes the labels of its first row.
    feh, teff : array-like, shape (n,)
        In dex and K; stars that lack one stay out of the new pool.
    pool : array-like, shape (n,), bool
        Stars learnt from so far.
    seed : int

    Returns
    -------
    ndarray, shape (n,), bool
        The new pool.
    """
    _, first, groups = np.unique(np.asarray(star_groups), return_index=True, return_inverse=True)
    feh, teff, pool = (np.asarray(values)[first] for values in (feh, teff, pool))
    known = np.isfinite(feh) & np.isfinite(teff)
    bins = np.where(known, np.digitize(feh, METALLICITY_EDGES), -1)
    numbers = range(len(METALLICITY_EDGES) + 1)
    wanted = {b: min(int((pool & (bins == b)).sum()), int((bins == b).sum()) // 2) for b in numbers}
    richest = numbers[-1]
    wanted[richest] = min(
        int((pool & known).sum()) - sum(wanted[b] for b in numbers[:-1]), int((bins == richest).sum())
    )
    generator = np.random.default_rng(seed)
    chosen = np.zeros(len(first), dtype=bool)
    for b in numbers:
        members = np.flatnonzero(bins == b)
        members = members[np.argsort(teff[members], kind="stable")]
        edges = np.linspace(0, len(members), wanted[b] + 1)
        starts, ends = np.ceil(edges[:-1]).astype(int), np.ceil(edges[1:]).astype(int)
        chosen[members[generator.integers(starts, np.maximum(ends, starts + 1))]] = True
    return chosen[groups.ravel()]


def folds(star_groups, feh: np.ndarray | None, n_folds: int, seed: int) -> np.ndarray:
    """Assign each row to one of `n_folds` folds for cross-validation; int64, shape (n,).

    Raises
    ------
    InputError
        If there are fewer stars than folds, or fewer than two folds.
    """
    rank = stratified_order(star_groups, feh, seed)
    n_stars = int(rank.max()) + 1 if len(rank) else 0
    if not 2 <= n_folds <= n_stars:
        raise InputError(f"{n_stars} stars cannot be divided into {n_folds} folds")
    return rank % n_folds
