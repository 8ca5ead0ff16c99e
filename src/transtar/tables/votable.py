"""VOTables in any of their serialisations, by astropy; nothing outside the file is ever asked for."""

from __future__ import annotations

import base64
import io
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..content import read_bytes
from ..errors import InputError, said, shown
from ..telling import tell
from .column_names import meaning

_START = re.compile(
    rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*(?:<!DOCTYPE[^>]*>\s*)?<(?:[\w.-]+:)?VOTABLE[\s>]", re.DOTALL
)
_OUTSIDE = re.compile(rb"<(?:[\w.-]+:)?STREAM\b[^<]*?\bhref\s*=", re.IGNORECASE)
_STREAM = re.compile(rb"<(?:[\w.-]+:)?STREAM\b[^>]*>([^<]*)<")


def recognise(start: bytes) -> bool:
    """Tell a VOTable by its first element, or XML at least."""
    plain = start.removeprefix(b"\xef\xbb\xbf")
    return _START.match(plain) is not None or plain.lstrip().startswith(b"<?xml")


def parse_votable(path: Path) -> tuple[bytes, Any]:
    """The content of a VOTable as UTF-8, and what astropy makes of it.

    Returns
    -------
    bytes, astropy.io.votable.tree.VOTableFile

    Raises
    ------
    InputError
        If it is no VOTable, reports an error of the service, or keeps its data elsewhere.
    """
    from astropy.io.votable import parse

    content = read_bytes(path).removeprefix(b"\xef\xbb\xbf")
    if _START.match(content[: 1 << 20]) is None and b"VOTABLE" not in content[: 1 << 16].upper():
        raise InputError(f"{path}: an XML file, but no VOTable; write the table as VOTable, CSV or FITS")
    if b"<!ENTITY" in content or b"\0" in content[:64]:
        raise InputError(f"{path}: a VOTable that defines entities of its own, or is not UTF-8; write it again")
    if _OUTSIDE.search(content):
        raise InputError(
            f"{path}: a VOTable whose data lie at another address (href); fetch them, and write the table as one file"
        )
    content = _as_utf8(path, content)
    with warnings.catch_warnings():
        # Half of all services break some rule of the standard.
        warnings.simplefilter("ignore")
        try:
            whole = parse(io.BytesIO(content), verify="ignore", filename=str(path))
        except Exception as error:
            raise InputError(f"{path}: cannot be read as a VOTable ({said(error)})") from None
    _check_status(path, whole)
    return content, whole


def read_votable(path: Path) -> tuple[list[str], list[str], list[tuple[np.ndarray, np.ndarray]], list[str]]:
    """Names, units, columns and frames of the first table that has rows; where none has, of the first.

    Raises
    ------
    InputError
        As `parse_votable`, and if there is no table.
    """
    content, whole = parse_votable(path)
    tables = list(whole.iter_tables())
    without_rows = tables and tables[0].fields and not any(len(table.array) for table in tables)
    table = tables[0] if without_rows else first_table(path, whole)
    for param in table.params:
        if meaning(param.name) is not None:
            tell(
                f"{path}: {param.name} = {shown(param.value)} holds for the whole table (PARAM) and is not read as a column"
            )
    return columns_of(content, whole, table)


def first_table(path: Path, whole: Any) -> Any:
    """The first table that has rows, of what `parse_votable` gives; others are told.

    Raises
    ------
    InputError
        If there is none.
    """
    tables = [table for table in whole.iter_tables() if len(table.array)]
    if not tables:
        raise InputError(f"{path}: no table with rows in this VOTable")
    table = tables[0]
    if len(tables) > 1:
        name = table.name or table.ID or "the first"
        tell(f"{path}: {len(tables)} tables with rows; read is {shown(name)}, with {len(table.array)} rows")
    return table


