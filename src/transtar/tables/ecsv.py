"""ECSV: a CSV with a header that states types and units (https://docs.astropy.org/en/stable/io/ascii/ecsv.html).

The rows are read as those of any text. astropy's reader makes objects of the columns (SkyCoord, Time, Quantity), fails
for all columns if it cannot make one, and knows no ``null``, which Gaia's bulk files have.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from ..content import open_bytes
from ..errors import InputError, said
from .text import Layout, split_line

MAGIC = b"# %ECSV"
_NUMBERS = re.compile(r"u?int\d+|float\d+")
_LARGEST = 1 << 22
"""Bytes of a header at most."""


class _Plain(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Reads whatever astropy writes as plain values, and makes no objects."""


def _plain(loader: Any, _: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node)


_Plain.add_multi_constructor("", _plain)
_Plain.add_multi_constructor("!", _plain)
_Plain.add_multi_constructor("tag:", _plain)


def read_layout(path: Path) -> Layout:
    """Names, units and separator of an ECSV file.

    Raises
    ------
    InputError
        If its header is none.
    """
    lines: list[bytes] = []
    size, skipped, names_line = 0, 0, b""
    with open_bytes(path) as file:
        for line in file:
            line = line if lines else line.removeprefix(b"\xef\xbb\xbf")
            if line.strip() and not line.startswith(b"#"):
                names_line = line
                break
            skipped += 1
            size += len(line)
            if size > _LARGEST:
                raise InputError(
                    f"{path}: the ECSV header has more than {_LARGEST} bytes; write the table as CSV or FITS"
                )
            lines.append(line)
    if b"\r" in b"".join(lines).replace(b"\r\n", b""):
        raise InputError(
            f"{path}: its lines end in CR alone, as on old Macintoshes; save it with Unix or Windows line ends"
        )
    header = parse_header(b"".join(line.removeprefix(b"#").removeprefix(b" ") for line in lines), str(path))
    separator = str(header.get("delimiter", " "))
    separator = separator if separator in (",", "|", ";", "\t") else " "
    names = [column["name"] for column in header["datatype"]]
    line_names = _names(names_line.decode("utf-8", "replace"), separator)
    if line_names != names:
        raise InputError(
            f"{path}: the line of names of this ECSV file ({', '.join(line_names)[:80]}) is not what its header announces "
            f"({', '.join(names)[:80]}); write it again"
        )
    units = {column["name"]: unit_of(column) for column in header["datatype"]}
    numeric = {
        c["name"] for c in header["datatype"] if _NUMBERS.fullmatch(str(c.get("datatype"))) and "subtype" not in c
    }
    return Layout(
        tuple(names),
        separator,
        skipped + 1,
        {name: unit for name, unit in units.items() if unit},
        numeric=frozenset(numeric),
    )


def parse_header(content: bytes, where: str) -> dict[str, Any]:
    """The YAML of an ECSV header, which parquet files of astropy have, too, with a list `datatype` of named columns.

    Raises
    ------
    InputError
    """
    # The first line, '%ECSV 1.0', is a comment of its own kind.
    content = re.sub(rb"(?m)^%ECSV.*$", b"", content)
    try:
        header = yaml.load(content, Loader=_Plain)
        columns = header["datatype"]
        if not columns or any(not isinstance(column["name"], str) for column in columns):
            raise ValueError("no columns")
    except (yaml.YAMLError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise InputError(f"{where}: not an ECSV header ({said(error, 200)}); write it again") from None
    return header


def unit_of(column: dict[str, Any]) -> str:
    """Unit of a column of a header, plain or as astropy's object."""
    unit = column.get("unit", "")
    return str(unit.get("unit", "") if isinstance(unit, dict) else unit or "")


def _names(line: str, separator: str) -> list[str]:
    return split_line(line.rstrip("\r\n"), separator)
