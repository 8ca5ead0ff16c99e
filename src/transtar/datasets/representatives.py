"""Stars that stand for all others: as many groups of near ones as stars are wanted, and of each the star in its middle.

Groups are those of k-means, which make the mean squared distance of a star from the one that stands for it small. Where little
is known such representatives teach more than extremes do: stars farthest from all others are often those whose spectrum or label
is wrong (Hacohen, Dekel & Weinshall 2022, ICML, "Active learning on a budget: opposite strategies suit high and low budgets";
Holzmueller et al. 2023, JMLR 24, 164, compare such methods for regression).
"""

from __future__ import annotations

import numpy as np

from ..checks import check_whole
from ..errors import InputError

ROUNDS = 25
"""Steps of Lloyd's iteration at most; it ends before if nothing changes."""

CELLS = 2**22
"""Distances in memory at a time."""


def representatives(
    points: np.ndarray, n: int, seed: int = 0, known: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Choose points that stand for all.

    Parameters
    ----------
    points : ndarray, shape (n_points, n_dimensions)
        Finite, in units in which distances count alike.
    n : int
        How many to choose.
    seed : int
        Decides where the groups begin, and the order of what is chosen.
    known : ndarray, shape (n_known, n_dimensions), optional
        Points that are there already: each stands for what is nearest to it, and nothing is chosen for that.

    Returns
    -------
    chosen : ndarray, shape (n,), int64
        Different rows of `points`, in an order drawn at random: any leading part is a fair sample of all.
    shares : ndarray, shape (n,), float64
        Fraction of the points in the group of each.

    Raises
    ------
    InputError
        If there are fewer points than wanted, or not all are finite.
    SettingsError
        If n is no number of points.
    """
    check_whole(n, "n", 1)
    points = np.asarray(points, dtype=np.float64)
    fixed = np.empty((0, points.shape[1])) if known is None else np.asarray(known, dtype=np.float64)
    if not (np.isfinite(points).all() and np.isfinite(fixed).all()):
        raise InputError("representatives: the points are not all finite; leave out those that are not")
    if n > len(points):
        raise InputError(f"{n} stars are wanted, and there are {len(points)} to choose from; ask for fewer")
    generator = np.random.default_rng(seed)
    centres = points[generator.choice(len(points), n, replace=False)]
    groups = np.full(len(points), -1)
    for _ in range(ROUNDS):
        before, groups = groups, _nearest(points, np.concatenate([centres, fixed]))
        counts = np.bincount(groups, minlength=n)[:n]
        if (groups == before).all():
            break
        sums = np.stack([np.bincount(groups, column, n)[:n] for column in points.T], axis=1)
        # A centre that nothing is nearest to stays where it is.
        centres[counts > 0] = sums[counts > 0] / counts[counts > 0, None]
    chosen = _middles(points, centres, np.argsort(-counts, kind="stable"))
    order = generator.permutation(n)
    return chosen[order], counts[order] / len(points)


def _nearest(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Number of the nearest centre of each point, shape (n_points,); of equally near ones the first."""
    groups = np.empty(len(points), dtype=np.int64)
    squares = (centres**2).sum(axis=1)
    step = max(1, CELLS // len(centres))
    for start in range(0, len(points), step):
        block = points[start : start + step]
        groups[start : start + step] = np.argmin(squares - 2 * block @ centres.T, axis=1)
    return groups


def _middles(points: np.ndarray, centres: np.ndarray, order: np.ndarray) -> np.ndarray:
    """The point nearest to each centre, a different one for each; centres that come first in `order` choose first."""
    chosen = np.empty(len(centres), dtype=np.int64)
    taken = np.zeros(len(points), dtype=bool)
    for number in order:
        distance = ((points - centres[number]) ** 2).sum(axis=1)
        distance[taken] = np.inf
        chosen[number] = np.argmin(distance)
        taken[chosen[number]] = True
    return chosen
