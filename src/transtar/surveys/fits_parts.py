"""FITS files read from front to back, passing over the parts that nobody asks for.

Files of many HDUs (DESI coadds: RESOLUTION alone is four fifths of them) would fill the memory if read whole, and
those that are compressed cannot be jumped about in. Hence each HDU is offered once, in the order of the file, and its
data are read only on request.
"""

from __future__ import annotations

import gzip
import os
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from ..errors import InputError
from .native import BLOCK, GZIP_MAGIC

if TYPE_CHECKING:
    from astropy.io import fits

_PIXEL = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
_CELL = {"L": "S1", "B": "u1", "I": ">i2", "J": ">i4", "K": ">i8", "E": ">f4", "D": ">f8"}
_WIDTH = {"L": 1, "B": 1, "I": 2, "J": 4, "K": 8, "A": 1, "E": 4, "D": 8, "C": 8, "M": 16, "P": 8, "Q": 16}
_FORMAT = re.compile(r"(\d*)([LXBIJKAEDCMPQ])")
_END = re.compile(rb"(?:.{80})*?END {77}", re.DOTALL)


@dataclass(frozen=True)
class Part:
    """One HDU of a file being read; its data can be had until the next one is asked for.

    Parameters
    ----------
    name : str
        EXTNAME in capitals; 'PRIMARY' for the first.
    header : astropy.io.fits.Header
    path : Path
    file : file object
        At the beginning of the data.
    """

    name: str
    header: fits.Header
    path: Path
    file: IO[bytes]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of an image, in the order of NumPy; of a table, (rows, bytes of a row)."""
        return tuple(int(self.header[f"NAXIS{axis}"]) for axis in range(int(self.header["NAXIS"]), 0, -1))

    @property
    def size(self) -> int:
        """Bytes of data, without what fills up the last block."""
        if not self.shape:
            return 0
        elements = int(np.prod(self.shape, dtype=np.int64)) + int(self.header.get("PCOUNT", 0))
        return abs(int(self.header["BITPIX"])) // 8 * elements * int(self.header.get("GCOUNT", 1))

    @property
    def is_table(self) -> bool:
        """Whether it is a binary table."""
        return str(self.header.get("XTENSION", "")).strip() == "BINTABLE"

    def image(self) -> np.ndarray:
        """Read an image; in the byte order of the machine, in the shape and type of the file.

        Raises
        ------
        InputError
            If it is a table, or is scaled or truncated.
        """
        unsigned = self._unsigned()
        if self.is_table or (not unsigned and ("BSCALE" in self.header or "BZERO" in self.header)):
            raise InputError(f"{self.path}: HDU {self.name} is not a plain image; is --survey right?")
        try:
            array = np.empty(self.shape, _PIXEL[int(self.header["BITPIX"])])
        except MemoryError:
            # A damaged header asks for anything; only a file that is not compressed can be asked how much it holds.
            raise truncated(self.path) from None
        if array.size and self.file.readinto(memoryview(array).cast("B")) != array.nbytes:  # type: ignore[attr-defined]
            raise truncated(self.path)
        native = array.dtype.newbyteorder("=")
        array = array if array.dtype == native else array.byteswap(inplace=True).view(native)
        # Unsigned integers are stored as signed ones with the first bit turned over.
        return array.view(np.uint32) ^ np.uint32(2**31) if unsigned else array

    def _unsigned(self) -> bool:
        scale, zero, bits = (self.header.get(name) for name in ("BSCALE", "BZERO", "BITPIX"))
        return bits == 32 and zero == 2**31 and scale in (None, 1)

    def columns(self, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Read the columns of a table that it has of `names`; text as stripped str, in the byte order of the machine.

        Raises
        ------
        InputError
            If it is no table, a column is scaled or of vectors, or the file is truncated.
        """
        if not self.is_table:
            raise InputError(f"{self.path}: HDU {self.name} is not a table; is --survey right?")
        rows, width = self.shape
        content = self.file.read(rows * width)
        if len(content) != rows * width:
            raise truncated(self.path)
        block = np.frombuffer(content, np.uint8).reshape(rows, width)
        found, start = {}, 0
        for number in range(1, int(self.header["TFIELDS"]) + 1):
            repeat, kind = _format(str(self.header[f"TFORM{number}"]), f"{self.path}: HDU {self.name}")
            end = start + (-(-repeat // 8) if kind == "X" else repeat * _WIDTH[kind])
            name = str(self.header.get(f"TTYPE{number}", "")).strip().upper()
            if name in names:
                scaled = f"TZERO{number}" in self.header or f"TSCAL{number}" in self.header
                if scaled or not (kind == "A" or (kind in _CELL and repeat == 1)):
                    raise InputError(f"{self.path}: column {name} of {self.name} is not one plain value per row")
                cells = np.ascontiguousarray(block[:, start:end])
                found[name] = _text(cells) if kind == "A" else _numbers(cells, _CELL[kind])
            start = end
        return found


def _format(text: str, where: str) -> tuple[int, str]:
    found = _FORMAT.match(text.strip())
    if not found:
        raise InputError(f"{where}: column format '{text}' is not of FITS")
    return int(found[1] or 1), found[2]


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
    """Open a FITS file, gzipped or not (told by content), as an iterator over its HDUs.

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
    path = Path(path)
    with path.open("rb") as raw:
        start = raw.read(10)
        raw.seek(0)
        if not start:
            raise InputError(f"{path}: empty file; fetch it again")
        packed = start.startswith(GZIP_MAGIC)
        try:
            if packed:
                with gzip.GzipFile(fileobj=raw) as file:
                    yield _parts(file, path, None)  # type: ignore[arg-type]
            else:
                yield _parts(raw, path, os.fstat(raw.fileno()).st_size)
        except EOFError:
            raise InputError(f"{path}: truncated gzip file; fetch it again") from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise InputError(f"{path}: damaged gzip file ({error}); fetch it again") from None


def _parts(file: IO[bytes], path: Path, file_size: int | None) -> Iterator[Part]:
    place = 0
    while True:
        content = _header(file, path, first=place == 0)
        if content is None:
            return
        part = _part(content, path, file)
        place += len(content)
        if file_size is not None and place + part.size > file_size:
            raise InputError(f"{path}: truncated FITS file ({file_size} bytes of {place + part.size}); fetch it again")
        yield part
        end = place + part.size
        place += -(-part.size // BLOCK) * BLOCK
        # What is compressed is read to pass over it, and not beyond its end.
        if file.seek(place) < end:
            raise truncated(path)


def _header(file: IO[bytes], path: Path, first: bool) -> bytes | None:
    """All blocks of one header; None at the end of the file."""
    content = b""
    while True:
        block = file.read(BLOCK)
        if first and not content and not block.startswith(b"SIMPLE  ="):
            kind = "blank (only zero bytes)" if not block.strip(b"\0") else "not a FITS file"
            raise InputError(f"{path}: {kind}; fetch it again, or is --survey right?")
        if not content and not first and not block.startswith(b"XTENSION"):
            # Whatever follows the last HDU is no part of the file, unless it is the beginning of a header.
            if block and b"XTENSION".startswith(block[:8]):
                raise truncated(path)
            return None
        if len(block) < BLOCK:
            raise truncated(path)
        content += block
        if _END.match(content, len(content) - BLOCK):
            return content


def _part(content: bytes, path: Path, file: IO[bytes]) -> Part:
    from astropy.io import fits

    header = fits.Header.fromstring(content)
    name = "PRIMARY" if "SIMPLE" in header else str(header.get("EXTNAME", "")).strip().upper()
    return Part(name, header, path, file)


def truncated(path: Path) -> InputError:
    """The error for a file that ends too early."""
    return InputError(f"{path}: truncated or damaged FITS file; fetch it again")
