"""Worker processes that end with their parent, however it ends; and signals that end a command as Ctrl-C does."""

from __future__ import annotations

import ctypes
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from types import FrameType

ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
"""What batch systems, `kill` and closing terminals send."""

_PR_SET_PDEATHSIG = 1


class Ended(KeyboardInterrupt):
    """Raised in the main thread when the process is told to end.

    Parameters
    ----------
    number : int
        Of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number
        self.name = signal.Signals(number).name


@contextmanager
def ending_cleanly() -> Iterator[None]:
    """Raise `Ended` inside the block when a signal of `ENDING` comes, so that what is half written is cleaned up.

    A signal that is ignored (nohup) or handled already stays so. Only the first is raised: the cleaning is not interrupted.
    Where other code swallows it, in the middle of an import, say, the error that follows counts as the end that was asked for;
    likewise after Ctrl-C, which Python raises itself.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handled = [number for number in ENDING if signal.getsignal(number) is signal.SIG_DFL]
    told: list[int] = []

    def end(number: int, frame: FrameType | None) -> None:
        told.append(number)
        for one in handled:
            signal.signal(one, signal.SIG_IGN)
        raise Ended(number)

    for number in handled:
        signal.signal(number, end)
    try:
        yield
    except Exception as error:
        if told:
            raise Ended(told[0]) from error
        if _follows_interrupt(error):
            raise KeyboardInterrupt from error
        raise
    finally:
        for number in handled:
            signal.signal(number, signal.SIG_DFL)


def _follows_interrupt(error: BaseException | None) -> bool:
    # Errors that name each other as their cause would go round for ever.
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, KeyboardInterrupt):
            return True
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False


def usable_cpus() -> int:
    """Processors that this process may use: those it is bound to, and no more than SLURM_CPUS_PER_TASK gives.

    Fifty jobs on a node of 64 cores must not start 3,200 threads.

    Returns
    -------
    int
        At least 1.
    """
    try:
        bound = len(os.sched_getaffinity(0))
    except AttributeError:  # not on this system
        bound = os.cpu_count() or 1
    return min(bound, _asked_for("SLURM_CPUS_PER_TASK", bound))


def usable_threads() -> int:
    """Threads that a process takes if nothing is said: its processors, and no more than OMP_NUM_THREADS asks for."""
    cpus = usable_cpus()
    return min(cpus, _asked_for("OMP_NUM_THREADS", cpus))


def _asked_for(name: str, otherwise: int) -> int:
    # OMP_NUM_THREADS may be a list, of nested levels.
    first = os.environ.get(name, "").split(",")[0].strip()
    return int(first) if first.isdecimal() and int(first) > 0 else otherwise


def limit_threads(n: int) -> None:
    """Let torch use so many threads in this process from now on; where nothing has imported it, it is none of our business."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.get_num_threads() != n:
        torch.set_num_threads(n)


def start_worker() -> None:
    """Initialise a process of a pool: one thread, interrupts left to the parent, and no life without it."""
    # Many small networks train fastest side by side, each on a thread of its own. Torch reads this when it is imported.
    os.environ["OMP_NUM_THREADS"] = "1"
    limit_threads(1)
    # Ctrl-C and a terminal that closes are the parent's business, which ends its workers.
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    end_with_parent()
    # Workers write nothing of their own to the terminal that the progress bar uses.
    sys.stderr.flush()


def end_with_parent() -> None:
    """Let this process end when its parent does, even if that is killed."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    if sys.platform == "linux":
        # At once, whatever this process is doing.
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    def watch() -> None:
        # A pipe whose other end the parent holds: readable when it is gone, also if it went before this line.
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def stop(pool: ProcessPoolExecutor) -> None:
    """End the processes of a pool at once, and wait until they have ended."""
    processes = list((pool._processes or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()
    for process in processes:
        process.join()
