"""Tables of Gaia XP spectra: columns by lower-case name, whatever the format.

They are read as all tables are, FITS with its sums checked, text and VOTable by `transtar.tables`; but all tables of a file
count, and so do the identifiers in a PARAM or in a header.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..content import first_bytes, what_else
from ..errors import InputError, shown
from ..tables import Column, ecsv, text, to_int64
from ..tables.ids import MISSING_TEXT, NO_ID
from ..tables.votable import parse_votable, recognise
from ..telling import tell
from .generic_fits import read_column
from .generic_images import is_table
from .header_cards import identifier
from .native import read_fits

SAMPLED = ("source_id", "wavelength", "flux", "flux_error")
"""Columns of sampled spectra."""

BANDS = ("bp", "rp")

COEFFICIENTS = tuple(f"{band}_coefficients" for band in BANDS)
NUMBERS = ("n_parameters", "standard_deviation")
ARRAYS = ("coefficients", "coefficient_errors", "coefficient_correlations")
CONTINUOUS = ("source_id", *(f"{band}_{name}" for band in BANDS for name in (*NUMBERS, *ARRAYS)))
"""Columns of continuous spectra."""


@dataclass(frozen=True)
class XpTable:
    """One table of a file.

    Parameters
    ----------
    names : tuple of str
        Of all columns, in lower case.
    columns : dict of str to Column
        Those that were asked for, by these names.
    source_id : int
        Identifier that holds for the whole table; `NO_ID` if it has none.
    """

    names: tuple[str, ...]
    columns: dict[str, Column]
    source_id: int = NO_ID

    @property
    def found(self) -> str:
        """The columns, for messages."""
        return f"columns {shown(', '.join(self.names), 600) or 'none'}"


def read_tables(path: Path, wanted: Collection[str] = (*SAMPLED, *CONTINUOUS)) -> list[XpTable]:
    """All tables of a file.

    Parameters
    ----------
    path : Path
    wanted : collection of str
        Columns, as far as there are such.

    Returns
    -------
    list of XpTable
        One at least.

    Raises
    ------
    InputError
        If the file is none of CSV, ECSV, FITS and VOTable, is damaged, or has one of the columns twice.
    """
    start = first_bytes(path, 1 << 16).removeprefix(b"\xef\xbb\xbf")
    if start.startswith(b"SIMPLE  ="):
        tables = _fits_tables(path, wanted)
    elif recognise(start):
        tables = _votables(path, wanted)
    else:
        other = what_else(start)
        if other is not None:
            raise InputError(
                f"{path}: not a CSV, FITS or VOTable file of Gaia XP spectra, but {other}; is --survey right?"
            )
        tables = [_text_table(path, wanted, start.startswith(ecsv.MAGIC))]
    if not tables:
        raise InputError(f"{path}: not Gaia XP spectra: no table in this file; is --survey right?")
    return tables


def _places(names: Iterable[Any], wanted: Collection[str], path: Path) -> tuple[tuple[str, ...], dict[str, int]]:
    """Names in lower case, and the places of those that are wanted."""
    lower = tuple(str(name or "").strip().lower() for name in names)
    twice = next((name for name in wanted if lower.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"{path}: the column {twice} is there twice; delete one")
    return lower, {name: place for place, name in enumerate(lower) if name in wanted}


def _fits_tables(path: Path, wanted: Collection[str]) -> list[XpTable]:
    tables = []
    for hdu in read_fits(path):
        if not is_table(hdu):
            continue
        names, places = _places(hdu.columns.names, wanted, path)
        columns = {name: read_column(hdu, place, names, path) for name, place in places.items()}
        source_ids = {identifier(hdu.header, key) for key in ("SOURCE_ID", "SOURCEID")} - {NO_ID}
        tables.append(XpTable(names, columns, _one(source_ids, path)))
    return tables


def _votables(path: Path, wanted: Collection[str]) -> list[XpTable]:
    tables = []
    for table in parse_votable(path)[1].iter_tables():
        names, places = _places((one.name or one.ID for one in table.fields), wanted, path)
        columns = {}
        for name, place in places.items():
            one = table.fields[place]
            values = table.array[one.ID]
            gone = np.ma.getmaskarray(values) if values.ndim == 1 and values.dtype.kind != "O" else None
            columns[name] = Column(_filled(values), gone, str(one.unit or ""), name, f"{path}: column {name}")
        given = [param.value for param in table.params if str(param.name).lower() == "source_id"]
        source_ids = {_whole(value, f"{path}: PARAM source_id") for value in given} - {NO_ID}
        tables.append(XpTable(names, columns, _one(source_ids, path)))
    return tables


def _filled(values: Any) -> np.ndarray:
    """Values whose mask, where one value is masked and another in its row is not, is NaN."""
    if values.ndim > 1 and np.ma.getmaskarray(values).any():
        return values.astype(np.float64).filled(np.nan)
    return np.ma.getdata(values)


def _whole(value: Any, where: str) -> int:
    if np.ma.getmaskarray(value).any():
        return NO_ID
    return int(to_int64(np.atleast_1d(np.ma.getdata(value)), where)[0])


def _one(ids: set[int], path: Path) -> int:
    if len(ids) > 1:
        raise InputError(f"{path}: one table of the sources {', '.join(map(str, sorted(ids)[:5]))}; which one is it?")
    return next(iter(ids), NO_ID)


def _text_table(path: Path, wanted: Collection[str], described: bool) -> XpTable:
    try:
        layout = ecsv.read_layout(path) if described else text.read_layout(path)
    except InputError:
        if not described:
            raise
        # The wavelengths and fluxes of the archive have one unit, whether a header says so or not.
        layout = text.read_layout(path, plain=True)
        tell(f"{path}: its ECSV header does not describe its columns; they are taken for those of the archive")
    names, places = _places(layout.names, wanted, path)
    # Names are asked for by place: others may be there twice.
    unique = [str(place) for place in range(len(names))]
    rows = text.read_rows(path, layout, [str(place) for place in places.values()] or unique[:1], unique)
    columns = {
        name: Column(
            rows.column(str(place)), None, layout.units.get(layout.names[place], ""), name, f"{path}: column {name}"
        )
        for name, place in places.items()
    }
    return XpTable(names, columns)


def vectors(column: Column) -> list[np.ndarray]:
    """The cells of a column as arrays of float64, of one number each where they are numbers; missing ones are NaN.

    Raises
    ------
    InputError
        If a cell is no number and no array of numbers.
    """
    if not isinstance(column.data, np.ndarray):
        cells = (cell for chunk in column.data.chunks for cell in chunk.to_pylist())
        return [_numbers(cell or "", f"{column.where}, row {row}") for row, cell in enumerate(cells, 1)]
    if column.data.dtype.kind in "US":
        return [_numbers(cell, f"{column.where}, row {row}") for row, cell in enumerate(column.text().tolist(), 1)]
    if column.data.ndim == 1 and column.data.dtype.kind in "fiu":
        return list(np.where(column.missing, np.nan, column.data.astype(np.float64))[:, None])
    return [_vector(cell, column.where) for cell in column.data]


def _vector(cell: Any, where: str) -> np.ndarray:
    if isinstance(cell, str | bytes):
        return _numbers(cell.decode("utf-8", "replace") if isinstance(cell, bytes) else cell, where)
    try:
        array = np.ma.atleast_1d(np.ma.asarray(cell))
        if array.size and array.dtype.kind not in "fiu":
            raise TypeError(f"values of type {array.dtype}")
        return np.ma.filled(array.astype(np.float64), np.nan).reshape(-1)
    except (TypeError, ValueError) as error:
        raise InputError(f"{where}: not numbers ({shown(error)}); fetch it again") from None


def _numbers(cell: str, where: str) -> np.ndarray:
    """Numbers of a cell such as ``[1.0, null]``, ``(1, 2)`` or ``3``; missing ones are NaN, and nothing is an array of none."""
    content = cell.strip()
    if content[:1] in ("[", "("):
        if content[-1] not in "])":
            raise InputError(f"{where}: an array without end; the file is cut short, fetch it again")
        content = content[1:-1]
        if not content.strip():
            return np.empty(0)
    parts = content.split(",") if "," in content else content.split() or [""]
    # Python reads 1_0 as a number, and no file means one by it.
    if "_" not in content:
        try:
            return np.fromiter(map(float, parts), np.float64, len(parts))
        except ValueError:
            pass
    parts = ["nan" if part.strip().lower() in MISSING_TEXT else part.replace("_", "x") for part in parts]
    try:
        return np.array(list(map(float, parts)))
    except ValueError as error:
        raise InputError(f"{where}: {shown(error)}; fetch it again") from None
