"""Raw columns of CSV, ECSV, FITS and parquet tables, with missing values told apart and integers kept exact."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError, TranstarError
from ..surveys.native import read_bytes


@dataclass(frozen=True)
class Column:
    """Values of any one-dimensional dtype, and where there are none."""

    values: np.ndarray
    missing: np.ndarray

    def text(self) -> np.ndarray:
        """As stripped strings, empty where missing."""
        values = self.values
        strings = np.char.decode(values, "utf-8") if values.dtype.kind == "S" else values.astype(str)
        return np.where(self.missing, "", np.char.strip(strings))

    def numbers(self, where: str) -> np.ndarray:
        """As float64, NaN where missing.

        Raises
        ------
        InputError
            If a value is no number.
        """
        if self.values.dtype.kind in "OSU":
            text = self.text()
            # A new array: where all strings are short, the old one has no room for three letters.
            text = np.where(text == "", "nan", text)
            try:
                return text.astype(np.float64)
            except ValueError as error:
                raise InputError(f"{where}: {error}") from None
        return np.where(self.missing, np.nan, self.values.astype(np.float64))


def read_columns(path: Path, also: str | None = None) -> dict[str, Column]:
    """Read all one-dimensional columns of a table; the format is told by content.

    Parameters
    ----------
    path : Path
        CSV (comment lines begin with #), ECSV, FITS (first binary table with rows) or parquet; gzipped or not.
    also : str, optional
        A column (case does not matter) that may stand in another table of a FITS file, if that matches the first row
        by row (DESI: RVTAB, SPTAB, FIBERMAP, GAIA): the same number of rows and, where it has one, the same TARGETID.

    Returns
    -------
    dict of str to Column

    Raises
    ------
    InputError
        If the file is missing, empty, broken, or holds no rows.
    """
    path = Path(path)
    try:
        content = read_bytes(path)
        if content.startswith(b"SIMPLE  ="):
            columns = _from_fits(content, path, also)
        elif content.startswith(b"PAR1"):
            import pyarrow as pa
            import pyarrow.parquet as pq

            columns = from_arrow(pq.read_table(pa.BufferReader(content)))
        elif content.startswith(b"# %ECSV"):
            from astropy.table import Table

            columns = _from_astropy(Table.read(content.decode("utf-8").splitlines(), format="ascii.ecsv"))
        else:
            columns = _from_csv(content)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (TranstarError, MemoryError):
        raise
    except Exception as error:
        # Three libraries, each with exceptions of its own for a damaged table.
        what = " ".join(f"{type(error).__name__}: {error}".split())
        raise InputError(f"{path}: cannot be read as a CSV, ECSV, FITS or parquet table ({what})") from error
    if not columns or not len(next(iter(columns.values())).values):
        raise InputError(f"{path}: the table has no rows; columns found: {', '.join(columns) or 'none'}")
    return columns


def _from_csv(content: bytes) -> dict[str, Column]:
    import pyarrow as pa
    from pyarrow import csv

    if b"\0" in content[:4096]:
        raise ValueError("binary data")
    while content.startswith(b"#"):
        content = content.partition(b"\n")[2]
    # One block, so that types are inferred from all rows: a column that turns to decimals late would fail otherwise.
    read_options = csv.ReadOptions(block_size=min(len(content) + 1, 2**31 - 2), use_threads=False)
    convert_options = csv.ConvertOptions(strings_can_be_null=True, timestamp_parsers=["none"])
    return from_arrow(csv.read_csv(pa.BufferReader(content), read_options, None, convert_options))


def from_arrow(table: Any) -> dict[str, Column]:
    """Columns of a pyarrow table."""
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        if pa.types.is_nested(column.type):
            continue
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        missing = pc.is_null(column).to_numpy()
        kind = column.type
        if pa.types.is_floating(kind):
            values = column.to_numpy()
        elif pa.types.is_integer(kind):
            # Filled before the conversion: numpy has no integer null, and floats would lose digits.
            values = column.fill_null(0).to_numpy()
        elif pa.types.is_boolean(kind):
            values = column.fill_null(False).to_numpy()
        else:
            values = np.array(["" if value is None else str(value) for value in column.to_pylist()], dtype=str)
        columns[name] = Column(values, missing)
    return columns


def _from_fits(content: bytes, path: Path, also: str | None) -> dict[str, Column]:
    import warnings

    from astropy.io import fits
    from astropy.table import Table

    with warnings.catch_warnings():
        # Unknown units and the like do not matter here.
        warnings.simplefilter("ignore")
        with fits.open(io.BytesIO(content), memmap=False) as hdus:
            filled = [hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU) and hdu.header["NAXIS2"] > 0]
            if filled:
                columns = _from_astropy(Table.read(filled[0]))
                if also is not None and also.lower() not in {name.lower() for name in columns}:
                    columns |= _beside(filled, also, path)
                return columns
    raise InputError(f"{path}: no binary table with rows in this FITS file")


def _beside(tables: list, name: str, path: Path) -> dict[str, Column]:
    """One column of a table that matches the first of a file row by row."""
    first = tables[0]
    for hdu in tables[1:]:
        spelt = next((own for own in hdu.columns.names if own.lower() == name.lower()), None)
        if spelt is None:
            continue
        if len(hdu.data) != len(first.data):
            raise InputError(
                f"{path}: {hdu.name}, which has the column {spelt}, has {len(hdu.data)} rows and {first.name} "
                f"{len(first.data)}; they should match row by row"
            )
        if (
            all("TARGETID" in table.columns.names for table in (first, hdu))
            and (first.data["TARGETID"] != hdu.data["TARGETID"]).any()
        ):
            raise InputError(f"{path}: {first.name} and {hdu.name} differ in TARGETID; they should match row by row")
        values = np.asarray(hdu.data[spelt])
        if values.ndim == 1:
            values = values.astype(values.dtype.newbyteorder("="))
            return {spelt: Column(values, np.zeros(len(values), bool))}
    return {}


def _from_astropy(table: Any) -> dict[str, Column]:
    columns = {}
    for name in table.colnames:
        column = table[name]
        if column.ndim != 1 or column.dtype.kind not in "biufSUO":
            continue
        missing = np.array(getattr(column, "mask", np.zeros(len(column), dtype=bool)), dtype=bool)
        values = np.asarray(getattr(column, "data", column))
        if values.dtype.kind == "S":
            values = np.char.decode(values, "utf-8")
        values = np.asarray(np.ma.getdata(values))
        columns[name] = Column(values.astype(values.dtype.newbyteorder("=")), missing)
    return columns
