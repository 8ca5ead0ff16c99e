"""Parquet tables, and columns that Arrow has in memory."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError, shown
from ..regular import open_regular
from .ecsv import parse_header, unit_of
from .parquet_claims import check_claims, read_footer, refuse_expansion
from .votable import units_of


def open_parquet(path: Path) -> tuple[list[str], dict[int, str], int]:
    """Names of the columns of a file, units by place, and the number of rows.

    Raises
    ------
    InputError
        If the file is damaged, or claims more than it can hold.
    """
    with opened(path) as file:
        schema, rows = file.schema_arrow, file.metadata.num_rows
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
    return list(schema.names), units, rows


def read_parquet(path: Path, places: Sequence[int]) -> list[Any]:
    """Columns of a file by place, as Arrow has them."""
    with opened(path) as file:
        names = file.schema_arrow.names
    some = [names[place] for place in places]
    if len(set(names)) == len(names) and not any("." in name for name in some):
        table = read_bounded(path, some)
        return [table.column(name) for name in some]
    # By name it is not clear which of two columns is meant.
    table = read_bounded(path)
    return [table.column(place) for place in places]


@contextmanager
def opened(source: Path | bytes, where: str = "", columns: Sequence[str] | None = None) -> Iterator[Any]:
    """A file of parquet, whose claims are checked and whose checksums will be.

    Parameters
    ----------
    source : path or bytes
        A regular file, or the content of one.
    where : str
        Its name, for messages; default: the path.
    columns : sequence of str, optional
        Those that are going to be read; default: all.

    Yields
    ------
    pyarrow.parquet.ParquetFile
        Text is read as dictionaries, which `read_bounded` resolves.

    Raises
    ------
    InputError
        If it is no regular file, is damaged, or claims more than it can hold; also for what Arrow raises while it is read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    where = where or str(source)
    try:
        with io.BytesIO(source) if isinstance(source, bytes) else open_regular(source) as raw:
            leaves = check_claims(raw, where, columns)
        content = pa.BufferReader(source) if isinstance(source, bytes) else source
        # Maps of dictionaries cannot be put together.
        text = [leaf.path for leaf in leaves if leaf.is_text and ".key_value." not in leaf.path]
        # What is buffered before it is asked for is kept until the end: memory would grow with the file.
        with pq.ParquetFile(content, read_dictionary=text, page_checksum_verification=True, pre_buffer=False) as file:
            yield file
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, IndexError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{where}: damaged or not a parquet file ({shown(reason, 200)}); fetch it again") from None


def read_bounded(source: Path | bytes, columns: Sequence[str] | None = None, where: str = "") -> Any:
    """Some columns of a file, which may not be far larger in memory than the file: its claims are checked first.

    Parameters
    ----------
    source : path or bytes
    columns : sequence of str, optional
        Default: all.
    where : str
        Name of the file, for messages; default: the path.

    Returns
    -------
    pyarrow.Table

    Raises
    ------
    InputError
        If it is no regular file, is damaged, or a few of its bytes stand for far more.
    """
    import pyarrow as pa

    with opened(source, where, columns) as file:
        # Dictionaries inside lists can only be put together within a group.
        groups = range(file.num_row_groups) if any(map(_holds_dictionaries, file.schema_arrow)) else ()
        parts = [file.read_row_group(group, columns=columns) for group in groups] or [file.read(columns=columns)]
        rows = sum(part.num_rows for part in parts)
        if rows != file.metadata.num_rows:
            raise ValueError(f"{rows} rows where {file.metadata.num_rows} are claimed")
        text = sum(_text_bytes(leaf) for part in parts for column in part.columns for leaf in _leaves(column))
        size = len(source) if isinstance(source, bytes) else source.stat().st_size
        refuse_expansion(where or str(source), size, text)
        return pa.concat_tables([_as_text(part) for part in parts])


def footer_hash(path: Path) -> str:
    """SHA-256 of what no checksum of pages covers: the footer of a file, and its length.

    Raises
    ------
    InputError
        If it is no parquet file.
    """
    with open_regular(path) as file:
        footer = read_footer(file, str(path))
        return hashlib.sha256(footer + file.seek(0, os.SEEK_END).to_bytes(8, "little")).hexdigest()


def _as_text(table: Any) -> Any:
    """A table with text in place of dictionaries."""
    import pyarrow as pa

    for place, field in enumerate(table.schema):
        plain = _without_dictionaries(field.type)
        if plain != field.type:
            column = table.column(place).cast(plain)
            table = table.set_column(place, pa.field(field.name, plain, metadata=field.metadata), column)
    return table


def _holds_dictionaries(field: Any) -> bool:
    """Whether there is text inside a nested column, read as dictionaries."""
    import pyarrow as pa

    return pa.types.is_nested(field.type) and _without_dictionaries(field.type) != field.type


def _without_dictionaries(kind: Any) -> Any:
    """A type with text in place of dictionaries of text."""
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        return kind.value_type if _is_text(kind.value_type) else kind
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(_without_dictionaries(kind.value_type), kind.list_size)
    if pa.types.is_list(kind):
        return pa.list_(_without_dictionaries(kind.value_type))
    if pa.types.is_large_list(kind):
        return pa.large_list(_without_dictionaries(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(part.name, _without_dictionaries(part.type)) for part in kind])
    return kind


def _leaves(column: Any) -> Iterator[Any]:
    """The columns inside a nested column."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_struct(column.type):
        for part in column.flatten():
            yield from _leaves(part)
    elif (
        pa.types.is_list(column.type) or pa.types.is_large_list(column.type) or pa.types.is_fixed_size_list(column.type)
    ):
        yield from _leaves(pc.list_flatten(column))
    else:
        yield column


def _text_bytes(column: Any) -> int:
    """Bytes that a column of dictionaries takes once they are resolved."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_dictionary(column.type) or not _is_text(column.type.value_type):
        return 0
    return sum(pc.sum(pc.binary_length(chunk.dictionary).take(chunk.indices)).as_py() or 0 for chunk in column.chunks)


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    return any(
        is_kind(kind)
        for is_kind in (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    )


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
