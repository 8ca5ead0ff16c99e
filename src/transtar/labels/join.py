"""Joining tables to spectra by file name, identifier or star."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError
from ..glossary import DESI_KEYS
from ..tables import KEY_PARTS, key_parts


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
        spectrum_keys, table_keys = comparable(wanted, key), comparable(table[key], key)
        if (
            key == "file"
            and "id" in table
            and (_holds_several(spectrum_keys, ids) or _holds_several(table_keys, table["id"]))
        ):
            tried.append("file (which holds several spectra)")
            continue
        parts = _parts(table, keys) if key == "id" and keys else {}
        shown = ", ".join([key, *parts])
        rows = np.full(len(spectrum_keys), -1, dtype=np.int64)
        used, ambiguous = np.zeros(len(table_keys), dtype=bool), np.zeros(len(spectrum_keys), dtype=bool)
        for these, names in key_groups(parts, len(spectrum_keys)):
            spectrum_codes, table_codes = key_codes(
                spectrum_keys[these], table_keys, [(parts[name][0][these], parts[name][1]) for name in names]
            )
            first_rows = _first_rows(spectrum_codes, table_codes)
            asked = np.isin(table_codes, table_codes[first_rows[first_rows >= 0]])
            repeated, row = _disagreeing(table, table_codes, asked, labels)
            if len(repeated):
                if refuse:
                    hint = "" if names or not keys else f", or name its {', '.join(keys)}"
                    raise InputError(
                        f"{len(repeated)} {key} values repeat in the table with different {', '.join(labels)}, "
                        f"first {table_keys[row]}; keep one row for each{hint}"
                    )
                unclear = np.isin(spectrum_codes, repeated) & (first_rows >= 0)
                ambiguous[these] = unclear
                first_rows[unclear] = -1
            rows[these] = first_rows
            used |= asked
        if (rows >= 0).any() or ambiguous.any():
            matched = int((rows >= 0).sum())
            unused = len(table_keys) - int(used.sum())
            return rows, JoinReport(shown, matched, len(rows) - matched, unused, int(ambiguous.sum()))
        example = _example(spectrum_keys, *(values for values, _ in parts.values()))
        tried.append(
            f"{shown} (spectra: {example}, table: {_example(table_keys, *(values for _, values in parts.values()))})"
        )
    # Names that could be in the table: often it has the same stars under no name that the spectra know.
    absent_keys = {"file": file, "id": ids, "star": star}
    others = {
        key: _example(comparable(values, key))
        for key, values in absent_keys.items()
        if values is not None and key not in table
    }
    known = ", ".join(f"{key} {example}" for key, example in others.items() if example != "none")
    hint = f"; the spectra could be known by {known}" if known else ""
    raise InputError(f"no spectrum matches any row of the table by {' or '.join(tried) or 'file or id'}{hint}")


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


def compound_key(columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What makes a compound key with the ids of a catalog or a set, as `join` takes it, by the names of `KEY_PARTS`.

    Parameters
    ----------
    columns : mapping of str to ndarray, shape (n,)
        With ``desi_survey`` and so on, or, of an older transtar, ``SURVEY``; not `survey`, which is the name of a survey.
    """
    spelt = {part: next((name for name in (DESI_KEYS[part], part) if name in columns), None) for part in KEY_PARTS}
    return {part: np.asarray(columns[name]) for part, name in spelt.items() if name is not None}


def match_ids(ids: np.ndarray, other_ids: np.ndarray) -> np.ndarray:
    """Find equal identifiers.

    Parameters
    ----------
    ids : ndarray of int64 or str, shape (n,)
    other_ids : ndarray of int64 or str, shape (m,)

    Returns
    -------
    ndarray of int64, shape (n,)
        Place of the first of `other_ids` that is equal, -1 where there is none or the identifier is missing (-1 or empty).
    """
    return _first_rows(ids, other_ids)


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
    """Parts of the compound key that both sides have: of the spectra and of the table."""
    # A catalog of transtar has the name of the survey in `survey`, which is no part of a key.
    names = [name for name in table if not (name == "survey" and "flags" in table)]
    spelt = {name.upper(): name for name in names} | {name: name for name in names} | key_parts(names)
    parts = {}
    for name, column in keys.items():
        table_name = spelt.get(name, spelt.get(name.upper()))
        if table_name is not None:
            spectrum_values, table_values = np.asarray(column), np.asarray(table[table_name])
            if spectrum_values.dtype.kind != table_values.dtype.kind:
                spectrum_values, table_values = spectrum_values.astype(str), table_values.astype(str)
            parts[name] = (spectrum_values, table_values)
    return parts


def key_groups(parts: Mapping[str, tuple[np.ndarray, np.ndarray]], n: int) -> Iterator[tuple[np.ndarray, list[str]]]:
    """Rows of spectra that know the same parts of their key, and which parts these are."""
    # Not by way of text where they are numbers: of millions of rows that would take gigabytes.
    known = [
        values != -1 if values.dtype.kind in "iu" else ~np.isin(values.astype(str), ("", "-1"))
        for values, _ in parts.values()
    ]
    pattern = np.zeros(n, dtype=np.int64)
    for bit, these in enumerate(known):
        pattern |= these.astype(np.int64) << bit
    for value in np.unique(pattern).tolist():
        yield np.flatnonzero(pattern == value), [name for bit, name in enumerate(parts) if value >> bit & 1]


def key_codes(
    spectrum_keys: np.ndarray, table_keys: np.ndarray, parts: Sequence[tuple[np.ndarray, np.ndarray]]
) -> tuple[np.ndarray, np.ndarray]:
    """One value for each compound key, the same on both sides; the key itself if it has no parts."""
    if not parts:
        return spectrum_keys, table_keys
    code = np.zeros(len(spectrum_keys) + len(table_keys), dtype=np.int64)
    for spectrum_values, table_values in ((spectrum_keys, table_keys), *parts):
        values, place = np.unique(np.concatenate([spectrum_values, table_values]), return_inverse=True)
        code = code * len(values) + place.ravel()
    return np.where(_empty(spectrum_keys), -1, code[: len(spectrum_keys)]), code[len(spectrum_keys) :]


def _first_rows(ids: np.ndarray, other_ids: np.ndarray) -> np.ndarray:
    """Row of the first of `other_ids` equal to each of `ids`; -1 where there is none, or the key is empty."""
    if not len(other_ids):
        return np.full(len(ids), -1, dtype=np.int64)
    order = np.argsort(other_ids, kind="stable")
    place = np.minimum(np.searchsorted(other_ids, ids, sorter=order), len(other_ids) - 1)
    rows = order[place]
    return np.where((other_ids[rows] == ids) & ~_empty(ids), rows, -1).astype(np.int64)


def _disagreeing(
    table: Mapping[str, np.ndarray], keys: np.ndarray, used: np.ndarray, labels: Sequence[str]
) -> tuple[np.ndarray, int]:
    """Keys that repeat with different labels, and a row of the first; only those of spectra at hand matter."""
    places = np.flatnonzero(used)
    unique, first, inverse = np.unique(keys[places], return_index=True, return_inverse=True)
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
