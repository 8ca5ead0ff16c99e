"""Catalogs as HATS, parquet by pixel of the sky, which LSDB (the extra `hats`) joins with Gaia and others of any size.

Source: HATS, https://www.ivoa.net/documents/Notes/HATS/; LSDB, https://docs.lsdb.io.
"""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from ..errors import InputError, missing_package
from ..files import atomic_folder
from ..telling import tell
from .catalog_columns import arrow_schema, check_columns, columns_of, to_arrow
from .readers import read_columns, read_metadata
from .writers import SUFFIXES

PARTITION_ROWS = 1_000_000
"""Rows of a partition at most: some 100 MB in memory."""

_COMMON = "dataset/_common_metadata"


def write_hats(catalog: str | os.PathLike, out: str | os.PathLike, partition_rows: int = PARTITION_ROWS) -> int:
    """Write a catalog as a folder of HATS, by its `ra` and `dec`.

    Parameters
    ----------
    catalog : path
        A table that transtar wrote, or any other with `ra` and `dec`; it must fit into memory.
    out : path
        Folder, new.
    partition_rows : int
        Rows of a partition at most.

    Returns
    -------
    int
        Rows written. Those without a position have no place on the sky: they are told, and left out.

    Raises
    ------
    InputError
        If the catalog cannot be read, has no positions, or something stands at `out`.
    TranstarError
        If LSDB is not installed, or the disk is full.

    Examples
    --------
    >>> from transtar.catalog import write_hats
    >>> write_hats("catalog.parquet", "catalog.hats")  # doctest: +SKIP
    """
    try:
        import lsdb
        import pandas as pd
    except ImportError:
        raise missing_package("lsdb", "hats") from None
    if Path(out).exists():
        raise InputError(f"{out}: exists already; name a new folder")
    where = str(catalog)
    columns = check_columns(read_columns(catalog), where)
    if not {"ra", "dec"} <= set(columns):
        raise InputError(f"{where}: has no columns ra and dec, by which HATS puts rows into pixels of the sky")
    placed = np.isfinite(columns["ra"]) & np.isfinite(columns["dec"])
    if not placed.any():
        raise InputError(f"{where}: no row has a position, by which HATS puts rows into pixels of the sky")
    if n_lost := int((~placed).sum()):
        tell(f"{where}: {n_lost:,} of {len(placed):,} rows have no position and are not in {out}")
    metadata = read_metadata(catalog) if Path(catalog).suffix.lower() in SUFFIXES else {}
    described = columns_of(columns)
    schema = arrow_schema(described, metadata)
    table = to_arrow({name: values[placed] for name, values in columns.items()}, schema, where)
    with warnings.catch_warnings(), atomic_folder(out) as folder:
        # LSDB calls what pandas will do otherwise one day.
        warnings.simplefilter("ignore")
        frame = table.to_pandas(types_mapper=pd.ArrowDtype)
        sky = lsdb.from_dataframe(frame, ra_column="ra", dec_column="dec", catalog_name=Path(out).stem,
                                  partition_rows=partition_rows, margin_threshold=None, should_generate_moc=False)  # fmt: skip
        sky.write_catalog(folder, as_collection=False, overwrite=True, progress_bar=False,
                          addl_hats_properties={"transtar": json.dumps(metadata)})  # fmt: skip
        # Units and descriptions, which LSDB does not carry over.
        plain = pq.read_schema(folder / _COMMON)
        for field in schema:
            place = plain.get_field_index(field.name)
            plain = plain.set(place, plain.field(place).with_metadata(field.metadata))
        pq.write_metadata(plain, folder / _COMMON)
    return int(placed.sum())
