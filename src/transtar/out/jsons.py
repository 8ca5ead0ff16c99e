"""JSON that transtar writes and reads, with limits on what a stranger's may be."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from ..errors import InputError, shown
from ..regular import open_regular

MOST_JSON = 1 << 26
"""Bytes of a JSON file; the description of a model trained for thousands of epochs has a hundredth of that."""


def read_json(path: str | os.PathLike):
    """Read a JSON file.

    Raises
    ------
    InputError
        If the file is missing, no regular file or not JSON, has a key twice, or is larger or nested deeper than transtar's own
        ever are.
    """
    path = Path(path)
    with open_regular(path) as file:
        # Asking for so many bytes would set them aside, however short the file is.
        if os.fstat(file.fileno()).st_size > MOST_JSON:
            raise InputError(f"{path}: longer than {MOST_JSON} bytes, which no description is")
        content = file.read()
    try:
        return json.loads(content.decode("utf-8"), object_pairs_hook=_each_once)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not a JSON file ({shown(error, 200)})") from None


def _each_once(pairs: list[tuple]) -> dict:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for number, name in enumerate(names) if name in names[:number])
        raise ValueError(f"the key '{shown(twice)}' stands twice")
    return mapping


def content_hash(content) -> str:
    """Short SHA-256 (16 hexadecimal digits) of anything JSON can hold, independent of the order of keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
