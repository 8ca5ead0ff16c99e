"""FITS files of many tables and images, written in blocks of rows so that large catalogs need little memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
from astropy.io import fits

from ...errors import InputError
from ...files import atomic_path
from ...version import __version__

BLOCK = 2880
ROWS = 20_000
"""Rows of a table held at a time."""

_DTYPES = {"K": ">i8", "J": ">i4", "I": ">i2", "B": "u1", "E": ">f4", "D": ">f8", "L": "S1"}

Block = Callable[[slice], Mapping[str, np.ndarray]]


@dataclass(frozen=True)
class Column:
    """Name, FITS format (``K``, ``22A``, ``5D``), shape of a cell, unit and comment of a column."""

    name: str
    format: str
    shape: tuple[int, ...] = ()
    unit: str = ""
    comment: str = ""

    @property
    def dtype(self) -> np.dtype:
        """Of one cell in the file."""
        if self.format.endswith("A"):
            return np.dtype(f"S{self.format[:-1] or 1}")
        kind, size = _DTYPES[self.format[-1]], int(self.format[:-1] or 1)
        return np.dtype(kind) if size == 1 else np.dtype((kind, self.shape or (size,)))


def parse_columns(text: str) -> tuple[Column, ...]:
    """Read a list of columns, one a line: name, format, then optionally unit, then optionally # and a comment.

    A format such as ``5x5D`` is a matrix, which FITS writes as ``25D`` with a TDIM card.
    """
    columns = []
    for line in text.strip().splitlines():
        front, _, comment = line.partition("#")
        name, form, *unit = front.split(maxsplit=2)
        sides, letter = form[:-1], form[-1]
        shape = tuple(int(side) for side in sides.split("x")) if "x" in sides else ()
        size = str(int(np.prod(shape))) if shape else sides
        columns.append(Column(name, size + letter, shape, unit[0].strip() if unit else "", comment.strip()))
    return tuple(columns)


@dataclass(frozen=True)
class TableHdu:
    """A binary table.

    Parameters
    ----------
    name : str
        EXTNAME.
    columns : sequence of Column
    rows : int
    block : callable
        Takes a slice of rows and gives columns by name; one that is missing is zero, or the empty string. A logical
        column may be bool or bytes, where the empty string means undefined.
    cards : mapping of str to value
        More header cards.
    """

    name: str
    columns: tuple[Column, ...]
    rows: int
    block: Block
    cards: Mapping = field(default_factory=dict)

    def write(self, file: BinaryIO) -> None:
        """Append header and data."""
        header = _table_cards(self.name, self.columns, self.rows) + header_bytes(self.cards)
        _put(file, header, b" ")
        record = np.dtype([(column.name, column.dtype) for column in self.columns])
        size = 0
        for start in range(0, self.rows, ROWS):
            rows = slice(start, min(start + ROWS, self.rows))
            size += file.write(_records(self.block(rows), record, rows.stop - rows.start, self.name).tobytes())
        file.write(b"\0" * (-size % BLOCK))


@dataclass(frozen=True)
class ImageHdu:
    """An image, with its unit if it has one."""

    name: str
    data: np.ndarray
    unit: str = ""

    def write(self, file: BinaryIO) -> None:
        """Append header and data."""
        header = fits.ImageHDU(np.zeros((1,) * self.data.ndim, self.data.dtype), name=self.name).header
        for axis, length in enumerate(reversed(self.data.shape), 1):
            header[f"NAXIS{axis}"] = length
        if self.unit:
            header["BUNIT"] = self.unit
        _put(file, header.tostring().encode("ascii"))
        _put(file, self.data.astype(self.data.dtype.newbyteorder(">"), copy=False).tobytes())


@lru_cache(maxsize=32)
def _fixed_cards(name: str, columns: tuple[Column, ...]) -> bytes:
    """Cards of a table without rows, which take long to make and are the same for every file."""
    described = [fits.Column(c.name, c.format, unit=c.unit or None) for c in columns]
    header = fits.BinTableHDU.from_columns(described, nrows=0, name=name).header
    for number, column in enumerate(columns, 1):
        if column.shape:
            header[f"TDIM{number}"] = f"({','.join(str(side) for side in reversed(column.shape))})"
        if column.comment:
            header.set(f"TCOMM{number}", column.comment, after=f"TFORM{number}")
    return header.tostring(endcard=False, padding=False).encode("ascii")


def _table_cards(name: str, columns: tuple[Column, ...], rows: int) -> bytes:
    fixed = _fixed_cards(name, columns)
    place = fixed.index(b"NAXIS2  =")
    count = fits.Card("NAXIS2", rows, "number of rows in table").image.encode("ascii")
    return fixed[:place] + count + fixed[place + 80 :]


def header_bytes(cards: Mapping | Sequence[tuple]) -> bytes:
    """Header cards as they stand in a file, and the end of the header.

    Parameters
    ----------
    cards : mapping of str to value, or sequence of (key, value) or (key, value, comment)
        A value of a mapping may be a pair of value and comment.
    """
    if isinstance(cards, Mapping):
        cards = [(key, *(value if isinstance(value, tuple) else (value,))) for key, value in cards.items()]
    return "".join([_card(*card) for card in cards] + ["END".ljust(80)]).encode("ascii")


@lru_cache(maxsize=4096, typed=True)
def _card(*card) -> str:
    """A card as it stands in a file: most are the same in every file, and formatting one takes longer than writing it."""
    return fits.Card(*card).image


def write_hdus(path: Path, hdus: Iterable[TableHdu | ImageHdu], cards: Mapping | None = None) -> Path:
    """Write a FITS file, or leave what was there untouched.

    Parameters
    ----------
    path : Path
    hdus : iterable of TableHdu or ImageHdu
    cards : mapping of str to value, optional
        Cards of the primary header, which also says that the file is simulated.

    Returns
    -------
    Path
        The same.
    """
    first = {"SIMPLE": True, "BITPIX": 8, "NAXIS": 0, "EXTEND": True, **(cards or {}), **simulated_cards()}
    with atomic_path(path, ours=True) as temporary, temporary.open("wb") as file:
        _put(file, header_bytes(first), b" ")
        for hdu in hdus:
            hdu.write(file)
    return path


def simulated_cards() -> dict[str, tuple]:
    """Cards that tell a simulated file from a genuine one."""
    return {
        "SIMULATE": (True, "simulated data, not an observation"),
        "CREATOR": (f"transtar {__version__}", "program that wrote this file"),
    }


def block_of(columns: Mapping[str, np.ndarray]) -> Block:
    """Blocks of rows of columns that are in memory."""
    return lambda rows: {name: values[rows] for name, values in columns.items()}


def _put(file: BinaryIO, content: bytes, filler: bytes = b"\0") -> None:
    file.write(content)
    file.write(filler * (-len(content) % BLOCK))


def _records(columns: Mapping[str, np.ndarray], record: np.dtype, rows: int, name: str) -> np.ndarray:
    unknown = set(columns) - set(record.names or ())
    if unknown:
        raise InputError(f"table {name} has no column {', '.join(sorted(unknown))}")
    block = np.zeros(rows, record)
    for column, values in columns.items():
        array = np.asarray(values)
        if array.dtype.kind == "b" and record[column].kind == "S":
            array = np.where(array, b"T", b"F")
        elif array.dtype.kind == "U":
            array = np.char.encode(array, "ascii")
        if array.dtype.kind == "S" and record[column].kind == "S" and array.dtype.itemsize > record[column].itemsize:
            longest = np.char.str_len(array).max(initial=0)
            if longest > record[column].itemsize:
                raise InputError(
                    f"table {name}: column {column} holds {record[column].itemsize} characters, not {longest}"
                )
        block[column] = array
    return block
