"""Tables of Gaia XP spectra: columns by lower-case name, whatever the format."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError, shown

NEEDED = ("source_id", "wavelength", "flux", "flux_error")

COEFFICIENTS = {"bp_coefficients", "rp_coefficients"}
"""Columns of continuous spectra."""

_MISSING = {"", "null", "none", "nan", "--", "masked"}
"""How text says that a number is missing, in lower case."""

_LONGEST_CELL = 10**8
"""Characters: arrays of 1485 correlations are long fields."""


def read_tables(content: bytes, path: Path) -> list[dict[str, Any]]:
    """Columns by lower-case name for each table of a file; parameters of VOTables, which are scalars, too.

    Parameters
    ----------
    content : bytes
        The file, decompressed.
    path : Path
        For messages.

    Returns
    -------
    list of dict
        Of text, only the columns `NEEDED` are read; others are there, without content. ``wavelength_unit`` is the unit that
        the file states, if any.

    Raises
    ------
    InputError
        If the file is none of CSV, FITS and VOTable, or is cut short.
    """
    start = content[:512].lstrip()
    if start.startswith(b"SIMPLE  ="):
        return _fits_tables(content)
    if start.startswith((b"<?xml", b"<VOTABLE")):
        return _votables(content)
    if b"\0" in content[:4096]:
        raise InputError(f"{path}: not a CSV, FITS or VOTable file of Gaia XP spectra; is --survey right?")
    return [_text_table(content, path)]


def _fits_tables(content: bytes) -> list[dict[str, Any]]:
    from astropy.io import fits

    tables = []
    with fits.open(io.BytesIO(content), memmap=False) as hdus:
        for hdu in hdus:
            if isinstance(hdu, fits.BinTableHDU):
                table: dict[str, Any] = {name.lower(): hdu.data[name] for name in hdu.columns.names}
                for column in hdu.columns:
                    if column.name.lower() == "wavelength":
                        table["wavelength_unit"] = column.unit or ""
                for key in ("SOURCE_ID", "SOURCEID"):
                    if key in hdu.header:
                        table.setdefault("source_id", hdu.header[key])
                tables.append(table)
    return tables


def _votables(content: bytes) -> list[dict[str, Any]]:
    from astropy.io.votable import parse

    tables = []
    for votable in parse(io.BytesIO(content), verify="ignore").iter_tables():
        table: dict[str, Any] = {param.name.lower(): param.value for param in votable.params}
        for field in votable.fields:
            if field.name.lower() == "wavelength":
                table["wavelength_unit"] = str(field.unit or "")
        names = votable.array.dtype.names or ()
        tables.append({**table, **{name.lower(): _filled(votable.array[name]) for name in names}})
    return tables


def _filled(values: Any) -> Any:
    if isinstance(values, np.ma.MaskedArray) and values.dtype.kind == "f":
        return values.filled(np.nan)
    return np.ma.getdata(values)


def _text_table(content: bytes, path: Path) -> dict[str, Any]:
    head: list[str] = []
    csv.field_size_limit(_LONGEST_CELL)
    lines = _lines(content, head)
    first = next(lines, "")
    separator = "," if "," in first else None
    names = [name.strip().strip('"').lower() for name in first.split(separator)]
    twice = [name for name in NEEDED if names.count(name) > 1]
    if twice:
        raise InputError(f"{path}: the column {twice[0]} is there twice; delete one")
    columns: dict[str, Any] = {name: [] for name in names}
    continuous = COEFFICIENTS & set(names)
    if not (continuous or "flux" in names):
        return columns
    # Arrays of coefficients are read by GaiaXPy, and are long.
    needed = ("source_id",) if continuous else NEEDED
    wanted = {name: place for place, name in enumerate(names) if name in needed}
    for number, row in enumerate(csv.reader(lines, delimiter=separator or " ", skipinitialspace=True), 1):
        if len(row) != len(names):
            raise InputError(
                f"{path}: row {number} has {len(row)} columns, the first line {len(names)}; the file is damaged or cut short, "
                "fetch it again"
            )
        for name, place in wanted.items():
            cell = row[place]
            columns[name].append(cell if name == "source_id" else _numbers(cell, f"{path}: row {number}: {name}"))
    unit = re.search(r"name: wavelength\b(?:(?!name:).)*?unit: *([^,}\n]+)", "\n".join(head), re.DOTALL)
    return columns | ({"wavelength_unit": unit[1].strip(" '\"")} if unit else {})


def _lines(content: bytes, head: list[str]) -> Iterator[str]:
    """The lines that are no comments; comments before the first of them go to `head`."""
    begun = False
    for line in io.TextIOWrapper(io.BytesIO(content), "utf-8-sig", newline=""):
        if line.startswith("#"):
            if not begun:
                head.append(line[1:].rstrip())
        elif line.strip():
            begun = True
            yield line


def _numbers(cell: str, where: str) -> np.ndarray:
    """Numbers of a cell such as ``[1.0, null]``, ``(1, 2)`` or ``3``; missing ones are NaN."""
    text = cell.strip()
    if text[:1] in ("[", "("):
        if text[-1] not in "])":
            raise InputError(f"{where}: an array without end; the file is cut short, fetch it again")
        text = text[1:-1]
    parts = text.split(",") if "," in text else text.split() or [""]
    try:
        return np.fromiter(map(float, parts), np.float64, len(parts))
    except ValueError:
        pass
    parts = ["nan" if part.strip().lower() in _MISSING else part for part in parts]
    try:
        return np.array(list(map(float, parts)))
    except ValueError as error:
        raise InputError(f"{where}: {shown(error)}; fetch it again") from None


def vectors(cells: Iterable[Any], where: str) -> list[np.ndarray]:
    """The cells of a column as arrays of float64, of one number each where they are numbers; masked values are NaN.

    Raises
    ------
    InputError
        If a cell is no number and no array of numbers.
    """
    try:
        return [_vector(cell) for cell in cells]
    except (TypeError, ValueError) as error:
        raise InputError(f"{where}: not numbers ({shown(error)}); fetch it again") from None


def _vector(cell: Any) -> np.ndarray:
    if isinstance(cell, np.ma.MaskedArray):
        cell = np.ma.filled(cell.astype(np.float64), np.nan)
    return np.atleast_1d(np.asarray(cell, dtype=np.float64))
