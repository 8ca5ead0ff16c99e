"""Bytes of a stranger's files: regular ones only, decompressed with a limit on how far a few bytes may grow, told by content."""

from __future__ import annotations

import bz2
import io
import lzma
import os
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from .errors import InputError
from .regular import open_regular

GZIP_MAGIC = b"\x1f\x8b"

FREE = 1 << 28
"""Content of so many bytes is read whatever the size of the file."""
EXPANSION = 100
"""Beyond `FREE` a file may grow by this factor; files of stars shrink to a tenth or so."""

_CHUNK = 1 << 18

_COMPRESSIONS: dict[bytes, tuple[str, Callable[[], Any]]] = {
    GZIP_MAGIC: ("gzip", lambda: zlib.decompressobj(wbits=31)),
    b"BZh": ("bzip2", bz2.BZ2Decompressor),
    b"\xfd7zXZ": ("xz", lzma.LZMADecompressor),
}

SUFFIXES = (".gz", ".bz2", ".xz")
"""Endings of compressed files, in lower case. Only names are told by them: files are told by content."""

_OTHERS = (
    (b"PK\x03\x04", "a zip archive or an Excel workbook", "unpack it, or save the sheet as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", "save the sheet as CSV"),
    (b"\x89HDF", "an HDF5 file", "write the table as parquet, FITS or CSV"),
    (b"\x93NUMPY", "a numpy array", "write the table as parquet, FITS or CSV"),
    (b"\x80\x04", "a Python pickle, which may carry code", "write the table as parquet, FITS or CSV"),
    (b"\x80\x05", "a Python pickle, which may carry code", "write the table as parquet, FITS or CSV"),
    (b"ARROW1", "an Arrow file", "write the table as parquet"),
    (b"SQLite format 3", "an SQLite database", "export the table as CSV"),
    (b"%PDF", "a PDF document", "fetch the table itself, as CSV or FITS"),
    (b"SR\x00\x04", "a save file of IDL", "write the table as FITS, with MWRFITS"),
    (b"ustar", "a tar archive", "unpack it"),
    (b"\x1f\x9d", "a file compressed with compress (.Z)", "decompress it with gzip -d"),
    (b"\x89PNG", "a picture", "write the numbers it shows as CSV or FITS"),
    (b"\xff\xd8\xff", "a picture", "write the numbers it shows as CSV or FITS"),
    (b"\x28\xb5\x2f\xfd", "a file compressed with zstd", "decompress it"),
    (b"\xff\xfe", "text in UTF-16, as Excel writes it", "save it as CSV in UTF-8"),
    (b"\xfe\xff", "text in UTF-16", "save it as CSV in UTF-8"),
    (b"<!doctype html", "a web page", "the download needs a login, or failed: fetch it again"),
    (b"<html", "a web page", "the download needs a login, or failed: fetch it again"),
    (b"{", "JSON", "write the table as CSV, FITS or parquet"),
    (b"[{", "JSON", "write the table as CSV, FITS or parquet"),
    (
        b"% LaTeX table",
        "a LaTeX table, whose numbers are rounded",
        "read the parquet, FITS, VOTable or ECSV that it was made with",
    ),
    (b"version https://git-lfs", "a pointer of Git LFS, not the file itself", "fetch the file with git lfs pull"),
)


def open_bytes(path: Path) -> BinaryIO:
    """Open a file for reading, decompressing gzip, bzip2 and xz on the way (told by content, not by name).

    Returns
    -------
    file object
        Reading raises `InputError` where the file is damaged, is cut short, or grows beyond all measure. It can be sought in
        where the file is not compressed.

    Raises
    ------
    InputError
        If there is no such file, it is empty, or it is no regular file.
    """
    file = open_regular(path)
    start = file.read(8)
    if not start:
        file.close()
        raise InputError(f"{path}: empty file; fetch it again")
    file.seek(0)
    magic = next((magic for magic in _COMPRESSIONS if start.startswith(magic)), None)
    if magic is None:
        return file
    return io.BufferedReader(_Decompressed(path, file, magic), 1 << 20)


