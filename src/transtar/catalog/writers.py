"""Writing catalogs: parquet, FITS, VOTable, ECSV, CSV and LaTeX, whole or batch by batch, and never half."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from ..errors import InputError, SettingsError
from ..files import atomic_path
from ..glossary import Column
from .catalog_columns import arrow_schema, as_numpy, check_columns, columns_of, to_arrow
from .ecsv_lines import write_ecsv
from .fitstable import text_width, write_fits
from .latex_table import MOST_ROWS, too_many, write_latex
from .parquet_sink import ParquetSink
from .styles import check_desi, check_style, check_unique, styled_names
from .vo import write_votable

CHUNK = 65536
"""Rows gathered before they are written: small batches would make many small row groups, which read slowly."""


@dataclass(frozen=True)
class _Format:
    """How rows get into a file.

    Parameters
    ----------
    open : callable, optional
        Takes the open file, its schema (with units and descriptions), the metadata, and whether header lines are wanted; returns
        what has `write_table` and `close`.
    finish : callable, optional
        Instead of it, for a format whose head must know all rows: takes the path and the writer, which has the rows.
    most : int, optional
        Rows at most.
    """

    open: Callable[[IO[bytes], pa.Schema, Mapping, bool], ParquetSink | pa.csv.CSVWriter] | None = None
    finish: Callable[[Path, CatalogWriter], None] | None = None
    most: int | None = None


def _open_parquet(file: IO[bytes], schema: pa.Schema, metadata: Mapping, header_lines: bool) -> ParquetSink:
    return ParquetSink(file, schema)


def _open_csv(file: IO[bytes], schema: pa.Schema, metadata: Mapping, header_lines: bool) -> pa.csv.CSVWriter:
    file.write(("".join(_comments(schema, metadata)) if header_lines else "").encode())
    file.write(f"{','.join(schema.names)}\n".encode())
    return pa.csv.CSVWriter(file, schema, write_options=pa.csv.WriteOptions(include_header=False))


def _finish_fits(target: Path, writer: CatalogWriter) -> None:
    widths = {writer.names[name]: width for name, width in writer.widths.items() if name in writer.names}
    with_flags = "flags" in writer.names
    write_fits(target, writer.batches(), writer.columns, widths, writer.rows, writer.metadata, with_flags)


def _finish_votable(target: Path, writer: CatalogWriter) -> None:
    widths = {writer.names[name]: width for name, width in writer.widths.items() if name in writer.names}
    wide = {writer.names[name] for name in writer.wide if name in writer.names}
    write_votable(target, writer.batches(), writer.columns, widths, wide, writer.rows, writer.metadata)


def _finish_ecsv(target: Path, writer: CatalogWriter) -> None:
    write_ecsv(target, writer.batches(), writer.columns, writer.metadata)


def _finish_latex(target: Path, writer: CatalogWriter) -> None:
    parts = list(writer.batches())
    columns = {column.name: np.concatenate([part[column.name] for part in parts]) for column in writer.columns}
    write_latex(target, columns, writer.columns, writer.names, writer.metadata, writer.path.stem)


_FORMATS = {
    ".parquet": _Format(_open_parquet),
    ".fits": _Format(finish=_finish_fits),
    ".csv": _Format(_open_csv),
    ".ecsv": _Format(finish=_finish_ecsv),
    ".vot": _Format(finish=_finish_votable),
    ".votable": _Format(finish=_finish_votable),
    ".tex": _Format(finish=_finish_latex, most=MOST_ROWS),
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
        Ends in one of `SUFFIXES`.
    metadata : mapping, optional
        Provenance that JSON can hold. CSV has no place for it, but for header lines, and LaTeX for some in comments.
    header_lines : bool
        Put the metadata, units and descriptions on top of a CSV in lines that begin with '#'. Off by default, because
        most programs that read CSV choke on such lines.
    style : str
        Whose names the columns have, one of `transtar.catalog.styles.STYLES`; those of `append` are transtar's.
    ours : bool
        As for `transtar.files.atomic_path`.

    Raises
    ------
    InputError
        On batches that differ in their columns, columns whose names differ by case only, a block that ends without any batch,
        more rows than a table in LaTeX can have, or rows of another survey in the style of DESI.
    SettingsError
        On an unknown suffix or style.
    TranstarError
        If the disk is full. Whatever the error, what stood at `path` before is untouched, and no temporary file stays.

    Examples
    --------
    >>> with CatalogWriter("catalog.parquet", {"model": "mock-feh"}) as writer:  # doctest: +SKIP
    ...     for columns in batches:
    ...         writer.append(columns)
    """

    def __init__(
        self,
        path: str | os.PathLike,
        metadata: Mapping | None = None,
        header_lines: bool = False,
        style: str = "transtar",
        ours: bool = False,
    ) -> None:
        self.ours = ours
        self.path = Path(path)
        self.style = check_style(style)
        given = {key: value for key, value in (metadata or {}).items() if key != "style"}
        self.metadata: dict[str, Any] = given | ({} if style == "transtar" else {"style": style})
        self.header_lines = header_lines
        self.rows = 0
        self.widths: dict[str, int] = {}
        self.wide: set[str] = set()
        self.names: dict[str, str] = {}
        self.columns: list[Column] = []
        self._format = _FORMATS[check_suffix(path)]
        self._waiting: list[pa.Table] = []
        self._sink: ParquetSink | None = None
        self._change: Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]] | None = None

    def __enter__(self) -> CatalogWriter:
        self._stack = ExitStack()
        self._target = self._stack.enter_context(atomic_path(self.path, ours=self.ours))
        # The header of a FITS table needs the number of rows and the widths of strings, and text cannot be revised: rows wait in
        # a spool file, by our names.
        direct = self._format is _FORMATS[".parquet"] and self.style == "transtar"
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
            If columns differ in length, or from those of the first batch, or there are too many rows.
        """
        checked = check_columns(columns, str(self.path))
        if self.style == "desi":
            check_desi(checked, str(self.path))
        if self._sink is None:
            self._open(checked)
        self._waiting.append(to_arrow(checked, self._schema, str(self.path)))
        self.rows += len(self._waiting[-1])
        if self._format.most is not None and self.rows > self._format.most:
            raise too_many(str(self.path))
        if sum(map(len, self._waiting)) >= CHUNK:
            self._flush()
        if self._format.finish is not None:
            for name, array in checked.items():
                if array.dtype.kind == "U":
                    self.widths[name] = max(self.widths.get(name, 1), text_width(array))
                    if not all(map(str.isascii, array.tolist())):
                        self.wide.add(name)

    def revise(self, change: Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]) -> None:
        """Change rows that were appended, when all have been.

        Parameters
        ----------
        change : callable
            Is given the rows in parts, in their order, each as a dict of columns, and returns the columns to be written instead.
        """
        self._change = change

    def batches(self) -> Iterator[dict[str, np.ndarray]]:
        """The rows in parts, as revised and by the names of the file; once, while the block ends."""
        for columns in _read_batches(self._spool):
            revised = columns if self._change is None else self._change(columns)
            yield {spelling: revised[name] for name, spelling in self.names.items()}

    def _flush(self) -> None:
        if self._sink is not None and self._waiting:
            self._sink.write_table(pa.concat_tables(self._waiting).combine_chunks())
        self._waiting = []

    def _open(self, example: dict[str, np.ndarray]) -> None:
        check_unique(example, str(self.path))
        self.names = styled_names(example, self.style, self.path.suffix.lower())
        self.columns = columns_of(example, self.names)
        check_unique(self.names.values(), str(self.path))
        self._schema = arrow_schema(columns_of(example), self.metadata)
        # A Python file object reports a full disk as a plain OSError, which atomic_path turns into a clear line.
        self._file: IO[bytes] = self._stack.enter_context(self._spool.open("wb"))
        self._sink = ParquetSink(self._file, self._schema)

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
        schema = arrow_schema(self.columns, self.metadata)
        assert self._format.open is not None
        with self._target.open("wb") as file:
            sink = self._format.open(file, schema, self.metadata, self.header_lines)
            for columns in self.batches():
                sink.write_table(to_arrow(columns, schema, str(self.path)))
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
    style: str = "transtar",
) -> None:
    """Write a catalog that fits into memory.

    Parameters
    ----------
    path : path
        Ends in .parquet (units, descriptions and UCDs in the metadata, zstd), .fits (binary table with the same in its header),
        .vot or .votable (VOTable 1.4, BINARY2), .ecsv, .csv (one line of names; see `CatalogWriter` for header lines), or
        .tex (LaTeX, numbers rounded to their errors, at most 10,000 rows).
    columns : mapping of str to array_like, shape (n,), or astropy.table.QTable
        Columns that the glossary knows are converted to its dtype and, if they have another unit, to its unit; ids stay
        exact in all formats.
    metadata : mapping, optional
        Provenance that JSON can hold; by default that of the table.
    header_lines, style
        As for `CatalogWriter`.

    Raises
    ------
    InputError
        If the columns do not make a table; see `CatalogWriter`.
    SettingsError
        On an unknown suffix or style.
    TranstarError
        If the disk is full; an earlier file remains as it was.

    Examples
    --------
    >>> import transtar as ts
    >>> catalog = ts.read_catalog("catalog.parquet")
    >>> ts.write_catalog("poor.fits", catalog[catalog["feh"].to_value("dex") < -1])
    """
    if metadata is None:
        metadata = getattr(columns, "meta", None)
    with CatalogWriter(path, metadata, header_lines, style) as writer:
        writer.append(columns)
