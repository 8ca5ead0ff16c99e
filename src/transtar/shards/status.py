"""What a user looks at while a run goes on: status.csv, with a line for each file, and log.txt."""

from __future__ import annotations

import csv
import logging
import os
import time
from collections.abc import Sequence
from pathlib import Path

from ..errors import one_line
from ..files import atomic_path
from ..telling import LOGGER
from .shard_record import ShardRecord
from .tasks import Task

STATUS, LOG = "status.csv", "log.txt"

COLUMNS = ("file", "state", "n", "message", "shard", "shard_seconds", "size", "time", "head_sha256", "sha256")
"""Of status.csv. State is done, failed or waiting; `n` counts rows of the catalog; `shard_seconds` are those of all the shard."""

EVERY = 30.0
"""Seconds between two writings of the status; more where the writing takes long."""


def write_status(folder: Path, tasks: Sequence[Task], records: Sequence[ShardRecord]) -> None:
    """Write status.csv, all of it."""
    by_number = {record.number: record for record in records}
    with (
        atomic_path(folder / STATUS, durable=False, ours=True) as temporary,
        temporary.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for task in tasks:
            record = by_number.get(task.number)
            if record is None:
                writer.writerows(
                    (one.path, "waiting", "", "", task.number, "", one.size, one.time, "", "") for one in task.sources
                )
                continue
            for one in record.files:
                n = "" if one.n < 0 else one.n
                writer.writerow((
                    one.path, one.state, n, one_line(one.message), task.number, record.seconds, one.size, one.time, one.head,
                    one.sha256,
                ))  # fmt: skip


class RunLog(logging.Handler):
    """Lines with their time at the end of log.txt, all that is told among them; a context.

    Parameters
    ----------
    folder : Path
    part : str
        For the lines, as several parts write into one log.
    """

    def __init__(self, folder: Path, part: str) -> None:
        super().__init__(logging.WARNING)
        self._part = part
        self._told: set[str] = set()
        # Lines are appended whole, so that those of several processes do not mix.
        self._handle = os.open(folder / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)

    def __enter__(self) -> RunLog:
        LOGGER.addHandler(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        LOGGER.removeHandler(self)
        if kind is not None:
            self.note(f"stopped by {kind.__name__}: {error}" if str(error) else f"stopped by {kind.__name__}")
        os.close(self._handle)

    def emit(self, record: logging.LogRecord) -> None:
        """Note what is told, once: many shards say the same."""
        message = record.getMessage()
        if message not in self._told:
            self._told.add(message)
            self.note(message)

    def note(self, line: str) -> None:
        """Add a line."""
        stamp = time.strftime("%Y-%m-%d %H:%M:%S")
        text = f"{stamp} part {self._part} {one_line(line)}\n"
        os.write(self._handle, text.encode("utf-8", "surrogateescape"))
