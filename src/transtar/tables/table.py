"""A table of any format: names, and columns when they are asked for. The one way into transtar for every tabular file."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError, SettingsError, TranstarError
from ..glossary import LABELS
from ..telling import tell
from . import ecsv, fits, parquet, text, votable
from .column import Column
from .content import first_bytes, what_else
from .names import SPELLINGS, canonical_label, error_of, key_columns, meaning, plain, two_columns
from .quantities import is_unit, quantity

FORMATS = "CSV, ECSV, FITS, VOTable or parquet"

CHOOSABLE = (
    *LABELS, *(f"{label}_err" for label in LABELS), *SPELLINGS, "id", "file", "star", "split", "source_id", "flags", "survey",
)  # fmt: skip
"""What a column can be chosen for."""


class Choice(dict[str, str]):
    """Which column of a table is which, as the user says (``--columns feh=FE_H``), and which of it was of use."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.used: set[str] = set()

    @classmethod
    def parse(cls, texts: Iterable[str], free: bool = False) -> Choice:
        """Read ``name=COLUMN`` texts.

        Parameters
        ----------
        texts : iterable of str
        free : bool
            Whether names that mean nothing to transtar are allowed.

        Raises
        ------
        SettingsError
            If a text has no '=', or the name is unknown or given twice.
        """
        choice = cls()
        for entry in texts:
            name, equals, column = (part.strip() for part in entry.partition("="))
            if not (equals and name and column):
                raise SettingsError(f"--columns takes name=COLUMN, such as feh=FE_H, not '{entry}'")
            if not free and name not in CHOOSABLE:
                known = ", ".join(one for one in CHOOSABLE if not re.fullmatch(r"\w+_fe(_err)?", one) or one == "mg_fe")
                raise SettingsError(f"--columns: unknown name {name}; known names: {known}, and the other elements")
            if name in choice:
                raise SettingsError(f"--columns: {name} is given twice")
            choice[name] = column
        return choice

    def require_used(self, tables: Sequence[str | os.PathLike]) -> None:
        """Refuse a choice that no table had a column for.

        Raises
        ------
        SettingsError
        """
        unused = sorted(set(self) - self.used)
        if unused:
            told = ", ".join(f"{name}={self[name]}" for name in unused)
            where = ", ".join(str(table) for table in tables) or "no table was read"
            raise SettingsError(f"--columns {told}: no such column in {where}")


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
        masks = {name: f"{name}.mask" for name in names if f"{name}.mask" in self.names}
        limits = {name: limit for name in names if (limit := self._limit(name)) is not None}
        found = self.read(list(dict.fromkeys([*names, *masks.values(), *limits.values()])))
        if not empty and (self.rows == 0 or (found and not len(next(iter(found.values()))))):
            raise InputError(f"{self.path}: the table has no rows; {self.found}")
        for name, mask in masks.items():
            found[name] = replace(found[name], gone=found[name].missing | found[mask].truths())
        for name, limit in limits.items():
            marks = found[limit].text()
            marked = np.isin(marks, ("<", ">", "<=", ">=", "≤", "≥")) & ~found[name].missing
            if marked.any():
                tell(
                    f"{self.path}: column {name}: {int(marked.sum())} limits ({limit}) are no values and count as missing"
                )
                found[name] = replace(found[name], gone=found[name].missing | marked)
        return {name: found[name] for name in names if name in found}

    def _limit(self, name: str) -> str | None:
        """The column that marks limits of a label: l_[Fe/H], FE_H_LIM."""
        if canonical_label(name) is None:
            return None
        wanted = {f"l_{plain(name)}", f"{plain(name)}_lim", f"{plain(name)}_limit"}
        return next((other for other in self.names if plain(other) in wanted), None)

    @property
    def found(self) -> str:
        """The columns, for messages."""
        more = f" and {len(self.names) - 60} more" if len(self.names) > 60 else ""
        return f"columns found: {', '.join(name or '(no name)' for name in self.names[:60]) or 'none'}{more}"

    def find(self, *spellings: str, what: str = "") -> str | None:
        """The column of the first of these names, as it is spelt in the file; None if there is none.

        Case matters only where names differ by it alone and one is spelt as asked.

        Raises
        ------
        InputError
            If two columns could be it.
        """
        return find(self.names, *spellings, what=what, where=str(self.path))

    def keys(self, own: Sequence[str] | None = None) -> dict[str, str]:
        """Columns that identify a spectrum; see `key_columns`."""
        return key_columns(self.names, own, self.chosen, str(self.path))


