"""Catalogs as VOTables (version 1.4, BINARY2), written in parts so that millions of rows need little memory.

Source: VOTable Format Definition 1.4, https://www.ivoa.net/documents/VOTable/20191021/.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from html import unescape
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from ..errors import InputError
from ..glossary import Column

VO_PARQUET = ("IVOA.VOTable-Parquet.version", "IVOA.VOTable-Parquet.content")
"""Keys under which parquet has a VOTable without data (https://www.ivoa.net/documents/Notes/VOParquet/)."""

_TYPES = {
    "bool": ("boolean", "S1"), "uint8": ("unsignedByte", "u1"), "int16": ("short", ">i2"), "int32": ("int", ">i4"),
    "int64": ("long", ">i8"), "float32": ("float", ">f4"), "float64": ("double", ">f8"),
}  # fmt: skip
_END = "</VOTABLE>\n"
_INFO = re.compile(r'<INFO name="transtar" value="provenance as JSON">([^<]*)</INFO>')


def said_of(column: Column) -> tuple[str, str]:
    """Unit and description of a column where 'dex' is none of the units of the standard, in FITS and VOTable.

    Any other word, as VizieR's ``[cm/s2]``, makes readers warn too, so that the description says it.

    Returns
    -------
    unit, description : str
    """
    if column.unit != "dex":
        return column.unit, column.description
    return "", f"{column.description} [dex]"


def votable_head(
    columns: Sequence[Column],
    metadata: Mapping[str, Any],
    widths: Mapping[str, int],
    wide: Collection[str],
    rows: int | None,
) -> str:
    """What stands before the data.

    Parameters
    ----------
    columns : sequence of Column
    metadata : mapping
        What JSON can hold; stands in an INFO called transtar.
    widths : mapping of str to int
        Letters of the longest text of a column; none where lengths differ from row to row.
    wide : collection of str
        Columns of text that is more than ASCII.
    rows : int, optional

    Returns
    -------
    str
        As far as the end of the last FIELD.
    """
    return "".join(_head(columns, metadata, widths, wide, rows))


def _head(columns, metadata, widths, wide, rows) -> Iterator[str]:
    yield '<?xml version="1.0" encoding="UTF-8"?>\n<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">\n'
    yield '<RESOURCE type="results">\n'
    if metadata:
        text = escape(json.dumps(dict(metadata)))
        yield f'<INFO name="transtar" value="provenance as JSON">{text}</INFO>\n'
    yield '<COOSYS ID="icrs" system="ICRS"/>\n'
    number = "" if rows is None else f' nrows="{rows}"'
    yield f'<TABLE name="CATALOG"{number}>\n'
    ids: set[str] = set()
    for column in columns:
        datatype, size = _TYPES.get(column.dtype, ("", ""))[0], ""
        if column.dtype == "str":
            datatype, size = "unicodeChar" if column.name in wide else "char", str(widths.get(column.name, "*"))
        if not datatype:
            raise InputError(f"column {column.name}: VOTable has no type for {column.dtype}")
        unit, about = said_of(column)
        # Letters that XML allows in an identifier; VizieR's are made likewise.
        one = re.sub(r"[^A-Za-z0-9_.-]", "_", column.name)
        one = one if re.match(r"[A-Za-z_]", one) and column.name[0] != "[" else f"_{one}"
        while one in ids:
            one += "_"
        ids.add(one)
        frame = "icrs" if column.ucd.startswith("pos.eq") else ""
        attributes = {"ID": one, "name": column.name, "datatype": datatype, "arraysize": size, "unit": unit, "ucd": column.ucd,
                      "ref": frame}  # fmt: skip
        stated = " ".join(f"{key}={quoteattr(text)}" for key, text in attributes.items() if text)
        yield (
            f"<FIELD {stated}><DESCRIPTION>{escape(about)}</DESCRIPTION></FIELD>\n" if about else f"<FIELD {stated}/>\n"
        )


def without_data(columns: Sequence[Column]) -> dict[str, str]:
    """Metadata by which readers of the Virtual Observatory know the columns of a parquet file."""
    return dict(
        zip(
            VO_PARQUET, ("1.0", votable_head(columns, {}, {}, (), None) + f"</TABLE>\n</RESOURCE>\n{_END}"), strict=True
        )
    )


def write_votable(
    path: Path,
    batches: Iterable[Mapping[str, np.ndarray]],
    columns: Sequence[Column],
    widths: Mapping[str, int],
    wide: Collection[str],
    rows: int,
    metadata: Mapping[str, Any],
) -> None:
    """Write batches of columns as one VOTable.

    Parameters
    ----------
    path : Path
        Overwritten; give a temporary file.
    batches : iterable of mapping of str to ndarray, shape (n,)
    columns : sequence of Column
    widths, wide, rows, metadata
        As for `votable_head`; a width for each column of text.

    Raises
    ------
    InputError
        If a column is of a type that VOTable does not have.
    """
    kinds: list[tuple[str, Any]] = [("nulls", ("u1", ((len(columns) + 7) // 8,)))]
    for number, column in enumerate(columns):
        letters = 2 if column.name in wide else 1
        text = f"S{letters * widths.get(column.name, 1)}"
        kinds.append((str(number), text if column.dtype == "str" else _TYPES.get(column.dtype, ("", "V0"))[1]))
    record = np.dtype(kinds)
    head = votable_head(columns, metadata, {column.name: 1 for column in columns} | dict(widths), wide, rows)
    with path.open("wb") as file:
        file.write(head.encode())
        file.write(b'<DATA><BINARY2><STREAM encoding="base64">\n')
        rest = b""
        for batch in batches:
            block = np.zeros(len(next(iter(batch.values()))), record)
            for number, column in enumerate(columns):
                block[str(number)] = _stored(batch[column.name], column.name in wide, record[str(number)])
            content = rest + block.tobytes()
            # A multiple of three bytes is whole letters of base64.
            whole = len(content) - len(content) % 3
            file.write(base64.b64encode(content[:whole]) + b"\n")
            rest = content[whole:]
        file.write(base64.b64encode(rest))
        file.write(f"\n</STREAM></BINARY2></DATA>\n</TABLE>\n</RESOURCE>\n{_END}".encode())


def _stored(values: np.ndarray, wide: bool, kind: np.dtype) -> np.ndarray:
    if values.dtype.kind == "b":
        return np.where(values, b"T", b"F")
    if values.dtype.kind == "U":
        return np.array([text.encode("utf-16-be" if wide else "ascii") for text in values.tolist()], dtype=kind)
    return values


def votable_metadata(path: Path) -> dict:
    """What `write_votable` was given as metadata; nothing of other VOTables."""
    content = b""
    with path.open("rb") as file:
        while b"<TABLE" not in content and (more := file.read(1 << 16)):
            content += more
    match = _INFO.search(content.decode("utf-8", "replace"))
    return json.loads(unescape(match[1])) if match else {}
