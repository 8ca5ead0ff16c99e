"""Single columns of FITS tables, binary or ASCII, so that a catalog of many gigabytes needs the memory of a few columns.

astropy reads the cards of headers that `transtar.fits_headers` has checked. Columns are taken from the file itself: astropy
copies all columns of a table on the way to one, compares TNULL with scaled values, and takes a blank of an ASCII table for zero.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError, said, shown
from ..fits_behind import BLOCK
from ..fits_headers import (
    MAGIC,
    Head,
    Source,
    check_own_header,
    compare_sums,
    heads,
    ones_complement_sum,
    open_source,
    stated_sum,
)
from ..telling import tell

__all__ = ["MAGIC", "FitsTable", "describe", "finish", "list_tables", "read_columns"]

_BLOCK = 1 << 26
"""Bytes of rows in memory at a time."""


@dataclass(frozen=True)
class FitsTable:
    """Where a table lies in its file, and what its columns are.

    Parameters
    ----------
    rows : int
    names : tuple of str
        As in the file: one may occur twice.
    record : dtype
        Of one row, big-endian; fields are called by their place.
    offset : int
        First byte of the data.
    units : tuple of str
    logical : frozenset of int
        Places of logical columns.
    nulls : dict of int to int or str
        TNULL by place.
    scales : dict of int to (float, float)
        TSCAL and TZERO by place.
    ascii : str
        Of an ASCII table, whose numbers are written as text, the letter of the format of each column; else empty.
    unread : dict of int to str
        Columns that cannot be read, by place, and why.
    frame : str
        What its coordinates are of, where the header says something else than ICRS or J2000.
    stored : int
        Bytes of the data, with the heap behind the rows and what fills up the last block.
    datasum : int
        The checksum of those bytes that the header gives; 0 if it gives none.
    nameless : tuple of int
        Columns without a name, counted from 1.
    """

    rows: int
    names: tuple[str, ...]
    record: np.dtype
    offset: int
    units: tuple[str, ...] = ()
    logical: frozenset[int] = frozenset()
    nulls: dict[int, Any] = field(default_factory=dict)
    scales: dict[int, tuple[float, float]] = field(default_factory=dict)
    ascii: str = ""
    unread: dict[int, str] = field(default_factory=dict)
    frame: str = ""
    stored: int = 0
    datasum: int = 0
    nameless: tuple[int, ...] = ()


def list_tables(path: Path) -> dict[str, FitsTable]:
    """Tables of a file, gzipped or not, by name of the HDU (its number where it has no name, or one that was there before).

    Raises
    ------
    InputError
        If the file is not FITS, or is cut short.
    """
    tables: dict[str, FitsTable] = {}
    with open_source(path) as source:
        for number, head in enumerate(heads(source)):
            if head.kind in ("BINTABLE", "TABLE"):
                name = head.name if head.name and head.name not in tables else str(number)
                try:
                    tables[name] = describe(head, path)
                except InputError as error:
                    # The first with rows is the one that is read, and it may be this one.
                    if not any(table.rows for table in tables.values()):
                        raise
                    if not head.problem:
                        tell(f"{error}; HDU {name} is passed over")
    return tables


def describe(head: Head, path: Path) -> FitsTable:
    """What a table is, by its header.

    Raises
    ------
    InputError
        If the header contradicts itself.
    """
    head.check()
    try:
        return _describe(head)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except Exception as error:
        raise InputError(f"{path}: truncated or damaged FITS file ({said(error)}); fetch it again") from error


def _describe(head: Head) -> FitsTable:
    header, is_ascii = head.header, head.kind == "TABLE"
    n, width = int(header["TFIELDS"]), int(header["NAXIS1"])
    # astropy takes its time for each card, those that do not exist among them.
    keywords = set(header)
    cards = [{key: header[f"{key}{i}"] if f"{key}{i}" in keywords else None for key in _KEYS} for i in range(1, n + 1)]
    names = tuple(str(card["TTYPE"] or f"column {i}").strip() for i, card in enumerate(cards, 1))
    units = tuple(str(card["TUNIT"] or "").strip() for card in cards)
    unread: dict[int, str] = {}
    if is_ascii:
        formats, offsets = [], []
        for card in cards:
            match = re.fullmatch(r"([AIFED])(\d+)(?:\.\d+)?", str(card["TFORM"]).strip().upper())
            if match is None:
                raise InputError(f"TFORM '{shown(card['TFORM'])}' of an ASCII table")
            formats.append(f"S{match[2]}")
            offsets.append(int(str(card["TBCOL"])) - 1)
    else:
        formats, offsets, place = [], [], 0
        for i, card in enumerate(cards):
            form, size, why = _binary_format(str(card["TFORM"]), card["TDIM"])
            if why:
                unread[i] = why
            formats.append(form)
            offsets.append(place)
            place += size
        if place != width:
            raise InputError(f"columns of {place} bytes in rows of {width}")
    if header.get("ZTABLE") is True:
        unread = dict.fromkeys(range(n), "compressed (ZTABLE): unpack the file with funpack")
    record = np.dtype({"names": [str(i) for i in range(n)], "formats": formats, "offsets": offsets, "itemsize": width})
    scales = {i: (float(card["TSCAL"] or 1), float(card["TZERO"] or 0)) for i, card in enumerate(cards)}
    check_own_header(header, "the table")
    return FitsTable(
        rows=int(header["NAXIS2"]),
        names=names,
        record=record,
        offset=head.offset,
        units=units,
        logical=frozenset(i for i, card in enumerate(cards) if re.fullmatch(r"\d*L", str(card["TFORM"]).strip())),
        nulls={i: card["TNULL"] for i, card in enumerate(cards) if card["TNULL"] is not None},
        scales={i: scale for i, scale in scales.items() if scale != (1.0, 0.0)},
        ascii="".join(str(card["TFORM"]).strip().upper()[0] for card in cards) if is_ascii else "",
        unread=unread,
        frame=_frame(header),
        stored=-(-head.size // BLOCK) * BLOCK,
        datasum=stated_sum(header),
        nameless=tuple(i for i, card in enumerate(cards, 1) if not card["TTYPE"]),
    )


def _frame(header: Any) -> str:
    system = str(header.get("RADESYS", header.get("RADECSYS", ""))).strip().upper()
    equinox = str(header.get("EQUINOX", header.get("EPOCH", ""))).strip().upper().lstrip("JB")
    modern = system in ("", "ICRS", "FK5") and (
        equinox in ("", "2000", "2000.0") or system == "ICRS" or not _is_year(equinox)
    )
    return "" if modern else f"{system or 'equinox'} {equinox}".strip()


def _is_year(text: str) -> bool:
    return re.fullmatch(r"(1[89]|20)\d\d(\.\d*)?", text) is not None


_KEYS = ("TTYPE", "TFORM", "TUNIT", "TNULL", "TSCAL", "TZERO", "TDIM", "TBCOL")
_CODES = {"L": "S1", "B": "u1", "I": ">i2", "J": ">i4", "K": ">i8", "E": ">f4", "D": ">f8", "C": ">c8", "M": ">c16"}


def _binary_format(form: str, dimensions: Any) -> tuple[Any, int, str]:
    """Format of numpy for a TFORM, its size in bytes, and why it cannot be read, if it cannot."""
    match = re.match(r"\s*(\d*)([LXBIJKAEDCMPQ])", form)
    if match is None:
        raise InputError(f"TFORM '{shown(form)}'")
    repeat, code = int(match[1] or 1), match[2]
    if code in "PQ":
        size = repeat * (8 if code == "P" else 16)
        return f"V{size}", size, "an array of another length in each row"
    if code == "X":
        size = (repeat + 7) // 8
        return f"V{size}", size, "an array of bits"
    shape = tuple(int(length) for length in re.findall(r"\d+", str(dimensions)))[::-1] if dimensions else ()
    if code == "A":
        if len(shape) > 1 and math.prod(shape) == repeat:
            return np.dtype((f"S{shape[-1]}", shape[:-1])), repeat, ""
        return (f"S{repeat}" if repeat else "V0"), repeat, "" if repeat else "empty"
    size = np.dtype(_CODES[code]).itemsize * repeat
    if code in "CM":
        return f"V{size}", size, "complex numbers"
    if repeat == 0:
        return "V0", 0, "empty"
    if repeat == 1 and not shape:
        return _CODES[code], size, ""
    fits = shape if shape and math.prod(shape) == repeat else (repeat,)
    return np.dtype((_CODES[code], fits)), size, ""


def read_columns(path: Path, table: FitsTable, places: Sequence[int]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Read some columns in one pass; undefined logicals, blanks of ASCII tables and what equals TNULL are missing.

    Parameters
    ----------
    path : Path
    table : FitsTable
        Of this file, as from `list_tables`.
    places : sequence of int
        From 0.

    Returns
    -------
    list of (ndarray, ndarray of bool)
        Values, logicals as bool, strings as bytes, vectors as arrays of more dimensions; and where there are none.

    Raises
    ------
    InputError
        If the file is cut short, or a column is of a kind that no table of stars needs.
    """
    for place in places:
        if place in table.unread:
            raise InputError(f"{path}: column {table.names[place]} is {table.unread[place]}")
    raw = _raw(path, table, places)
    return [finish(values, table, place) for values, place in zip(raw, places, strict=True)]


