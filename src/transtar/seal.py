"""Hashes by which a folder of ours tells that it is as it was written: of a description, and of the files beside it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from .errors import InputError
from .regular import open_regular

SEAL = "sha256"
"""Key under which a description holds the hash of the rest of it."""


def sealed(content: dict) -> dict:
    """A description with a hash of itself.

    Parameters
    ----------
    content : dict
        Plain data, fit for JSON.

    Returns
    -------
    dict
        With `SEAL` at the end: SHA-256 of its values, so that another layout of the same JSON keeps it.
    """
    rest = {name: value for name, value in content.items() if name != SEAL}
    return rest | {SEAL: _digest(rest)}


def check_seal(content: dict, path: Path, remedy: str) -> None:
    """Refuse a description that is not as it was written.

    Parameters
    ----------
    content : dict
        As JSON gives it.
    path : path
        Its file, for the message.
    remedy : str
        What to do, for the message.

    Raises
    ------
    InputError
        If its hash is missing or another.
    """
    try:
        expected = sealed(content)[SEAL]
    except RecursionError:
        raise InputError(f"{path}: nested deeper than any description of ours; {remedy}") from None
    if content.get(SEAL) != expected:
        raise InputError(f"{path}: damaged, or changed by hand (its checksum does not fit its content); {remedy}")


def file_hash(path: Path) -> str:
    """SHA-256 of the bytes of a file, in 64 hexadecimal digits.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    with open_regular(path) as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
        return digest.hexdigest()


def check_file(path: Path, expected: Any, remedy: str) -> None:
    """Refuse a file that is not as it was written.

    Raises
    ------
    InputError
        If it cannot be read, or its hash is not `expected`.
    """
    if file_hash(path) != expected:
        raise InputError(f"{path}: damaged, or of another origin (its checksum is not the one noted); {remedy}")


def is_as_noted(path: Path, expected: Any) -> bool:
    """Whether a file is there, is no link, and has this hash."""
    return path.is_file() and not path.is_symlink() and file_hash(path) == expected


def _digest(content: dict) -> str:
    # Once through JSON: keys and numbers are then what a reader will find.
    plain = json.loads(json.dumps(content))
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()