def find(names: Sequence[str], *spellings: str, what: str = "", where: str = "the table") -> str | None:
    """Which of some names is spelt in one of several ways; see `Table.find`."""
    for spelling in spellings:
        if spelling in names:
            return spelling
        same = [name for name in names if name.lower() == spelling.lower()]
        same = same or [name for name in names if name.lower().rpartition("#")[0] == spelling.lower()]
        if len(same) > 1:
            raise two_columns(where, same[0], same[1], what or spelling)
        if same:
            return same[0]
    return None


def open_table(path: str | os.PathLike, choice: Mapping[str, str] | None = None, also: str | None = None) -> Table:
    """Open a table; its format is told by content, not by name.

    Parameters
    ----------
    path : path
        Text with commas, semicolons, bars, tabs or blanks (CSV; comments begin with #; VizieR's asu-tsv), ECSV, FITS (the first
        table with rows), VOTable, parquet, or what astropy reads as CDS, MRT or IPAC; compressed or not.
    choice : mapping of str to str, optional
        Meaning and column: ``{"feh": "FE_H"}``. The column is then called by its meaning, and others of the same meaning are
        passed over.
    also : str, optional
        A column (case does not matter) that may stand in another table of a FITS file, if that matches the first row
        by row (DESI: RVTAB, SPTAB, FIBERMAP, GAIA): the same number of rows and, where it has one, the same TARGETID.

    Returns
    -------
    Table

    Raises
    ------
    InputError
        If it is no table, with what it seems to be and what to do.
    """
    path = Path(path)
    try:
        table = _open(path, also)
    except (TranstarError, MemoryError):
        raise
    except Exception as error:
        # Three libraries, each with exceptions of its own for a damaged table.
        what = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise InputError(f"{path}: cannot be read as a {FORMATS} table ({what})") from error
    return _choose(_without_prefix(table), choice)


def _open(path: Path, also: str | None) -> Table:
    start = first_bytes(path, 1 << 16).removeprefix(b"\xef\xbb\xbf")
    if start.startswith(fits.MAGIC):
        return _open_fits(path, also)
    if start.startswith(parquet.MAGIC):
        return _open_parquet(path)
    if votable.recognise(start):
        names, units, columns, frames = votable.read_votable(path)
        return _in_memory(path, names, units, columns, frames)
    if start.startswith(ecsv.MAGIC):
        return _open_text(path, ecsv.read_layout(path))
    other = what_else(start)
    if other is not None:
        raise InputError(f"{path}: cannot be read as a table; it seems to be {other}")
    foreign = _dialect(start)
    if foreign:
        return _open_by_astropy(path, foreign)
    return _open_text(path, text.read_layout(path))


def _open_text(path: Path, layout: text.Layout) -> Table:
    names = once(layout.names)
    units = dict(zip(names, [layout.units.get(name, "") for name in layout.names], strict=True))

    def read(wanted: Sequence[str]) -> dict[str, Column]:
        found = text.read_rows(path, layout, list(wanted) or list(names[:1]), names)
        return {
            name: replace(_named(path, name, found.column(name), None, units[name]), untyped=True) for name in wanted
        }

    return Table(path, names, read)


