"""Files of every format as a `Table`; the format is told by content."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..content import first_bytes, read_bytes, what_else
from ..errors import InputError
from ..telling import tell
from . import ecsv, fits, parquet, parquet_claims, text, votable
from .column import Column
from .column_names import canonical_label, meaning
from .quantities import quantity
from .table import Table, find, once


def open_file(path: Path, also: str | None) -> Table:
    """Open a table as its format has it; parameters as of `transtar.tables.open_table`, errors of any kind."""
    start = first_bytes(path, 1 << 16).removeprefix(b"\xef\xbb\xbf")
    if start.startswith(fits.MAGIC):
        return _open_fits(path, also)
    if start.startswith(parquet_claims.MAGIC):
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
    import pyarrow as pa

    names = once(layout.names)
    units = dict(zip(names, [layout.units.get(name, "") for name in layout.names], strict=True))

    def read(wanted: Sequence[str]) -> dict[str, Column]:
        # Angles stay text, which alone tells 00:01:23 and 000123 from degrees.
        numbers = [
            name for name in wanted if meaning(name) not in ("ra", "dec") and quantity(meaning(name)) is not None
        ]
        arrow_table = text.read_rows(path, layout, list(wanted) or list(names[:1]), names, numbers)
        out = {}
        for name in wanted:
            column, gone = arrow_table.column(name), None
            if column.type == pa.float64():
                column, gone = column.to_numpy(), column.is_null().to_numpy()
            out[name] = replace(_named(path, name, column, gone, units[name]), untyped=True)
            if name in layout.numeric and out[name].is_text:
                # Refuses what is no number, for a column that the file announces as one would silently become text.
                out[name].numbers("")
        return out

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
    if first.nameless:
        tell(f"{path}: columns {', '.join(map(str, first.nameless[:20]))} of HDU {hdu} have no name (TTYPE)")
    names = dict(zip(once([first.names[place] for place in places]), places, strict=True))
    beside: dict[str, tuple[fits.FitsTable, int]] = {}
    if also is not None and find(list(names), also) is None:
        beside = _beside(path, filled, also)

    def read(wanted: Sequence[str]) -> dict[str, Column]:
        here = [name for name in wanted if name in names]
        arrays = dict(zip(here, fits.read_columns(path, first, [names[name] for name in here]), strict=True))
        out = {name: _named(path, name, *arrays[name], first.units[names[name]], first.frame) for name in here}
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
            first_ids, table_ids = (
                fits.read_columns(path, one, [one.names.index("TARGETID")])[0][0] for one in (first, table)
            )
            if (first_ids != table_ids).any():
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

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = AstropyTable.read(read_bytes(path).decode("utf-8", "replace").splitlines(), format=dialect)
    columns = [table[name] for name in table.colnames]
    masks = [np.ma.getmaskarray(np.ma.asarray(column)) for column in columns]
    units = ["" if column.unit is None else str(column.unit) for column in columns]
    values = [np.ma.getdata(np.ma.asarray(column)) for column in columns]
    return _in_memory(path, list(table.colnames), units, list(zip(values, masks, strict=True)))


def _named(path: Path, name: str, data: Any, gone: np.ndarray | None, unit: str, frame: str = "") -> Column:
    if isinstance(data, np.ndarray) and data.ndim > 1 and data.shape[1:] == (1,) * (data.ndim - 1):
        # An array of one value is a value.
        data = data.reshape(len(data))
    return Column(data, gone, unit, name, f"{path}: column {name}", frame=frame)
