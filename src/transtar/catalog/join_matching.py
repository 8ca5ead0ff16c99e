"""Which row of a table belongs to each row of a catalog: by the first key that agrees, or by position."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..labels.key_match import match_keys
from ..labels.positions import common_epoch, nearest_rows
from .join_sides import Side, comparable_ids

KEYS = ("id", "source_id", "star", "file")
"""What rows are known by, in the order in which it is tried."""


@dataclass(frozen=True)
class Match:
    """Rows of a table that belong to the rows of a catalog.

    Parameters
    ----------
    how : str
        By what, to show.
    rows : ndarray of int64, shape (n,)
        The first, or nearest, row of the table; -1 for none.
    candidates : ndarray of int64, shape (n,)
        How many the table has.
    known : ndarray of bool, shape (n,)
        Which rows of the catalog have anything to be known by.
    again : ndarray of int64, shape (k, 2)
        Of rows of the table with the same key, pairs of the first and another.
    separation : ndarray of float64, shape (n,), or None
        In arcsec, where matched by position.
    key_columns : tuple of str
        Columns of the table that hold the key: the catalog has it already.
    """

    how: str
    rows: np.ndarray
    candidates: np.ndarray
    known: np.ndarray
    again: np.ndarray
    separation: np.ndarray | None = None
    key_columns: tuple[str, ...] = ()


def match_by_key(catalog: Side, table: Side, choice: Mapping[str, str]) -> Match:
    """Match by the first of `KEYS` by which any row agrees; by those alone that the user chose a column for.

    Raises
    ------
    InputError
        If no row agrees by any; the message shows a key of each side.
    """
    tried = []
    for key in [key for key in KEYS if key in choice] or KEYS:
        unusable = [side.unusable[key] for side in (catalog, table) if key in side.unusable]
        if unusable or key not in catalog.keys or key not in table.keys:
            tried += [f"{key} ({why})" for why in unusable]
            continue
        if key == "id" and key not in choice and (why := comparable_ids(catalog, table)):
            tried.append(f"id ({why})")
            continue
        keys, other_keys = catalog.keys[key](), table.keys[key]()
        if key == "file" and "id" in catalog.keys and _holds_several(keys, catalog.keys["id"]()):
            tried.append("file (which holds several spectra)")
            continue
        parts = _parts(catalog, table) if key == "id" else {}
        rows, candidates, again = match_keys(keys, other_keys, parts)
        names = ", ".join([key, *parts])
        if (rows >= 0).any():
            columns = tuple(table.spelt[part] for part in (key, *parts))
            how = f"{names} ({', '.join(columns)} of {table.path.name})"
            return Match(how, rows, candidates, _filled(keys), again, key_columns=columns)
        tried.append(f"{names} (catalog: {_example(keys)}, table: {_example(other_keys)})")
    hint = ", or match by position (--by position)" if _placed(catalog) and _placed(table) else ""
    raise InputError(
        f"{catalog.path}: no row matches any row of {table.path} by {' or '.join(tried) or ', '.join(KEYS)}; name the "
        f"columns, as with --columns id=NAME{hint}"
    )


def match_by_position(
    catalog: Side, table: Side, radius: float, epoch: float | None, table_epoch: float | None
) -> Match:
    """Match the nearest within a radius (arcsec), at one epoch; see `transtar.labels.match_positions` for which.

    Raises
    ------
    InputError
        If no row has one.
    """
    (places, said), (other_places, other_said) = catalog.positions(epoch), table.positions(table_epoch)
    for side, known in ((catalog, places.known), (table, other_places.known)):
        if not known.any():
            raise InputError(f"{side.path}: no row has a position; join by an identifier, as with --by id")
    at = common_epoch(places, other_places)
    rows, separation, candidates = nearest_rows(places, other_places, radius, at)
    matched = rows >= 0
    if not matched.any():
        raise InputError(
            f"{catalog.path}: no row has a row of {table.path} within {radius:g} arcsec (catalog: {said}; table: {other_said})"
        )
    still = [int((one.known & ~one.moving).sum()) for one in (places, other_places)]
    how = (
        f"position within {radius:g} arcsec at epoch {at:g} (catalog: {said}; table: {other_said}; {still[0]} rows of the "
        f"catalog and {still[1]} of the table without proper motion; median separation {np.median(separation[matched]):.2f})"
    )
    again = np.empty((0, 2), dtype=np.int64)
    return Match(how, rows, candidates, places.known, again, np.where(matched, separation, np.nan))


def _parts(catalog: Side, table: Side) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Parts of a compound key that both sides have."""
    parts = {}
    for name, values in catalog.parts.items():
        if name in table.parts:
            others = table.parts[name]
            as_text = values.dtype.kind != others.dtype.kind
            parts[name] = (values.astype(str), others.astype(str)) if as_text else (values, others)
    return parts


def _holds_several(files: np.ndarray, ids: np.ndarray) -> bool:
    """Whether one file name stands beside different identifiers."""
    named = (files != "") & (ids != -1)
    order = np.lexsort((ids[named], files[named]))
    names, numbers = files[named][order], ids[named][order]
    return bool(((names[1:] == names[:-1]) & (numbers[1:] != numbers[:-1])).any())


def _filled(keys: np.ndarray) -> np.ndarray:
    return keys != ("" if keys.dtype.kind == "U" else -1)


def _example(keys: np.ndarray) -> str:
    filled = np.flatnonzero(_filled(keys))
    return repr(keys[filled[0]].item()) if len(filled) else "none"


def _placed(side: Side) -> bool:
    lower = {name.rpartition(".")[2].lower() for name in side.names}
    return {"ra", "dec"} <= lower or {"target_ra", "target_dec"} <= lower