def _open_fits(path: Path, also: str | None) -> Table:
    tables = fits.list_tables(path)
    filled = {name: table for name, table in tables.items() if table.rows} or tables
    if not filled:
        raise InputError(f"{path}: no table with rows in this FITS file, or it is truncated")
    hdu, first = next(iter(filled.items()))
    others = [name for name, table in filled.items() if name != hdu and any(map(canonical_label, table.names))]
    if others and also is None:
        tell(f"{path}: read is HDU {hdu}; labels stand in {', '.join(others)}, too")
    for place, why in first.unread.items():
        if meaning(first.names[place]) is not None:
            tell(f"{path}: column {first.names[place]} is {why}; it is passed over")
    places = [place for place in range(len(first.names)) if place not in first.unread]
    if not places:
        raise InputError(
            f"{path}: no column of HDU {hdu} can be read; the first is {next(iter(first.unread.values()))}"
        )
    names = dict(zip(once([first.names[place] for place in places]), places, strict=True))
    beside: dict[str, tuple[fits.FitsTable, int]] = {}
    if also is not None and find(list(names), also) is None:
        beside = _beside(path, filled, also)

    def read(wanted: Sequence[str]) -> dict[str, Column]:
        here = [name for name in wanted if name in names]
        found = dict(zip(here, fits.read_columns(path, first, [names[name] for name in here]), strict=True))
        out = {name: _named(path, name, *found[name], first.units[names[name]], first.frame) for name in here}
        for name in wanted:
            if name in beside:
                table, place = beside[name]
                out[name] = _named(path, name, *fits.read_columns(path, table, [place])[0], table.units[place])
        return out

    return Table(path, (*names, *beside), read, first.rows)


def _beside(path: Path, tables: Mapping[str, fits.FitsTable], name: str) -> dict[str, tuple[fits.FitsTable, int]]:
    """One column of a table that matches the first of a file row by row."""
    (first_name, first), *others = tables.items()
    for hdu, table in others:
        unique = once(table.names)
        called = find(unique, name, where=f"{path}: HDU {hdu}")
        if called is None or unique.index(called) in table.unread:
            continue
        place, spelt = unique.index(called), called
        if table.rows != first.rows:
            raise InputError(
                f"{path}: {hdu}, which has the column {spelt}, has {table.rows} rows and {first_name} "
                f"{first.rows}; they should match row by row"
            )
        if all("TARGETID" in one.names for one in (first, table)):
            ours, theirs = (fits.read_columns(path, one, [one.names.index("TARGETID")])[0][0] for one in (first, table))
            if (ours != theirs).any():
                raise InputError(f"{path}: {first_name} and {hdu} differ in TARGETID; they should match row by row")
        if table.record[str(place)].shape == ():
            return {spelt: (table, place)}
    return {}


def _open_parquet(path: Path) -> Table:
    given, units, rows = parquet.open_parquet(path)
    names = once(given)
    places = {name: place for place, name in enumerate(names)}

    def read(wanted: Sequence[str]) -> dict[str, Column]:
        columns = parquet.read_parquet(path, [places[name] for name in wanted])
        out = {}
        for name, column in zip(wanted, columns, strict=True):
            out[name] = _named(path, name, *parquet.to_numpy(column), units.get(places[name], ""))
        return out

    return Table(path, names, read, rows)


def from_arrow(table: Any, path: Path = Path("the table")) -> dict[str, Column]:
    """Columns of a pyarrow table in memory."""
    columns = zip(table.column_names, table.columns, strict=True)
    return {name: _named(path, name, *parquet.to_numpy(column), "") for name, column in columns}


def _in_memory(
    path: Path,
    names: Sequence[str],
    units: Sequence[str],
    columns: Sequence[tuple[Any, np.ndarray]],
    frames: Sequence[str] = (),
) -> Table:
    every = {
        name: _named(path, name, *column, unit, frame)
        for name, column, unit, frame in zip(once(names), columns, units, frames or [""] * len(names), strict=True)
    }
    rows = len(columns[0][0]) if columns else 0
    return Table(path, tuple(every), lambda wanted: {name: every[name] for name in wanted}, rows)


_DIALECTS = (
    (re.compile(rb"\A(?:Title:.*\n|={20,}|\s*\n)(?s:.*?)Byte-by-byte Description"), "ascii.mrt"),
    (
        re.compile(rb"\A\|[^\n]*\|\s*\n\|(?:\s*(?:char|int|long|float|real|double|date|[cilfrd])\s*\|)+\s*\n"),
        "ascii.ipac",
    ),
    (re.compile(rb"\A\\[^\n]*\n"), "ascii.ipac"),
)


def _dialect(start: bytes) -> str | None:
    return next((name for pattern, name in _DIALECTS if pattern.match(start)), None)


