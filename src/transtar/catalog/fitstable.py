"""Catalogs as FITS binary tables, written in chunks so that millions of rows need little memory."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from textwrap import shorten

import numpy as np
from astropy.io import fits

from ..fits_headers import ones_complement_sum
from ..flags import DESCRIPTIONS, Flag
from .catalog_columns import column_of

EXTENSION = "CATALOG"
BLOCK = 2880
_FORMATS = {"int16": "I", "int32": "J", "int64": "K", "float32": "E", "float64": "D", "bool": "L", "uint8": "B"}


def text_width(array: np.ndarray) -> int:
    """Bytes that the widest string of an array takes in a FITS table, at least one."""
    return max(1, *(len(_encode(text)) for text in array)) if len(array) else 1


def _encode(text: str) -> bytes:
    # FITS knows ASCII only; an escape keeps names distinct where '?' would merge them.
    return text.encode("ascii", "backslashreplace")


def _header(columns: Mapping[str, np.ndarray], widths: Mapping[str, int], rows: int, metadata: Mapping) -> fits.Header:
    described = []
    for name, array in columns.items():
        column = column_of(name, array)
        code = f"{widths[name]}A" if array.dtype.kind == "U" else _FORMATS[array.dtype.name]
        described.append(fits.Column(name, code, unit=column.unit or None))
    header = fits.BinTableHDU.from_columns(described, nrows=0, name=EXTENSION).header
    header["NAXIS2"] = rows
    for number, (name, array) in enumerate(columns.items(), 1):
        if about := column_of(name, array).description:
            header.set(f"TCOMM{number}", about, after=f"TFORM{number}")
    header["CREATOR"] = ("transtar", "program that wrote this table")
    header["DATE"] = (datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S"), "UTC date of writing")
    if "flags" in columns:
        for flag in Flag:
            # As much of it as a card holds beside the longest name.
            header[f"BIT{flag.bit_length() - 1}"] = (flag.name, shorten(DESCRIPTIONS[flag], 47, placeholder="..."))
    header["TSMETA"] = (json.dumps(dict(metadata)), "provenance as JSON")
    for key, value in metadata.items():
        text = value if isinstance(value, str) else json.dumps(value)
        header.add_history(f"{key}: {text}".encode("ascii", "backslashreplace").decode().replace("\n", " "))
    return header


def _checksum(total: int) -> str:
    """The text of CHECKSUM that makes the sum of a table all ones, where `total` is its sum with sixteen zeros in that place.

    Source: FITS standard 4.0, appendix J. Each byte of the complement is shared by four letters, none of which is punctuation;
    the text is turned by one place because the values of cards begin at such a column.
    """
    letters = np.zeros((4, 4), int)
    for place, byte in enumerate((~total & 0xFFFFFFFF).to_bytes(4, "big")):
        four = [byte // 4 + byte % 4 + ord("0"), *[byte // 4 + ord("0")] * 3]
        while any(chr(letter) in ":;<=>?@[\\]^_`" for letter in four):
            for one, other in ((0, 1), (2, 3)):
                if any(chr(letter) in ":;<=>?@[\\]^_`" for letter in (four[one], four[other])):
                    four[one] += 1
                    four[other] -= 1
        letters[:, place] = four
    text = "".join(chr(letter) for letter in letters.ravel())
    return text[-1] + text[:-1]


def write_fits(
    path: Path,
    batches: Iterable[Mapping[str, np.ndarray]],
    example: Mapping[str, np.ndarray],
    widths: Mapping[str, int],
    rows: int,
    metadata: Mapping,
) -> None:
    """Write batches of columns as one binary table.

    Parameters
    ----------
    path : Path
        Overwritten; give a temporary file.
    batches : iterable of mapping of str to ndarray
        Columns of the types of `example`.
    example : mapping of str to ndarray
        A batch, for names and types.
    widths : mapping of str to int
        Bytes per string column, see `text_width`.
    rows : int
        Rows of all batches together.
    metadata : mapping
        Goes as JSON into the card TSMETA, and readable into HISTORY.
    """
    kinds = []
    for name, array in example.items():
        text = {"U": f"S{widths.get(name)}", "b": "S1"}.get(array.dtype.kind)
        kinds.append((name, text or array.dtype.newbyteorder(">")))
    record = np.dtype(kinds)
    with path.open("wb") as file:
        file.write(fits.PrimaryHDU().header.tostring().encode("ascii"))
        header = _header(example, widths, rows, metadata)
        # Of a fixed width, for their values are known only when everything is written.
        header["DATASUM"] = (" " * 10, "sum of the data")
        header["CHECKSUM"] = ("0" * 16, "sum of this table")
        start = file.tell()
        file.write(header.tostring().encode("ascii"))
        size = 0
        total, rest = 0, b""
        for batch in batches:
            block = np.zeros(len(next(iter(batch.values()))), record)
            for name, array in batch.items():
                if array.dtype.kind == "U":
                    array = np.array([_encode(text) for text in array], dtype=record[name])
                elif array.dtype.kind == "b":
                    array = np.where(array, b"T", b"F")
                block[name] = array
            content = block.tobytes()
            size += file.write(content)
            rest += content
            whole = len(rest) - len(rest) % BLOCK
            total, rest = ones_complement_sum(rest[:whole], total), rest[whole:]
        padding = b"\0" * (-size % BLOCK)
        file.write(padding)
        total = ones_complement_sum(rest + padding, total)
        header["DATASUM"] = f"{total:10d}"
        header["CHECKSUM"] = _checksum(ones_complement_sum(header.tostring().encode("ascii"), total))
        file.seek(start)
        file.write(header.tostring().encode("ascii"))
