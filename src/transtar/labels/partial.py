"""Some columns of a table of any format, so that catalogs of millions of rows fit into memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..errors import InputError, TranstarError
from ..surveys.native import GZIP_MAGIC
from .columns import Column, from_arrow, read_columns
from .fits_columns import first_bytes, list_tables, read_column
from .names import canonical_label

NUMBERS = frozenset((
    "ra", "dec", "pmra", "pmdec", "parallax", "radial_velocity", "ref_epoch", "z", "rv", "snru", "snrg", "snrr", "snri",
    "snrz",
))  # fmt: skip
"""Columns, beside labels, that are numbers whatever the first rows of a CSV look like."""


def column_names(path: Path) -> tuple[str, ...]:
    """Names of the columns of a CSV, ECSV, FITS or parquet table, gzipped or not, without reading its rows.

    Raises
    ------
    InputError
        If it is no table.
    """
    return _open(path)[0]


def read_some(path: Path, wanted: Callable[[str], bool]) -> dict[str, Column]:
    """Read the columns whose names `wanted` accepts.

    Parameters
    ----------
    path : Path
        As for `column_names`; a CSV may have '|' for commas, as catalogs of LAMOST do, or tabs.
    wanted : callable

    Returns
    -------
    dict of str to Column

    Raises
    ------
    InputError
        If the table is broken or has no rows.
    """
    names, read = _open(path)
    columns = read([name for name in names if wanted(name)])
    if not columns or not len(next(iter(columns.values())).values):
        raise InputError(f"{path}: the table has no rows; columns found: {', '.join(names) or 'none'}")
    return columns


def _open(path: Path) -> tuple[tuple[str, ...], Callable[[list[str]], dict[str, Column]]]:
    """Names of the columns, and what reads some of them."""
    try:
        start = first_bytes(path, 1 << 16)
        if start.startswith(b"SIMPLE  ="):
            filled = [table for table in list_tables(path).values() if table.rows]
            if not filled:
                raise InputError(f"{path}: no binary table with rows in this FITS file, or it is truncated")
            return filled[0].names, lambda some: {name: read_column(path, filled[0], name) for name in some}
        if start.startswith(b"PAR1"):
            import pyarrow.parquet as pq

            names = tuple(pq.read_schema(path).names)
            return names, lambda some: from_arrow(pq.read_table(path, columns=some))
        if start.startswith(b"#") or not start:
            columns = read_columns(path)
            return tuple(columns), lambda some: {name: columns[name] for name in some}
        return _open_csv(path, start)
    except (TranstarError, MemoryError):
        raise
    except Exception as error:
        what = " ".join(f"{type(error).__name__}: {error}".split())
        raise InputError(f"{path}: cannot be read as a CSV, ECSV, FITS or parquet table ({what})") from error


def _open_csv(path: Path, start: bytes) -> tuple[tuple[str, ...], Callable[[list[str]], dict[str, Column]]]:
    import csv

    if b"\0" in start:
        raise ValueError("binary data")
    header = start.split(b"\n", 1)[0].decode("utf-8-sig").rstrip("\r")
    delimiter = max((",", "|", "\t"), key=header.count)
    names = tuple(name.strip() for name in next(csv.reader([header], delimiter=delimiter)))

    def read(some: list[str]) -> dict[str, Column]:
        import pyarrow as pa
        from pyarrow import csv as arrow_csv

        numbers = {name: pa.float64() for name in some if name.lower() in NUMBERS or canonical_label(name)}
        with path.open("rb") as file:
            zipped = file.read(2) == GZIP_MAGIC

        def parse(kinds: dict, block: int) -> pa.Table:
            options = arrow_csv.ConvertOptions(
                include_columns=some, column_types=kinds, strings_can_be_null=True, timestamp_parsers=["none"]
            )
            reading = arrow_csv.ReadOptions(column_names=list(names), skip_rows=1, block_size=block)
            with pa.input_stream(str(path), compression="gzip" if zipped else None) as stream:
                return arrow_csv.read_csv(stream, reading, arrow_csv.ParseOptions(delimiter=delimiter), options)

        try:
            return from_arrow(parse(numbers, 1 << 26))
        except pa.ArrowInvalid:
            # Types that only later rows betray, or text where numbers are the rule (12:34:56.7): no type is forced, and all
            # rows, in one block, are seen before one is chosen.
            return from_arrow(parse({}, min(path.stat().st_size * (20 if zipped else 1) + 1, 2**31 - 2)))

    return names, read
