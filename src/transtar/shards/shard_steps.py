"""The steps of a run that are the same whatever it makes: list, do, note, and look after status and log meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor

from ..telling import tell
from .execution import execute
from .shard_folder import ShardFolder
from .shard_record import DONE, ShardRecord
from .status import EVERY, RunLog, write_status
from .tasks import ROWS, Source, Task
from .work import Job

Progress = Callable[[int, int, int], None]
"""Called with spectra done by this call, files done and files of the part."""


def do_shards(
    folder: ShardFolder,
    list_now: Callable[[], Sequence[Source]],
    job: Job,
    *,
    workers: int,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> list[Task]:
    """Make what is missing of a part of a run.

    Parameters
    ----------
    folder : ShardFolder
        Entered here.
    list_now, job, workers, executor
        As in `ShardFolder.begin` and `execute`.
    progress : callable, optional

    Returns
    -------
    list of Task
        That were left to do, and are done or failed now.
    """
    with folder, RunLog(folder.path, str(folder.part)) as log:
        tasks = folder.begin(list_now)
        n_files = sum(len(task.sources) for task in folder.part.of(folder.tasks))
        n_left = sum(len(task.sources) for task in tasks)
        of_files = "" if ROWS in folder.what else f", {n_left} of {n_files} files"
        log.note(f"begins: {len(tasks)} shards to make{of_files}, {workers} workers of {job.threads} threads")
        watch = _Watch(
            folder, log, progress, executor is None and (workers == 1 or len(tasks) < 2), n_files, n_files - n_left
        )
        try:
            watch.show()
            execute(job, tasks, watch.on_done, workers=workers, executor=executor)
        finally:
            write_status(folder.path, folder.tasks, folder.all_records())
            folder.finish()
        done = [record for record in folder.all_records() if record.state == DONE]
        log.note(f"{len(done)} of {len(folder.tasks)} shards are done, {sum(record.n for record in done)} rows")
    return tasks


class _Watch:
    """Looks after records as they come."""

    def __init__(
        self, folder: ShardFolder, log: RunLog, progress: Progress | None, here: bool, n_files: int, done: int
    ):
        self.folder, self.log, self.progress, self.here = folder, log, progress, here
        self.n_files, self.files, self.spectra = n_files, done, 0
        self.written, self.every = time.monotonic(), EVERY

    def show(self) -> None:
        if self.progress is not None:
            self.progress(self.spectra, self.files, self.n_files)

    def on_done(self, record: ShardRecord) -> None:
        self.folder.records[record.number] = record
        if not self.here:
            for line in record.told:
                tell(line)
        counted_files = "1 file" if len(record.files) == 1 else f"{len(record.files)} files"
        self.log.note(
            f"shard {record.number}: {record.n} rows of {counted_files} in {record.seconds:.1f} s"
            if record.state == DONE
            else f"shard {record.number} failed: {record.message}"
        )
        self.spectra += record.n
        self.files += len(record.files)
        self.show()
        now = time.monotonic()
        if now - self.written > self.every:
            write_status(self.folder.path, self.folder.tasks, self.folder.all_records())
            self.written = time.monotonic()
            self.every = max(EVERY, 20 * (self.written - now))
