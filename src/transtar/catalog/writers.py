"""Writing catalogs: parquet, FITS and CSV, whole or batch by batch, and never half."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from ..errors import InputError, SettingsError
from ..files import atomic_path
from .catalog_columns import arrow_schema, as_numpy, check_columns, to_arrow
from .fitstable import text_width, write_fits

CHUNK = 65536
"""Rows gathered before they are written: small batches would make many small row groups, which read slowly."""


@dataclass(frozen=True)
class _Format:
    """How rows get into a file.

    Parameters
    ----------
    open : callable
        Takes the open file, its schema (with units and descriptions), the metadata, and whether header lines are wanted; returns
        what has `write_table` and `close`.
    finish : callable, optional
        Instead of it, for a format whose head must know all rows: takes the path and the writer, which has the rows.
    """

    open: Callable[[IO[bytes], pa.Schema, Mapping, bool], pq.ParquetWriter | pa.csv.CSVWriter]
    finish: Callable[[Path, CatalogWriter], None] | None = None


def _open_parquet(file: IO[bytes], schema: pa.Schema, metadata: Mapping, header_lines: bool) -> pq.ParquetWriter:
    return pq.ParquetWriter(file, schema, compression="zstd", write_page_checksum=True)


def _open_csv(file: IO[bytes], schema: pa.Schema, metadata: Mapping, header_lines: bool) -> pa.csv.CSVWriter:
    file.write(("".join(_comments(schema, metadata)) if header_lines else "").encode())
    file.write(f"{','.join(schema.names)}\n".encode())
    return pa.csv.CSVWriter(file, schema, write_options=pa.csv.WriteOptions(include_header=False))


def _finish_fits(target: Path, writer: CatalogWriter) -> None:
    write_fits(target, writer.batches(), writer.example, writer.widths, writer.rows, writer.metadata)


_FORMATS = {
    ".parquet": _Format(_open_parquet),
    ".fits": _Format(_open_parquet, _finish_fits),
    ".csv": _Format(_open_csv),
}

SUFFIXES = tuple(_FORMATS)
"""Endings of catalogs."""


def check_suffix(path: str | os.PathLike) -> str:
    """Return the suffix of a catalog file, in lower case.

    Raises
    ------
    SettingsError
        If transtar writes no such catalogs.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in _FORMATS:
        raise SettingsError(f"{path}: a catalog ends in one of {', '.join(_FORMATS)}, not in '{suffix}'")
    return suffix


