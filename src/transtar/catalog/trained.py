"""Which rows of a catalog a model has seen in training or validation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath

import numpy as np


def trained_on(keys: Mapping[str, np.ndarray], tables: Sequence[Mapping[str, np.ndarray]]) -> np.ndarray:
    """Find spectra, and other spectra of the same stars, that any of some models was trained or validated on.

    Within one survey a row is taken as seen if its id is in a table; if its star (where it has a name) is in a table;
    or, where the row or the row of the table has no id, if the name of its file, without folders, is in a table.

    Parameters
    ----------
    keys : mapping of str to ndarray, shape (n,)
        `survey` and `id`, -1 for none; `file` and `star` may be missing.
    tables : sequence of mapping of str to ndarray
        Per model what it saw: `survey`, `id`, `file`, `star`, of which `file` and `star` may be missing; empty
        where nothing is known.

    Returns
    -------
    ndarray, shape (n,), bool
    """
    ids = np.asarray(keys["id"])
    n = len(ids)
    surveys, files, stars = _text(keys, "survey", n), _file_names(keys, n), _text(keys, "star", n)
    seen = np.zeros(n, bool)
    for table in tables:
        if not len(table.get("id", ())):
            continue
        table_ids = np.asarray(table["id"])
        size = len(table_ids)
        table_surveys, table_files = _text(table, "survey", size), _file_names(table, size)
        table_stars = _text(table, "star", size)
        for survey in np.unique(surveys):
            rows, known = surveys == survey, table_surveys == survey
            if not known.any():
                continue
            nameless = known & (table_ids == -1)
            seen[rows] |= (ids[rows] != -1) & np.isin(ids[rows], table_ids[known])
            # An id can be compared with an id only: where one side has none, the file speaks.
            with_id = ids[rows] != -1
            by_any, by_nameless = (np.isin(files[rows], table_files[which]) for which in (known, nameless))
            seen[rows] |= (files[rows] != "") & np.where(with_id, by_nameless, by_any)
            # A repeat visit of a star is no independent test of the model that saw the star.
            seen[rows] |= (stars[rows] != "") & np.isin(stars[rows], table_stars[known])
    return seen


def _text(table: Mapping[str, np.ndarray], name: str, n: int) -> np.ndarray:
    return np.asarray(table[name]).astype(str) if name in table else np.full(n, "")


def _file_names(table: Mapping[str, np.ndarray], n: int) -> np.ndarray:
    # Folders change when data are moved, and .gz goes when they are unpacked; the rest of the name does not.
    return np.array([PurePath(name).name.removesuffix(".gz") for name in _text(table, "file", n)], dtype=str)
