"""One catalog of the shards of a run: rows in the order of the files, and which are of one star, told over all of them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from ..datasets import Repeats
from ..errors import InputError
from ..files import check_files
from ..flags import Flag, count
from ..glossary import COLUMNS, Column
from ..seal import check_file
from ..shards import ShardRecord, plan_tasks, read_manifest
from ..shards.shard_folder import SHARDS, read_sources
from ..shards.shard_record import DONE, read_record
from ..telling import tell
from .calibrated import read_calibration, with_calibrated
from .catalog_columns import METADATA_KEY, as_numpy
from .writers import CatalogWriter, check_suffix

BATCH = 65536

REMEDY = "delete it, and give the command of the run again: it is made again"


@dataclass
class Merged:
    """What became one catalog.

    Parameters
    ----------
    n : int
        Rows.
    n_shards, n_missing : int
    flags : dict of str to int
    skipped : list of (str, str)
        Files that could not be used, and why.
    described : list of transtar.glossary.Column
        Its columns.
    metadata : dict
        What it says of itself.
    """

    n: int = 0
    n_shards: int = 0
    n_missing: int = 0
    flags: dict[str, int] = field(default_factory=dict)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    described: list[Column] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)


def merge_shards(
    folder: str | os.PathLike,
    out: str | os.PathLike,
    *,
    partial: bool = False,
    style: str = "transtar",
    calibration: str | os.PathLike | None = None,
    command: str | None = None,
) -> Merged:
    """Write one catalog of all shards of a run.

    Memory is bounded, whatever the number of rows: of each star 8 bytes are kept, to tell repeats.

    Parameters
    ----------
    folder : path
        As `predict_survey` writes it.
    out : path
        Catalog, as of `predict_files`.
    partial : bool
        Whether shards may be missing; their number is told.
    style, calibration
        As of `predict_files`.
    command : str, optional
        The command line, for the catalog.

    Returns
    -------
    Merged

    Raises
    ------
    InputError
        If the folder is none, shards are missing, damaged or not of this run, or none has a row.
    """
    folder = Path(folder)
    check_suffix(out)
    check_files([out], [folder])
    by, about = read_calibration(calibration)
    manifest = read_manifest(folder)
    tasks = plan_tasks(read_sources(folder, manifest), manifest["what"])
    records = [read_record(folder / SHARDS / f"{task.number:06d}.json") for task in tasks]
    done = [record for record in records if record is not None and record.state == DONE]
    result = Merged(n_shards=len(done), n_missing=len(tasks) - len(done))
    if result.n_missing:
        what = f"{folder}: {result.n_missing} of {len(tasks)} shards are not made"
        if not partial:
            raise InputError(f"{what}; give the command of the run again, or merge what there is with --partial")
        tell(f"{what}: the catalog lacks their rows")
    for record in done:
        result.skipped += [(one.path, one.message) for one in record.files if one.state != DONE]
    paths = [folder / SHARDS / f"{record.number:06d}{manifest['suffix']}" for record in done]
    for record, path in zip(done, paths, strict=True):
        check_file(path, record.hash, REMEDY)
    full = [path for record, path in zip(done, paths, strict=True) if record.n]
    if not full:
        raise InputError(f"{folder}: no shard has a row, so there is nothing to merge")
    examples = _examples(full)
    metadata = _metadata(full[0]) | _about_merging(command) | about | {"run": _about_run(manifest, done, tasks)}
    result.metadata = metadata
    repeats = Repeats()

    def marked(columns: dict[str, np.ndarray], mark) -> dict[str, np.ndarray]:
        columns["flags"] = columns["flags"] | np.where(mark(columns), np.int32(Flag.DUPLICATE), np.int32(0))
        return columns

    with CatalogWriter(out, metadata, style=style) as catalog:
        for columns in _rows(full, examples):
            catalog.append(with_calibrated(marked(columns, repeats.mark), by, str(folder)))
            result.n += len(columns["flags"])
            for name, n in count(columns["flags"]).items():
                result.flags[name] = result.flags.get(name, 0) + n
        if repeats.came_again:
            late = [0]

            def revise(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
                before = int(np.count_nonzero(columns["flags"] & Flag.DUPLICATE))
                columns = marked(columns, repeats.mark_late)
                late[0] += int(np.count_nonzero(columns["flags"] & Flag.DUPLICATE)) - before
                return columns

            catalog.revise(revise)
    result.described = list(catalog.columns)
    if repeats.came_again:
        result.flags[str(Flag.DUPLICATE.name)] = result.flags.get(str(Flag.DUPLICATE.name), 0) + late[0]
    return result


def _examples(paths: list[Path]) -> dict[str, np.ndarray]:
    """No row of each column that any shard has, in their order: files of one run may have further columns."""
    examples: dict[str, np.ndarray] = {}
    for path in paths:
        for name, column in zip(*_empty(path), strict=True):
            examples.setdefault(name, column)
    # Flags end the table, also where the first shard lacks a column.
    return {name: examples[name] for name in (*(name for name in examples if name != "flags"), "flags")}


def _empty(path: Path) -> tuple[list[str], list[np.ndarray]]:
    table = pq.read_schema(path).empty_table()
    return table.column_names, [as_numpy(table[name].combine_chunks()) for name in table.column_names]


def _rows(paths: list[Path], examples: Mapping[str, np.ndarray]) -> Iterator[dict[str, np.ndarray]]:
    for path in paths:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=BATCH):
                columns = {name: as_numpy(batch.column(name)) for name in batch.schema.names}
                yield {
                    name: columns[name]
                    if name in columns
                    else np.full(batch.num_rows, _filler(name, example), example.dtype)
                    for name, example in examples.items()
                }


def _filler(name: str, example: np.ndarray) -> Any:
    kind = {"str": "U"}.get(COLUMNS[name].dtype, COLUMNS[name].dtype[0]) if name in COLUMNS else example.dtype.kind
    return {"f": np.nan, "i": -1, "u": 0, "b": False}.get(kind, "")


def _metadata(path: Path) -> dict[str, Any]:
    return json.loads((pq.read_schema(path).metadata or {}).get(METADATA_KEY, b"{}"))


def _about_merging(command: str | None) -> dict[str, str]:
    now = {"written": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
    return now if command is None else now | {"command": command}


def _about_run(manifest: Mapping[str, Any], done: list[ShardRecord], tasks: list) -> dict[str, Any]:
    """What the catalog says of the run: settings, and the list of its files by hash."""
    return {
        **manifest["what"],
        "n_files": len({one.path for task in tasks for one in task.sources}),
        "inputs_sha256": manifest["inputs"]["sha256"],
        "shards": len(tasks),
        "shards_done": len(done),
    }
