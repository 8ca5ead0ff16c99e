"""Joining tables to spectra by file name, identifier or star."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
        Which column joined: 'file', 'id' or 'star'; 'id, SURVEY, PROGRAM, HEALPIX' and the like by a compound key.
    matched, unmatched : int
        Spectra with and without a row of the table.
    unused : int
        Rows of the table that no spectrum asked for.
    ambiguous : int
        Spectra, among the unmatched, for which rows of the table disagree.
    """

    key: str
    matched: int
    unmatched: int
    unused: int
    ambiguous: int = 0

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
    keys: Mapping[str, np.ndarray] | None = None,
    refuse: bool = True,
) -> tuple[np.ndarray, JoinReport]:
    """Find the row of a table for each spectrum.

    The key is the first of ``file`` (with or without .gz), ``id`` and ``star`` that the table has and that matches any
    spectrum at all; all spectra are joined by it. Where a file holds several spectra it is no key. Rows of the
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
    keys : mapping of str to ndarray, shape (n_spectra,), optional
        What makes a compound key with the id (SURVEY, PROGRAM, HEALPIX of DESI). Each that the table has too (case does
        not matter) must agree, unless the spectrum does not know it ('' or -1).
    refuse : bool
        Whether rows that repeat the key of a spectrum and disagree are an error; else such a spectrum gets no row.

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
    tried = []
    for key, wanted in {"file": file, "id": ids, "star": star}.items():
        if wanted is not None and key in getattr(table, "unusable", {}):
            tried.append(f"{key} ({table.unusable[key]})")  # type: ignore[attr-defined]
        if wanted is None or key not in table:
            continue
        ours, theirs = comparable(wanted, key), comparable(table[key], key)
        if key == "file" and "id" in table and (_holds_several(ours, ids) or _holds_several(theirs, table["id"])):
            tried.append("file (which holds several spectra)")
            continue
        parts = _parts(table, keys) if key == "id" and keys else {}
        shown = ", ".join([key, *parts])
        rows = np.full(len(ours), -1, dtype=np.int64)
        used, ambiguous = np.zeros(len(theirs), dtype=bool), np.zeros(len(ours), dtype=bool)
        for these, names in _groups(parts, len(ours)):
            here, there = _codes(ours[these], theirs, [(parts[name][0][these], parts[name][1]) for name in names])
            found = _first_rows(here, there)
            asked = np.isin(there, there[found[found >= 0]])
            repeated, row = _disagreeing(table, there, asked, labels)
            if len(repeated):
                if refuse:
                    hint = "" if names or not keys else f", or name its {', '.join(keys)}"
                    raise InputError(
                        f"{len(repeated)} {key} values repeat in the table with different {', '.join(labels)}, "
                        f"first {theirs[row]}; keep one row for each{hint}"
                    )
                unclear = np.isin(here, repeated) & (found >= 0)
                ambiguous[these] = unclear
                found[unclear] = -1
            rows[these] = found
            used |= asked
        if (rows >= 0).any() or ambiguous.any():
            matched = int((rows >= 0).sum())
            unused = len(theirs) - int(used.sum())
            return rows, JoinReport(shown, matched, len(rows) - matched, unused, int(ambiguous.sum()))
        example = _example(ours, *(own for own, _ in parts.values()))
        tried.append(f"{shown} (spectra: {example}, table: {_example(theirs, *(own for _, own in parts.values()))})")
    raise InputError(f"no spectrum matches any row of the table by {' or '.join(tried) or 'file or id'}")


def look_up(
    table: Mapping[str, np.ndarray],
    column: str,
    *,
    file: np.ndarray,
    ids: np.ndarray,
    fill: Any,
    star: np.ndarray | None = None,
    keys: Mapping[str, np.ndarray] | None = None,
) -> np.ndarray:
    """Values of one column (``split``, ``velocity``) for each spectrum, `fill` where the table has no row for it.

    Parameters and errors are those of `join`.

    Returns
    -------
    ndarray, shape (n_spectra,)
    """
    rows, _ = join(table, file=file, ids=ids, labels=(column,), star=star, keys=keys)
    values = table[column][rows]
    return np.where(rows >= 0, values, fill)


def match_ids(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Find equal identifiers.

    Parameters
    ----------
    ours : ndarray of int64 or str, shape (n,)
    theirs : ndarray of int64 or str, shape (m,)

    Returns
    -------
    ndarray of int64, shape (n,)
        Place of the first of `theirs` that is equal, -1 where there is none or the identifier is missing (-1 or empty).
    """
    return _first_rows(ours, theirs)


