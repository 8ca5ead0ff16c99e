"""A new folder in the place of an old one, so that a kill at any moment leaves either, and nothing of the user's is lost.

Where the system can (Linux), the two exchange their names in one step. Elsewhere it takes two renames; a journal beside them
says how to go back if there was a kill between. Folders of the user move over afterwards, told by the same journal; the user's
files are in both by then, as hard links.

Which of the two is the new one is told by a mark in its list of files, so that a copy or a backup of a killed state can be
brought to an end as the state itself. Where it cannot be told, nothing is touched.
"""

from __future__ import annotations

import ctypes
import errno
import filecmp
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from .written import read_mark

JOURNAL, NEW, OLD = ".swap.json", "new", "old"
"""Names in a temporary folder. After an exchange the old folder is called `NEW`; a mark in its list tells the new one."""

RETIRED = ".transtar-old-"
"""How the name of a folder begins that holds what could not be moved over; it is never deleted."""

_EXCHANGE, _HERE = 2, -100
"""RENAME_EXCHANGE and AT_FDCWD of Linux."""


class UnclearError(OSError):
    """What a kill has left cannot be told apart."""


def swap(stage: Path, path: Path, goes: Iterable[str]) -> None:
    """Put the folder `stage/NEW` in the place of the folder `path`.

    Parameters
    ----------
    stage : Path
        On the same file system.
    path : Path
        What is in it and not in the new folder moves over.
    goes : iterable of str
        But these files, which are transtar's own; ``FOLDER/NAME`` is one in a folder that is in both.

    Raises
    ------
    OSError
        If it cannot be done; the old folder stays.
    """
    new, old = stage / NEW, stage / OLD
    journal = {"name": path.name, "new": read_mark(new), "goes": list(goes)}
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
            journal = json.loads(file.read(1 << 24))
        name = journal["name"]
        usable = Path(name).name == name and name not in ("", ".", "..") and isinstance(journal["goes"], list)
        return journal if usable and isinstance(journal["new"], str) else {}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}


def settle(stage: Path) -> None:
    """Bring a swap to an end, wherever it was interrupted; afterwards nothing in `stage` is the user's.

    Raises
    ------
    UnclearError
        If the new folder and the old one cannot be told apart; nothing was touched.
    OSError
        If something of the user's could not be moved over; the old folder is in its place again.
    """
    journal = read_journal(stage)
    if not journal:
        return
    path, new, old = stage.parent / journal["name"], stage / NEW, stage / OLD
    in_place, beside = (read_mark(folder) == journal["new"] for folder in (path, new))
    if not in_place:
        if not beside:
            raise UnclearError(f"{stage}: left by a killed command, and it cannot be told what in it is the old {path}")
        # Not yet exchanged, or killed between two renames.
        if os.path.lexists(old) and not os.path.lexists(path):
            old.rename(path)
        return
    if os.path.lexists(new) and not beside:
        old = new
    if os.path.lexists(old):
        _move_all(old, path, journal["goes"])


def _move_all(old: Path, path: Path, goes: list) -> None:
    moved: list[str] = []
    try:
        for name in list(_others(old, path, [str(name) for name in goes])):
            if _move_over(old / name, path / name):
                moved.append(name)
    except OSError as error:
        try:
            for name in moved:
                (path / name).rename(old / name)
            _put_back(old, path)
        except OSError:
            retired = Path(tempfile.mkdtemp(prefix=RETIRED, dir=path.parent)) / path.name
            old.rename(retired)
            raise OSError(
                error.errno,
                f"what else lay in {path} could not be moved over ({error.strerror}); it lies in {retired}",
            ) from error
        raise OSError(
            error.errno, f"what else lies in it could not be taken over ({error.strerror}); it is as it was before"
        ) from error


def _others(old: Path, path: Path, goes: list[str]) -> Iterator[str]:
    """What is not transtar's own, by its place in the folder; of a folder in both that is partly transtar's, entry by entry."""
    for entry in old.iterdir():
        inside = [name.removeprefix(f"{entry.name}/") for name in goes if name.startswith(f"{entry.name}/")]
        if inside and all(one.is_dir() and not one.is_symlink() for one in (entry, path / entry.name)):
            yield from (f"{entry.name}/{name}" for name in _others(entry, path / entry.name, inside))
        elif entry.name not in goes:
            yield entry.name


def _put_back(old: Path, path: Path) -> None:
    """The old folder in its place again, and the new one back in the temporary folder."""
    if not _exchange(old, path):
        new = old.parent / NEW
        path.rename(new)
        try:
            old.rename(path)
        except OSError:
            new.rename(path)
            raise


def _move_over(entry: Path, place: Path) -> bool:
    """Whether something was moved: not what is in both folders already, as the same file or as a copy of it."""
    if not os.path.lexists(place):
        entry.rename(place)
        return True
    if not _same(entry, place):
        raise OSError(errno.EEXIST, os.strerror(errno.EEXIST))
    return False


def _same(one: Path, other: Path) -> bool:
    if os.path.samestat(one.lstat(), other.lstat()):
        return True
    if one.is_symlink() or other.is_symlink():
        return one.is_symlink() and other.is_symlink() and os.readlink(one) == os.readlink(other)
    return one.is_file() and other.is_file() and filecmp.cmp(one, other, shallow=False)


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
