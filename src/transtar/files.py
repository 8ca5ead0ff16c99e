"""Writing without leaving anything half written."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import InputError, TranstarError


@contextmanager
def atomic_path(path: str | os.PathLike, durable: bool = True) -> Iterator[Path]:
    """Give a temporary file beside `path` that replaces it when the block ends well, and vanishes when it does not.

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
    TranstarError
        If the disk is full or a size limit is hit; what stood at `path` before is untouched.
    """
    path = Path(path)
    make_parent(path)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix="".join(path.suffixes), dir=path.parent)
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
def atomic_folder(path: str | os.PathLike) -> Iterator[Path]:
    """Give a temporary folder beside `path` that replaces it when the block ends well, and vanishes when it does not.

    Raises
    ------
    TranstarError
        If the disk is full or a size limit is hit; what stood at `path` before is untouched.
    """
    path = Path(path)
    make_parent(path)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    retired = None
    try:
        with _clear_disk_errors(path):
            yield temporary
            temporary.chmod(0o777 & ~_umask())
            if path.exists():
                retired = Path(tempfile.mkdtemp(prefix=f".{path.name}-old-", dir=path.parent)) / path.name
                path.rename(retired)
            try:
                temporary.rename(path)
            except OSError:
                if retired is not None:
                    retired.rename(path)
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        if retired is not None:
            shutil.rmtree(retired.parent, ignore_errors=True)


def discard_temporaries(folder: str | os.PathLike) -> None:
    """Delete what `atomic_path` and `atomic_folder` left in `folder` when a process was killed; nobody may be writing."""
    for path in Path(folder).glob(".*-*"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


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
        If the file is missing or is not JSON.
    """
    path = Path(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (ValueError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a JSON file ({error})") from None


def content_hash(content) -> str:
    """Short SHA-256 (16 hexadecimal digits) of anything JSON can hold, independent of the order of keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
