"""What a parquet file claims to hold, compared with its size before memory is taken for it.

Source: the format's parquet.thrift, and the compact protocol of Thrift in which footers and page headers are written.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

from ..errors import InputError
from .content import EXPANSION, FREE

VALUES = 1000
"""Beyond `FREE` bytes, columns may be this many times their file: a column of one value takes next to nothing."""

MOST_HEADER = 1 << 20
"""Bytes of a page header, which may hold the least and the largest text of the page."""

_WIDTHS = {"BOOLEAN": 1, "INT32": 4, "INT64": 8, "INT96": 12, "FLOAT": 4, "DOUBLE": 8, "BYTE_ARRAY": 8}
_DEEPEST = 16
_EXPANDED, _COMPRESSED, _DATA = 2, 3, (5, 8)
"""Fields of a page header: its sizes, and what says how many values the page holds."""


def check_claims(file: BinaryIO, about: Any, where: str, columns: Sequence[str] | None = None) -> None:
    """Refuse a file that cannot hold what its footer or its page headers say.

    Parameters
    ----------
    file : file object
        The whole file; where it stands is not kept.
    about : pyarrow.parquet.FileMetaData
    where : str
        Its name, for the message.
    columns : sequence of str, optional
        Only those that are to be read; default: all.

    Raises
    ------
    InputError
        If sizes contradict each other, or a few bytes stand for far more.
    """
    size = file.seek(0, os.SEEK_END)
    groups = [about.row_group(number) for number in range(about.num_row_groups)]
    if about.num_rows != sum(group.num_rows for group in groups) or any(group.num_rows < 0 for group in groups):
        raise InputError(f"{where}: its numbers of rows contradict each other; fetch it again")
    schema = about.schema
    places = [place for place in range(about.num_columns) if _is_wanted(schema.column(place).path, columns)]
    width = {place: _width(schema.column(place)) for place in places}
    flat = {place for place in places if schema.column(place).max_repetition_level == 0}
    taken = packed = 0
    for group in groups:
        for place in places:
            chunk = group.column(place)
            values = chunk.num_values
            if values < group.num_rows or (place in flat and values != group.num_rows):
                raise InputError(f"{where}: column {place + 1} holds another number of values than rows; fetch it again")
            taken += values * width[place]
            refuse_expansion(where, size, taken, VALUES)
            for expanded in _pages(file, chunk, size, where):
                packed += expanded
                refuse_expansion(where, size, packed)


def refuse_expansion(where: str, size: int, expanded: int, times: int = EXPANSION) -> None:
    """Refuse `size` bytes that stand for far more, `expanded`.

    Raises
    ------
    InputError
    """
    if expanded > max(FREE, times * size):
        raise InputError(
            f"{where}: {size} bytes that decompress to more than {expanded // 10**6} MB; no table of stars shrinks as far: "
            "fetch it again, or write it again if it is right"
        )


def _is_wanted(path: str, columns: Sequence[str] | None) -> bool:
    """Whether a leaf belongs to one of some columns, whose names may have dots in them."""
    return columns is None or any(path == name or path.startswith(f"{name}.") for name in columns)


def _width(column: Any) -> int:
    """Bytes of a value in memory, that of text aside; levels of nesting are numbers of two bytes."""
    own = column.length if column.physical_type == "FIXED_LEN_BYTE_ARRAY" else _WIDTHS.get(column.physical_type, 8)
    return max(own, 1) + 4 * (column.max_repetition_level > 0)


def _pages(file: BinaryIO, chunk: Any, size: int, where: str) -> Iterator[int]:
    """Decompressed sizes of the pages of a chunk, which must hold as many values as it says."""
    start, values = chunk.data_page_offset, 0
    if chunk.has_dictionary_page and 0 < chunk.dictionary_page_offset < start:
        start = chunk.dictionary_page_offset
    if not 4 <= start <= start + chunk.total_compressed_size <= size:
        raise InputError(f"{where}: its columns do not lie within it; it was cut short or damaged, fetch it again")
    # By their values: some writers leave the header of a dictionary out of the size of a chunk.
    while values < chunk.num_values:
        header, length = _header(file, start, where)
        expanded, compressed = header.get(_EXPANDED, -1), header.get(_COMPRESSED, -1)
        held = next((header[kind].get(1, -1) for kind in _DATA if isinstance(header.get(kind), dict)), 0)
        if not 0 <= compressed <= size - start - length or expanded < 0 or held < 0:
            raise InputError(f"{where}: damaged page at byte {start}; fetch it again")
        yield expanded
        start, values = start + length + compressed, values + held
    if values != chunk.num_values:
        raise InputError(f"{where}: a column holds another number of values than its pages; fetch it again")


def _header(file: BinaryIO, start: int, where: str) -> tuple[dict[int, Any], int]:
    for most in (1 << 9, MOST_HEADER):
        file.seek(start)
        content = file.read(most)
        try:
            header, length = _struct(content, 0, _DEEPEST)
        except IndexError:
            if len(content) < most:
                break
        except ValueError:
            break
        else:
            if all(isinstance(header.get(field, 0), int) for field in (_EXPANDED, _COMPRESSED)):
                return header, length
            break
    raise InputError(f"{where}: damaged page at byte {start}; fetch it again")


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = content[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
        if shift > 63:
            raise ValueError("number without end")


def _struct(content: bytes, at: int, depth: int) -> tuple[dict[int, Any], int]:
    """Whole numbers and structs of a struct by the number of their field; the rest is passed over."""
    if not depth:
        raise ValueError("nested too deep")
    found: dict[int, Any] = {}
    field = 0
    while True:
        kind, step = content[at] & 15, content[at] >> 4
        at += 1
        if kind == 0:
            return found, at
        if step:
            field += step
        else:
            field, at = _varint(content, at)
            field = (field >> 1) ^ -(field & 1)
        value, at = (None, at) if kind in (1, 2) else _value(content, at, kind, depth - 1)
        if value is not None:
            found[field] = value


def _value(content: bytes, at: int, kind: int, depth: int) -> tuple[Any, int]:
    if kind == 3:
        return None, _within(content, at + 1)
    if kind in (4, 5, 6):
        value, at = _varint(content, at)
        return (value >> 1) ^ -(value & 1), at
    if kind == 7:
        return None, _within(content, at + 8)
    if kind == 8:
        length, at = _varint(content, at)
        return None, _within(content, at + length)
    if kind == 12:
        return _struct(content, at, depth)
    # Lists and the like are in no page header.
    raise ValueError(f"type {kind}")


def _within(content: bytes, at: int) -> int:
    if at > len(content):
        raise IndexError(at)
    return at
