"""A new folder in the place of an old one, so that a kill at any moment leaves either, and nothing of the user's is lost.

Where the system can (Linux), the two exchange their names in one step. Elsewhere it takes two renames; a journal beside them
says how to go back if there was a kill between. Folders of the user move over afterwards, told by the same journal; the user's
files are in both by then, as hard links.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

JOURNAL, NEW, OLD = ".swap.json", "new", "old"
"""Names in a temporary folder. After an exchange the old folder is called `NEW`; the journal tells them apart by their inodes."""

RETIRED = ".transtar-old-"
"""How the name of a folder begins that holds what could not be moved over; it is never deleted."""

_EXCHANGE, _HERE = 2, -100
"""RENAME_EXCHANGE and AT_FDCWD of Linux."""


def swap(stage: Path, path: Path, goes: Iterable[str]) -> None:
    """Put the folder `stage/NEW` in the place of the folder `path`.

    Parameters
    ----------
    stage : Path
        On the same file system.
    path : Path
        What is in it and not in the new folder moves over.
    goes : iterable of str
        But these files, which are transtar's own.

    Raises
    ------
    OSError
        If it cannot be done; the old folder stays.
    """
    new, old = stage / NEW, stage / OLD
    journal = {"name": path.name, "new": new.lstat().st_ino, "goes": list(goes)}
    with (stage / JOURNAL).open("w", encoding="utf-8") as file:
        json.dump(journal, file)
        file.flush()
        os.fsync(file.fileno())
    if not _exchange(new, path):
        path.rename(old)
        try:
            new.rename(path)
        except OSError:
            old.rename(path)
            raise
    settle(stage)


def read_journal(stage: Path) -> dict[str, Any]:
    """What was about to be replaced; empty if nothing was."""
    try:
        with (stage / JOURNAL).open(encoding="utf-8") as file:
            found = json.loads(file.read(1 << 24))
        name = found["name"]
        usable = Path(name).name == name and name not in ("", ".", "..") and isinstance(found["goes"], list)
        return found if usable and isinstance(found["new"], int) else {}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}


def settle(stage: Path) -> None:
    """Bring a swap to an end, wherever it was interrupted; afterwards nothing in `stage` is the user's.

    Raises
    ------
    OSError
        If something could not be moved over; it lies in a folder `RETIRED`, which the message names.
    """
    journal = read_journal(stage)
    if not journal:
        return
    path, old = stage.parent / journal["name"], stage / OLD
    if os.path.lexists(stage / NEW) and (stage / NEW).lstat().st_ino != journal["new"]:
        old = stage / NEW
    if not os.path.lexists(old):
        return
    if not os.path.lexists(path):
        old.rename(path)
        return
    try:
        for entry in list(old.iterdir()):
            _move_over(entry, path / entry.name, journal["goes"])
    except OSError as error:
        retired = Path(tempfile.mkdtemp(prefix=RETIRED, dir=stage.parent)) / path.name
        old.rename(retired)
        raise OSError(
            error.errno, f"what else lay in {path} could not be moved over ({error.strerror}); it lies in {retired}"
        ) from error


def _move_over(entry: Path, place: Path, goes: list) -> None:
    if entry.name in goes:
        return
    if not os.path.lexists(place):
        entry.rename(place)
    elif not os.path.samestat(entry.lstat(), place.lstat()):
        raise OSError(errno.EEXIST, os.strerror(errno.EEXIST))


def _exchange(one: Path, other: Path) -> bool:
    """Let two paths change their names in one step; False where the system cannot."""
    rename = _renameat2()
    return rename is not None and rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0


@cache
def _renameat2():
    try:
        function = ctypes.CDLL(None).renameat2
    except (OSError, AttributeError, TypeError):
        return None
    function.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
    function.restype = ctypes.c_int
    return function