def _open_by_astropy(path: Path, dialect: str) -> Table:
    from astropy.table import Table as AstropyTable

    from .content import read_bytes

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = AstropyTable.read(read_bytes(path).decode("utf-8", "replace").splitlines(), format=dialect)
    columns = [found[name] for name in found.colnames]
    masks = [np.ma.getmaskarray(np.ma.asarray(column)) for column in columns]
    units = ["" if column.unit is None else str(column.unit) for column in columns]
    values = [np.ma.getdata(np.ma.asarray(column)) for column in columns]
    return _in_memory(path, list(found.colnames), units, list(zip(values, masks, strict=True)))


def _named(path: Path, name: str, data: Any, gone: np.ndarray | None, unit: str, frame: str = "") -> Column:
    if isinstance(data, np.ndarray) and data.ndim > 1 and data.shape[1:] == (1,) * (data.ndim - 1):
        # An array of one value is a value.
        data = data.reshape(len(data))
    return Column(data, gone, unit, name, f"{path}: column {name}", frame=frame)


def once(names: Sequence[str]) -> tuple[str, ...]:
    """Names, those that occur twice with their numbers."""
    given = [unescape(name.strip()) for name in names]
    seen: dict[str, int] = {}
    out = []
    for place, name in enumerate(given, 1):
        if name == "":
            out.append(f"#{place}")
        elif given.count(name) > 1:
            seen[name] = seen.get(name, 0) + 1
            out.append(f"{name}#{seen[name]}")
        else:
            out.append(name)
    return tuple(out)


def _without_prefix(table: Table) -> Table:
    """The columns of LAMOST's queries (``combined_obsid``) by the names that its catalogs have."""
    short = {
        name: name[len("combined_") :]
        for name in table.names
        if name.lower().startswith("combined_") and len(name) > len("combined_")
    }
    if not short or set(short.values()) & set(table.names):
        return table
    return _renamed(table, short)


def _choose(table: Table, choice: Mapping[str, str] | None) -> Table:
    new: dict[str, str] = {}
    for name in table.names:
        # A unit that stands in the name of a column: Teff (K), rv [km/s].
        found = re.fullmatch(r"(.+?)\s*[\[(]([^\[\]()]+)[\])]", name)
        what = quantity(meaning(found[1])) if found else None
        if found and what is not None and is_unit(found[2], what) and found[1] not in table.names:
            new[name] = found[1]
    if new:
        table = _renamed(table, new, units={name: name[len(short) :].strip(" []()") for name, short in new.items()})
    new = {}
    hidden: set[str] = set()
    for name, column in (choice or {}).items():
        given = find(table.names, column, where=str(table.path))
        if given is None:
            continue
        if isinstance(choice, Choice):
            choice.used.add(name)
        new[given] = name
        hidden |= {other for other in table.names if other != given and (other == name or meaning(other) == name)}
        if name in LABELS and f"{name}_err" not in (choice or {}):
            # Of errors that of the column chosen: another one's would be wrong without a word.
            errors = [other for other in table.names if meaning(other) == f"{name}_err"]
            hidden |= {other for other in errors if error_of(other) != plain(given)}
    hidden -= set(new)
    if not new:
        return table
    return _renamed(table, new, hidden, chosen=True)


def _renamed(
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
        found = table.read([old[name] for name in wanted])
        out = {}
        for name in wanted:
            if old[name] not in found:
                continue
            column = found[old[name]]
            unit = (units or {}).get(old[name]) or column.unit
            out[name] = replace(
                column, name=name, unit=unit, chosen=name if chosen and old[name] in new else column.chosen
            )
        return out

    return Table(
        table.path, tuple(old), read, table.rows, table.chosen | (frozenset(new.values()) if chosen else frozenset())
    )


def read_table(
    path: str | os.PathLike,
    choice: Mapping[str, str] | None = None,
    also: str | None = None,
    wanted: Callable[[str], bool] | None = None,
    *,
    empty: bool = False,
) -> tuple[Table, dict[str, Column]]:
    """Open a table and read its columns, or some of them; what is wrong with either is one clear line.

    Parameters and errors are those of `open_table` and `Table.columns`.
    """
    table = open_table(path, choice, also)
    try:
        return table, table.columns(wanted, empty=empty)
    except (TranstarError, MemoryError):
        raise
    except Exception as error:
        what = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise InputError(f"{path}: cannot be read as a {FORMATS} table ({what})") from error
