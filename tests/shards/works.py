"""Works of tasks for tests, in a module from which processes can import them: shards are text files, a line for each file."""

import os
import signal
import time
from pathlib import Path

from transtar.errors import InputError, TranstarError
from transtar.files import atomic_path
from transtar.shards import Outcome
from transtar.telling import tell


def lines(plan, task, shard: Path) -> Outcome:
    """A line for each file; files named bad are no spectra. `plan` has a pause in seconds."""
    rows, failed = {}, {}
    with atomic_path(shard, ours=True) as temporary, temporary.open("w") as file:
        for one in task.sources:
            name = Path(one.path).name
            if name.startswith("bad"):
                failed[one.path] = f"{one.path}: is bad"
                continue
            time.sleep(plan)
            try:
                content = Path(one.path).read_text()
            except OSError as error:
                failed[one.path] = f"{one.path}: {error.strerror}"
                continue
            file.write(f"{name} {content}\n")
            rows[one.path] = 1
    if failed:
        tell(f"{len(failed)} bad files in shard {task.number}")
    return Outcome(len(rows), rows, failed, {"flags": {"LOW_SNR": len(rows)}})


def dying(plan, task, shard: Path) -> Outcome:
    """Kills its process over shard 1: always, or, if `plan` is a path, the first time."""
    if task.number == 1:
        if plan is None:
            os.kill(os.getpid(), signal.SIGKILL)
        if not Path(plan).exists():
            Path(plan).touch()
            os.kill(os.getpid(), signal.SIGKILL)
    return lines(0.05, task, shard)


def growing(plan, task, shard: Path) -> Outcome:
    """Its file is written to while it is read: each time, or, if `plan` is a path, the first time."""
    outcome = lines(0, task, shard)
    if plan is None or not Path(plan).exists():
        with open(task.sources[0].path, "a") as file:
            file.write("+")
        if plan is not None:
            Path(plan).touch()
    return outcome


def full(plan, task, shard: Path) -> Outcome:
    """The disk is full from shard 1 on."""
    if task.number:
        raise TranstarError(f"{shard}: not written, no space left on device")
    return lines(0, task, shard)


def failing(plan, task, shard: Path) -> Outcome:
    """What nobody thought of, over shard 1."""
    if task.number == 1:
        raise MemoryError("too little")
    return lines(0, task, shard)


def refusing(plan, task, shard: Path) -> Outcome:
    """A model that is another one."""
    raise InputError("mock-feh: was replaced")
