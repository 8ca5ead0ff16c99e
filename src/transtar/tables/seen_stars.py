"""trained_on.parquet: the stars that a model or an encoder has seen, beside its weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import InputError, shown
from .cells import to_text
from .parquet import read_bounded

TRAINED_ON = "trained_on.parquet"
"""Name of the file."""

TRAINED_ON_COLUMNS = {"survey": "str", "id": "int64", "file": "str", "star": "str", "role": "str"}
"""Its columns; ``role`` is 'train' or 'validation', or 'encoder' where the encoder of a model's input saw the star."""

_TYPES = {"str": pa.string(), "int64": pa.int64()}


def write_trained_on(columns: Mapping[str, np.ndarray], path: Path) -> None:
    """Write it.

    Parameters
    ----------
    columns : mapping of str to ndarray, shape (n,)
        `TRAINED_ON_COLUMNS`, or nothing.
    path : path
    """
    arrays = {
        name: pa.array(np.asarray(columns[name]).tolist() if columns else [], type=_TYPES[kind])
        for name, kind in TRAINED_ON_COLUMNS.items()
    }
    pq.write_table(pa.table(arrays), path, compression="zstd", write_page_checksum=True)


def read_trained_on(path: Path, remedy: str) -> dict[str, np.ndarray]:
    """Read it.

    Parameters
    ----------
    path : path
    remedy : str
        What to do where it is damaged, for the message.

    Returns
    -------
    dict of str to ndarray, shape (n,)

    Raises
    ------
    InputError
        If it has other columns, or gaps.
    """
    table = read_bounded(path, list(TRAINED_ON_COLUMNS))
    if table.column_names != list(TRAINED_ON_COLUMNS):
        raise InputError(f"{path}: has columns {shown(table.column_names, 300)}, expected {list(TRAINED_ON_COLUMNS)}")
    for name, kind in TRAINED_ON_COLUMNS.items():
        column = table.column(name)
        if column.type != _TYPES[kind] or column.null_count:
            raise InputError(f"{path}: column {name} must be {kind} without gaps, not {shown(column.type)}; {remedy}")
    return {
        name: to_text(table.column(name), f"{path}: column {name}") if kind == "str" else table.column(name).to_numpy()
        for name, kind in TRAINED_ON_COLUMNS.items()
    }
