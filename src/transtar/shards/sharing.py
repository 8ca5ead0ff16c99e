"""How a set is made in shards by several processes or jobs, and what is left of its shards in the end."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from .shard_folder import ShardFolder
from .shard_record import FAILED
from .tasks import Part


@dataclass(frozen=True)
class Shards:
    """How something is made in shards.

    Parameters
    ----------
    part : Part, optional
    workers, threads : int, optional
    executor : Executor, optional
    hash_inputs : bool
    progress : callable, optional
        As in `transtar.catalog.predict_survey`.
    """

    part: Part | None = None
    workers: int | None = None
    threads: int | None = None
    executor: Executor | None = None
    hash_inputs: bool = False
    progress: Callable[[int, int, int], None] | None = None


def remove_shards(folder: ShardFolder) -> None:
    """Delete the folder of shards, if nothing else lies in it."""
    known = {"shards", "manifest.json", "inputs.parquet", "status.csv", "log.txt"}
    if all(entry.name in known or entry.name.startswith(".lock") for entry in folder.path.iterdir()):
        shutil.rmtree(folder.path, ignore_errors=True)


def require_done(folder: ShardFolder, out: Path) -> str:
    """What is to be told of a set that lacks shards; '' if it lacks none.

    Raises
    ------
    InputError
        If shards could not be made.
    """
    records = folder.all_records()
    if failed := [record for record in records if record.state == FAILED]:
        raise InputError(
            f"{out}: {len(failed)} shards could not be made, the first: {failed[0].message}; the same command tries them again"
        )
    missing = len(folder.tasks) - len(records)
    if not missing:
        return ""
    return f"{out}: {missing} of {len(folder.tasks)} shards are left to other parts; the last of them makes the set"
