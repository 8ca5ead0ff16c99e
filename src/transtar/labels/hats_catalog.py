"""HATS catalogs, such as all of Gaia: of those too large for memory only the partitions around our stars are read.

HATS is a folder of parquet files by HEALPix pixel (https://hats.readthedocs.io); LSDB, the extra `hats`, reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError, missing_package
from ..tables import Column, from_arrow
from . import gaia_catalog as gaia
from .catalog_places import Place, read_positions
from .catalogs import Catalog, from_memory
from .positions import Positions, near_pairs

FASTEST = 11.0
"""No star moves faster; arcsec a year (Barnard's star: 10.4)."""

_SIZE_OF_BASE_PIXEL = 58.6 * 3600
_SOURCE_ID_ORDER, _SOURCE_ID_SHIFT = 12, 35
"""A source_id holds the HEALPix pixel of its star, nested, in the bits above these (Gaia DR3 documentation, 20.1.1)."""


def open_catalog(path: Path, wanted: Iterable[str]) -> Catalog:
    """Open a HATS catalog without reading any row.

    Parameters
    ----------
    path : Path
    wanted : iterable of str
        Columns that are read when stars are looked for, in lower case; those that do not exist are passed over.

    Returns
    -------
    Catalog
        Of kind 'gaia', with `around` in place of columns.

    Raises
    ------
    InputError
        If it cannot be read as HATS.
    TranstarError
        If LSDB is not installed.
    """
    lsdb = _lsdb()
    try:
        whole = lsdb.open_catalog(path, columns="all")
        names, info = tuple(map(str, whole.columns)), whole.hc_structure.catalog_info
        places = {info.ra_column: "ra", info.dec_column: "dec"}
    except Exception as error:
        # LSDB, dask, pyarrow and pydantic, each with exceptions of its own for a damaged catalog.
        what = " ".join(f"{type(error).__name__}: {error}".split())
        raise InputError(f"{path}: cannot be read as a HATS catalog ({what})") from None
    wanted = {name.lower() for name in wanted}
    columns = [name for name in names if name.lower() in wanted or name in places]
    called = {name: places.get(name, name) if places.get(name) not in names else name for name in columns}

    def around(stars: np.ndarray | Positions, radius: float, epoch: float, place: Place) -> Catalog:
        if isinstance(stars, Positions):
            some, what = stars.known.any(), "position"
        else:
            some, what = (stars >= 0).any(), "source_id"
        if not some:
            raise InputError(f"{path}: none of the stars has a {what} to look for")
        if isinstance(stars, Positions):
            area, near = _area_of_positions(stars, radius, epoch, place), _near(stars.at(epoch), radius, epoch, place)
        else:
            area, near = _area_of_ids(stars), _same_id(stars)
        few = lsdb.open_catalog(
            path, columns=columns, search_filter=lsdb.MOCSearch(area, fine=False), error_empty_filter=False
        )
        read, total = len(few.get_healpix_pixels()), len(whole.get_healpix_pixels())
        if not read:
            raise InputError(f"{path}: covers no part of the sky that our stars lie in")
        try:
            frame = few.map_partitions(lambda part: part[near(_from_frame(path, part, called))]).compute(
                progress_bar=False
            )
        except OSError as error:
            raise InputError(f"{path}: a partition is missing or damaged ({error})") from None
        note = f"{path}: {read} of {total} partitions read, {len(frame)} rows taken"
        return from_memory(gaia.KIND, path, _columns(frame, called), [note])

    return Catalog(gaia.KIND, (path,), 0, tuple(called.values()), _unread(path), around=around)


def _lsdb() -> Any:
    try:
        import lsdb
    except ImportError:
        raise missing_package("lsdb", "hats") from None
    return lsdb


def _unread(path: Path) -> Callable[[str], Column]:
    def read(name: str) -> Column:
        raise InputError(f"{path}: a HATS catalog can be joined with, not selected from as a whole")

    return read


def _columns(frame: Any, called: dict[str, str]) -> dict[str, Column]:
    import pyarrow as pa

    table = pa.Table.from_pandas(frame, preserve_index=False)
    return {called.get(name, name): column for name, column in from_arrow(table).items()}


def _from_frame(path: Path, frame: Any, called: dict[str, str]) -> Catalog:
    return from_memory(gaia.KIND, path, _columns(frame, called))


def _near(directions: np.ndarray, radius: float, epoch: float, place: Place) -> Callable[[Catalog], np.ndarray]:
    def near(part: Catalog) -> np.ndarray:
        mask = np.zeros(part.rows, dtype=bool)
        for _, rows, _ in near_pairs(directions, read_positions(part, place).at(epoch), radius):
            mask[rows] = True
        return mask

    return near


def _same_id(ids: np.ndarray) -> Callable[[Catalog], np.ndarray]:
    return lambda part: np.isin(part.gaia_ids(*gaia.GAIA_ID), ids[ids >= 0])


def _area_of_positions(stars: Positions, radius: float, epoch: float, place: Place) -> Any:
    """Pixels around our stars, wide enough for a star that has moved since the epoch of the catalog."""
    from astropy.coordinates import Latitude, Longitude
    from mocpy import MOC

    vectors = stars.at(epoch)[stars.known]
    reach = radius + FASTEST * abs(epoch - place.epoch)
    order = int(np.clip(np.log2(_SIZE_OF_BASE_PIXEL / (4 * reach)), 0, _SOURCE_ID_ORDER))
    lon = Longitude(np.arctan2(vectors[:, 1], vectors[:, 0]), "rad")
    lat = Latitude(np.arctan2(vectors[:, 2], np.hypot(vectors[:, 0], vectors[:, 1])), "rad")
    return MOC.from_lonlat(lon, lat, max_norder=order).add_neighbours()


def _area_of_ids(ids: np.ndarray, order: int = 9) -> Any:
    """Pixels that our source_ids name, and their neighbours: a star may lie a little beside the pixel in its name."""
    from mocpy import MOC

    pixels = np.unique(ids[ids >= 0] >> (_SOURCE_ID_SHIFT + 2 * (_SOURCE_ID_ORDER - order)))
    depth = np.full(len(pixels), order, dtype=np.uint8)
    return MOC.from_healpix_cells(pixels.astype(np.uint64), depth, order).add_neighbours()
