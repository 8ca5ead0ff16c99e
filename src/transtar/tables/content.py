"""Bytes of table files: decompressed, with a limit on how far a few bytes may grow, and told apart by content."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from ..errors import InputError

GZIP_MAGIC = b"\x1f\x8b"

FREE = 1 << 28
"""Content of so many bytes is read whatever the size of the file."""
EXPANSION = 100
"""Beyond `FREE` a file may grow by this factor; tables of stars shrink to a tenth or so."""

_OPENERS: dict[bytes, tuple[str, Callable[..., BinaryIO]]] = {
    GZIP_MAGIC: ("gzip", gzip.open),  # type: ignore[dict-item]
    b"BZh": ("bzip2", bz2.open),  # type: ignore[dict-item]
    b"\xfd7zXZ": ("xz", lzma.open),  # type: ignore[dict-item]
}

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
    (b"\x28\xb5\x2f\xfd", "a file compressed with zstd", "decompress it"),
    (b"\xff\xfe", "text in UTF-16, as Excel writes it", "save it as CSV in UTF-8"),
    (b"\xfe\xff", "text in UTF-16", "save it as CSV in UTF-8"),
    (b"<!doctype html", "a web page", "the download needs a login, or failed: fetch it again"),
    (b"<html", "a web page", "the download needs a login, or failed: fetch it again"),
    (b"{", "JSON", "write the table as CSV, FITS or parquet"),
    (b"[{", "JSON", "write the table as CSV, FITS or parquet"),
    (b"version https://git-lfs", "a pointer of Git LFS, not the file itself", "fetch the file with git lfs pull"),
)


def open_bytes(path: Path) -> BinaryIO:
    """Open a file for reading, decompressing gzip, bzip2 and xz on the way (told by content, not by name).

    Returns
    -------
    file object
        Reading raises `InputError` where the file is damaged, or grows beyond all measure.

    Raises
    ------
    InputError
        If there is no such file, or it is empty.
    """
    try:
        file = path.open("rb")
        start = file.read(8)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise InputError(f"{path}: a folder, not a file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions") from None
    if not start:
        file.close()
        raise InputError(f"{path}: empty file; fetch it again")
    file.seek(0)
    packed = next((magic for magic in _OPENERS if start.startswith(magic)), None)
    if packed is None:
        return file
    file.close()
    what, opener = _OPENERS[packed]
    return io.BufferedReader(_Limited(path, what, opener(path, "rb")), 1 << 20)


class _Limited(io.RawIOBase):
    """A decompressed stream that stops at a bomb, and says what is wrong with a damaged file."""

    def __init__(self, path: Path, what: str, stream: BinaryIO) -> None:
        self._path, self._what, self._stream, self._read = path, what, stream, 0
        self._limit = max(FREE, EXPANSION * path.stat().st_size)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        try:
            content = self._stream.read(len(buffer))
        except EOFError:
            raise InputError(f"{self._path}: truncated {self._what} file; fetch it again") from None
        except (OSError, zlib.error, lzma.LZMAError) as error:
            raise InputError(f"{self._path}: damaged {self._what} file ({error}); fetch it again") from None
        self._read += len(content)
        if self._read > self._limit:
            raise InputError(too_large(self._path, self._read))
        buffer[: len(content)] = content
        return len(content)

    def close(self) -> None:
        self._stream.close()
        super().close()


def too_large(path: Path, size: int) -> str:
    """The message for a file that grows beyond all measure."""
    return (
        f"{path}: {path.stat().st_size} bytes that decompress to more than {size // 10**6} MB; no table of stars shrinks as far: "
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
