"""Writing without leaving anything half written, and without touching what transtar did not write; see `transtar.out`."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import InputError, TranstarError
from .out.check import (
    Marker,
    check_file_name,
    check_files,
    check_replaceable,
    check_writable,
    files_to_go,
    kind_of,
    refuse_foreign_file,
)
from .out.jsons import MOST_JSON, content_hash, read_json
from .out.stages import TEMPORARY, discard_temporaries, lock_folder, stage
from .out.swap import NEW, swap
from .out.written import (
    LIST,
    describe,
    keep_owner,
    locked,
    new_mark,
    put_in_place,
    read_mark,
    read_written,
    write_list,
)

__all__ = [
    "LIST",
    "MOST_JSON",
    "TEMPORARY",
    "Marker",
    "atomic_folder",
    "atomic_path",
    "check_files",
    "check_replaceable",
    "check_writable",
    "content_hash",
    "discard_temporaries",
    "files_to_go",
    "lock_folder",
    "locked",
    "make_parent",
    "read_json",
    "read_written",
    "write_json",
    "write_text",
]


@contextmanager
def atomic_path(path: str | os.PathLike, durable: bool = True, ours: bool = False) -> Iterator[Path]:
    """Give a temporary file that becomes `path` when the block ends well, and vanishes when it does not.

    Parameters
    ----------
    path : path
    durable : bool
        Wait until the content is on the disk, so that even a power cut leaves the old file or the new one.
    ours : bool
        The folder is one that transtar alone writes into, so that whatever stands at `path` may be replaced. Otherwise only what
        transtar wrote itself, and nobody has changed since, is (see `transtar.out.written`), at the beginning and at the end.

    Yields
    ------
    Path
        A file of the same name; write there.

    Raises
    ------
    InputError
        If `path` is a folder, cannot be written, or is not transtar's.
    TranstarError
        If the disk is full or a size limit is hit; what stood at `path` before is untouched.
    """
    path = Path(path)
    check_file_name(path)
    make_parent(path)
    if not ours:
        discard_temporaries(path.parent)
        refuse_foreign_file(path)
    with _clear_errors(path), stage(path.parent) as folder:
        temporary = folder / path.name
        temporary.touch()
        yield temporary
        if durable:
            _sync(temporary)
        temporary.chmod(0o666 & ~_umask())
        if ours:
            temporary.replace(path)
        else:
            put_in_place(temporary, path)


@contextmanager
def atomic_folder(path: str | os.PathLike, files: Iterable[str] = (), marker: Marker | None = None) -> Iterator[Path]:
    """Give a temporary folder that becomes `path` when the block ends well, and vanishes when it does not.

    What transtar has not made is never deleted: whatever else lay in an older folder at `path`, or in the folders of `marker`
    within it, lies in the new one, too.

    Parameters
    ----------
    path : path
    files : iterable of str
        Names, or patterns of names, of files that an earlier call may have written: they go. The rest is kept.
    marker : Marker, optional
        What an older folder must be; it has `files` itself.

    Yields
    ------
    Path

    Raises
    ------
    InputError
        If `path` is a file or a link, cannot be written, is not what `marker` says, or holds something of the user's under a name
        of the new folder.
    TranstarError
        If the disk is full or a size limit is hit; what stood at `path` before is untouched.
    """
    path = Path(path)
    files = (*files, *(marker.files if marker else ()))
    if kind_of(path) not in ("nothing", "folder"):
        raise InputError(f"{path}: is a {kind_of(path)}, not a folder to write")
    make_parent(path)
    discard_temporaries(path.parent)
    with _clear_errors(path), stage(path.parent) as folder:
        new = folder / NEW
        new.mkdir()
        yield new
        within = [
            f"{name}/{entry.name}" for name in (marker.folders if marker else ()) for entry in _entries(new / name)
        ]
        made = [*(entry.name for entry in new.iterdir()), *within]
        new.chmod(0o777 & ~_umask())
        written = {entry.name: [describe(entry)] for entry in new.iterdir() if entry.is_file() and entry.name != LIST}
        if path.exists():
            _replace_folder(path, folder, made, files, marker, written)
        else:
            write_list(new, written, new_mark())
            _sync_all(new)
            new.rename(path)


def _replace_folder(path: Path, folder: Path, made: list[str], files, marker: Marker | None, written) -> None:
    """Put the new folder in the place of `path`, whose files but transtar's own it takes over."""
    new = folder / NEW
    goes = files_to_go(path, made, files, marker)
    known = read_written(path)
    for name in ("", *made):
        keep_owner(new / name, path / name)
    for name in ("", *(marker.folders if marker else ())):
        if (new / name).is_dir() and (path / name).is_dir():
            # Last, for a change of the owner takes away the bits of a shared folder.
            (new / name).chmod((path / name).stat().st_mode & 0o7777)
            if name:
                _keep_known(new / name, path / name)
    for entry in path.iterdir():
        if entry.name not in (*goes, LIST):
            if entry.name in known:
                written[entry.name] = known[entry.name]
            # In both folders from here on, so that a kill cannot hide it. Folders cannot be, and move over afterwards.
            with suppress(OSError, NotImplementedError):
                os.link(entry, new / entry.name, follow_symlinks=False)
    write_list(new, written, new_mark())
    _sync_all(new)
    try:
        swap(folder, path, [*goes, LIST])
    except OSError as error:
        if error.errno in _FULL:
            raise
        raise InputError(f"{path}: {error.strerror}") from error


def _entries(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _keep_known(new: Path, old: Path) -> None:
    """Let the list of a new folder have what moves over to it, if that of the old one has it."""
    written, known = read_written(new), read_written(old)
    if more := {name: known[name] for name in known if name not in written and os.path.lexists(old / name)}:
        write_list(new, written | more, read_mark(new))


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sync_all(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.is_file() and not entry.is_symlink():
            with suppress(PermissionError):  # a user's file that only the link is of
                _sync(entry)


_FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)


@contextmanager
def _clear_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise TranstarError(
                f"{path}: not written, {os.strerror(error.errno).lower()}; what stood there before is untouched"
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS) and TEMPORARY in str(error.filename):
            raise InputError(f"{path}: cannot be written ({os.strerror(error.errno).lower()})") from error
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def make_parent(path: Path) -> None:
    """Create the folder that will hold `path`.

    Raises
    ------
    InputError
        If that is impossible.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path.parent}: cannot be made a folder ({error.strerror})") from error


def write_text(path: str | os.PathLike, text: str, ours: bool = False) -> None:
    """Write `text` to `path` in UTF-8, as `atomic_path` does."""
    with atomic_path(path, ours=ours) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | os.PathLike, content, ours: bool = False) -> None:
    """Write `content` to `path` as indented JSON, as `atomic_path` does."""
    write_text(path, json.dumps(content, indent=2) + "\n", ours)
