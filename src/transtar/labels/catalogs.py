"""Catalogs on disk: which file is what, and their columns by native name, read when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..tables import Column, find, once
from ..tables.fits import FitsTable, read_columns

SUFFIXES = (
    ".fits", ".fits.gz", ".fit", ".csv", ".csv.gz", ".ecsv", ".parquet", ".tsv", ".tsv.gz", ".vot", ".vot.gz", ".xml",
)  # fmt: skip
FOLDERS = ("lamost", "desi", "apogee", "compilations")
"""Subfolders of a folder that are searched, too."""

SMALLEST_GAIA_ID = 2**32
"""Gaia's source_ids begin above this (4295806720 is the first); 0, -9999 and 999999 stand for 'no match'."""


@dataclass(frozen=True)
class Catalog:
    """A table, or several HDUs that match row by row.

    Parameters
    ----------
    kind : str
        Such as 'apogee-dr17' or 'desi-edr'; see `transtar.labels.kinds`.
    paths : tuple of Path
        One, or several parts of the same kind.
    rows : int
    names : tuple of str
        Columns, as 'NAME' or 'HDU.NAME'.
    read : callable
        Takes a name of `names`; gives a `Column`.
    notes : tuple of str
        What was found while reading, to be shown.
    around : callable, optional
        Of catalogs too large for memory: takes Gaia source_ids or `Positions`, a radius (arcsec), an epoch and a `Place`, and
        gives the rows that have one of the source_ids, or are near one of the positions, as a catalog in memory.
    """

    kind: str
    paths: tuple[Path, ...]
    rows: int
    names: tuple[str, ...]
    read: Callable[[str], Column]
    notes: tuple[str, ...] = ()
    around: Callable[..., Catalog] | None = None

    def __str__(self) -> str:
        return ", ".join(str(path) for path in self.paths)

    def find(self, name: str) -> str | None:
        """The column of that name as it is spelt in the file, or None; case does not matter.

        Raises
        ------
        InputError
            If two columns could be it.
        """
        return find(self.names, name, where=str(self))

    def column(self, *names: str) -> Column:
        """The first column that exists of `names`.

        Raises
        ------
        InputError
            If there is none; the message names the HDU where there are several.
        """
        column_name = next((known for known in map(self.find, names) if known is not None), None)
        if column_name is None:
            hdu, dot, name = names[0].rpartition(".")
            place = f"HDU {hdu} has no column {name}" if dot else f"no column {name}"
            if dot and not any(known.startswith(f"{hdu}.") for known in self.names):
                place = f"no HDU {hdu}, which has the column {name}"
            listed = [known.removeprefix(f"{hdu}.") for known in self.names if known.startswith(f"{hdu}.") or not dot]
            more = f" and {len(listed) - 40} more" if len(listed) > 40 else ""
            has = f"; columns found: {', '.join(listed[:40])}{more}" if listed else ""
            raise InputError(f"{self}: {place} (as a {self.kind} catalog needs; is it another release?){has}")
        return self.read(column_name)

    def numbers(self, *names: str) -> np.ndarray:
        """A column as float64 in our unit, NaN where missing; see `transtar.tables.Column.numbers`."""
        return self.column(*names).numbers()

    def ids(self, *names: str) -> np.ndarray:
        """A column of identifiers as int64, -1 where missing."""
        return self.column(*names).ids()

    def gaia_ids(self, *names: str) -> np.ndarray:
        """A column of Gaia source_ids as int64, -1 where there is no match."""
        return to_gaia_ids(self.column(*names))


def to_gaia_ids(column: Column) -> np.ndarray:
    """Gaia source_ids of DR3 as int64, -1 where there is no match.

    Raises
    ------
    InputError
        If they are no integers, have lost digits, or are called Gaia DR1 or DR2, whose identifiers are others.
    """
    if column.any_text(r"^\s*gaia dr[12]\b"):
        older = next(text for text in column.text().tolist() if text.lower().startswith(("gaia dr1", "gaia dr2")))
        raise InputError(f"{column.where}: '{older}' is not of Gaia DR3, whose source_ids are others")
    ids = column.ids()
    return np.where(ids >= SMALLEST_GAIA_ID, ids, -1)


