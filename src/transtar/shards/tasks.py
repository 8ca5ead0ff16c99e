"""Tasks: which files are worked on together, and which tasks are a part of a job array."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..checks import check_whole
from ..errors import SettingsError, shown

FEWEST_FILES, MOST_FILES = 64, 2048
"""Files of a task: the first as long as that makes no more than `MANY_TASKS`."""

MANY_TASKS = 1000
"""A folder of more shards than these is a burden on every file system, and of fewer a killed worker costs too much."""

MOST_BYTES = 8_000_000_000
"""Of the files of a task: about 20,000 spectra of DESI. A larger file is a task of its own."""


@dataclass(frozen=True)
class Source:
    """A file as it was when the run began.

    Parameters
    ----------
    path : str
    size : int
        In bytes; -1 for a file that was not there.
    time : int
        Of its last change, in ns.
    """

    path: str
    size: int
    time: int

    @classmethod
    def of(cls, path: str | os.PathLike) -> Source:
        """The file as it is now."""
        try:
            about = os.stat(path)
        except OSError:
            return cls(os.fspath(path), -1, 0)
        return cls(os.fspath(path), about.st_size, about.st_mtime_ns)


@dataclass(frozen=True)
class Task:
    """What a worker does at a time, and one shard holds.

    Parameters
    ----------
    number : int
        Of the task and its shard; the order of the rows in the end.
    sources : tuple of Source
    rows : (int, int), optional
        Of a single source that is a table: the first row, and the one behind the last.
    """

    number: int
    sources: tuple[Source, ...]
    rows: tuple[int, int] | None = None


@dataclass(frozen=True)
class Part:
    """One of so many parts of a run, for arrays of jobs.

    Parameters
    ----------
    number, n : int
        From 1 on.
    """

    number: int = 1
    n: int = 1

    def __post_init__(self) -> None:
        check_whole(self.n, "part", 1)
        if not 1 <= self.number <= self.n:
            raise SettingsError(f"part {self.number}/{self.n}: parts are numbered from 1 to {self.n}")

    @classmethod
    def parse(cls, text: str) -> Part:
        """Read ``3/50``.

        Raises
        ------
        SettingsError
            If it is no part.
        """
        if not (match := re.fullmatch(r"\s*([0-9]{1,6})\s*/\s*([0-9]{1,6})\s*", text)):
            raise SettingsError(f"part '{shown(text, 40)}': give it as 3/50, the third of fifty")
        return cls(int(match[1]), int(match[2]))

    def of(self, tasks: Sequence[Task]) -> list[Task]:
        """The tasks of this part: neighbours go to different parts, so that large files do not fall to one."""
        return [task for task in tasks if task.number % self.n == self.number - 1]

    def __str__(self) -> str:
        return f"{self.number}/{self.n}"


def whole_path(path: str | os.PathLike | None) -> str | None:
    """A file or folder, or ``FILE:COLUMN``, by its whole path, as other processes find it; what is none, as a name, stays."""
    if path is None:
        return None
    text = os.fspath(path)
    file = text if Path(text).exists() else text.rpartition(":")[0]
    return text.replace(file, str(Path(file).absolute()), 1) if file and Path(file).exists() else text


def table_file(table: str | os.PathLike) -> Path:
    """The file of ``FILE`` or ``FILE:COLUMN``."""
    return Path(table) if Path(table).is_file() else Path(os.fspath(table).rpartition(":")[0])


def list_sources(files: Iterable[str | os.PathLike]) -> list[Source]:
    """Files with their sizes and times, by whole paths: workers may run in another folder."""
    return [Source.of(Path(file).absolute()) for file in files]


def group_files(sources: Sequence[Source]) -> list[Task]:
    """Divide files into tasks, in their order.

    Parameters
    ----------
    sources : sequence of Source

    Returns
    -------
    list of Task
        Depends on the sources alone, so that a run that goes on has the same tasks.
    """
    most = min(max(-(-len(sources) // MANY_TASKS), FEWEST_FILES), MOST_FILES)
    groups: list[list[Source]] = []
    size = 0
    for source in sources:
        if not groups or len(groups[-1]) == most or size + source.size > MOST_BYTES:
            groups.append([])
            size = 0
        groups[-1].append(source)
        size += max(source.size, 0)
    return [Task(number, tuple(group)) for number, group in enumerate(groups)]


ROWS = "rows"
"""Key under which what decides a run says that its tasks are rows of one source: ``{"all": 1000000, "each": 20000}``."""


def plan_tasks(sources: Sequence[Source], what: Mapping[str, Any]) -> list[Task]:
    """Tasks of a run: rows of its one source where `what` has `ROWS`, files otherwise.

    Parameters
    ----------
    sources : sequence of Source
    what : mapping
        All that decides the results of the run.

    Returns
    -------
    list of Task
    """
    if ROWS not in what:
        return group_files(sources)
    n, each = what[ROWS]["all"], what[ROWS]["each"]
    starts = enumerate(range(0, n, each))
    return [Task(number, tuple(sources), (start, min(start + each, n))) for number, start in starts]
