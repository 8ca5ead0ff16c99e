"""Writing without leaving anything half written."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from fnmatch import fnmatchcase
from pathlib import Path

from .errors import InputError, TranstarError, shown
from .regular import open_regular

TEMPORARY, RETIRED = ".transtar-tmp-", ".transtar-old-"
"""How the names of unfinished files and folders begin, and those of a folder that is just being replaced. Nothing else in a
user's folder begins so, which is why the former may be deleted."""

MOST_JSON = 1 << 26
"""Bytes of a JSON file; the description of a model trained for thousands of epochs has a hundredth of that."""


@contextmanager
def atomic_path(path: str | os.PathLike, durable: bool = True) -> Iterator[Path]:
    """Give a temporary file beside `path` that replaces it when the block ends well, and vanishes when it does not.

    A link at `path` is replaced, not followed.

    Parameters
    ----------
    path : path
    durable : bool
        Wait until the content is on the disk, so that even a power cut leaves the old file or the new one.

    Yields
    ------
    Path
        A file name with the suffixes of `path`; write there.

    Raises
    ------
    InputError
        If `path` is a folder or cannot be written.
    TranstarError
        If the disk is full or a size limit is hit; what stood at `path` before is untouched.
    """
    path = Path(path)
    make_parent(path)
    if _kind(path) == "folder":
        raise InputError(f"{path}: is a folder, not a file to write")
    suffix = "".join(path.suffixes)
    with _clear_permissions(path):
        handle, name = tempfile.mkstemp(suffix if len(suffix) <= 40 else path.suffix[-40:], TEMPORARY, path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        with _clear_disk_errors(path):
            yield temporary
            if durable:
                with temporary.open("rb+") as written:
                    os.fsync(written.fileno())
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: str | os.PathLike, own: Iterable[str] = ()) -> Iterator[Path]:
    """Give a temporary folder beside `path` that replaces it when the block ends well, and vanishes when it does not.

    What transtar has not made is never deleted: whatever else lay in an older folder at `path` lies in the new one, too.

    Parameters
    ----------
    path : path
    own : iterable of str
        Names, or patterns of names, of files that an earlier call may have written: they go. The rest is kept.

    Yields
    ------
    Path

    Raises
    ------
    InputError
        If `path` is a file or a link, cannot be written, or holds something of the user's under a name of the new folder.
    TranstarError
        If the disk is full or a size limit is hit; what stood at `path` before is untouched.
    """
    path, own = Path(path), tuple(own)
    make_parent(path)
    if _kind(path) not in ("nothing", "folder"):
        raise InputError(f"{path}: is a {_kind(path)}, not a folder to write")
    with _clear_permissions(path):
        temporary = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=path.parent))
    try:
        with _clear_disk_errors(path):
            yield temporary
            temporary.chmod(0o777 & ~_umask())
            if path.exists():
                _replace_folder(path, temporary, own)
            else:
                temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _replace_folder(path: Path, new: Path, own: tuple[str, ...]) -> None:
    """Put `new` in the place of the folder `path`, whose files other than `own` it takes over."""
    made = {entry.name for entry in new.iterdir()}
    kept = []
    for entry in path.iterdir():
        is_folder = entry.is_dir() and not entry.is_symlink()
        if entry.name in made and is_folder:
            raise InputError(
                f"{entry}: is in the way of a file of that name; move it, or choose another name for --out"
            )
        if is_folder or not any(fnmatchcase(entry.name, pattern) for pattern in (*made, *own)):
            kept.append(entry.name)
    retired = Path(tempfile.mkdtemp(prefix=RETIRED, dir=path.parent)) / path.name
    path.rename(retired)
    try:
        new.rename(path)
    except OSError:
        retired.rename(path)
        retired.parent.rmdir()
        raise
    try:
        for name in kept:
            (retired / name).rename(path / name)
    except OSError as error:
        raise InputError(
            f"{path}: written, but what else lay there could not be moved over; it lies in {retired}"
        ) from error
    # Only files that are known to be transtar's; whatever came meanwhile stays.
    with suppress(OSError):
        for entry in retired.iterdir():
            entry.unlink()
        retired.rmdir()
        retired.parent.rmdir()


def check_replaceable(folder: str | os.PathLike, marker: str, what: str) -> None:
    """Refuse to write a folder where something else stands.

    Parameters
    ----------
    folder : path
    marker : str
        File by which such a folder is known.
    what : str
        What it is, such as 'a model'.

    Raises
    ------
    InputError
        If `folder` exists and is neither empty nor what it is to become, or it is the folder in which the command runs.
    """
    folder = Path(folder)
    kind = _kind(folder)
    if kind == "nothing":
        return
    if kind == "link":
        raise InputError(f"{folder}: is a link; give the folder itself as --out")
    if kind == "folder" and ((folder / marker).is_file() or not any(folder.iterdir())):
        if Path.cwd().is_relative_to(folder.resolve()):
            raise InputError(
                f"{folder}: the command runs in it, so it cannot be replaced; choose another name for --out"
            )
        return
    raise InputError(f"{folder}: exists and is not {what}; choose another name for --out")


def _kind(path: Path) -> str:
    """'nothing', 'file', 'folder' or 'link', the latter only of a folder or of nothing.

    Raises
    ------
    InputError
        If there can be nothing of that name.
    """
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return "nothing"
    except (OSError, ValueError) as error:
        raise InputError(f"{shown(path)}: cannot be written ({getattr(error, 'strerror', None) or error})") from None
    if path.is_symlink() and not path.is_file():
        return "link"
    return "folder" if path.is_dir() else "file"


def discard_temporaries(folder: str | os.PathLike) -> None:
    """Delete what `atomic_path` and `atomic_folder` left in `folder` when a process was killed; nobody may be writing."""
    for path in Path(folder).glob(f"{TEMPORARY}*"):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


@contextmanager
def _clear_permissions(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise InputError(f"{path}: cannot be written ({os.strerror(error.errno).lower()})") from error
        raise


@contextmanager
def _clear_disk_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
            raise TranstarError(
                f"{path}: not written, {os.strerror(error.errno).lower()}; what stood there before is untouched"
            ) from error
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


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write `text` to `path` atomically, in UTF-8."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | os.PathLike, content) -> None:
    """Write `content` to `path` atomically, as indented JSON."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def read_json(path: str | os.PathLike):
    """Read a JSON file.

    Raises
    ------
    InputError
        If the file is missing, no regular file or not JSON, has a key twice, or is larger or nested deeper than
        transtar's own ever are.
    """
    path = Path(path)
    with open_regular(path) as file:
        content = file.read(MOST_JSON + 1)
    if len(content) > MOST_JSON:
        raise InputError(f"{path}: longer than {MOST_JSON} bytes, which no description is")
    try:
        return json.loads(content.decode("utf-8"), object_pairs_hook=_each_once)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not a JSON file ({shown(error, 200)})") from None


def _each_once(pairs: list[tuple]) -> dict:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for number, name in enumerate(names) if name in names[:number])
        raise ValueError(f"the key '{shown(twice)}' stands twice")
    return found


def content_hash(content) -> str:
    """Short SHA-256 (16 hexadecimal digits) of anything JSON can hold, independent of the order of keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
