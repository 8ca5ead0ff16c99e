"""Reading catalogs, transtar's own and others, into plain columns."""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning

from ..errors import InputError
from ..glossary import COLUMNS, describe, is_known
from .schema import METADATA_KEY, as_integers, as_numpy
from .writers import check_suffix


def read_catalog(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Read a table of one row per spectrum.

    Parameters
    ----------
    path : path
        A .parquet, .fits or .csv file, written by transtar or not. Of a FITS file the first table is read.

    Returns
    -------
    dict of str to ndarray, shape (n,) or (n, ...)
        Columns in the order of the file. Names are kept, but for those that are the glossary's when in lower case.
        `id` is int64, exact to the last digit, -1 where missing; strings are str arrays; missing numbers are NaN.

    Raises
    ------
    InputError
        If the file is missing, is no such table, holds a column twice, or its ids are not integers.
    """
    path = Path(path)
    suffix = check_suffix(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if not path.stat().st_size:
        raise InputError(f"{path}: empty file")
    try:
        found = {".parquet": _read_parquet, ".fits": _read_fits, ".csv": _read_csv}[suffix](path)
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, IndexError, fits.VerifyError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: cannot be read as a {suffix[1:]} table ({reason})") from None
    columns: dict[str, np.ndarray] = {}
    for given, array in found.items():
        lower = given.lower()
        # A survey may have SURVEY beside transtar's own survey.
        name = lower if is_known(lower) and lower not in found else given
        if name in columns:
            raise InputError(f"{path}: column {name} occurs twice")
        if name in COLUMNS and COLUMNS[name].dtype.startswith("int"):
            array = as_integers(array, COLUMNS[name].dtype, f"{path}: column {name}")
        elif name in COLUMNS and COLUMNS[name].dtype == "str" and array.dtype.kind != "U":
            array = array.astype(str)
        columns[name] = array
    return columns


def read_metadata(path: str | os.PathLike) -> dict:
    """Provenance that transtar put into a .parquet or .fits catalog; empty for other files.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    path = Path(path)
    suffix = check_suffix(path)
    try:
        if suffix == ".parquet":
            text = (pq.read_schema(path).metadata or {}).get(METADATA_KEY, b"{}")
        elif suffix == ".fits":
            text = fits.getheader(path, 1).get("TSMETA", "{}")
        else:
            return {}
        return json.loads(text)
    except (pa.ArrowException, OSError, ValueError, IndexError) as error:
        raise InputError(f"{path}: cannot be read ({' '.join(str(error).split())})") from None


def _read_parquet(path: Path) -> dict[str, np.ndarray]:
    table = pq.read_table(path)
    return {name: as_numpy(column) for name, column in zip(table.column_names, table.columns, strict=True)}


def _read_csv(path: Path) -> dict[str, np.ndarray]:
    with path.open(encoding="utf-8-sig") as file:
        skip = 0
        line = file.readline()
        while line.startswith("#"):
            skip, line = skip + 1, file.readline()
    # Names and keys that look like numbers stay text: a file may be called 00012, and a float would round an id.
    kinds = {}
    names = [name.strip().strip('"') for name in line.split(",")]
    for name in names:
        known = COLUMNS.get(name.lower())
        if known is not None and known.dtype in ("str", "int64"):
            kinds[name] = pa.string()
    table = pa.csv.read_csv(
        path,
        read_options=pa.csv.ReadOptions(skip_rows=skip),
        convert_options=pa.csv.ConvertOptions(column_types=kinds),
    )
    columns = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        name = name.strip()
        array = as_numpy(column)
        lower = name.lower()
        if is_known(lower) and describe(lower).dtype.startswith("float"):
            # A column without a single value has Arrow's type null.
            array = np.full(len(column), np.nan, "float32") if pa.types.is_null(column.type) else array
            array = array.astype(describe(lower).dtype)
        columns[name] = array
    return columns


def _read_fits(path: Path) -> dict[str, np.ndarray]:
    with warnings.catch_warnings(), fits.open(path, memmap=False) as file:
        # What is wrong with a file is said once, as an error.
        warnings.simplefilter("ignore", AstropyWarning)
        tables = [hdu for hdu in file if isinstance(hdu, fits.BinTableHDU | fits.TableHDU)]
        if not tables:
            raise InputError(f"{path}: holds no table")
        data = tables[0].data
        columns = {}
        for column in tables[0].columns:
            array = np.asarray(data[column.name])
            if array.dtype.kind in "SU":
                array = np.char.rstrip(np.char.decode(array, "ascii") if array.dtype.kind == "S" else array)
            elif array.dtype.kind in "if":
                array = array.astype(array.dtype.newbyteorder("="))
                if array.dtype.kind == "i" and isinstance(column.null, int | np.integer):
                    missing = array == column.null
                    array = np.where(missing, -1, array) if column.name.lower() in COLUMNS else array
            columns[column.name] = array
        return columns
