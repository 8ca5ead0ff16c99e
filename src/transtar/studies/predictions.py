"""What runs predicted, star by star: `predictions.parquet` on disk, one `Predicted` for each run and label in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..datasets import PreparedSet
from ..errors import InputError
from ..evaluate import Results
from ..files import atomic_path
from ..tables.parquet import read_bounded

REGIME_LABELS = ("teff", "logg", "feh")
"""Reference labels that tell kinds of stars apart, kept beside that of the label itself."""

_TEXT = ("target", "label", "strategy", "variant", "source", "input", "model", "split")
_WHOLE = ("n_finetune", "seed", "n_train")
RUN = (*_TEXT, *_WHOLE)
"""Columns of predictions.parquet that are the same for all stars of a run."""

_FIRST_VERSION = {
    "file", "id", "target", "label", "strategy", "n_finetune", "seed", "variant", "predicted", "reference",
}  # fmt: skip

IN_RESULTS = ("source", "target", "label", "input", "strategy", "n_finetune", "seed", "split", "variant")
"""Those of them by which a run is known in results.csv, too."""


@dataclass(frozen=True, eq=False)
class Predicted:
    """What one run predicted of one label.

    Parameters
    ----------
    source, target, label, input, strategy : str
        As in results.csv.
    n_finetune, seed, n_train : int
    split, variant : str
    model : str
        Name of the model in the study.
    row : ndarray, shape (n,), int64
        Row of each star in the prepared set of the target.
    predicted : ndarray, shape (n,), float64
    reference : mapping of str to ndarray, shape (n,), float64
        Reference labels: that of `label`, and those of `REGIME_LABELS` that the survey has; NaN where missing.
    """

    source: str
    target: str
    label: str
    input: str
    strategy: str
    n_finetune: int
    seed: int
    n_train: int
    split: str
    variant: str
    model: str
    row: np.ndarray
    predicted: np.ndarray
    reference: Mapping[str, np.ndarray]


def select(predictions: Iterable[Predicted], **wanted: Any) -> list[Predicted]:
    """Those whose attributes have the values wanted; a tuple, list or set of values means any of them."""
    sets = {name: value if isinstance(value, tuple | list | set) else (value,) for name, value in wanted.items()}
    return [one for one in predictions if all(getattr(one, name) in values for name, values in sets.items())]


def to_table(one: Predicted, prepared: PreparedSet) -> pa.Table:
    """Rows of predictions.parquet, one for each star of a run, with its file and id in the set of the target."""
    n, columns = len(one.row), prepared.columns
    whole = {name: np.full(n, getattr(one, name), np.int64) for name in _WHOLE}
    text = {name: pa.repeat(pa.scalar(getattr(one, name), pa.string()), n) for name in _TEXT}
    labels = {
        f"reference_{name}": pa.array(one.reference[name]) if name in one.reference else pa.nulls(n, pa.float64())
        for name in REGIME_LABELS
    }
    stars = {"file": columns["file"][one.row].astype(object), "id": columns["id"][one.row]}
    run = text | whole
    values = {"predicted": one.predicted, "reference": one.reference[one.label]}
    # The first ten columns are those of the first version, in its order.
    first = {name: run[name] for name in ("target", "label", "strategy", "n_finetune", "seed", "variant")}
    return pa.table(stars | first | values | run | {"row": one.row.astype(np.int64)} | labels)


def write_stars(tables: Iterable[pa.Table], path: Path) -> None:
    """Write tables below each other as one parquet file.

    Raises
    ------
    TranstarError
        If the disk is full; an older file stays.
    """
    with atomic_path(path) as temporary:
        pq.write_table(pa.concat_tables(tables), temporary, compression="zstd", write_page_checksum=True)


def read_stars(path: Path) -> pa.Table | None:
    """A table that `write_stars` wrote; None where there is none.

    Raises
    ------
    InputError
        If it is damaged.
    """
    if not path.is_file():
        return None
    try:
        return read_bounded(path)
    except (InputError, ValueError, TypeError, pa.ArrowException) as error:
        raise InputError(f"{path}: damaged ({error}); delete it and run the study again") from None


def read_predictions(path: Path) -> list[Predicted] | None:
    """Read predictions, run by run in the order in which they were written.

    Returns
    -------
    list of Predicted, or None
        None where there are none, or only those of version 0.1.0, which did not keep all that is needed.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    table = read_stars(path)
    if table is None or set(table.column_names) == _FIRST_VERSION:
        return None
    absent = sorted(set(_types()) - set(table.column_names))
    if absent:
        raise InputError(f"{path}: no column {', '.join(absent)}; delete it and run the study again")
    try:
        table = pa.table({name: table[name].cast(kind) for name, kind in _types().items()})
    except pa.ArrowException as error:
        raise InputError(f"{path}: damaged ({error}); delete it and run the study again") from None
    empty = [name for name in ("row", *RUN) if table[name].null_count]
    if empty:
        raise InputError(f"{path}: damaged ({empty[0]} has no value in some rows); delete it and run the study again")
    return [_predicted(table.slice(start, stop - start)) for start, stop in _runs(table)]


def _types() -> dict[str, pa.DataType]:
    """Columns that are read, and their types."""
    numbers = ("predicted", "reference", *(f"reference_{name}" for name in REGIME_LABELS))
    return (
        dict.fromkeys(_TEXT, pa.string())
        | dict.fromkeys((*_WHOLE, "row"), pa.int64())
        | dict.fromkeys(numbers, pa.float64())
    )


def _runs(table: pa.Table) -> list[tuple[int, int]]:
    """First row of each run, and the row after its last."""
    if not table.num_rows:
        return []
    new = np.zeros(table.num_rows, bool)
    new[0] = True
    for name in RUN:
        column = table[name].combine_chunks()
        codes = column.dictionary_encode().indices if name in _TEXT else column
        new[1:] |= np.diff(codes.to_numpy()) != 0
    starts = np.flatnonzero(new).tolist()
    return list(zip(starts, [*starts[1:], table.num_rows], strict=True))


def _predicted(rows: pa.Table) -> Predicted:
    run = {name: rows[name][0].as_py() for name in RUN}
    columns = {f"reference_{name}": name for name in REGIME_LABELS}
    known = [column for column in columns if rows[column].null_count < len(rows)]
    reference = {columns[column]: rows[column].to_numpy() for column in known}
    reference[run["label"]] = rows["reference"].to_numpy()
    return Predicted(**run, row=rows["row"].to_numpy(), predicted=rows["predicted"].to_numpy(), reference=reference)


def of_results(predictions: Iterable[Predicted], results: Results) -> list[Predicted]:
    """Predictions of the runs that stand in a table of results; those of any other are left out."""
    known = {tuple(row[name] for name in IN_RESULTS) for row in results.select(regime="all")}
    return [one for one in predictions if tuple(getattr(one, name) for name in IN_RESULTS) in known]
