"""Rows of one table and of another that have the same key, of one part or several, and how many have it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .join import key_codes, key_groups


def match_keys(
    keys: np.ndarray,
    other_keys: np.ndarray,
    parts: Mapping[str, tuple[np.ndarray, np.ndarray]] | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find the rows of another table that have the key of each of ours.

    Parameters
    ----------
    keys : ndarray of int64 or str, shape (n,)
        -1 or '' matches nothing.
    other_keys : ndarray of int64 or str, shape (m,)
    parts : mapping of str to (ndarray, ndarray), shapes (n,) and (m,), optional
        What makes a compound key with it, of both tables. A part that a row of ours does not know ('' or -1) need not agree.

    Returns
    -------
    rows : ndarray of int64, shape (n,)
        The first of the other rows that has the key; -1 where none has.
    candidates : ndarray of int64, shape (n,)
        How many have it.
    again : ndarray of int64, shape (k, 2)
        Of keys of ours that the other table has more than once, pairs of the first of its rows and another.

    Examples
    --------
    >>> rows, candidates, again = match_keys(np.array([7, -1, 8]), np.array([8, 7, 8]))
    >>> rows.tolist(), candidates.tolist(), again.tolist()
    ([1, -1, 0], [1, 0, 2], [[0, 2]])
    """
    rows = np.full(len(keys), -1, dtype=np.int64)
    candidates = np.zeros(len(keys), dtype=np.int64)
    pairs = [np.empty((0, 2), dtype=np.int64)]
    parts = parts or {}
    for these, names in key_groups(parts, len(keys)):
        codes, other_codes = key_codes(
            keys[these], other_keys, [(parts[name][0][these], parts[name][1]) for name in names]
        )
        order = np.argsort(other_codes, kind="stable")
        other_codes = other_codes[order]
        first = np.searchsorted(other_codes, codes, side="left")
        number = np.searchsorted(other_codes, codes, side="right") - first
        number[codes == ("" if codes.dtype.kind == "U" else -1)] = 0
        matched = number > 0
        rows[these[matched]] = order[first[matched]]
        candidates[these] = number
        begin, place = np.unique(first[number > 1], return_index=True)
        count = number[number > 1][place]
        start = np.repeat(begin, count - 1)
        step = np.arange(len(start)) - np.repeat(np.cumsum(count - 1) - (count - 1), count - 1) + 1
        pairs.append(np.stack([order[start], order[start + step]], axis=1))
    return rows, candidates, np.concatenate(pairs)
