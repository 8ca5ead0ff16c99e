"""Tables of stars that belong together: members of clusters, and pairs."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..tables import canonical_label, open_table, read_table
from .label_tables import Keyed, read_keys

CLUSTER = ("cluster", "cluster_name", "clustername")
"""Columns that name the cluster of a star, the preferred first."""

PAIR_IDS = ("id", "source_id", "targetid", "obsid", "miles_id", "specobjid", "gaia_source_id", "dr3_source_id")
PAIR_NAMES = ("star", "designation", "file")
"""What the two columns of a table of pairs may hold: integers, and text."""

_NUMBERED = re.compile(r"(?P<what>[a-z0-9_]*?[a-z])_?(?P<number>[12ab])", re.IGNORECASE)


def read_members(
    path: str | os.PathLike,
    *,
    keyless: bool = False,
    columns: Mapping[str, str] | None = None,
    ids: Sequence[str] | None = None,
) -> Keyed:
    """Read which cluster stars belong to.

    Parameters
    ----------
    path : path
        Table with a key column (as in `transtar.labels.read_labels`) and ``cluster``.
    keyless : bool
        Whether the table may do without a key, because its rows are found by position.
    columns, ids
        As in `transtar.labels.read_labels`.

    Returns
    -------
    dict of str to ndarray, each of shape (n_rows,)
        The keys; ``cluster`` (str); and under canonical names the labels that it has, which are what the literature says of the
        cluster (float64, K and dex, NaN where missing).

    Raises
    ------
    InputError
        If a column is missing, or no row names a cluster.
    """
    table, table_columns = read_table(path, columns)
    name = table.find(*CLUSTER)
    if name is None:
        raise InputError(f"{path}: no column cluster; choose one, as with --columns cluster=NAME; {table.found}")
    out, used = read_keys(table, table_columns, ids, keyless)
    out["cluster"] = table_columns[name].text()
    if not (out["cluster"] != "").any():
        raise InputError(f"{path}: column {name} names no cluster in any row")
    for given, column in table_columns.items():
        label = canonical_label(given)
        if given not in (*used, name) and label is not None and not column.is_vector and label not in out:
            out[label] = column.numbers(label)
    return out


@dataclass(frozen=True)
class StarPairs:
    """Two stars a row.

    Parameters
    ----------
    what : str
        'id', 'source_id', 'star' or 'file': what the two columns hold.
    first, second : ndarray, shape (n_pairs,)
        int64, -1 where missing, or str, '' where missing.
    """

    what: str
    first: np.ndarray
    second: np.ndarray


def read_pairs(path: str | os.PathLike, columns: Mapping[str, str] | None = None) -> StarPairs:
    """Read pairs of stars, such as wide binaries.

    Parameters
    ----------
    path : path
        Table with two columns of identifiers, told by a number or letter at the end: id_1 and id_2, source_id1 and source_id2,
        TARGETID_A and TARGETID_B, star_1 and star_2. Where it has several such, a survey's own go before Gaia's.
    columns : mapping of str to str, optional
        As in `transtar.tables.open_table`.

    Returns
    -------
    StarPairs

    Raises
    ------
    InputError
        If it has no two such columns, or identifiers are no integers.
    """
    table = open_table(path, columns)
    sides: dict[str, dict[str, str]] = {}
    for name in table.names:
        match = _NUMBERED.fullmatch(name)
        if match and match["what"].lower().rstrip("_") in (*PAIR_IDS, *PAIR_NAMES):
            sides.setdefault(match["what"].lower().rstrip("_"), {})[match["number"].lower()] = name
    both = {what: [names[n] for n in sorted(names)] for what, names in sides.items() if len(names) == 2}
    # A survey's own identifier says which of several stars of Gaia is meant, and a name is the last resort.
    order = ("targetid", "obsid", "miles_id", "specobjid", "id", "source_id", "gaia_source_id", "dr3_source_id")
    what = next((one for one in (*order, *PAIR_NAMES) if one in both), None)
    if what is None:
        raise InputError(
            f"{path}: no two columns that tell the stars of a pair, such as id_1 and id_2, source_id1 and source_id2, star_1 and "
            f"star_2; {table.found}"
        )
    chosen = table.columns(lambda name: name in both[what])
    if what in PAIR_NAMES:
        first, second = (chosen[name].text() for name in both[what])
        return StarPairs("file" if what == "file" else "star", first, second)
    first, second = (chosen[name].ids() for name in both[what])
    return StarPairs("source_id" if what.endswith("source_id") else "id", first, second)
