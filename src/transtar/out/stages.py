"""Temporary folders, in which everything is written before it is put in its place.

Each is named `TEMPORARY` and eight characters, and stands beside what is written. Its maker holds a lock on a file in it; when
the maker is killed the system releases the lock, which is how the next run tells what was left from what is being written.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..telling import tell
from .swap import JOURNAL, UnclearError, read_journal, settle

try:
    import fcntl
except ImportError:  # no locks on this system, so that leftovers cannot be told and are kept
    fcntl = None  # type: ignore[assignment]

TEMPORARY = ".transtar-tmp-"
"""How the names of these folders begin."""

LOCK = ".lock"
"""What each of them holds; a folder without it, unless it is empty, is not transtar's, whatever its name."""

_NAME = re.compile(re.escape(TEMPORARY) + r"[a-z0-9_]{8}")


@contextmanager
def stage(folder: str | os.PathLike) -> Iterator[Path]:
    """Give a new temporary folder in `folder`, which vanishes with the block.

    Raises
    ------
    OSError
        If none can be made there.
    """
    path, lock = _make(Path(folder))
    try:
        yield path
    finally:
        _remove(path)
        if lock is not None:
            os.close(lock)


def _remove(path: Path) -> None:
    """Delete a temporary folder, whose lock the caller holds; one in which something of the user's may be stays."""
    try:
        settle(path)
    except UnclearError as error:
        tell(f"{error}; look into it, and move or delete it")
        return
    except OSError:
        # The old folder is back in its place, or was put aside; if not even that was possible, this stays where it is.
        with suppress(OSError):
            settle(path)
            _delete(path)
        return
    _delete(path)


def _delete(path: Path) -> None:
    # The journal first, for it is of what is deleted next; the lock last, by which this is known as a temporary of transtar's.
    with suppress(OSError):
        (path / JOURNAL).unlink(missing_ok=True)
        for entry in list(path.iterdir()):
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            elif entry.name != LOCK:
                entry.unlink()
        shutil.rmtree(path, ignore_errors=True)


def _make(folder: Path) -> tuple[Path, int | None]:
    while True:
        path = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=folder))
        if fcntl is None:
            return path, None
        try:
            lock = _lock(path)
        except (
            OSError
        ):  # a file system without locks: nobody will take it for a leftover, for nobody can lock it either
            return path, None
        if lock is not None:
            return path, lock


def lock_folder(folder: Path) -> tuple[bool, int | None]:
    """Keep other processes from working in a folder that one process at a time works in.

    Parameters
    ----------
    folder : Path
        A file named `LOCK` is made in it.

    Returns
    -------
    held : bool
        False if another process has the lock, or the folder is gone.
    lock : int or None
        To be closed in the end, by `os.close`; None also where the system has no locks.
    """
    if fcntl is None:
        return True, None
    try:
        lock = _lock(folder)
    except OSError:
        return True, None
    return lock is not None, lock


def _lock(path: Path) -> int | None:
    """A lock on the folder, None if another process has it or the folder is gone."""
    try:
        lock = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Who had it before may have deleted the folder meanwhile.
        if os.path.samestat(os.fstat(lock), (path / LOCK).lstat()):
            return lock
    except (BlockingIOError, FileNotFoundError):
        pass
    except OSError:
        os.close(lock)
        raise
    os.close(lock)
    return None


def discard_temporaries(folder: str | os.PathLike, name: str | None = None) -> None:
    """Delete what killed processes left in `folder`, and bring back what they were about to replace.

    What a living process writes is left alone, and so is all that is not named as a temporary folder.

    Parameters
    ----------
    folder : path
    name : str, optional
        Only what was about to become this.
    """
    if fcntl is None:
        return
    with suppress(OSError):
        with os.scandir(os.fspath(folder)) as entries:
            leftovers = [
                entry.path for entry in entries if _NAME.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False)
            ]
        for entry in leftovers:
            if name in (None, read_journal(Path(entry)).get("name")):
                _discard(Path(entry))


def _discard(path: Path) -> None:
    with suppress(OSError):
        entries = os.listdir(path)
        # Empty where the kill came before the lock was made.
        if entries and LOCK not in entries:
            return
        lock = _lock(path)
        if lock is None:
            return
        try:
            _remove(path)
        finally:
            os.close(lock)
