"""The nearest of many vectors, by the cosine: exact, block by block, in memory that does not grow with their number."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from ..checks import check_whole
from ..errors import InputError

BLOCK = 16_384
"""Vectors compared at a time."""

QUERIES = 256
"""Queries that they are compared with at a time."""

_CROWD = 8
"""Times k candidates for each query, from which it is worth while to look for the k-th one first."""

_PAIRS = 32_768
"""Pairs whose cosine is computed in double precision at a time."""


class Nearest(NamedTuple):
    """What `top_k` gives.

    Parameters
    ----------
    scores : ndarray, shape (n_queries, k), float64
        Cosines, the greatest first; NaN where there are fewer than k neighbours.
    rows : ndarray, shape (n_queries, k), int64
        Which vectors they are of, counted from 0 over all blocks; -1 where there are fewer.
    n : int
        Vectors in all blocks.
    n_not_finite : int
        Those with a value that is not finite, which are near nothing.
    n_zero : int
        Those of which all values are zero, and which have no direction.
    """

    scores: np.ndarray
    rows: np.ndarray
    n: int
    n_not_finite: int
    n_zero: int


def top_k(queries: np.ndarray, blocks: Iterable[np.ndarray], k: int, leave_out: np.ndarray | None = None) -> Nearest:
    """For each query the k vectors with the greatest cosine; of equal ones the first.

    A product of matrices in single precision says which vectors can be among the k at all, by a bound of its rounding errors
    (Higham 2002, Accuracy and Stability of Numerical Algorithms, 3.1); their cosines are then computed in double precision. So
    the result depends neither on the size of the blocks nor on the library that multiplies matrices.

    Parameters
    ----------
    queries : ndarray, shape (n_queries, width)
        Single precision is enough. A query that is not finite, or zero, has no neighbours.
    blocks : iterable of ndarray, shape (n, width)
        All vectors, in parts of any size.
    k : int
        Neighbours of each query.
    leave_out : ndarray, shape (n_queries,), int, optional
        A row that is no neighbour of the query, such as the query itself; negative for none.

    Returns
    -------
    Nearest

    Raises
    ------
    InputError
        If an array is of another shape.
    SettingsError
        If k is no whole number from 1.
    """
    check_whole(k, "k")
    units, not_finite, zero = _directions(queries, "the queries")
    rows = np.full(len(units), -1, np.int64) if leave_out is None else np.asarray(leave_out, np.int64)
    if rows.shape != (len(units),):
        raise InputError(f"leave_out has shape {rows.shape} for {len(units)} queries")
    best = _Best(units, ~(not_finite | zero), rows, k)
    n = n_not_finite = n_zero = 0
    for block in blocks:
        vectors, not_finite, zero = _directions(block, "the vectors searched")
        if vectors.shape[1] != units.shape[1]:
            raise InputError(
                f"the queries have {units.shape[1]} values each, the vectors searched {vectors.shape[1]}; were they made by "
                "one encoder?"
            )
        best.add(vectors, ~(not_finite | zero), n)
        n, n_not_finite, n_zero = n + len(vectors), n_not_finite + int(not_finite.sum()), n_zero + int(zero.sum())
    return Nearest(np.where(best.rows < 0, np.nan, best.scores), best.rows, n, n_not_finite, n_zero)


def _directions(vectors: np.ndarray, what: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vectors of length one, float64, and which of them were not finite, or zero; these are zero."""
    with np.errstate(over="ignore"):
        vectors = np.asarray(vectors, np.float32)
    if vectors.ndim != 2 or not vectors.shape[1]:
        raise InputError(f"{what} are of shape {vectors.shape}, expected (n, width)")
    not_finite = ~np.isfinite(vectors).all(axis=1)
    doubled = np.where(not_finite[:, None], 0.0, vectors.astype(np.float64))
    # In double precision the square of no single one overflows, nor vanishes.
    length = np.sqrt((doubled * doubled).sum(axis=1))
    zero = ~not_finite & (length == 0)
    return doubled / np.where(length == 0, 1, length)[:, None], not_finite, zero


class _Best:
    """The k nearest so far, of each query."""

    def __init__(self, units: np.ndarray, usable: np.ndarray, leave_out: np.ndarray, k: int):
        self.units, self.usable, self.leave_out, self.k = units, usable, leave_out, k
        self.scores = np.full((len(units), k), -np.inf)
        self.rows = np.full((len(units), k), -1, np.int64)
        # Rounding to single precision, and a sum in any order whatever.
        self.slack = (units.shape[1] + 8) * 2.0**-24

    def add(self, vectors: np.ndarray, usable: np.ndarray, start: int) -> None:
        """Compare with the vectors of a block, whose first row is `start`."""
        single = vectors.astype(np.float32).T
        for first in range(0, len(self.units), QUERIES):
            part = slice(first, first + QUERIES)
            near = self.units[part].astype(np.float32) @ single
            near[:, ~usable] = -np.inf
            near[~self.usable[part]] = -np.inf
            column = self.leave_out[part] - start
            inside = np.flatnonzero((column >= 0) & (column < len(vectors)))
            near[inside, column[inside]] = -np.inf
            queries, columns = self._candidates(near, self.scores[part, -1] - self.slack)
            if len(queries):
                self._merge(queries + first, columns + start, self._cosines(queries + first, vectors, columns))

    def _candidates(self, near: np.ndarray, least: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pairs of a query and a vector that may be among its k nearest."""
        close = (near >= least[:, None]) & (near > -np.inf)
        if near.shape[1] > self.k and np.count_nonzero(close) > _CROWD * self.k * len(near):
            kth = np.partition(near, -self.k, axis=1)[:, -self.k]
            close &= near >= (kth - 2 * self.slack)[:, None]
        queries, columns = np.nonzero(close)
        return queries, columns

    def _cosines(self, queries: np.ndarray, vectors: np.ndarray, columns: np.ndarray) -> np.ndarray:
        cosines = np.empty(len(queries))
        for first in range(0, len(queries), _PAIRS):
            part = slice(first, first + _PAIRS)
            # Each sum on its own, so that equal vectors have equal cosines wherever they stand.
            cosines[part] = (self.units[queries[part]] * vectors[columns[part]]).sum(axis=1)
        return np.clip(cosines, -1, 1)

    def _merge(self, queries: np.ndarray, rows: np.ndarray, scores: np.ndarray) -> None:
        changed = np.unique(queries)
        queries = np.concatenate([np.repeat(changed, self.k), queries])
        rows = np.concatenate([self.rows[changed].ravel(), rows])
        scores = np.concatenate([self.scores[changed].ravel(), scores])
        order = np.lexsort((rows, -scores, queries))
        starts = np.searchsorted(queries[order], changed)
        order = order[starts[:, None] + np.arange(self.k)]
        self.rows[changed], self.scores[changed] = rows[order], scores[order]
