"""trained_on.parquet: the stars that a model or an encoder has seen, beside its weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import InputError, SettingsError, shown
from .cells import to_text
from .parquet import read_bounded

TRAINED_ON = "trained_on.parquet"
"""Name of the file."""

TRAINED_ON_COLUMNS = {"survey": "str", "id": "int64", "file": "str", "star": "str", "role": "str"}
"""Its columns; ``role`` is 'train' or 'validation', or 'encoder' where the encoder of a model's input saw the star."""

_TYPES = {"str": pa.string(), "int64": pa.int64()}


def check_trained_on(columns: Mapping[str, np.ndarray], what: str) -> None:
    """Refuse what does not say which stars were seen.

    Parameters
    ----------
    columns : mapping of str to ndarray, shape (n,)
        Empty where no real star decided anything.
    what : str
        Whose stars they are, for the message.

    Raises
    ------
    SettingsError
        If there are other columns than `TRAINED_ON_COLUMNS`, of which `role` may be missing, they differ in length, or ids are
        not int64.
    """
    if not columns:
        return
    lengths = {len(column) for column in columns.values()}
    if set(columns) | {"role"} != set(TRAINED_ON_COLUMNS) or len(lengths) > 1:
        raise SettingsError(
            f"{what}: trained_on must have the columns {', '.join(TRAINED_ON_COLUMNS)} of one length, not "
            f"{shown(', '.join(map(str, columns)), 200)} of {shown(sorted(lengths))}"
        )
    if np.asarray(columns["id"]).dtype != np.int64:
        raise SettingsError(f"{what}: trained_on: ids must be int64, not {np.asarray(columns['id']).dtype}")


def write_trained_on(columns: Mapping[str, np.ndarray], path: Path) -> None:
    """Write it.

    Parameters
    ----------
    columns : mapping of str to ndarray, shape (n,)
        `TRAINED_ON_COLUMNS`, of which `role` may be missing, or nothing.
    path : path
    """
    blank = np.full(len(columns["id"]) if columns else 0, "")
    arrays = {
        name: pa.array(np.asarray(columns.get(name, blank)).tolist() if columns else [], type=_TYPES[kind])
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
