"""What a parquet file claims to hold, compared with its size before memory is taken for it.

Footer and page headers are read here rather than by Arrow, which ends the process on some damaged footers.

Source: the format's parquet.thrift.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple

from ..content import EXPANSION, FREE
from ..errors import InputError
from .thrift import read_struct

MAGIC = b"PAR1"

VALUES = 1000
"""Beyond `FREE` bytes, columns may be this many times their file: a column of one value takes next to nothing."""

MOST_HEADER = 1 << 20
"""Bytes of a page header, which may hold the least and the largest text of the page."""

_DEEPEST = 32

# By the numbers of their fields: kind, length, repetition, name and children of a column; number of values, size, and places
# of pages of a chunk; sizes of a page, and the number of its values, in either version.
_COLUMN = {1: int, 2: int, 3: int, 4: bytes, 5: int}
_CHUNK = {5: int, 7: int, 9: int, 11: int}
_FOOTER = {2: [_COLUMN], 3: int, 4: [{1: [{3: _CHUNK}], 3: int}]}
_PAGE = {2: int, 3: int, 5: {1: int}, 8: {1: int}}

_WIDTHS = {0: 1, 1: 4, 2: 8, 3: 12, 4: 4, 5: 8, 6: 8}
"""Bytes in memory of a bit, of whole numbers, floats, and of the place of a text."""
_TEXT, _FIXED = 6, 7
_REPEATED = 2


class Leaf(NamedTuple):
    """A column as it is stored."""

    path: str
    kind: int
    width: int
    is_flat: bool

    @property
    def is_text(self) -> bool:
        """Whether it is text or bytes."""
        return self.kind == _TEXT


def read_footer(file: BinaryIO, where: str) -> bytes:
    """The footer of a file.

    Raises
    ------
    InputError
        If there is none.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(max(size - 8, 0))
    end = file.read(8)
    length = int.from_bytes(end[:4], "little")
    if end[4:] != MAGIC or length > size - 12:
        raise InputError(f"{where}: damaged or not a parquet file (it does not end as one); fetch it again")
    file.seek(size - 8 - length)
    return file.read(length)


def check_claims(file: BinaryIO, where: str, columns: Sequence[str] | None = None) -> list[Leaf]:
    """Refuse a file that cannot hold what its footer or its page headers say.

    Parameters
    ----------
    file : file object
        The whole file; where it stands is not kept.
    where : str
        Its name, for the message.
    columns : sequence of str, optional
        Only those that are to be read; default: all.

    Returns
    -------
    list of Leaf
        All its columns.

    Raises
    ------
    InputError
        If sizes contradict each other, or a few bytes stand for far more.
    IndexError, KeyError, ValueError
        If the footer is none.
    """
    about, _ = read_struct(read_footer(file, where), _FOOTER)
    size = file.seek(0, os.SEEK_END)
    leaves = _leaves(about[2])
    groups = about[4]
    if about[3] != sum(group[3] for group in groups) or any(group[3] < 0 for group in groups):
        raise InputError(f"{where}: its numbers of rows contradict each other; fetch it again")
    taken = packed = 0
    for group in groups:
        for place, (leaf, chunk) in enumerate(zip(leaves, group[1], strict=True)):
            if not _is_wanted(leaf.path, columns):
                continue
            values = chunk[3][5]
            if values < group[3] or (leaf.is_flat and values != group[3]):
                raise InputError(
                    f"{where}: column {place + 1} holds another number of values than rows; fetch it again"
                )
            taken += values * leaf.width
            refuse_expansion(where, size, taken, VALUES)
            for expanded in _pages(file, chunk[3], size, where):
                packed += expanded
                refuse_expansion(where, size, packed)
    return leaves


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


def _leaves(schema: list[dict[int, Any]]) -> list[Leaf]:
    """The columns that are stored, of a tree that is written from its root on, children behind their parent."""
    elements = iter(schema)
    leaves: list[Leaf] = []

    def walk(children: int, path: str, is_flat: bool, depth: int) -> None:
        if not depth:
            raise ValueError("columns nested too deep")
        for _ in range(children):
            element = next(elements, None)
            if element is None:
                raise ValueError("a column that is missing")
            name = path + element[4].decode("utf-8")
            flat = is_flat and element.get(3) != _REPEATED
            if element.get(5):
                walk(element[5], f"{name}.", flat, depth - 1)
                continue
            kind = element.get(1, -1)
            width = max(element.get(2, 1), 1) if kind == _FIXED else _WIDTHS[kind]
            # Levels of nesting are numbers of two bytes.
            leaves.append(Leaf(name, kind, width + 4 * (not flat), flat))

    walk(next(elements)[5] if schema else 0, "", True, _DEEPEST)
    return leaves


def _is_wanted(path: str, columns: Sequence[str] | None) -> bool:
    """Whether a leaf belongs to one of some columns, whose names may have dots in them."""
    return columns is None or any(path == name or path.startswith(f"{name}.") for name in columns)


def _pages(file: BinaryIO, chunk: dict[int, int], size: int, where: str) -> Iterator[int]:
    """Decompressed sizes of the pages of a chunk, which must hold as many values as it says."""
    if not chunk[5]:
        return
    start, values = chunk[9], 0
    if 0 < chunk.get(11, 0) < start:
        start = chunk[11]
    if not 4 <= start <= start + chunk[7] <= size:
        raise InputError(f"{where}: its columns do not lie within it; it was cut short or damaged, fetch it again")
    # By their values: some writers leave the header of a dictionary out of the size of a chunk.
    while values < chunk[5]:
        page, length = _page(file, start, where)
        expanded, compressed = page.get(2, -1), page.get(3, -1)
        held = page.get(5, page.get(8, {1: 0})).get(1, -1)
        if not 0 <= compressed <= size - start - length or expanded < 0 or held < 0:
            raise InputError(f"{where}: damaged page at byte {start}; fetch it again")
        yield expanded
        start, values = start + length + compressed, values + held
    if values != chunk[5]:
        raise InputError(f"{where}: a column holds another number of values than its pages; fetch it again")


def _page(file: BinaryIO, start: int, where: str) -> tuple[dict[int, Any], int]:
    for most in (1 << 9, MOST_HEADER):
        file.seek(start)
        content = file.read(most)
        try:
            return read_struct(content, _PAGE)
        except IndexError:
            if len(content) < most:
                break
        except ValueError:
            break
    raise InputError(f"{where}: damaged page at byte {start}; fetch it again")
