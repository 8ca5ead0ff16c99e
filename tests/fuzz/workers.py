"""Processes that do cases, one after the other, and are ended when one takes too long or too much memory.

They are forked from one process that has everything imported and compiled, so that a case takes milliseconds.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import Any

from .cases import Verdict, World, run

SECONDS = 20.0
MEMORY = 1_500_000_000
"""Bytes beyond what the process had when it began the case."""

ADDRESSES = 4_000_000_000
"""Bytes of addresses that a case may ask for: what is not touched takes no memory, but nobody needs more."""

MAKING, JUDGING = 120.0, 60.0
"""Seconds for what is no business of transtar's."""

CASES = 200
"""Of one process, before a new one takes over."""

PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass
class _Worker:
    process: Any
    pipe: Any
    number: int = -1
    stage: str = ""
    since: float = 0.0
    memory: int = 0
    processor: float = 0.0
    verdict: Verdict | None = None
    done: int = 0


def run_all(
    world: World, numbers: Iterable[int], workers: int = 2, seconds: float = SECONDS, memory: int = MEMORY,
    progress: Callable[[Verdict], None] = lambda _: None,
) -> list[Verdict]:  # fmt: skip
    """Do cases.

    Parameters
    ----------
    world : World
    numbers : iterable of int
    workers : int
        Processes at a time.
    seconds : float
        That reading one file may take.
    memory : int
        Bytes that it may take.
    progress : callable
        Called with each verdict; the files of the case are there until it returns.

    Returns
    -------
    list of Verdict
        By number.
    """
    waiting = list(numbers)[::-1]
    without_oracle: set[int] = set()
    found: list[Verdict] = []
    crew = [_start(world) for _ in range(max(1, min(workers, len(waiting))))]

    def settle(worker: _Worker, verdict: Verdict) -> None:
        verdict.seconds = time.monotonic() - worker.since if worker.stage == "read" else verdict.seconds
        found.append(verdict)
        progress(verdict)
        shutil.rmtree(verdict.folder, ignore_errors=True)
        worker.number, worker.verdict = -1, None

    while waiting or any(worker.number >= 0 for worker in crew):
        for place, worker in enumerate(crew):
            if worker.number < 0 and waiting:
                if worker.done >= CASES:
                    _stop(worker)
                    crew[place] = worker = _start(world)
                worker.number, worker.stage, worker.since = waiting.pop(), "make", time.monotonic()
                worker.pipe.send((worker.number, worker.number not in without_oracle))
        busy = [worker for worker in crew if worker.number >= 0]
        ready = wait([worker.pipe for worker in busy], timeout=0.02)
        for worker in busy:
            if worker.pipe in ready:
                try:
                    stage, content = worker.pipe.recv()
                except (EOFError, OSError):
                    stage, content = "gone", None
                if stage == "done":
                    worker.done += 1
                    settle(worker, content)
                    continue
                if stage != "gone":
                    if stage == "judge" and worker.verdict is not None:
                        worker.verdict.seconds = time.monotonic() - worker.since
                    worker.stage, worker.since, worker.verdict = stage, time.monotonic(), content or worker.verdict
                    worker.memory = _memory(worker) if stage == "read" else worker.memory
                    worker.processor = _processor(worker)
                    continue
                trouble = "ended", f"the process ended ({_status(worker)})"
            else:
                trouble = _trouble(worker, seconds, memory)
            if trouble:
                if worker.stage == "judge" and worker.number not in without_oracle:
                    without_oracle.add(worker.number)
                    waiting.append(worker.number)
                elif worker.stage == "make" or worker.verdict is None:
                    settle(worker, Verdict(worker.number, "?", "?", "?", "unmade", trouble[1]))
                else:
                    worker.verdict.outcome, worker.verdict.reason = trouble
                    settle(worker, worker.verdict)
                _stop(worker, kill=True)
                crew[crew.index(worker)] = _start(world)
    for worker in crew:
        _stop(worker)
    return sorted(found, key=lambda verdict: verdict.number)


def _start(world: World) -> _Worker:
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(world, theirs), daemon=True)
    process.start()
    theirs.close()
    return _Worker(process, ours)


def _stop(worker: _Worker, kill: bool = False) -> None:
    if kill:
        worker.process.kill()
    else:
        worker.pipe.send(None)
    worker.pipe.close()
    worker.process.join(5)
    if worker.process.is_alive():
        worker.process.kill()
        worker.process.join()


def _work(world: World, pipe: Any) -> None:
    # Libraries print what they think of a file; a run of a million would not read it either.
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    with open("/proc/self/statm") as file:
        size = int(file.read().split()[0]) * PAGE
    resource.setrlimit(resource.RLIMIT_AS, (size + ADDRESSES, size + ADDRESSES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    while True:
        asked = pipe.recv()
        if asked is None:
            return
        number, with_oracle = asked
        pipe.send(("done", run(world, number, lambda stage, what: pipe.send((stage, what)), with_oracle)))


def _memory(worker: _Worker) -> int:
    try:
        with open(f"/proc/{worker.process.pid}/statm") as file:
            return int(file.read().split()[1]) * PAGE
    except OSError:
        return 0


def _processor(worker: _Worker) -> float:
    """Seconds that the processor has worked for it."""
    try:
        with open(f"/proc/{worker.process.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _trouble(worker: _Worker, seconds: float, memory: int) -> tuple[str, str] | None:
    took = time.monotonic() - worker.since
    limit = {"make": MAKING, "judge": JUDGING}.get(worker.stage, seconds)
    if took > limit:
        # A busy machine is not the file's fault: what counts is the processor's time, or that it waits for nothing.
        used = _processor(worker) - worker.processor
        if used > limit or used < limit / 20 or took > 6 * limit:
            return "hung", f"more than {limit:g} s"
    if worker.stage == "read" and _memory(worker) > worker.memory + memory:
        return "memory", f"more than {memory / 1e9:g} GB"
    return None


def _status(worker: _Worker) -> str:
    worker.process.join(2)
    code = worker.process.exitcode
    return f"signal {-code}" if code is not None and code < 0 else f"status {code}"
