"""Handing tasks to an executor: a few under way for each worker, one more try for what died, and nothing lost at an end.

Any `concurrent.futures.Executor` will do. Without one there are processes, begun anew when one of them dies; with one worker the
tasks are done here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from multiprocessing import get_context

from ..errors import TranstarError, said
from ..processes import start_worker, stop
from .shard_record import ShardRecord
from .tasks import Task
from .work import ChangedError, Job, do_task, failed_task

MOST_TRIES = 2
"""Of a task whose worker dies, or that fails by what is no fault of its files."""

UNDER_WAY = 4
"""Tasks for each worker that are with the executor at a time: enough that none waits, few enough that an end loses little."""


def execute(
    job: Job,
    tasks: Iterable[Task],
    on_done: Callable[[ShardRecord], None],
    *,
    workers: int = 1,
    executor: Executor | None = None,
) -> None:
    """Do all tasks.

    Parameters
    ----------
    job : Job
    tasks : iterable of Task
    on_done : callable
        Called with the record of each task, done or failed, in the order in which they end.
    workers : int
        Processes, or, of an executor that is given, how many workers it has.
    executor : Executor, optional
        It stays open.

    Raises
    ------
    TranstarError
        What hinders all tasks: a full disk, another model under the same name. What is done is kept.
    """
    waiting = deque((task, 1) for task in tasks)
    if executor is not None:
        _hand_out(job, waiting, on_done, workers, executor)
    elif workers == 1 or len(waiting) < 2:
        _one_by_one(job, waiting, on_done)
    else:
        _in_processes(job, waiting, on_done, min(workers, len(waiting)))


Waiting = deque[tuple[Task, int]]
OnDone = Callable[[ShardRecord], None]


def _one_by_one(job: Job, waiting: Waiting, on_done: OnDone) -> None:
    while waiting:
        task, tries = waiting.popleft()
        try:
            on_done(do_task(job, task))
        except Exception as error:
            _again(job, waiting, on_done, task, tries, error)


def _in_processes(job: Job, waiting: Waiting, on_done: OnDone, workers: int) -> None:
    """In a pool of our own; a process that dies takes the pool with it, and those under way are told apart one by one."""
    while waiting:
        with _pool(workers) as pool:
            suspects = _hand_out(job, waiting, on_done, workers, pool, breaks=True)
        for task, tries in suspects:
            with _pool(1) as pool:
                alone: Waiting = deque([(task, tries)])
                if _hand_out(job, alone, on_done, 1, pool, breaks=True):
                    why = "the process that worked on it died (out of memory?)"
                    _again(job, waiting, on_done, task, tries, BrokenExecutor(why))
                waiting.extend(alone)


@contextmanager
def _pool(workers: int) -> Iterator[Executor]:
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=start_worker)
    try:
        yield pool
    except BaseException:
        stop(pool)
        raise
    pool.shutdown()


def _hand_out(
    job: Job, waiting: Waiting, on_done: OnDone, workers: int, executor: Executor, breaks: bool = False
) -> list[tuple[Task, int]]:
    """Let the executor do what is waiting; the tasks that were under way when it broke, if it may."""
    pending: dict[Future[ShardRecord], tuple[Task, int]] = {}
    lost: list[tuple[Task, int]] = []
    try:
        while waiting or pending:
            while waiting and not lost and len(pending) < UNDER_WAY * workers:
                task, tries = waiting.popleft()
                try:
                    pending[executor.submit(do_task, job, task)] = task, tries
                except BrokenExecutor:
                    if not breaks:
                        raise
                    lost.append((task, tries))
            done, _ = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                task, tries = pending.pop(future)
                try:
                    on_done(future.result())
                except BrokenExecutor as error:
                    if not breaks:
                        raise TranstarError(f"the executor broke ({said(error)}); what is done is kept") from error
                    lost.append((task, tries))
                except Exception as error:
                    _again(job, waiting, on_done, task, tries, error)
            if lost and not pending:
                return lost
    except BaseException:
        for future in pending:
            future.cancel()
        raise
    return lost


def _again(job: Job, waiting: Waiting, on_done: OnDone, task: Task, tries: int, error: Exception) -> None:
    """One more try, at the end, for what may have been the worker's fault, or that of a file that was being written."""
    if isinstance(error, TranstarError) and not isinstance(error, ChangedError):
        raise error
    if tries < MOST_TRIES:
        waiting.append((task, tries + 1))
        return
    kind = "" if isinstance(error, ChangedError | BrokenExecutor) else f"{type(error).__name__}: "
    on_done(failed_task(job, task, f"{kind}{said(error)}"))
