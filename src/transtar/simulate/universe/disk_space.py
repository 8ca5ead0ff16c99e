"""How much disk a mock universe takes, told and checked before anything is written."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from ...errors import TranstarError

SPECTRA = {"lamost": 60_000, "miles": 37_500, "desi": 97_000, "xp": 2_780, "xp_continuous": 13_600}
"""Bytes of a spectrum, measured on files with realistic noise."""

RESOLUTION = 350_300
"""More bytes of a DESI spectrum with its resolution matrices, 11 x 7958 x 4 and padding."""

FILES = {"desi": 216_000}
"""Bytes of a coadd and its redrock file besides the spectra: wavelengths, headers and filling up."""

ROWS = {"lamost": 180, "desi": 1_430, "apogee": 180, "compilations": 110, "truth": 440}
"""Bytes of a catalog row."""

MARGIN = 1.1


def estimate(
    spectra: Mapping[str, int],
    rows: Mapping[str, int],
    files: Mapping[str, int] | None = None,
    resolution: bool = False,
) -> int:
    """Bytes that will be written.

    Parameters
    ----------
    spectra, rows, files : mapping of str to int
        Numbers by survey (keys of `SPECTRA`, `ROWS`, `FILES`); no spectra means catalogs only.
    resolution : bool
        Whether DESI spectra come with resolution matrices.
    """
    total = sum(SPECTRA[name] * number for name, number in spectra.items())
    total += sum(ROWS[name] * number for name, number in rows.items())
    total += sum(FILES[name] * number for name, number in (files or {}).items())
    return total + (RESOLUTION * spectra.get("desi", 0) if resolution else 0)


def check_disk(folder: str | os.PathLike, size: int) -> str:
    """Say how much will be written, and refuse if the disk cannot hold it.

    Parameters
    ----------
    folder : path
        Need not exist yet.
    size : int
        Bytes.

    Returns
    -------
    str
        A line to print.

    Raises
    ------
    TranstarError
        If less than the size and a tenth is free.
    """
    place = Path(folder).absolute()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    line = f"{folder}: {readable(size)} to write, {readable(free)} free"
    if size * MARGIN > free:
        raise TranstarError(f"{line}: too little; choose a smaller scale, --catalogs-only, or another disk")
    return line


def readable(size: float) -> str:
    """Bytes in a unit that suits."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} GB"
