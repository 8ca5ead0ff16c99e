"""What a worker does with a task: threads as allowed, the work, hashes, and the record, which comes last."""

from __future__ import annotations

import hashlib
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from ..checks import MOST_WORKERS, check_whole
from ..errors import InputError
from ..files import write_json
from ..processes import limit_threads, usable_cpus, usable_threads
from ..seal import file_hash
from ..telling import LOGGER
from .shard_record import DONE, FAILED, FileState, ShardRecord
from .tasks import Source, Task

HEAD = 1 << 16
"""Bytes of which the sum of a file's head is taken: the primary header of a FITS file, and more."""


@dataclass(frozen=True)
class Outcome:
    """What the work on a task has come to.

    Parameters
    ----------
    n : int
        Rows of the shard.
    rows : mapping of str to int
        Rows by path.
    failed : mapping of str to str
        By path, why a file could not be used.
    about : dict
        Further plain data for the record.
    """

    n: int
    rows: Mapping[str, int]
    failed: Mapping[str, str]
    about: dict[str, Any] = field(default_factory=dict)


def plan_key(plan: Any) -> str:
    """Of a dataclass of settings, the same for all copies that pickling makes: by it a process knows what it has loaded."""
    return hashlib.sha256(repr(vars(plan)).encode("utf-8", "surrogateescape")).hexdigest()


def share_out(workers: int | None, threads: int | None) -> tuple[int, int]:
    """Workers, and threads of each: all processors if nothing is said, and their quotient.

    Raises
    ------
    SettingsError
        If there are to be none, or far too many.
    """
    workers = usable_cpus() if workers is None else check_whole(workers, "workers", 1, MOST_WORKERS)
    if threads is None:
        return workers, min(max(usable_cpus() // workers, 1), usable_threads())
    return workers, check_whole(threads, "threads", 1, MOST_WORKERS)


@dataclass(frozen=True)
class Job:
    """All that a worker needs to know beside the task.

    Parameters
    ----------
    work : callable
        A function of a module, so that processes can be sent its name: given `plan`, task and the path of the shard, which it
        writes atomically, it returns an `Outcome`.
    plan : object
        That can be pickled.
    folder : Path
        Of the shards.
    suffix : str
        Of their names.
    threads : int
        Of each worker.
    hash_inputs : bool
        Take the SHA-256 of whole files, too.
    """

    work: Callable[[Any, Task, Path], Outcome]
    plan: Any
    folder: Path
    suffix: str = ".parquet"
    threads: int = 1
    hash_inputs: bool = False


_ONE = Lock()
"""Of a process whose threads are given several tasks, as those of Dask are: models and lists of stars are shared by them."""


def rows_by_path(rows: Mapping[str, int], task: Task) -> dict[str, int]:
    """Rows by path, from counts by the names of files; -1 where a task has two files of one name."""
    names = Counter(Path(one.path).name for one in task.sources)
    paths = {one.path: Path(one.path).name for one in task.sources}
    return {path: rows.get(name, 0) if names[name] == 1 else -1 for path, name in paths.items()}


class ChangedError(InputError):
    """A file was written to while it was read."""


def do_task(job: Job, task: Task) -> ShardRecord:
    """Do a task: write its shard, then its record.

    Raises
    ------
    ChangedError
        If a file changed meanwhile.
    TranstarError, OSError, MemoryError
        As the work raises them.
    """
    with _ONE:
        return _do_task(job, task)


def _do_task(job: Job, task: Task) -> ShardRecord:
    limit_threads(job.threads)
    shard = job.folder / f"{task.number:06d}{job.suffix}"
    start = time.monotonic()
    before = [Source.of(one.path) for one in task.sources]
    heads = [_head(one.path) for one in task.sources]
    with listening() as told:
        outcome = job.work(job.plan, task, shard)
    for one in before:
        if Source.of(one.path) != one:
            raise ChangedError(f"{one.path}: changed while it was read")
    files = tuple(
        FileState(
            one.path, one.size, one.time, FAILED if one.path in outcome.failed else DONE, int(outcome.rows.get(one.path, 0)),
            outcome.failed.get(one.path, ""), head, _whole(one.path) if job.hash_inputs else "",
        )
        for one, head in zip(before, heads, strict=True)
    )  # fmt: skip
    record = ShardRecord(
        task.number, DONE, files, outcome.n, round(time.monotonic() - start, 3), shard.stat().st_size, file_hash(shard),
        about=outcome.about, told=tuple(dict.fromkeys(told)),
    )  # fmt: skip
    write_json(shard.with_suffix(".json"), record.to_dict(), ours=True)
    return record


def failed_task(job: Job, task: Task, why: str) -> ShardRecord:
    """Record that a task could not be done; the same command tries it again."""
    files = tuple(FileState(one.path, one.size, one.time, FAILED, message=why) for one in task.sources)
    record = ShardRecord(task.number, FAILED, files, message=why)
    write_json(job.folder / f"{task.number:06d}.json", record.to_dict(), ours=True)
    return record


def _head(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read(HEAD)).hexdigest()
    except OSError:
        return ""


def _whole(path: str) -> str:
    try:
        return file_hash(Path(path))
    except (InputError, OSError):
        return ""


class _Listener(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@contextmanager
def listening() -> Iterator[list[str]]:
    """Keep what is told inside the block, as a list of lines."""
    listener = _Listener()
    LOGGER.addHandler(listener)
    try:
        yield listener.lines
    finally:
        LOGGER.removeHandler(listener)
