"""Opening files of strangers: a pipe or a device under the name of a file is refused, not waited for."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from .errors import InputError, shown


def check_regular(path: Path) -> Path:
    """Refuse what is no regular file, nor a link to one.

    Returns
    -------
    Path
        `path`, for use in an expression.

    Raises
    ------
    InputError
        If there is none of that name, or it is a folder, pipe, socket or device.
    """
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"{shown(path, 300)}: no such file") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(f"{shown(path, 300)}: cannot be read ({why}); check the path and its permissions") from None
    if not stat.S_ISREG(mode):
        what = "a folder" if stat.S_ISDIR(mode) else "a pipe, socket or device"
        raise InputError(f"{shown(path, 300)}: {what}, not a file")
    return path


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file to read its bytes.

    Raises
    ------
    InputError
        As `check_regular`, or if it may not be read.
    """
    check_regular(path)
    try:
        # Without waiting, should a pipe have taken its place since then.
        return os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb")
    except OSError as error:
        raise InputError(
            f"{shown(path, 300)}: cannot be read ({error.strerror}); check the path and its permissions"
        ) from None