def columns_of(
    content: bytes, whole: Any, table: Any
) -> tuple[list[str], list[str], list[tuple[np.ndarray, np.ndarray]], list[str]]:
    """Names, units, columns and frames of a table of what `parse_votable` gives."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nulls = _nulls_of_text(content, whole, table)
        columns = [_column(table, place, nulls) for place in range(len(table.fields))]
    frames = _frames(whole, table)
    return [one.name or one.ID for one in table.fields], [_unit(one) for one in table.fields], columns, frames


def _as_utf8(path: Path, content: bytes) -> bytes:
    """What says that it is UTF-8, or says nothing, and is not."""
    stated = re.match(rb"\s*<\?xml[^>]*encoding\s*=\s*[\"']([\w-]+)", content)
    if stated is not None and stated[1].lower() not in (b"utf-8", b"utf8", b"ascii", b"us-ascii"):
        return content
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        tell(f"{path}: not UTF-8; its letters are read as Latin-1")
        return content.decode("latin-1").encode("utf-8")
    return content


def _resources(parent: Any) -> Iterator[Any]:
    for resource in parent.resources:
        yield resource
        yield from _resources(resource)


def _check_status(path: Path, whole: Any) -> None:
    """What the service says of its answer, before the rows or after them (DALI 1.1, 4.4)."""
    resources = list(_resources(whole))
    infos = [*whole.infos, *(info for resource in resources for info in resource.infos)]
    infos += [info for table in whole.iter_tables() for info in table.infos]
    for info in infos:
        status = str(info.value).upper() if str(info.name).upper() == "QUERY_STATUS" else ""
        more = shown(info.content or "", 200)
        if status == "ERROR":
            raise InputError(f"{path}: the service says: {more or 'error'}; ask it again")
        if status == "OVERFLOW":
            tell(
                f"{path}: the service cut its answer off (OVERFLOW): not all rows are in this file{more and f'; {more}'}"
            )


def _frames(whole: Any, table: Any) -> list[str]:
    """What the coordinates of each column are of, where that is not ICRS or J2000."""
    systems = [*whole.coordinate_systems, *(c for resource in _resources(whole) for c in resource.coordinate_systems)]
    named = {system.ID: _old(system) for system in systems}
    alone = _old(systems[0]) if len(systems) == 1 else ""
    return [named.get(one.ref, alone) if one.ref in named or one.ref is None else "" for one in table.fields]


def _old(system: Any) -> str:
    name, equinox = str(system.system or "ICRS"), str(system.equinox or "")
    of_2000 = equinox.upper().lstrip("J") in ("", "2000", "2000.0")
    modern = name.upper() in ("ICRS", "BARYCENTRIC") or (name.upper() in ("EQ_FK5", "FK5") and of_2000)
    return "" if modern else f"{name} {equinox}".strip()


def _unit(one: Any) -> str:
    return "" if one.unit is None else str(one.unit)


def _column(table: Any, place: int, nulls: dict[int, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    one = table.fields[place]
    column = table.array[one.ID]
    gone, values = np.asarray(np.ma.getmaskarray(column)), np.ma.getdata(column)
    if values.dtype.kind == "O":
        plain = [value.decode("utf-8", "replace") if isinstance(value, bytes) else value for value in values.tolist()]
        if not all(isinstance(value, str) for value in plain):
            # Arrays of another length in each row.
            return np.empty((len(values), 0)), np.zeros(len(values), bool)
        values = np.array(plain, dtype=str)
    if gone.ndim > 1:
        gone = np.asarray(gone.reshape(len(gone), -1).all(axis=1))
    gone = np.logical_or(gone, nulls.get(place, False))
    return np.asarray(values).astype(values.dtype.newbyteorder("=")), np.asarray(gone, bool)


def units_of(content: bytes) -> dict[str, str]:
    """Units by name of a VOTable without data, such as parquet files of IRSA and TOPCAT carry in their metadata."""
    from astropy.io.votable import parse

    if b"<!ENTITY" in content or _OUTSIDE.search(content):
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = parse(io.BytesIO(content), verify="ignore")
    return {one.name: _unit(one) for table in whole.iter_tables() for one in table.fields}


def _nulls_of_text(content: bytes, whole: Any, table: Any) -> dict[int, np.ndarray]:
    """Null bits of text in BINARY2, which astropy passes over (its issue 8995): by place of the column."""
    text = [place for place, one in enumerate(table.fields) if one.datatype in ("char", "unicodeChar")]
    if getattr(table, "format", None) != "binary2" and b"<BINARY2" not in content:
        return {}
    every = list(whole.iter_tables())
    streams = _STREAM.findall(content)
    if not text or len(every) != 1 or len(streams) != 1:
        return {}
    stream = io.BytesIO(base64.b64decode(streams[0]))
    parsers = [one.converter.binparse for one in table.fields]
    width = (len(parsers) + 7) // 8
    rows = np.zeros((len(table.array), len(parsers)), dtype=bool)
    for row in range(len(rows)):
        bits = np.unpackbits(np.frombuffer(stream.read(width), np.uint8))[: len(parsers)]
        rows[row] = bits.astype(bool)
        for parser in parsers:
            parser(stream.read)
    return {place: rows[:, place] for place in text}
