"""The record of a shard: what came of its files, and by which hash the shard is known; written when the shard is in its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..checks import check_list, check_mapping, check_whole
from ..errors import InputError, TranstarError
from ..out.jsons import read_json
from ..seal import check_seal, sealed

DONE, FAILED = "done", "failed"

REMEDY = "delete it, and give the command again: the shard is made again"


@dataclass(frozen=True)
class FileState:
    """What came of a file.

    Parameters
    ----------
    path : str
    size, time : int
        As in `Source`, when it was read.
    state : {'done', 'failed'}
    n : int
        Rows.
    message : str
        Why it could not be used.
    head : str
        SHA-256 of its first 64 KiB, '' if it could not be read.
    sha256 : str
        Of all of it, if that was asked for.
    """

    path: str
    size: int
    time: int
    state: str
    n: int = 0
    message: str = ""
    head: str = ""
    sha256: str = ""


@dataclass(frozen=True)
class ShardRecord:
    """What came of a task.

    Parameters
    ----------
    number : int
    state : {'done', 'failed'}
        Of a failed task there is no shard.
    files : tuple of FileState
    n : int
        Rows of the shard.
    seconds : float
    size : int
        Of the shard, in bytes.
    hash : str
        SHA-256 of the shard.
    message : str
        Why the task failed.
    about : dict
        What the work itself reports, as plain data.
    told : tuple of str
        Lines that were told meanwhile.
    """

    number: int
    state: str
    files: tuple[FileState, ...]
    n: int = 0
    seconds: float = 0.0
    size: int = 0
    hash: str = ""
    message: str = ""
    about: dict[str, Any] = field(default_factory=dict)
    told: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain data with a checksum."""
        return sealed(asdict(self) | {"files": [list(vars(one).values()) for one in self.files], "told": [*self.told]})

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], path: Path) -> ShardRecord:
        """Build from plain data.

        Raises
        ------
        InputError
            If it is no record, or was changed.
        """
        check_seal(dict(content), path, REMEDY)
        try:
            files = tuple(FileState(*check_list(one, "files")) for one in check_list(content["files"], "files"))
            told = tuple(str(line) for line in check_list(content["told"], "told"))
            plain = {
                name: content[name] for name in ("number", "state", "n", "seconds", "size", "hash", "message", "about")
            }
            check_whole(plain["number"], "number", 0)
            check_mapping(plain["about"], "about")
        except (KeyError, TypeError, TranstarError) as error:
            raise InputError(f"{path}: not the record of a shard ({error}); {REMEDY}") from None
        return cls(**plain, files=files, told=told)


def read_record(path: Path) -> ShardRecord | None:
    """Read a record; None if there is none, or the shard beside it is not the one of the record's size.

    Raises
    ------
    InputError
        If it is damaged.
    """
    if not path.is_file():
        return None
    content = read_json(path)
    if not isinstance(content, dict):
        raise InputError(f"{path}: not the record of a shard; {REMEDY}")
    return ShardRecord.from_dict(content, path)