def comparable(values: np.ndarray, key: str) -> np.ndarray:
    """Keys in the form in which they are compared: files as base names without .gz."""
    values = np.asarray(values)
    if key != "file":
        return values
    return np.array([name.rsplit("/", 1)[-1].removesuffix(".gz") for name in values.tolist()], dtype=str)


def _holds_several(files: np.ndarray, ids: np.ndarray) -> bool:
    """Whether one file name stands beside different identifiers."""
    named = (files != "") & (np.asarray(ids) != -1)
    pairs = set(zip(files[named].tolist(), np.asarray(ids)[named].tolist(), strict=True))
    return len(pairs) > len(np.unique(files[named]))


def _parts(table: Mapping[str, np.ndarray], keys: Mapping[str, np.ndarray]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Parts of the compound key that both sides have: ours and theirs."""
    spelt = {name.upper(): name for name in table} | {name: name for name in table}
    found = {}
    for name, own in keys.items():
        theirs = spelt.get(name, spelt.get(name.upper()))
        if theirs is not None:
            ours, values = np.asarray(own), np.asarray(table[theirs])
            if ours.dtype.kind != values.dtype.kind:
                ours, values = ours.astype(str), values.astype(str)
            found[name] = (ours, values)
    return found


def _groups(parts: Mapping[str, tuple[np.ndarray, np.ndarray]], n: int) -> Iterator[tuple[np.ndarray, list[str]]]:
    """Rows of spectra that know the same parts of their key, and which parts these are."""
    known = [~np.isin(ours.astype(str), ("", "-1")) for ours, _ in parts.values()]
    pattern = np.zeros(n, dtype=np.int64)
    for bit, these in enumerate(known):
        pattern |= these.astype(np.int64) << bit
    for value in np.unique(pattern).tolist():
        yield np.flatnonzero(pattern == value), [name for bit, name in enumerate(parts) if value >> bit & 1]


def _codes(
    ours: np.ndarray, theirs: np.ndarray, parts: Sequence[tuple[np.ndarray, np.ndarray]]
) -> tuple[np.ndarray, np.ndarray]:
    """One value for each compound key, the same on both sides; the key itself if it has no parts."""
    if not parts:
        return ours, theirs
    code = np.zeros(len(ours) + len(theirs), dtype=np.int64)
    for here, there in ((ours, theirs), *parts):
        values, place = np.unique(np.concatenate([here, there]), return_inverse=True)
        code = code * len(values) + place.ravel()
    return np.where(_empty(ours), -1, code[: len(ours)]), code[len(ours) :]


def _first_rows(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Row of the first of `theirs` equal to each of `ours`; -1 where there is none, or the key is empty."""
    if not len(theirs):
        return np.full(len(ours), -1, dtype=np.int64)
    order = np.argsort(theirs, kind="stable")
    place = np.minimum(np.searchsorted(theirs, ours, sorter=order), len(theirs) - 1)
    rows = order[place]
    return np.where((theirs[rows] == ours) & ~_empty(ours), rows, -1).astype(np.int64)


def _disagreeing(
    table: Mapping[str, np.ndarray], theirs: np.ndarray, used: np.ndarray, labels: Sequence[str]
) -> tuple[np.ndarray, int]:
    """Keys that repeat with different labels, and a row of the first; only those of spectra at hand matter."""
    places = np.flatnonzero(used)
    unique, first, inverse = np.unique(theirs[places], return_index=True, return_inverse=True)
    if len(unique) == len(places):
        return unique[:0], -1
    differs = np.zeros(len(places), dtype=bool)
    for label in labels:
        values = table[label][places]
        reference = values[first][inverse]
        same = values == reference
        if values.dtype.kind == "f":
            same |= np.isnan(values) & np.isnan(reference)
        differs |= ~same
    conflicts = np.unique(inverse[differs])
    return unique[conflicts], int(places[first[conflicts[0]]]) if len(conflicts) else -1


def _empty(keys: np.ndarray) -> np.ndarray:
    return keys == ("" if keys.dtype.kind == "U" else -1)


def _example(keys: np.ndarray, *parts: np.ndarray) -> str:
    filled = np.flatnonzero(~_empty(keys))
    return " ".join(repr(values[filled[0]].item()) for values in (keys, *parts)) if len(filled) else "none"
