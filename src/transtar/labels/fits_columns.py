"""Single columns of large FITS tables, so that a catalog of many gigabytes needs the memory of a few columns."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError, TranstarError
from .columns import Column

if TYPE_CHECKING:
    from astropy.io import fits


@contextmanager
def open_fits(path: Path) -> Iterator[fits.HDUList]:
    """Open a FITS file, gzipped or not, without reading its data.

    Raises
    ------
    InputError
        For anything at all that is wrong with the file, also while the block runs.
    """
    from astropy.io import fits

    try:
        with warnings.catch_warnings():
            # Unknown units and the like do not matter here.
            warnings.simplefilter("ignore")
            # Undefined logicals (a PRIMARY that is missing) can be told from False only as bytes.
            with fits.open(path, memmap=True, logical_as_bytes=True, character_as_bytes=True) as hdus:
                yield hdus
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (TranstarError, MemoryError):
        raise
    except Exception as error:
        what = " ".join(f"{type(error).__name__}: {error}".split())
        raise InputError(f"{path}: truncated or damaged FITS file ({what}); fetch it again") from error


def list_tables(path: Path) -> dict[str, tuple[int, tuple[str, ...]]]:
    """Rows and column names of the binary tables of a file, by name of the HDU (its number where it has no name).

    Raises
    ------
    InputError
        If the file is not FITS, or is cut short.
    """
    from astropy.io import fits

    found = {}
    with open_fits(path) as hdus:
        for number, hdu in enumerate(hdus):
            if isinstance(hdu, fits.BinTableHDU):
                found[hdu.name or str(number)] = int(hdu.header["NAXIS2"]), tuple(hdu.columns.names)
        last = hdus[len(hdus) - 1]
        end = last.fileinfo()["datLoc"] + last.size
        file = hdus.fileinfo(0)["file"]
        if file.compression is None and end > path.stat().st_size:
            raise InputError(f"{path}: truncated FITS file ({path.stat().st_size} bytes of {end}); fetch it again")
    return found


def read_column(path: Path, hdu: str, name: str) -> Column:
    """Read one column of one table; undefined logicals and integers equal to TNULL are missing.

    Parameters
    ----------
    path : Path
    hdu, name : str
        As `list_tables` has them.

    Returns
    -------
    Column
        Logicals as bool; vectors as arrays of more dimensions.
    """
    with open_fits(path) as hdus:
        table = hdus[int(hdu) if hdu.isdigit() else hdu]
        raw = np.asarray(table.data.field(name))
        null, is_logical = table.columns[name].null, table.columns[name].format.lstrip("0123456789") == "L"
        if is_logical:
            text = np.char.strip(raw.astype("S1"))
            return Column(text == b"T", ~np.isin(text, (b"T", b"F")))
        values = np.array(raw, dtype=raw.dtype.newbyteorder("="))
        missing = np.zeros(len(values), dtype=bool)
        if null is not None and values.dtype.kind in "iu" and values.ndim == 1:
            missing = values == int(null)
        return Column(values, missing)
