"""Locks on a folder of shards: one process for each part, and the whole of it beside none."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from ..errors import InputError
from .tasks import Part

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]


def hold(folder: Path, part: Part) -> list[int]:
    """Take the locks of a part.

    Parameters
    ----------
    folder : Path
    part : Part
        Of a run in one part, which others would disturb, the lock is exclusive.

    Returns
    -------
    list of int
        To be closed in the end; empty where the system or the file system has no locks. The shards are put in their places whole
        and are the same whoever makes them, so that without locks work is done twice and nothing is lost.

    Raises
    ------
    InputError
        If another process works on the part.
    """
    if fcntl is None:
        return []
    whole = part.n == 1
    wanted = [(".lock", fcntl.LOCK_EX if whole else fcntl.LOCK_SH)]
    if not whole:
        wanted.append((f".lock-{part.number}-of-{part.n}", fcntl.LOCK_EX))
    held: list[int] = []
    for name, kind in wanted:
        try:
            handle = os.open(folder / name, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
        except OSError as error:
            _close(held)
            raise InputError(f"{folder}: cannot be written ({error.strerror})") from error
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            _close([*held, handle])
            others = "another command works" if whole else f"another command works on part {part}, or on all of it,"
            raise InputError(f"{folder}: {others} in this folder; let it end first, or give another --out") from None
        except OSError:
            os.close(handle)
            continue
        held.append(handle)
    return held


def _close(handles: list[int]) -> None:
    for handle in handles:
        with suppress(OSError):
            os.close(handle)
