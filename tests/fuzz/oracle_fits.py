"""FITS by astropy, with a look at what astropy passes over: sums, lengths, and what stands where nothing should."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np

BLOCK = 2880
GOES_ON = "data that go on where their header says that they end"
MOST = 1 << 28
"""Bytes that no small file stands for."""


class Broken(Exception):
    """The independent reader cannot read the file."""


def content_of(path: Path, packed: bool = True) -> bytes:
    """Content of a file, decompressed (told by content, not by name) unless `packed` says that this format never is.

    Raises
    ------
    Broken
        If it is no regular file, a damaged stream, or grows beyond all measure.
    """
    if not path.is_file():
        raise Broken("no regular file")
    with path.open("rb") as file:
        start = file.read(6)
    openers = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
    opener = next((openers[magic] for magic in openers if start.startswith(magic)), open)
    if opener is not open and not packed:
        raise Broken("compressed")
    try:
        with opener(path, "rb") as file:  # type: ignore[operator]
            # As much is set aside as is asked for.
            content = file.read(min(MOST, path.stat().st_size) + 1 if opener is open else MOST + 1)
    except MemoryError:
        raise
    except Exception as error:
        raise Broken(str(error)) from None
    if len(content) > MOST or not content:
        raise Broken("empty, or without end")
    if opener in (bz2.open, lzma.open):
        _check_streams(path.read_bytes(), bz2.BZ2Decompressor if opener is bz2.open else lzma.LZMADecompressor)
    return content


def _check_streams(content: bytes, decompressor: Any) -> None:
    """What the standard library takes for the end of a file of bzip2 or xz may be a second stream that is damaged."""
    magic = content[:3]
    while content:
        stream = decompressor()
        stream.decompress(content)
        content = stream.unused_data.lstrip(b"\0")
        if content and not content.startswith(magic):
            raise Broken("something behind a stream that is none")


def structure(content: bytes) -> str:
    """What a FITS file breaks of the rules of length and padding, though its parts can be read; '' if nothing.

    Raises
    ------
    Broken
        If a header claims more than the file holds, or has no end.
    """
    place, odd, first = 0, "", True
    while place < len(content):
        block = content[place : place + BLOCK]
        if not block.startswith(b"SIMPLE  =" if first else b"XTENSION"):
            if first:
                raise Broken("not FITS")
            return odd or ("" if not content[place:].strip(b"\0 ") else "bytes after the last HDU")
        cards, end = [], None
        while end is None:
            block = content[place : place + BLOCK]
            if len(block) < BLOCK:
                raise Broken("header without END")
            new = [block[i : i + 80] for i in range(0, BLOCK, 80)]
            end = next((i for i, card in enumerate(new) if card[:8] == b"END     "), None)
            cards += new if end is None else new[:end]
            place += BLOCK
            if end is not None and b"".join(new[end:])[3:].strip():
                odd = odd or "a header with something after END"
        if any(not 32 <= byte < 127 for card in cards for byte in card):
            odd = odd or "a header with other letters than ASCII"
        size = _size(cards)
        if size > len(content) - place:
            raise Broken("truncated")
        padding = content[place + size : place + -(-size // BLOCK) * BLOCK]
        if padding[:64].strip(b"\0 "):
            odd = odd or GOES_ON
        elif padding.strip(b"\0 "):
            odd = odd or "padding that is not blank"
        if place + size < len(content) < place + -(-size // BLOCK) * BLOCK:
            odd = odd or "padding that is cut short"
        place += -(-size // BLOCK) * BLOCK
        first = False
    return odd


def _size(cards: list[bytes]) -> int:
    values: dict[str, int] = {}
    forms: dict[bytes, bytes] = {}
    for card in cards:
        # One of two formats of a column moves all that follow; astropy takes the first.
        form = re.match(rb"(TFORM\d{1,3}) *= *('[^']*')", card)
        if form and forms.setdefault(form[1], form[2]).strip(b" '") != form[2].strip(b" '"):
            raise Broken(f"{form[1].decode()} stands twice")
        found = re.match(rb"(BITPIX|NAXIS\d{0,3}|PCOUNT|GCOUNT) *= *([+-]?\d+) *(?:/.*)?\Z", card, re.DOTALL)
        if found:
            values.setdefault(found[1].decode(), int(found[2]))
    if not {"BITPIX", "NAXIS"} <= set(values) or not 0 <= values["NAXIS"] <= 999:
        raise Broken("no BITPIX or NAXIS")
    axes = [values.get(f"NAXIS{i}") for i in range(1, values["NAXIS"] + 1)]
    if any(axis is None or axis < 0 for axis in axes) or values.get("GCOUNT", 1) != 1 or values.get("PCOUNT", 0) < 0:
        raise Broken("impossible axes")
    if values["BITPIX"] not in (8, 16, 32, 64, -32, -64):
        raise Broken("impossible BITPIX")
    if not axes:
        return 0
    total = 1
    for axis in axes:
        total *= int(axis or 0)
    return abs(values["BITPIX"]) // 8 * (total + values.get("PCOUNT", 0))


def read_fits(path: Path) -> tuple[Any, str, bool]:
    """HDUs as astropy has them, what is odd about the file, and whether a checksum says that it is damaged."""
    from astropy.io import fits

    content = content_of(path)
    odd = structure(content)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            hdus = fits.open(io.BytesIO(content), memmap=False, checksum=True, lazy_load_hdus=False)
            len(hdus)
            # Sums are verified when the data are asked for.
            for hdu in hdus:
                hdu.header.get("DATASUM")
        except Exception as error:
            raise Broken(f"{type(error).__name__}: {error}") from None
        if len(hdus) > 1 and hdus[0].data is None and re.search(rb"ZSIMPLE = +T", content[:40000]):
            # fpack moves the first image into the second HDU.
            hdus = fits.HDUList([fits.PrimaryHDU(hdus[1].data, hdus[1].header), *hdus[2:]])
    said = " ".join(str(one.message) for one in told)
    # Whoever edits a header by hand leaves a CHECKSUM that no longer fits; the sum of the data is another matter.
    return (
        hdus,
        odd or ("a CHECKSUM that does not fit" if "Checksum verification failed" in said else ""),
        "Datasum verification failed" in said,
    )


def card(header: Any, key: str) -> Any:
    """Value of a card; None if there is none.

    Raises
    ------
    Broken
        If it cannot be parsed, or stands twice with different values.
    """
    if key not in header:
        return None
    try:
        values = [one.value for one in header.cards if one.keyword == key]
    except Exception as error:
        raise Broken(f"{key}: {error}") from None
    if any(str(value) != str(values[0]) for value in values):
        raise Broken(f"{key} stands twice")
    value = values[0]
    return None if type(value).__name__ == "Undefined" else value


def words(header: Any, key: str) -> str:
    """Text of a card, '' if there is none."""
    value = card(header, key)
    if isinstance(value, bool):
        return str(value)
    return "" if value is None else str(value).strip()


def number(header: Any, *keys: str) -> float:
    """First number among these cards that is not -9999 or below; NaN if there is none.

    Raises
    ------
    Broken
        If a card is there and holds no number.
    """
    for key in keys:
        value = card(header, key)
        if value is None or value == "":
            continue
        try:
            value = float(str(value).replace("D", "E")) if not isinstance(value, bool) else float("x")
        except ValueError:
            raise Broken(f"{key} is no number") from None
        if not np.isfinite(value):
            raise Broken(f"{key} is not finite")
        if value > -9999:
            return value
    return float("nan")


def whole(header: Any, key: str) -> int:
    """Identifier of a card; -1 if there is none.

    Raises
    ------
    Broken
        If it is no whole number of 64 bits.
    """
    value = card(header, key)
    if value is None or value == "":
        return -1
    if isinstance(value, bool) or not re.fullmatch(r"[+-]?\d+", str(value).strip()):
        raise Broken(f"{key} is no whole number")
    if not -(2**63) <= int(value) < 2**63:
        raise Broken(f"{key} is too large")
    return int(value)