def from_memory(kind: str, path: Path, columns: dict[str, Column], notes: Sequence[str] = ()) -> Catalog:
    """A catalog whose columns are in memory already."""
    rows = len(next(iter(columns.values())))
    return Catalog(kind, (path,), rows, tuple(columns), columns.__getitem__, tuple(notes))


def from_fits(kind: str, path: Path, tables: Mapping[str, FitsTable], prefix: bool) -> Catalog:
    """A catalog of one FITS file; with `prefix` its columns are called 'HDU.NAME'.

    Raises
    ------
    InputError
        If the tables differ in length.
    """
    lengths = {hdu: table.rows for hdu, table in tables.items()}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{hdu} {rows}" for hdu, rows in lengths.items())
        raise InputError(f"{path}: HDUs that must match row by row differ in length ({listed}); fetch it again")
    places = {
        f"{hdu}.{name}" if prefix else name: (table, place)
        for hdu, table in tables.items()
        for place, name in enumerate(once(table.names))
    }

    def read(name: str) -> Column:
        table, place = places[name]
        values = read_columns(path, table, [place])[0]
        return Column(*values, table.units[place], name, f"{path}: column {name}", frame=table.frame)

    return Catalog(kind, (path,), next(iter(lengths.values())), tuple(places), read)


def join_parts(parts: Sequence[Catalog]) -> Catalog:
    """Several files of one kind as one catalog of the columns that all have, or any of them if they are compilations."""
    if len(parts) == 1:
        return parts[0]
    first = parts[0]
    everywhere = [name for name in first.names if all(part.find(name) for part in parts)]
    somewhere = dict.fromkeys(name for part in parts for name in part.names)
    names = tuple(somewhere if first.kind == "compilation" else everywhere)

    def read(name: str) -> Column:
        part_columns = {part: part.column(name) for part in parts if part.find(name)}
        blank = next(iter(part_columns.values())).values[:0]
        columns = [part_columns.get(part) or _blank(blank, part.rows) for part in parts]
        units = {column.unit for column in part_columns.values()}
        if len(units) > 1:
            told = ", ".join(f"{unit or 'none'} in {part}" for unit, part in zip(units, parts, strict=False))
            raise InputError(f"column {name} has several units ({told}); give catalogs of one unit")
        missing = np.concatenate([column.missing for column in columns])
        where = f"{', '.join(str(part) for part in parts)}: column {name}"
        return Column(np.concatenate([column.values for column in columns]), missing, units.pop(), name, where)

    paths = tuple(path for part in parts for path in part.paths)
    notes = tuple(note for part in parts for note in part.notes)
    return Catalog(first.kind, paths, sum(part.rows for part in parts), names, read, notes)


def _blank(like: np.ndarray, rows: int) -> Column:
    """A column without any value, of the type of another one."""
    return Column(np.zeros((rows, *like.shape[1:]), like.dtype), np.ones(rows, dtype=bool))


def is_hats(path: Path) -> bool:
    """Tell a HATS catalog, or a collection of one with its margins, by the file of its properties."""
    if any((path / name).is_file() for name in ("hats.properties", "collection.properties")):
        return True
    return (path / "properties").is_file() and (path / "partition_info.csv").is_file()


def find_files(paths: Iterable[str | Path]) -> list[tuple[Path, bool]]:
    """Files that may be catalogs, and whether each was named (rather than found in a folder).

    Of a folder the files in it and in its subfolders lamost, desi, apogee and compilations are taken, no deeper:
    spectra lie there by the thousand. A HATS catalog is a folder that stands for itself.

    Raises
    ------
    InputError
        If a path does not exist, or a folder holds no table.
    """
    named: dict[Path, bool] = {}
    for path in map(Path, paths):
        if path.is_file():
            named[path] = True
            continue
        if not path.is_dir():
            raise InputError(f"{path}: no such file or folder")
        if is_hats(path):
            named[path] = True
            continue
        if (path / "set.json").is_file():
            # A prepared set: its table of stars has the flags of each spectrum.
            named[path / "stars.parquet"] = True
            continue
        folders = [path, *(path / name for name in FOLDERS)]
        inside = [file for folder in folders if folder.is_dir() for file in sorted(folder.iterdir())]
        inside = [file for file in inside if file.is_file() and file.name.lower().endswith(SUFFIXES)]
        if not inside:
            raise InputError(f"{path}: no table ({', '.join(SUFFIXES)}) in this folder")
        for file in inside:
            named.setdefault(file, False)
    return list(named.items())
