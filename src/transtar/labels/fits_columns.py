"""Single columns of large FITS tables, so that a catalog of many gigabytes needs the memory of a few columns.

astropy reads the headers. Columns are taken from the file itself, since astropy copies all of a table's columns on
the way to one.
"""

from __future__ import annotations

import gzip
import warnings
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError, TranstarError
from ..surveys.native import GZIP_MAGIC
from .columns import Column


@dataclass(frozen=True)
class FitsTable:
    """Where a binary table lies in its file, and what its columns are.

    Parameters
    ----------
    rows : int
    names : tuple of str
    record : dtype
        Of one row, big-endian.
    offset : int
        First byte of the data.
    logical : frozenset of str
    nulls : dict of str to int
        TNULL of columns that have one.
    scales : dict of str to (float, float)
        TSCAL and TZERO of columns that have them.
    """

    rows: int
    names: tuple[str, ...]
    record: np.dtype
    offset: int
    logical: frozenset[str] = frozenset()
    nulls: dict[str, int] = field(default_factory=dict)
    scales: dict[str, tuple[float, float]] = field(default_factory=dict)


def list_tables(path: Path) -> dict[str, FitsTable]:
    """Binary tables of a file, gzipped or not, by name of the HDU (its number where it has no name).

    Raises
    ------
    InputError
        If the file is not FITS, or is cut short.
    """
    from astropy.io import fits

    try:
        with warnings.catch_warnings():
            # Unknown units and the like do not matter here.
            warnings.simplefilter("ignore")
            with fits.open(path, memmap=True) as hdus:
                found = {
                    hdu.name or str(number): _describe(hdu)
                    for number, hdu in enumerate(hdus)
                    if isinstance(hdu, fits.BinTableHDU)
                }
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (TranstarError, MemoryError):
        raise
    except Exception as error:
        what = " ".join(f"{type(error).__name__}: {error}".split())
        raise InputError(f"{path}: truncated or damaged FITS file ({what}); fetch it again") from error
    end = max((table.offset + table.rows * table.record.itemsize for table in found.values()), default=0)
    if not _is_gzip(path) and end > path.stat().st_size:
        raise InputError(f"{path}: truncated FITS file ({path.stat().st_size} bytes of {end}); fetch it again")
    return found


def _describe(hdu: Any) -> FitsTable:
    columns = hdu.columns
    logical = {c.name for c in columns if str(c.format).lstrip("0123456789") == "L"}
    scaled = {c.name: (float(c.bscale or 1), float(c.bzero or 0)) for c in columns}
    return FitsTable(
        rows=int(hdu.header["NAXIS2"]),
        names=tuple(columns.names),
        record=columns.dtype.newbyteorder(">"),
        offset=int(hdu.fileinfo()["datLoc"]),
        logical=frozenset(logical),
        nulls={c.name: int(c.null) for c in columns if isinstance(c.null, int)},
        scales={name: scale for name, scale in scaled.items() if scale != (1.0, 0.0)},
    )


def read_column(path: Path, table: FitsTable, name: str) -> Column:
    """Read one column; undefined logicals and integers equal to TNULL are missing.

    Parameters
    ----------
    path : Path
    table : FitsTable
        Of this file, as from `list_tables`.
    name : str

    Returns
    -------
    Column
        Logicals as bool, strings as bytes; vectors as arrays of more dimensions.

    Raises
    ------
    InputError
        If the file is cut short.
    """
    size = table.rows * table.record.itemsize
    if _is_gzip(path):
        try:
            with gzip.open(path) as file:
                file.seek(table.offset)
                content = file.read(size)
        except (OSError, EOFError) as error:
            raise InputError(f"{path}: truncated or damaged gzip file ({error}); fetch it again") from None
        if len(content) < size:
            raise InputError(f"{path}: truncated FITS file; fetch it again")
        records = np.frombuffer(content, table.record)
    elif table.rows:
        records = np.memmap(path, table.record, "r", table.offset, (table.rows,))
    else:
        records = np.zeros(0, table.record)
    raw = np.array(records[name])
    if name in table.logical:
        flags = raw.view("S1") if raw.dtype.kind in "iu" else raw.astype("S1")
        return Column(flags == b"T", ~np.isin(flags, (b"T", b"F")))
    values = raw.astype(raw.dtype.newbyteorder("="))
    missing = np.zeros(len(values), dtype=bool)
    if name in table.nulls and values.ndim == 1:
        missing = values == table.nulls[name]
    if name in table.scales:
        values = _scale(values, *table.scales[name])
    return Column(values, missing)


def _scale(values: np.ndarray, scale: float, zero: float) -> np.ndarray:
    kind = values.dtype
    if scale == 1 and kind.kind == "i" and zero == 2.0 ** (8 * kind.itemsize - 1):
        # Unsigned integers, which FITS has not: exact, where floating point would lose digits.
        return (values ^ np.iinfo(kind).min).view(f"u{kind.itemsize}")
    return values * scale + zero


def first_bytes(path: Path, n: int) -> bytes:
    """Beginning of a file, decompressed if it is gzip; shorter if the file is, or if it is damaged.

    Raises
    ------
    InputError
        If there is no such file.
    """
    try:
        with path.open("rb") as file:
            start = file.read(max(n, 64))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    if not start.startswith(GZIP_MAGIC):
        return start[:n]
    try:
        return zlib.decompressobj(31).decompress(start, n)
    except zlib.error:
        return b""


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == GZIP_MAGIC
