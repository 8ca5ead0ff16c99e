"""FITS files read from front to back, passing over the parts that nobody asks for.

Files of many HDUs (DESI coadds: RESOLUTION alone is four fifths of them) would fill the memory if read whole, and
those that are compressed cannot be jumped about in. Hence each HDU is offered once, in the order of the file, and its
data are read only on request.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..content import check_expansion
from ..errors import InputError, said
from ..fits_behind import BLOCK, truncated
from ..fits_headers import Head, Source, check_sum, heads, open_source
from ..tables.fits import describe, finish
from .header_cards import number, text

_PIXEL = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}


@dataclass(frozen=True)
class Part:
    """One HDU of a file being read; its data can be had until the next one is asked for.

    Parameters
    ----------
    head : Head
    source : Source
        At the beginning of the data.
    """

    head: Head
    source: Source

    @property
    def name(self) -> str:
        """EXTNAME in capitals; 'PRIMARY' for the first."""
        return self.head.name

    @property
    def header(self) -> Any:
        """Header, of astropy."""
        return self.head.header

    @property
    def path(self) -> Path:
        """The file."""
        return self.source.path

    @property
    def is_table(self) -> bool:
        """Whether it is a binary table; compressed images are stored as such, but are none."""
        return self.head.kind == "BINTABLE" and not self._compressed

    @property
    def _compressed(self) -> bool:
        return self.header.get("ZIMAGE") is True

    def image(self) -> np.ndarray:
        """Read an image, compressed by tiles or not; in the byte order of the machine, in the shape and type of the file.

        Raises
        ------
        InputError
            If it is a table, or is scaled, damaged or truncated.
        """
        self.head.check()
        if self._compressed:
            return self._decompressed()
        if self.head.kind != "IMAGE":
            raise InputError(f"{self.path}: HDU {self.name} is not a plain image; is --survey right?")
        if not self.head.shape:
            return np.empty(0, np.uint8)
        try:
            array = np.empty(self.head.shape, _PIXEL[int(self.header["BITPIX"])])
        except MemoryError:
            # A damaged header asks for anything; only a file that is not compressed can be asked how much it holds.
            raise truncated(self.path) from None
        self.source.fill(array)
        self._check(array.reshape(-1).view(np.uint8))
        native = array.dtype.newbyteorder("=")
        return self._scaled(array if array.dtype == native else array.byteswap(inplace=True).view(native))

    def _scaled(self, array: np.ndarray) -> np.ndarray:
        stated = {key: number(self.header, key) for key in ("BSCALE", "BZERO", "BLANK")}
        scale, zero = (
            default if np.isnan(stated[key]) else stated[key] for key, default in (("BSCALE", 1.0), ("BZERO", 0.0))
        )
        blank = stated["BLANK"] if array.dtype.kind in "iu" else np.nan
        if np.isnan(blank) and scale == 1:
            if zero == 0:
                return array
            if array.dtype.kind == "i" and zero == 2.0 ** (8 * array.dtype.itemsize - 1):
                # Unsigned integers are stored as signed ones with the first bit turned over.
                return (array ^ np.iinfo(array.dtype).min).view(f"u{array.dtype.itemsize}")
        return np.where(array == blank, np.nan, array * scale + zero)

    def _decompressed(self) -> np.ndarray:
        from astropy.io import fits

        check_compressed(self.path, self.head)
        content = self.source.exactly(self.head.size)
        self._check(np.frombuffer(content, np.uint8))
        first = fits.PrimaryHDU().header.tostring().encode()
        whole = first + self.header.tostring().encode() + content + bytes(-len(content) % BLOCK)
        try:
            with fits.open(io.BytesIO(whole), memmap=False) as hdus:
                array = np.asarray(hdus[1].data)
        except Exception as error:
            raise InputError(
                f"{self.path}: HDU {self.name} cannot be decompressed ({said(error)}); fetch it again"
            ) from None
        return array.astype(array.dtype.newbyteorder("="), copy=False)

    def _check(self, content: Any) -> None:
        check_sum(self.header, content, f"{self.path}: HDU {self.name}")

    def unit(self, column: str = "") -> str:
        """Unit of a column, or of the image; empty if the header gives none."""
        key = f"TUNIT{self.column_names.index(column) + 1}" if column else "BUNIT"
        return text(self.header, key)

    @property
    def column_names(self) -> list[str]:
        """Names of the columns of a table, in capitals."""
        self.head.check()
        n = int(self.header["TFIELDS"]) if self.is_table else 0
        return [str(self.header.get(f"TTYPE{number}", "")).strip().upper() for number in range(1, n + 1)]

    def columns(self, names: Sequence[str], vectors: bool = False) -> dict[str, np.ndarray]:
        """Read the columns of a table that it has of `names`, of one value in each row or, if asked for, a vector.

        Text comes as stripped str, numbers scaled and in the byte order of the machine.

        Raises
        ------
        InputError
            If it is no table, a column is of a kind that cannot be read or there twice, or the file is truncated or damaged.
        """
        if not self.is_table:
            raise InputError(f"{self.path}: HDU {self.name} is not a table; is --survey right?")
        wanted = [(place, name) for place, name in enumerate(self.column_names) if name in names]
        table = describe(self.head, self.path)
        # What fills up the block and the heap behind the rows count for the checksum alone.
        content = self.source.exactly(self.head.size if table.datasum else table.rows * table.record.itemsize)
        self._check(np.frombuffer(content, np.uint8))
        block = np.frombuffer(content, table.record, table.rows) if table.record.itemsize else np.empty(0, table.record)
        columns: dict[str, np.ndarray] = {}
        for place, name in wanted:
            if name in columns:
                raise InputError(f"{self.path}: HDU {self.name} has two columns {name}; which one is meant?")
            if place in table.unread:
                raise InputError(f"{self.path}: column {name} of HDU {self.name} is {table.unread[place]}")
            values, _ = finish(block[str(place)], table, place)
            if values.ndim != 1 and not vectors:
                raise InputError(f"{self.path}: column {name} of HDU {self.name} is not one plain value per row")
            columns[name] = (
                np.char.strip(np.char.decode(values, "ascii", "replace")) if values.dtype.kind == "S" else values
            )
        return columns


@contextmanager
def open_fits(path: Path) -> Iterator[Iterator[Part]]:
    """Open a FITS file, compressed or not (told by content), as an iterator over its HDUs.

    Parameters
    ----------
    path : Path

    Yields
    ------
    iterator of Part

    Raises
    ------
    InputError
        If the file is empty, truncated, damaged or not FITS; for what lies behind, when the iterator gets there.
    """
    with open_source(path) as source:
        yield _unpacked(Part(head, source) for head in heads(source))


def _unpacked(parts: Iterator[Part]) -> Iterator[Part]:
    """With the first image as the first HDU where fpack has moved it into the second, behind an empty one."""
    first = next(parts)
    second = next(parts, None) if not first.head.size else None
    if second is not None and "ZSIMPLE" in second.header:
        yield replace(second, head=replace(second.head, name="PRIMARY"))
    else:
        yield first
        if second is not None:
            yield second
    yield from parts


def check_compressed(path: Path, head: Head) -> None:
    """Refuse a compressed image that claims to be far larger than any image of such a file.

    Raises
    ------
    InputError
    """
    size = 1
    for axis in range(1, int(head.header.get("ZNAXIS", 0)) + 1):
        size *= max(int(head.header.get(f"ZNAXIS{axis}", 0)), 0)
    check_expansion(path, size * abs(int(head.header.get("ZBITPIX", 8))) // 8)
