"""Which spectra belong to a list of stars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..spectra import SpectrumBatch
from ..tables.column_names import KEY_PARTS
from ..tables.ids import NO_ID
from .join import comparable, join
from .label_tables import read_stars
from .velocities import near


@dataclass
class StarList:
    """Stars whose spectra are wanted, and those of them that were met so far.

    Parameters
    ----------
    source : str
        Where the list comes from, for messages.
    table : mapping of str to ndarray, each of shape (n_stars,)
        As from `read_stars`, sorted by id.
    met : ndarray of bool, shape (n_stars,)
    """

    source: str
    table: Mapping[str, np.ndarray]
    met: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        n = len(next(iter(self.table.values())))
        self.met = np.zeros(n, dtype=bool)
        # Names are looked up one by one, since files come one by one: sorting the list anew for each would take hours.
        self._by_name = {
            key: {name: row for row, name in enumerate(comparable(self.table[key], key).tolist()) if name}
            for key in ("file", "star")
            if key in self.table
        }
        self._by_id = {name: self.table[name] for name in ("id", *KEY_PARTS) if name in self.table}
        self._by_id["_row"] = np.arange(n)

    @classmethod
    def read(
        cls, path: str | Path, *, columns: Mapping[str, str] | None = None, ids: Sequence[str] | None = None
    ) -> StarList:
        """Read the list from a table; see `read_stars`."""
        return cls(Path(path).name, read_stars(path, columns=columns, ids=ids))

    def __len__(self) -> int:
        return len(self.met)

    def wanted(self, batch: SpectrumBatch) -> np.ndarray:
        """Which spectra of a batch are those of stars of the list: bool, shape (n_spectra,).

        By identifier and what makes a compound key with it, where both sides have identifiers; else by file, else by star.
        """
        rows = np.full(len(batch), -1, dtype=np.int64)
        if "id" in self.table and (batch.ids != NO_ID).any():
            rows = self._rows_by_id(batch)
        else:
            for key, places in self._by_name.items():
                if (rows < 0).all() and key in batch.meta:
                    names = comparable(batch.meta[key].astype(str), key).tolist()
                    rows = np.array([places.get(name, -1) for name in names], dtype=np.int64)
        self.met[rows[rows >= 0]] = True
        return rows >= 0

    def _rows_by_id(self, batch: SpectrumBatch) -> np.ndarray:
        few = near(self._by_id, batch.ids)
        if not len(few["_row"]):
            return np.full(len(batch), -1, dtype=np.int64)
        keys = {name: batch.meta[name] for name in batch.keys}
        try:
            rows, _ = join(few, file=batch.meta["file"], ids=batch.ids, labels=(), keys=keys)
        except InputError:
            # The same identifiers, but of another survey or program.
            return np.full(len(batch), -1, dtype=np.int64)
        return np.where(rows >= 0, few["_row"][rows], -1)

    def require_match(self) -> None:
        """Refuse a list none of whose stars was met.

        Raises
        ------
        InputError
        """
        if not self.met.any():
            raise InputError(f"{self.source}: none of its {len(self)} stars has a spectrum here; check list and folder")

    def __str__(self) -> str:
        missing = len(self) - int(self.met.sum())
        told = ""
        if missing:
            row = int(np.flatnonzero(~self.met)[0])
            example = ", ".join(f"{name} {values[row]}" for name, values in self.table.items())
            told = f"; {missing} have none, the first of them {example}"
        return f"stars: {int(self.met.sum())} of {len(self)} in {self.source} have spectra here{told}"
