"""A table on disk, of whatever format: its names, and its columns when they are asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import unescape
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..telling import tell
from .column import Column
from .column_names import KEY_PARTS, canonical_label, key_columns, meaning, plain, two_columns


@dataclass(frozen=True)
class Table:
    """A table on disk.

    Parameters
    ----------
    path : Path
    names : tuple of str
        Each once: where a name occurs twice, ``name#1``, ``name#2``.
    read : callable
        Takes names; gives their columns, in one pass over the file.
    rows : int or None
        If it is known before a column is read.
    chosen : frozenset of str
        Names that the user chose a column for.
    """

    path: Path
    names: tuple[str, ...]
    read: Callable[[Sequence[str]], dict[str, Column]] = field(repr=False)
    rows: int | None = None
    chosen: frozenset[str] = frozenset()

    def columns(self, wanted: Callable[[str], bool] | None = None, *, empty: bool = False) -> dict[str, Column]:
        """Columns whose names `wanted` accepts, all if it is not given; `empty` allows a table without rows.

        Raises
        ------
        InputError
            If the table is broken or has no rows.
        """
        names = [name for name in self.names if wanted is None or wanted(name)]
        # Masks that astropy keeps in columns of their own, and VizieR's marks of limits.
        all_names = set(self.names)
        masks = {name: f"{name}.mask" for name in names if f"{name}.mask" in all_names}
        limits = self._limits(names)
        columns = self.read(list(dict.fromkeys([*names, *masks.values(), *limits.values()])))
        if not empty and (self.rows == 0 or (columns and not len(next(iter(columns.values()))))):
            raise InputError(f"{self.path}: the table has no rows; {self.found}")
        for name, mask in masks.items():
            columns[name] = replace(columns[name], gone=columns[name].missing | columns[mask].truths())
        for name, limit in limits.items():
            marks = columns[limit].text()
            marked = np.isin(marks, ("<", ">", "<=", ">=", "≤", "≥")) & ~columns[name].missing
            if marked.any():
                tell(
                    f"{self.path}: column {name}: {int(marked.sum())} limits ({limit}) are no values and count as missing"
                )
                columns[name] = replace(columns[name], gone=columns[name].missing | marked)
        return {name: columns[name] for name in names if name in columns}

    def _limits(self, names: Sequence[str]) -> dict[str, str]:
        """The columns that mark limits of labels: l_[Fe/H], FE_H_LIM."""
        labels = {name: plain(name) for name in names if canonical_label(name) is not None}
        if not labels:
            return {}
        spelt: dict[str, str] = {}
        for other in self.names:
            spelt.setdefault(plain(other), other)
        every = {
            name: [spelt[how] for how in (f"l_{bare}", f"{bare}_lim", f"{bare}_limit") if how in spelt]
            for name, bare in labels.items()
        }
        return {name: limits[0] for name, limits in every.items() if limits}

    @property
    def found(self) -> str:
        """The columns, for messages."""
        more = f" and {len(self.names) - 60} more" if len(self.names) > 60 else ""
        return f"columns found: {', '.join(name or '(no name)' for name in self.names[:60]) or 'none'}{more}"

    def find(self, *spellings: str, what: str = "", exact: bool = False) -> str | None:
        """The column of the first of these names, as it is spelt in the file; None if there is none.

        Case does not matter, unless `exact` says that of names that differ by it alone the one spelt as asked is meant.

        Raises
        ------
        InputError
            If two columns could be it.
        """
        return find(self.names, *spellings, what=what, where=str(self.path), exact=exact)

    def keys(self, survey_ids: Sequence[str] | None = None) -> dict[str, str]:
        """Columns that identify a spectrum; see `key_columns`."""
        return key_columns(self.names, survey_ids, self.chosen, str(self.path))


def find(
    names: Sequence[str], *spellings: str, what: str = "", where: str = "the table", exact: bool = False
) -> str | None:
    """Which of some names is spelt in one of several ways; see `Table.find`."""
    for spelling in spellings:
        same = [name for name in names if name.lower() == spelling.lower()]
        same = same or [name for name in names if name.lower().rpartition("#")[0] == spelling.lower()]
        # A survey may have SURVEY beside transtar's own survey.
        if spelling in same and (exact or len(same) == 1 or spelling.rpartition(".")[2].upper() in KEY_PARTS):
            return spelling
        if len(same) > 1:
            raise two_columns(where, same[0], same[1], what or meaning(spelling) or spelling)
        if same:
            return same[0]
    return None


def once(names: Sequence[str]) -> tuple[str, ...]:
    """Names, those that occur twice with their numbers."""
    given = [unescape(name.strip()) for name in names]
    number = Counter(given)
    seen: dict[str, int] = {}
    out = []
    for place, name in enumerate(given, 1):
        if name == "":
            out.append(f"#{place}")
        elif number[name] > 1:
            seen[name] = seen.get(name, 0) + 1
            out.append(f"{name}#{seen[name]}")
        else:
            out.append(name)
    return tuple(out)


def renamed(
    table: Table,
    new: Mapping[str, str],
    hidden: Iterable[str] = (),
    chosen: bool = False,
    units: Mapping[str, str] | None = None,
) -> Table:
    """The same table with other names for some columns, and without others."""
    hidden = set(hidden)
    old = {new.get(name, name): name for name in table.names if name not in hidden}

    def read(wanted: Sequence[str]) -> dict[str, Column]:
        columns = table.read([old[name] for name in wanted])
        out = {}
        for name in wanted:
            if old[name] not in columns:
                continue
            column = columns[old[name]]
            unit = (units or {}).get(old[name]) or column.unit
            out[name] = replace(
                column, name=name, unit=unit, chosen=name if chosen and old[name] in new else column.chosen
            )
        return out

    return Table(
        table.path, tuple(old), read, table.rows, table.chosen | (frozenset(new.values()) if chosen else frozenset())
    )