def _raw(path: Path, table: FitsTable, places: Sequence[int]) -> list[np.ndarray]:
    names = [str(place) for place in places]
    if not table.rows or not table.record.itemsize:
        return [np.zeros(table.rows, table.record)[name] for name in names]
    with open_source(path) as source:
        if source.size is not None and not table.datasum:
            records = np.memmap(path, table.record, "r", table.offset, (table.rows,))
            return [np.array(records[name]) for name in names]
        source.skip_to(table.offset)
        return _in_blocks(source, table, names)


def _in_blocks(source: Source, table: FitsTable, names: Sequence[str]) -> list[np.ndarray]:
    out = [np.empty((table.rows, *table.record[name].shape), table.record[name].base) for name in names]
    # Of four rows at least, so that the words of the checksum do not lie across blocks.
    step = max(4, _BLOCK // table.record.itemsize // 4 * 4)
    checksum = 0
    for first in range(0, table.rows, step):
        number = min(step, table.rows - first)
        last = number * table.record.itemsize
        content = source.exactly(last)
        if first + number == table.rows and table.datasum:
            # The last block need not be filled up.
            content += source.read(table.offset + table.stored - source.place)
        block = np.frombuffer(content, table.record, number)
        for values, name in zip(out, names, strict=True):
            values[first : first + number] = block[name]
        checksum = ones_complement_sum(content, checksum) if table.datasum else 0
    compare_sums(checksum, table.datasum, str(source.path))
    return out


def finish(raw: np.ndarray, table: FitsTable, place: int) -> tuple[np.ndarray, np.ndarray]:
    """Values of a column as stored, and where there are none: scaled, in the byte order of the machine.

    Parameters
    ----------
    raw : ndarray
        A field of records of ``table.record``.
    table : FitsTable
    place : int
        Of the column, from 0.
    """
    if table.ascii:
        text = np.char.strip(raw)
        null = str(table.nulls[place]).strip().encode() if place in table.nulls else b""
        missing = (text == b"") | (text == null)
        if table.ascii[place] == "A":
            return np.where(missing, b"", text), missing
        scale, zero = table.scales.get(place, (1.0, 0.0))
        if table.ascii[place] == "I" and (scale, zero) == (1.0, 0.0):
            return np.where(missing, b"0", text).astype("U").astype(np.int64), missing
        # Fortran writes 1.0D+03.
        numbers = np.char.replace(np.char.upper(np.where(missing, b"NAN", text).astype("U")), "D", "E")
        return numbers.astype(np.float64) * scale + zero, missing
    if place in table.logical:
        return raw == b"T", ~np.isin(raw, (b"T", b"F")) if raw.ndim == 1 else np.zeros(len(raw), bool)
    if raw.dtype.kind == "S":
        raw = _to_nul(raw)
    values = raw.astype(raw.dtype.newbyteorder("="))
    missing = np.zeros(len(values), dtype=bool)
    if place in table.nulls and values.ndim == 1 and values.dtype.kind in "iu":
        # Of the stored integers, not of the scaled values.
        missing = values == int(table.nulls[place])
    if place in table.scales and values.dtype.kind in "iuf":
        values = _scale(values, *table.scales[place])
    return values, missing


def _to_nul(text: np.ndarray) -> np.ndarray:
    """Text without what stands behind a NUL, which is no part of it (FITS standard 4.0, 7.3.3.1)."""
    letters = np.frombuffer(text.tobytes(), np.uint8).reshape(-1, max(1, text.dtype.itemsize))
    behind = np.maximum.accumulate(letters == 0, axis=1)
    if not (behind & (letters != 0)).any():
        return text
    return np.frombuffer(np.where(behind, 0, letters).astype(np.uint8).tobytes(), text.dtype).reshape(text.shape)


def _scale(values: np.ndarray, scale: float, zero: float) -> np.ndarray:
    kind = values.dtype
    if scale == 1 and kind.kind == "i" and zero == 2.0 ** (8 * kind.itemsize - 1):
        # Unsigned integers, which FITS has not: exact, where floating point would lose digits.
        return (values ^ np.iinfo(kind).min).view(f"u{kind.itemsize}")
    if scale == 1 and kind == np.uint8 and zero == -128:
        return (values ^ 128).view(np.int8)
    return values * scale + zero
