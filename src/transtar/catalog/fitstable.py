"""Catalogs as FITS binary tables, written in chunks so that millions of rows need little memory."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from textwrap import shorten

import numpy as np
from astropy.io import fits

from ..fits_headers import ones_complement_sum
from ..flags import DESCRIPTIONS, Flag
from ..glossary import Column
from .vo import said_of

EXTENSION = "CATALOG"
PROVENANCE = "PROVENANCE"
"""Extension that has the metadata of a catalog as bytes of JSON: an image, for readers complain of a second table."""
_LONGEST = 200
"""Characters of what the header says of a catalog, too, each."""
BLOCK = 2880
_FORMATS = {"int16": "I", "int32": "J", "int64": "K", "float32": "E", "float64": "D", "bool": "L", "uint8": "B"}


def text_width(array: np.ndarray) -> int:
    """Bytes that the widest string of an array takes in a FITS table, at least one."""
    return max(1, *(len(_encode(text)) for text in array)) if len(array) else 1


def _encode(text: str) -> bytes:
    # FITS knows ASCII only; an escape keeps names distinct where '?' would merge them.
    return text.encode("ascii", "backslashreplace")


def _header(
    columns: Sequence[Column], widths: Mapping[str, int], rows: int, metadata: Mapping, has_flags: bool
) -> fits.Header:
    described = []
    for column in columns:
        code = f"{widths.get(column.name, 1)}A" if column.dtype == "str" else _FORMATS[column.dtype]
        described.append(fits.Column(column.name, code, unit=said_of(column)[0] or None))
    header = fits.BinTableHDU.from_columns(described, nrows=0, name=EXTENSION).header
    header["NAXIS2"] = rows
    for number, column in enumerate(columns, 1):
        place = f"TFORM{number}"
        if column.ucd:
            header.set(f"TUCD{number}", column.ucd, after=place)
        if about := said_of(column)[1]:
            header.set(f"TCOMM{number}", about, after=place)
    header["CREATOR"] = ("transtar", "program that wrote this table")
    header["DATE"] = (datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S"), "UTC date of writing")
    if has_flags:
        for flag in Flag:
            # As much of it as a card holds beside the longest name.
            header[f"BIT{flag.bit_length() - 1}"] = (flag.name, shorten(DESCRIPTIONS[flag], 47, placeholder="..."))
    for key, value in metadata.items():
        text = value if isinstance(value, str) else json.dumps(value)
        line = f"{key}: {text}".encode("ascii", "backslashreplace").decode().replace("\n", " ")
        header.add_history(line if len(line) <= _LONGEST else f"{key}: in the extension {PROVENANCE}")
    return header


def _provenance(metadata: Mapping) -> bytes:
    content = json.dumps(dict(metadata)).encode()
    hdu = fits.ImageHDU(np.frombuffer(content, np.uint8), name=PROVENANCE)
    hdu.header["COMMENT"] = "Bytes of JSON: how the catalog was made."
    hdu.add_checksum()
    return hdu.header.tostring().encode("ascii") + content + b"\0" * (-len(content) % BLOCK)


def fits_metadata(path: Path) -> dict:
    """What `write_fits` was given as metadata, or an older transtar; nothing of other files."""
    with fits.open(path) as hdus:
        if PROVENANCE in hdus and isinstance(hdus[PROVENANCE], fits.ImageHDU):
            if hdus[PROVENANCE].verify_datasum() == 0:
                raise OSError(f"damaged data of the extension {PROVENANCE}")
            return json.loads(hdus[PROVENANCE].data.tobytes())
        # An older transtar had it in a card.
        return json.loads(hdus[1].header.get("TSMETA", "{}"))


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
    columns: Sequence[Column],
    widths: Mapping[str, int],
    rows: int,
    metadata: Mapping,
    has_flags: bool = True,
) -> None:
    """Write batches of columns as one binary table.

    Parameters
    ----------
    path : Path
        Overwritten; give a temporary file.
    batches : iterable of mapping of str to ndarray
        Columns of the types of `columns`.
    columns : sequence of Column
        Names, types, units, descriptions and UCDs (TTYPE, TFORM, TUNIT, TCOMM, TUCD).
    widths : mapping of str to int
        Bytes per string column, see `text_width`.
    rows : int
        Rows of all batches together.
    metadata : mapping
        Goes as JSON into the extension `PROVENANCE`, and what of it is short into HISTORY.
    has_flags : bool
        Whether the bits of `transtar.flags` are explained in cards BIT0, BIT1, ...
    """
    kinds: list[tuple[str, str | np.dtype]] = []
    for column in columns:
        text = {"str": f"S{widths.get(column.name, 1)}", "bool": "S1"}.get(column.dtype)
        kinds.append((column.name, text or np.dtype(column.dtype).newbyteorder(">")))
    record = np.dtype(kinds)
    with path.open("wb") as file:
        file.write(fits.PrimaryHDU().header.tostring().encode("ascii"))
        header = _header(columns, widths, rows, metadata, has_flags)
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
        if metadata:
            file.write(_provenance(metadata))
        file.seek(start)
        file.write(header.tostring().encode("ascii"))
