"""`.transtar.json`: what transtar has written into a folder, by which it knows its own files again.

A table in CSV or a figure cannot say who wrote it. So each folder into which files are written has a list of their names,
sizes and SHA-256. Only a file that is in the list, and as it was written, is ever replaced.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ..errors import InputError
from .jsons import read_json

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]

LIST = ".transtar.json"
FORMAT = "transtar-written"

LARGE = 1 << 26
"""Bytes from which a file is taken to be unchanged if its size and time are."""

Entry = dict[str, Any]
Written = dict[str, list[Entry]]
"""By name, what a file may be: what was written last, and what stood there just before, for a kill may have come between."""


def describe(path: Path) -> Entry:
    """Size, time of the last change, and SHA-256 of a file."""
    with path.open("rb") as file:
        about = os.fstat(file.fileno())
        return {
            "size": about.st_size,
            "time": about.st_mtime_ns,
            "sha256": hashlib.file_digest(file, "sha256").hexdigest(),
        }


def read_written(folder: Path) -> Written:
    """The list of a folder; empty if there is none.

    Raises
    ------
    InputError
        If it is damaged.
    """
    path = folder / LIST
    if not os.path.lexists(path):
        return {}
    content = read_json(path) if path.is_file() and not path.is_symlink() else None
    files = content.get("files") if isinstance(content, dict) and content.get("format") == FORMAT else None
    if not isinstance(files, dict) or not all(_is_entries(entries) for entries in files.values()):
        raise InputError(f"{path}: not the list of what transtar wrote; delete it, or choose another name for --out")
    return files


def _is_entries(entries) -> bool:
    return isinstance(entries, list) and all(isinstance(entry, dict) for entry in entries)


def current(path: Path, written: Written) -> Entry | None:
    """The entry that `path` is like, None if it is like none: not transtar's, or changed since."""
    entries = written.get(path.name, [])
    about = path.lstat()
    if not entries or not stat.S_ISREG(about.st_mode):
        return None
    alike = [entry for entry in entries if entry.get("size") == about.st_size]
    if about.st_size >= LARGE:
        for entry in alike:
            if entry.get("time") == about.st_mtime_ns:
                return entry
    digest = describe(path)["sha256"] if alike else None
    return next((entry for entry in alike if entry.get("sha256") == digest), None)


def refuse_foreign(path: Path, written: Written, new: Entry | None = None, listed: bool = True) -> Entry | None:
    """Refuse to replace a file that transtar did not write, or that was changed since.

    Parameters
    ----------
    path : Path
    written : Written
        Of its folder.
    new : Entry, optional
        Of what is to be written: what has that content already may be replaced.
    listed : bool
        The folder has a list; otherwise `written` is what its description vouches for.

    Returns
    -------
    Entry or None
        What stands there; None if nothing does, or it is empty.

    Raises
    ------
    InputError
    """
    try:
        about = path.lstat()
    except FileNotFoundError:
        return None
    if stat.S_ISREG(about.st_mode):
        if not about.st_mode & 0o222:
            raise InputError(f"{path}: is read-only; make it writable (chmod u+w), or choose another name for --out")
        # An empty file holds nothing that could be lost; shells and tempfile make such.
        if not about.st_size:
            return None
        entry = current(path, written)
        if entry is None and new is not None and new["size"] == about.st_size:
            entry = new if describe(path)["sha256"] == new["sha256"] else None
        if entry is not None:
            return entry
    if not listed:
        why = f"cannot be told to be as transtar wrote it (no {LIST} here, and no checksum that fits)"
    else:
        why = "has been changed since transtar wrote it" if path.name in written else "was not written by transtar"
    raise InputError(f"{path}: exists and {why}; move or delete it, or choose another name for --out")


def new_mark() -> str:
    """A mark that no other folder has."""
    return secrets.token_hex(16)


def read_mark(folder: Path) -> str | None:
    """The mark by which a folder that was written as a whole is told from the one that it replaced; None if it has none."""
    path = folder / LIST
    try:
        content = read_json(path) if path.is_file() and not path.is_symlink() else None
    except (InputError, OSError):
        return None
    mark = content.get("mark") if isinstance(content, dict) else None
    return mark if isinstance(mark, str) else None


def put_in_place(temporary: Path, path: Path) -> None:
    """Rename a finished file to `path`, and enter it into the list before: a kill between leaves the old file, still known.

    Raises
    ------
    InputError
        If something stands there that is not transtar's.
    """
    with locked(path.parent):
        written = read_written(path.parent)
        new = describe(temporary)
        old = refuse_foreign(path, written, new)
        written[path.name] = [new] if old is None or old["sha256"] == new["sha256"] else [new, old]
        write_list(temporary.parent, written, read_mark(path.parent))
        keep_owner(temporary, path)
        keep_owner(temporary.parent / LIST, path.parent / LIST)
        (temporary.parent / LIST).replace(path.parent / LIST)
        temporary.replace(path)


def keep_owner(new: Path, old: Path) -> None:
    """Give a new file or folder the owner and the group of what it replaces, as far as the system allows."""
    try:
        before, about = old.lstat(), new.stat()
    except FileNotFoundError:
        return
    if (before.st_uid, before.st_gid) != (about.st_uid, about.st_gid) and not stat.S_ISLNK(before.st_mode):
        for owner in (before.st_uid, -1):
            with suppress(OSError, AttributeError):
                os.chown(new, owner, before.st_gid)
                break


def write_list(folder: Path, written: Written, mark: str | None = None) -> None:
    """Write the list of a folder, and its mark, if it has one; see `read_mark`."""
    content = {"format": FORMAT, "about": "the files that transtar wrote here, which it may replace", "files": written}
    content |= {} if mark is None else {"mark": mark}
    with (folder / LIST).open("w", encoding="utf-8") as file:
        json.dump(content, file, indent=1)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes from changing the list of a folder meanwhile, where the system can."""
    if fcntl is None:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