class CatalogWriter:
    """Write a catalog batch by batch, in bounded memory; the file appears when the block ends well.

    Parameters
    ----------
    path : path
        Ends in .parquet, .fits or .csv.
    metadata : mapping, optional
        Provenance that JSON can hold. CSV has no place for it, but for header lines.
    header_lines : bool
        Put the metadata, units and descriptions on top of a CSV in lines that begin with '#'. Off by default, because
        most programs that read CSV choke on such lines.
    ours : bool
        As for `transtar.files.atomic_path`.

    Raises
    ------
    InputError
        On an unknown suffix, batches that differ in their columns, or a block that ends without any batch.
    TranstarError
        If the disk is full. Whatever the error, what stood at `path` before is untouched, and no temporary file stays.

    Examples
    --------
    >>> with CatalogWriter("catalog.parquet", {"model": "mock-feh"}) as writer:  # doctest: +SKIP
    ...     for columns in batches:
    ...         writer.append(columns)
    """

    def __init__(
        self, path: str | os.PathLike, metadata: Mapping | None = None, header_lines: bool = False, ours: bool = False
    ) -> None:
        self.ours = ours
        self.path = Path(path)
        self.metadata = dict(metadata or {})
        self.header_lines = header_lines
        self.rows = 0
        self.widths: dict[str, int] = {}
        self.example: dict[str, np.ndarray] = {}
        self._format = _FORMATS[check_suffix(path)]
        self._waiting: list[pa.Table] = []
        self._sink: pq.ParquetWriter | None = None
        self._change: Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]] | None = None

    def __enter__(self) -> CatalogWriter:
        self._stack = ExitStack()
        self._target = self._stack.enter_context(atomic_path(self.path, ours=self.ours))
        # The header of a FITS table needs the number of rows and the widths of strings, and text cannot be revised: rows wait in
        # a spool file.
        direct = self._format is _FORMATS[".parquet"]
        self._spool = self._target if direct else self._target.with_name("spool.parquet")
        return self

    def append(self, columns: Mapping[str, np.ndarray]) -> None:
        """Add a batch of rows.

        Parameters
        ----------
        columns : mapping of str to array_like, shape (n,)
            The same names and kinds in every batch; columns the glossary knows are cast to its dtype.

        Raises
        ------
        InputError
            If columns differ in length, or from those of the first batch.
        """
        checked = check_columns(columns, str(self.path))
        if self._sink is None:
            self._open(checked)
        self._waiting.append(to_arrow(checked, self._schema, str(self.path)))
        self.rows += len(self._waiting[-1])
        if sum(map(len, self._waiting)) >= CHUNK:
            self._flush()
        if self._format.finish is not None:
            for name, array in checked.items():
                if array.dtype.kind == "U":
                    self.widths[name] = max(self.widths.get(name, 1), text_width(array))

    def revise(self, change: Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]) -> None:
        """Change rows that were appended, when all have been.

        Parameters
        ----------
        change : callable
            Is given the rows in parts, in their order, each as a dict of columns, and returns the columns to be written instead.
        """
        self._change = change

    def batches(self) -> Iterator[dict[str, np.ndarray]]:
        """The rows in parts, as revised; while the block ends."""
        for columns in _read_batches(self._spool):
            yield columns if self._change is None else self._change(columns)

    def _flush(self) -> None:
        if self._sink is not None and self._waiting:
            self._sink.write_table(pa.concat_tables(self._waiting).combine_chunks())
        self._waiting = []

    def _open(self, example: dict[str, np.ndarray]) -> None:
        self.example = {name: array[:0] for name, array in example.items()}
        self._schema = arrow_schema(example, self.metadata)
        # A Python file object reports a full disk as a plain OSError, which atomic_path turns into a clear line.
        self._file: IO[bytes] = self._stack.enter_context(self._spool.open("wb"))
        self._sink = _open_parquet(self._file, self._schema, self.metadata, self.header_lines)

    def _finish(self) -> None:
        if self._sink is None:
            raise InputError(f"{self.path}: nothing to write, not a single batch came")
        self._flush()
        self._sink.close()
        self._file.close()
        if self._spool == self._target and self._change is not None:
            self._spool = self._target.rename(self._target.with_name("spool.parquet"))
        if self._format.finish is not None:
            self._format.finish(self._target, self)
        elif self._spool != self._target:
            self._rewrite()

    def _rewrite(self) -> None:
        with self._target.open("wb") as file:
            sink = self._format.open(file, self._schema, self.metadata, self.header_lines)
            for columns in self.batches():
                sink.write_table(to_arrow(columns, self._schema, str(self.path)))
            sink.close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            # The stack must see the error of finishing, or it would put the half-written file in place.
            with self._stack:
                self._finish()
            return
        with suppress(Exception):
            if self._sink is not None:
                self._sink.close()
        self._stack.__exit__(kind, error, traceback)


def _read_batches(path: Path) -> Iterator[dict[str, np.ndarray]]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=CHUNK):
            yield {name: as_numpy(batch.column(name)) for name in batch.schema.names}


def _comments(schema: pa.Schema, metadata: Mapping) -> Iterator[str]:
    for key, value in metadata.items():
        yield f"# {key}: {value}\n".replace("\n", " ").rstrip() + "\n"
    for field in schema:
        about = field.metadata or {}
        unit = f" [{about[b'unit'].decode()}]" if b"unit" in about else ""
        yield f"# column {field.name}{unit}: {about.get(b'description', b'').decode()}\n"


def write_catalog(
    path: str | os.PathLike,
    columns: Mapping[str, np.ndarray],
    metadata: Mapping | None = None,
    header_lines: bool = False,
) -> None:
    """Write a catalog that fits into memory.

    Parameters
    ----------
    path : path
        Ends in .parquet (units and descriptions in the metadata of the fields, zstd), .fits (binary table with units,
        descriptions and provenance in its header) or .csv (one line of names; see `CatalogWriter` for header lines).
    columns : mapping of str to array_like, shape (n,), or astropy.table.QTable
        Columns the glossary knows are cast to its dtype, and to its unit if they have another; ids stay exact in all three
        formats.
    metadata : mapping, optional
        Provenance that JSON can hold; that of a table if not given.
    header_lines : bool
        As for `CatalogWriter`.

    Raises
    ------
    InputError
        On an unknown suffix, or columns that make no table.
    TranstarError
        If the disk is full; what stood there before is untouched.
    """
    if metadata is None:
        metadata = getattr(columns, "meta", None)
    with CatalogWriter(path, metadata, header_lines) as writer:
        writer.append(columns)
