"""Joining tables to spectra by file name, identifier or star."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError


@dataclass(frozen=True)
class JoinReport:
    """What a join did.

    Parameters
    ----------
    key : str
        Which column joined: 'file', 'id' or 'star'.
    matched, unmatched : int
        Spectra with and without a row of the table.
    unused : int
        Rows of the table that no spectrum asked for.
    """

    key: str
    matched: int
    unmatched: int
    unused: int

    def __str__(self) -> str:
        return (
            f"{self.matched} spectra have labels (joined by {self.key}), {self.unmatched} have none; "
            f"{self.unused} rows of labels are unused"
        )


def join(
    table: Mapping[str, np.ndarray],
    *,
    file: np.ndarray,
    ids: np.ndarray,
    labels: Sequence[str],
    star: np.ndarray | None = None,
) -> tuple[np.ndarray, JoinReport]:
    """Find the row of a table for each spectrum.

    The key is the first of ``file`` (with or without .gz), ``id`` and ``star`` that the table has and that matches any
    spectrum at all; all spectra are joined by it. Rows of the
    table that repeat a key with the same labels count as one.

    Parameters
    ----------
    table : mapping of str to ndarray, each of shape (n_rows,)
        As `read_labels` gives it.
    file : ndarray of str, shape (n_spectra,)
    ids : ndarray of int64, shape (n_spectra,)
        -1 (no identifier) matches nothing.
    labels : sequence of str
        Columns in which rows that repeat a key must agree.
    star : ndarray of str, shape (n_spectra,), optional

    Returns
    -------
    rows : ndarray of int64, shape (n_spectra,)
        Row in `table`, -1 where there is none.
    report : JoinReport

    Raises
    ------
    InputError
        If no spectrum matches (the message shows a key of each side), a label is not in the table, or rows that repeat
        the key of a spectrum disagree.
    """
    absent = [label for label in labels if label not in table]
    if absent:
        raise InputError(f"the table has no column {', '.join(absent)}; columns found: {', '.join(table)}")
    spectra = {"file": file, "id": ids, "star": star}
    tried = []
    for key, wanted in spectra.items():
        if wanted is None or key not in table:
            continue
        ours, theirs = comparable(wanted, key), comparable(table[key], key)
        rows = _first_rows(ours, theirs)
        if (rows >= 0).any():
            used = _used_rows(rows, theirs)
            _check_agreement(table, theirs, used, labels, key)
            matched = int((rows >= 0).sum())
            return rows, JoinReport(key, matched, len(rows) - matched, len(theirs) - int(used.sum()))
        tried.append(f"{key} (spectra: {_example(ours)}, table: {_example(theirs)})")
    raise InputError(f"no spectrum matches any row of the table by {' or '.join(tried) or 'file or id'}")


def look_up(
    table: Mapping[str, np.ndarray],
    column: str,
    *,
    file: np.ndarray,
    ids: np.ndarray,
    fill: Any,
    star: np.ndarray | None = None,
) -> np.ndarray:
    """Values of one column (``split``, ``velocity``) for each spectrum, `fill` where the table has no row for it.

    Parameters and errors are those of `join`.

    Returns
    -------
    ndarray, shape (n_spectra,)
    """
    rows, _ = join(table, file=file, ids=ids, labels=(column,), star=star)
    values = table[column][rows]
    return np.where(rows >= 0, values, fill)


def comparable(values: np.ndarray, key: str) -> np.ndarray:
    """Keys in the form in which they are compared: files as base names without .gz."""
    values = np.asarray(values)
    if key != "file":
        return values
    return np.array([name.rsplit("/", 1)[-1].removesuffix(".gz") for name in values.tolist()], dtype=str)


def _first_rows(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Row of the first of `theirs` equal to each of `ours`; -1 where there is none, or the key is empty."""
    if not len(theirs):
        return np.full(len(ours), -1, dtype=np.int64)
    order = np.argsort(theirs, kind="stable")
    place = np.minimum(np.searchsorted(theirs, ours, sorter=order), len(theirs) - 1)
    rows = order[place]
    return np.where((theirs[rows] == ours) & ~_empty(ours), rows, -1).astype(np.int64)


def _used_rows(rows: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Mark the rows of the table whose key some spectrum has, repeats included."""
    return np.isin(theirs, theirs[rows[rows >= 0]])


def _check_agreement(
    table: Mapping[str, np.ndarray], theirs: np.ndarray, used: np.ndarray, labels: Sequence[str], key: str
) -> None:
    """Refuse keys that repeat with different labels; only those of spectra at hand matter."""
    places = np.flatnonzero(used)
    unique, first, inverse = np.unique(theirs[places], return_index=True, return_inverse=True)
    if len(unique) == len(places):
        return
    differs = np.zeros(len(places), dtype=bool)
    for label in labels:
        values = table[label][places]
        reference = values[first][inverse]
        same = values == reference
        if values.dtype.kind == "f":
            same |= np.isnan(values) & np.isnan(reference)
        differs |= ~same
    conflicts = np.unique(inverse[differs])
    if len(conflicts):
        raise InputError(
            f"{len(conflicts)} {key} values repeat in the table with different {', '.join(labels)}, "
            f"first {unique[conflicts[0]]}; keep one row for each"
        )


def _empty(keys: np.ndarray) -> np.ndarray:
    return keys == ("" if keys.dtype.kind == "U" else -1)


def _example(keys: np.ndarray) -> str:
    filled = keys[~_empty(keys)]
    return repr(filled[0].item()) if len(filled) else "none"


def match_ids(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Find equal identifiers.

    Parameters
    ----------
    ours : ndarray of int64, shape (n,)
    theirs : ndarray of int64, shape (m,)

    Returns
    -------
    ndarray of int64, shape (n,)
        Place of the first of `theirs` that is equal, -1 where there is none or the identifier is missing (-1).
    """
    return _first_rows(ours, theirs)
