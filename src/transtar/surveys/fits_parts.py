"""FITS files read from front to back, passing over the parts that nobody asks for.

Files of many HDUs (DESI coadds: RESOLUTION alone is four fifths of them) would fill the memory if read whole, and
those that are compressed cannot be jumped about in. Hence each HDU is offered once, in the order of the file, and its
data are read only on request.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..content import check_expansion
from ..errors import InputError
from ..fits_headers import BLOCK, Head, Source, check_sum, column_format, heads, open_source, truncated

_PIXEL = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
_CELL = {"L": "S1", "B": "u1", "I": ">i2", "J": ">i4", "K": ">i8", "E": ">f4", "D": ">f8"}


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
        if self._compressed:
            return self._decompressed()
        unsigned = self._unsigned()
        if self.head.kind != "IMAGE" or (not unsigned and ("BSCALE" in self.header or "BZERO" in self.header)):
            raise InputError(f"{self.path}: HDU {self.name} is not a plain image; is --survey right?")
        try:
            array = np.empty(self.head.shape, _PIXEL[int(self.header["BITPIX"])])
        except MemoryError:
            # A damaged header asks for anything; only a file that is not compressed can be asked how much it holds.
            raise truncated(self.path) from None
        self.source.fill(array)
        self._check(array.reshape(-1).view(np.uint8))
        native = array.dtype.newbyteorder("=")
        array = array if array.dtype == native else array.byteswap(inplace=True).view(native)
        # Unsigned integers are stored as signed ones with the first bit turned over.
        return array.view(np.uint32) ^ np.uint32(2**31) if unsigned else array

    def _unsigned(self) -> bool:
        scale, zero, bits = (self.header.get(name) for name in ("BSCALE", "BZERO", "BITPIX"))
        return bits == 32 and zero == 2**31 and scale in (None, 1)

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
            raise InputError(f"{self.path}: HDU {self.name} cannot be decompressed ({error}); fetch it again") from None
        return array.astype(array.dtype.newbyteorder("="), copy=False)

    def _check(self, content: Any) -> None:
        check_sum(self.header, content, f"{self.path}: HDU {self.name}")

    def columns(self, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Read the columns of a table that it has of `names`; text as stripped str, in the byte order of the machine.

        Raises
        ------
        InputError
            If it is no table, a column is scaled, of vectors or there twice, or the file is truncated or damaged.
        """
        if not self.is_table:
            raise InputError(f"{self.path}: HDU {self.name} is not a table; is --survey right?")
        rows, width = self.head.shape
        # The heap behind the rows counts for the checksum alone.
        content = self.source.exactly(self.head.size if "DATASUM" in self.header else rows * width)
        self._check(np.frombuffer(content, np.uint8))
        block = np.frombuffer(content, np.uint8, rows * width).reshape(rows, width)
        found: dict[str, np.ndarray] = {}
        start = 0
        for number in range(1, int(self.header["TFIELDS"]) + 1):
            repeat, kind, size = column_format(self.header, number, f"{self.path}: HDU {self.name}")
            end = start + size
            name = str(self.header.get(f"TTYPE{number}", "")).strip().upper()
            if name in found:
                raise InputError(f"{self.path}: {self.name} has two columns {name}; which one is meant?")
            if name in names:
                scaled = f"TZERO{number}" in self.header or f"TSCAL{number}" in self.header
                if scaled or not (kind == "A" or (kind in _CELL and repeat == 1)):
                    raise InputError(f"{self.path}: column {name} of {self.name} is not one plain value per row")
                cells = np.ascontiguousarray(block[:, start:end])
                found[name] = _text(cells) if kind == "A" else _numbers(cells, _CELL[kind])
            start = end
        return found


def _text(cells: np.ndarray) -> np.ndarray:
    if not cells.size:
        return np.full(len(cells), "")
    text = cells.view(f"S{cells.shape[1]}")[:, 0]
    return np.char.strip(np.char.decode(text, "ascii", "replace"))


def _numbers(cells: np.ndarray, kind: str) -> np.ndarray:
    values = cells.view(kind)[:, 0] if len(cells) else np.empty(0, kind)
    return values.astype(values.dtype.newbyteorder("="))


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
        yield (Part(head, source) for head in heads(source))


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