class _Decompressed(io.RawIOBase):
    """A decompressed stream that stops at a bomb, and says what is wrong with a damaged file.

    A file may hold several streams, one after the other. The modules of the standard library take whatever cannot be one for the
    end of a file of bzip2 or xz, so that a damaged second stream shortens it without a word.
    """

    def __init__(self, path: Path, file: BinaryIO, magic: bytes) -> None:
        self._path, self._file, self._magic = path, file, magic
        self._what, self._start = _COMPRESSIONS[magic]
        self._limit, self._size = max(FREE, EXPANSION * os.fstat(file.fileno()).st_size), 0
        self._content = self._decompress()
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        while not self._rest:
            block = next(self._content, None)
            if block is None:
                return 0
            self._rest = memoryview(block)
        n = min(len(buffer), len(self._rest))
        buffer[:n], self._rest = self._rest[:n], self._rest[n:]
        return n

    def _decompress(self) -> Iterator[bytes]:
        given, stream = b"", self._start()
        while True:
            given = given or self._file.read(_CHUNK)
            try:
                # At most so much at a time: what a bomb would fill is not even built.
                content = stream.decompress(given, 4 * _CHUNK)
            except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError) as error:
                raise InputError(f"{self._path}: damaged {self._what} file ({error}); fetch it again") from None
            if not (content or given or stream.eof):
                raise InputError(f"{self._path}: truncated {self._what} file; fetch it again")
            # zlib hands back what it has not looked at; the others keep it.
            given = getattr(stream, "unconsumed_tail", b"")
            self._size += len(content)
            if self._size > self._limit:
                raise InputError(too_large(self._path, self._size))
            yield content
            if stream.eof:
                given = self._next_stream(stream.unused_data)
                if not given:
                    return
                stream = self._start()

    def _next_stream(self, given: bytes) -> bytes:
        """Beginning of the stream that follows; empty at the end of the file, which may be filled up with zeros."""
        given = given.lstrip(b"\0")
        while not given:
            block = self._file.read(_CHUNK)
            if not block:
                return b""
            given = block.lstrip(b"\0")
        given += self._file.read(len(self._magic))
        if not given.startswith(self._magic):
            raise InputError(
                f"{self._path}: damaged {self._what} file (something else follows its end); fetch it again"
            )
        return given

    def close(self) -> None:
        self._file.close()
        super().close()


def too_large(path: Path, size: int) -> str:
    """The message for a file that grows beyond all measure."""
    return (
        f"{path}: {path.stat().st_size} bytes that decompress to more than {size // 10**6} MB; nothing of stars shrinks as far: "
        "decompress it yourself if it is right"
    )


def check_expansion(path: Path, size: int) -> None:
    """Refuse content of `size` bytes that a far smaller file claims to hold.

    Raises
    ------
    InputError
    """
    if size > max(FREE, EXPANSION * path.stat().st_size):
        raise InputError(too_large(path, size))


def read_bytes(path: Path) -> bytes:
    """Whole content of a file, decompressed.

    Raises
    ------
    InputError
        If it cannot be read, or grows beyond all measure.
    """
    with open_bytes(path) as file:
        content = file.read()
    if not content:
        raise InputError(f"{path}: empty gzip file; fetch it again")
    return content


def first_bytes(path: Path, n: int) -> bytes:
    """Beginning of the content of a file, decompressed; shorter if the file is.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    with open_bytes(path) as file:
        return file.read(n)


def what_else(start: bytes) -> str | None:
    """What a file that is no table seems to be, and what to do; None if nobody knows."""
    plain = start.lstrip(b"\xef\xbb\xbf \t\r\n")
    for magic, what, remedy in _OTHERS:
        if plain[: len(magic)].lower() == magic.lower() or (magic == b"ustar" and start[257:262] == magic):
            return f"{what}; {remedy}"
    if not start.strip(b"\0"):
        return "blank (only zero bytes); fetch it again"
    if b"\0" in start[:4096]:
        return "a binary file of no kind that is known; write the table as CSV, FITS, VOTable or parquet"
    return None
