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
    return Seen(tables).rows(keys)


class Seen:
    """What some models were trained or validated on, put in order once for all batches of a catalog.

    Parameters
    ----------
    tables : sequence of mapping of str to ndarray
        As in `trained_on`.
    """

    def __init__(self, tables: Sequence[Mapping[str, np.ndarray]]) -> None:
        self._known: dict[str, list[dict[str, np.ndarray]]] = {}
        for table in tables:
            if not len(table.get("id", ())):
                continue
            ids = np.asarray(table["id"])
            surveys, files = _text(table, "survey", len(ids)), _file_names(table, len(ids))
            stars = _text(table, "star", len(ids))
            for survey in np.unique(surveys):
                rows = surveys == survey
                self._known.setdefault(str(survey), []).append({
                    "id": np.unique(ids[rows]), "file": np.unique(files[rows]), "star": np.unique(stars[rows]),
                    "nameless": np.unique(files[rows & (ids == -1)]),
                })  # fmt: skip

    def rows(self, keys: Mapping[str, np.ndarray]) -> np.ndarray:
        """Which rows were seen, shape (n,), bool; `keys` as in `trained_on`."""
        ids = np.asarray(keys["id"])
        n = len(ids)
        seen = np.zeros(n, bool)
        if not self._known:
            return seen
        surveys = _text(keys, "survey", n)
        for survey in np.unique(surveys):
            tables = self._known.get(str(survey), ())
            if not tables:
                continue
            rows = np.flatnonzero(surveys == survey)
            files, stars = _file_names(keys, n)[rows], _text(keys, "star", n)[rows]
            with_id = ids[rows] != -1
            for table in tables:
                seen[rows] |= with_id & _among(ids[rows], table["id"])
                # An id can be compared with an id only: where one side has none, the file speaks.
                by_file = np.where(with_id, _among(files, table["nameless"]), _among(files, table["file"]))
                seen[rows] |= (files != "") & by_file
                # A repeat visit of a star is no independent test of the model that saw the star.
                seen[rows] |= (stars != "") & _among(stars, table["star"])
        return seen


def _among(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Whether each value is one of `known`, which are in order."""
    if not len(known):
        return np.zeros(len(values), bool)
    return known[np.minimum(np.searchsorted(known, values), len(known) - 1)] == values


def _text(table: Mapping[str, np.ndarray], name: str, n: int) -> np.ndarray:
    return np.asarray(table[name]).astype(str) if name in table else np.full(n, "")


def _file_names(table: Mapping[str, np.ndarray], n: int) -> np.ndarray:
    # Folders change when data are moved, and .gz goes when they are unpacked; the rest of the name does not.
    names, place = np.unique(_text(table, "file", n), return_inverse=True)
    return np.array([PurePath(name).name.removesuffix(".gz") for name in names.tolist()], dtype=str)[place]
