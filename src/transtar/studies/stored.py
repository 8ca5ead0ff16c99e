"""What is kept of a run: its predictions for the stars judged on, for the rest of the pool, and for the plane; its model."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..datasets import PreparedSet, usable
from ..errors import InputError, shown
from ..files import atomic_path
from ..models import Estimator
from ..tables.parquet import read_bounded
from ..telling import tell
from .job import Job
from .rows import in_both_surveys, load_set, with_parts

SEAL, REMEDY = "transtar-sha256", "delete it and run the same command again"


def run_file(job: Job, runs: str | Path) -> Path:
    """Where a run keeps what it predicted."""
    return Path(runs) / f"{job.key}.parquet"


def rest_file(job: Job, runs: str | Path) -> Path:
    """Where a run keeps what it predicted for stars of the pool that it has not learnt from."""
    return Path(runs) / f"{job.key}-rest.parquet"


def plane_file(job: Job, runs: str | Path) -> Path:
    """Where a run keeps what it predicted for the stars of the plane."""
    return Path(runs) / f"{job.key}-plane.parquet"


def is_done(job: Job, runs: str | Path) -> bool:
    """Whether all that is to be kept of a run is there."""
    files = [run_file(job, runs)]
    files += [plane_file(job, runs)] if job.plane else []
    files += [rest_file(job, runs)] if job.rest else []
    files += [Path(job.saved) / "config.json"] if job.saved else []
    return all(path.is_file() for path in files)


def store_run(
    job: Job, runs: str, model: Estimator, target: PreparedSet, rest: np.ndarray, tables: list[pa.Table]
) -> None:
    """Write all that is kept of a run; `rest` are rows of the pool that it has not learnt from."""
    if job.saved:
        model.save(job.saved)
    if job.plane:
        _write(_plane_table(job, model), plane_file(job, runs))
    if job.rest:
        _write(predictions(job, model, target, rest, len(rest)).drop_columns(["n_train"]), rest_file(job, runs))
    # Last, because this file says that the run is done.
    _write(pa.concat_tables(tables), run_file(job, runs))


def _write(table: pa.Table, path: Path) -> None:
    with atomic_path(path, ours=True) as temporary:
        sealed = table.replace_schema_metadata({SEAL: _sum_of(table)})
        pq.write_table(sealed, temporary, write_page_checksum=True)


def _read(path: Path) -> dict[str, np.ndarray]:
    """Columns of what was kept of a run, if they are as they were written.

    Raises
    ------
    InputError
    """
    try:
        table = read_bounded(path)
        columns = {name: table.column(name).to_numpy(zero_copy_only=False) for name in table.column_names}
        # transtar 0.1.0 wrote no metadata at all, so that a damaged seal is no old file.
        sealed = bool(table.schema.metadata)
        intact = not sealed or table.schema.metadata.get(SEAL.encode()) == _sum_of(table).encode()
    except (InputError, KeyError, ValueError, TypeError, pa.ArrowException) as error:
        raise InputError(f"{path}: damaged ({shown(error, 200)}); {REMEDY}") from None
    if not intact:
        raise InputError(f"{path}: damaged, or of another version (its checksum does not fit its content); {REMEDY}")
    if not sealed:
        tell(f"{path}: a run of an older transtar, without a checksum; deleted and run again it has one")
    return columns


def _sum_of(table: pa.Table) -> str:
    """SHA-256 of names, types and values of a table, for pages have checksums but what describes them has none."""
    digest = hashlib.sha256()
    for name, column in zip(table.column_names, table.columns, strict=True):
        values = column.to_pylist() if pa.types.is_string(column.type) else column.to_numpy().tobytes().hex()
        digest.update(json.dumps([name, str(column.type), len(column), values]).encode())
    return digest.hexdigest()


def predictions(job: Job, model, prepared: PreparedSet, rows: np.ndarray, n_train: int) -> pa.Table:
    """Predictions for some rows of a set, one line for each label: columns `target`, `label`, `row`, `predicted`, `n_train`."""
    predicted = model.predict(prepared.input(model.input, model.encoders)[rows])
    survey = prepared.survey
    tables = [
        pa.table(
            {
                "target": np.full(len(rows), survey).astype(object),
                "label": np.full(len(rows), label).astype(object),
                "row": rows.astype(np.int64),
                "predicted": predicted[:, number].astype(np.float64),
                "n_train": np.full(len(rows), n_train, np.int64),
            }
        )
        for number, label in enumerate(job.labels)
    ]
    return pa.concat_tables(tables)


def _plane_table(job: Job, model: Estimator) -> pa.Table:
    """Predictions for all usable rows of the set: columns `row` and the labels of the model."""
    prepared = with_parts(load_set(job.plane), job.parts)
    rows = np.flatnonzero(usable(prepared))
    predicted = model.predict(prepared.input(model.input, model.encoders)[rows])
    columns = {label: predicted[:, number].astype(np.float64) for number, label in enumerate(job.labels)}
    return pa.table({"row": rows.astype(np.int64), **columns})


def read_run(job: Job, runs: str | Path) -> dict[str, np.ndarray]:
    """What a run predicted: columns `target`, `label`, `row`, `predicted`, `n_train`."""
    return _read(run_file(job, runs))


def read_rest(job: Job, runs: str | Path) -> dict[str, np.ndarray]:
    """What a run predicted for stars of the pool that neither it nor its pre-training has learnt from.

    Columns `target`, `label`, `row`, `predicted`.
    """
    columns = _read(rest_file(job, runs))
    unknown = ~in_both_surveys(job.target, job.source)[columns["row"]]
    return {name: values[unknown] for name, values in columns.items()}


def read_plane(job: Job, runs: str | Path) -> dict[str, np.ndarray]:
    """What a run predicted for the stars of the plane: `row` and the labels of its model."""
    return _read(plane_file(job, runs))
