"""Parquet tables, and columns that Arrow has in memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..content import FREE, check_expansion
from ..errors import InputError
from .ecsv import parse_header, unit_of
from .votable import units_of

MAGIC = b"PAR1"


def open_parquet(path: Path) -> tuple[list[str], dict[int, str], int]:
    """Names of the columns of a file, units by place, and the number of rows.

    Raises
    ------
    InputError
        If the file claims more rows than it can hold.
    """
    import pyarrow.parquet as pq

    about = pq.read_metadata(path)
    schema = pq.read_schema(path)
    check_expansion(path, sum(about.row_group(i).total_byte_size for i in range(about.num_row_groups)))
    if about.num_rows * 8 > max(FREE, 1000 * path.stat().st_size):
        raise InputError(
            f"{path}: {path.stat().st_size} bytes that claim to hold {about.num_rows} rows; fetch it again"
        )
    units = {}
    described = {}
    if b"table_meta_yaml" in (schema.metadata or {}):
        header = parse_header(schema.metadata[b"table_meta_yaml"], str(path))
        described = {column["name"]: unit_of(column) for column in header["datatype"]}
    if b"IVOA.VOTable-Parquet.content" in (schema.metadata or {}):
        described |= units_of(schema.metadata[b"IVOA.VOTable-Parquet.content"])
    for place, field in enumerate(schema):
        stated = field.metadata or {}
        unit = (stated.get(b"unit") or stated.get(b"units") or b"").decode("utf-8", "replace") or described.get(
            field.name, ""
        )
        if unit:
            units[place] = unit
    return list(schema.names), units, about.num_rows


def read_parquet(path: Path, places: Sequence[int]) -> list[Any]:
    """Columns of a file by place, as Arrow has them."""
    import pyarrow.parquet as pq

    names = pq.read_schema(path).names
    some = [names[place] for place in places]
    if len(set(names)) == len(names) and not any("." in name for name in some):
        table = read_bounded(path, some)
        return [table.column(name) for name in some]
    # By name it is not clear which of two columns is meant.
    table = read_bounded(path)
    return [table.column(place) for place in places]


def read_bounded(path: Path, columns: Sequence[str] | None = None) -> Any:
    """Some columns of a file, whose text may not be far larger than the file: a dictionary of one cell fills any number of rows.

    Raises
    ------
    InputError
        If it is.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    text = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    schema = pq.read_schema(path)
    named = [field.name for field in schema if any(kind(field.type) for kind in text)]
    table = pq.ParquetFile(path, read_dictionary=named).read(columns=columns)
    for place, name in enumerate(table.column_names):
        column = table.column(place)
        if not pa.types.is_dictionary(column.type) or not any(kind(column.type.value_type) for kind in text):
            continue
        size = 0
        for chunk in column.chunks:
            size += pc.sum(pc.binary_length(chunk.dictionary).take(chunk.indices)).as_py() or 0
        check_expansion(path, size)
        table = table.set_column(place, name, column.cast(column.type.value_type))
    return table


def to_numpy(column: Any) -> tuple[Any, np.ndarray]:
    """Values of a column of Arrow, and where there are none; of shape (n, 0) if each row holds several values.

    Lists of one value are values. Text stays with Arrow; other types than numbers and text become text.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if not isinstance(column, pa.ChunkedArray):
        column = pa.chunked_array([column])
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        lengths = pc.fill_null(pc.list_value_length(column), 0)
        if (pc.max(lengths).as_py() or 0) <= 1:
            one = pc.if_else(pc.equal(lengths, 1), column, None)
            column = pa.chunked_array(
                [pa.array([None if v is None else v[0] for v in one.to_pylist()], kind.value_type)]
            )
            kind = column.type
    if pa.types.is_nested(kind):
        return np.empty((len(column), 0)), np.zeros(len(column), bool)
    gone = pc.is_null(column).to_numpy()
    if pa.types.is_floating(kind):
        return column.to_numpy(), gone
    if pa.types.is_integer(kind):
        # Filled before the conversion: numpy has no integer null, and floats would lose digits.
        return column.fill_null(0).to_numpy(), gone
    if pa.types.is_boolean(kind):
        return column.fill_null(False).to_numpy(), gone
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return column.cast(pa.string()), gone
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return np.array([b"" if value is None else value for value in column.to_pylist()], dtype=bytes), gone
    return np.array(["" if value is None else str(value) for value in column.to_pylist()], dtype=str), gone
