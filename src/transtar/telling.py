"""Telling the user what was converted, left out or doubtful, by the logger ``transtar`` of the standard library.

What matters is a warning, and what goes on in a long run is information. The command line shows warnings on standard error. In a
script or notebook Python prints them itself as long as nothing else is set up, which is why the logger has no `NullHandler`: that
would silence them. ``logging.getLogger("transtar")`` takes handlers and levels as any logger does.
"""

from __future__ import annotations

import logging
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import InputError, one_line, shown

LOGGER = logging.getLogger("transtar")

_LINE = re.compile(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (INFO|WARNING|ERROR) ")
"""How each line of a log begins."""


def tell(message: str) -> None:
    """Tell one line; the command line shows each line once."""
    LOGGER.warning("%s", one_line(message), stacklevel=2)


def note(message: str) -> None:
    """Note one line on what is going on, for those who listen at the level INFO."""
    LOGGER.info("%s", one_line(message), stacklevel=2)


class _Once(logging.Handler):
    """Shows the first message of each kind on standard error, whatever that is at the time, and counts the others.

    Messages that differ in numbers, or in the file that they begin with, are of one kind.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.told: set[str] = set()
        self.more: dict[str, int] = {}

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if message in self.told:
            return
        self.told.add(message)
        kind = re.sub(r"[0-9]+", "0", message.partition(": ")[2] or message)
        if kind in self.more:
            self.more[kind] += 1
            return
        self.more[kind] = 0
        print(message, file=sys.stderr, flush=True)

    def finish(self) -> None:
        for kind, count in self.more.items():
            if count:
                print(f"({count} more like it: {shown(kind, 70)})", file=sys.stderr, flush=True)
                self.more[kind] = 0


@contextmanager
def shown_on_stderr() -> Iterator[None]:
    """Show what is told on standard error, as the command line does; what was told before is told again."""
    handler = _Once()
    for other in [other for other in LOGGER.handlers if isinstance(other, _Once)]:
        LOGGER.removeHandler(other)
    LOGGER.addHandler(handler)
    try:
        yield
    finally:
        handler.finish()


@contextmanager
def logged(path: Path | None, first: str) -> Iterator[None]:
    """Append what is told and noted to a file, line by line with its time, and at the end how it ended.

    Parameters
    ----------
    path : Path or None
        Of a new file, or of an earlier log; None for no log.
    first : str
        The first line.

    Raises
    ------
    InputError
        If a file that is no log stands there, or it cannot be written.
    """
    if path is None:
        yield
        return
    # A pipe would wait for somebody to write into it.
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: no log can be written there: not a file")
    try:
        if path.exists():
            with path.open("rb") as file:
                head = file.readline(80)
            if head and not _LINE.match(head):
                raise InputError(f"{path}: another file, and not a log; name a new file, or an earlier log, as --log")
        handler = logging.FileHandler(path, encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise InputError(f"{path}: no log can be written there: {error.strerror or error}") from None
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    level, started = LOGGER.level, time.monotonic()
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    try:
        note(first)
        yield
    except BaseException as error:
        _into(handler, logging.ERROR, f"stopped by {type(error).__name__}: {error}".rstrip(": "))
        raise
    else:
        _into(handler, logging.INFO, f"done in {time.monotonic() - started:.0f} s")
    finally:
        LOGGER.setLevel(level)
        LOGGER.removeHandler(handler)
        handler.close()


def _into(handler: logging.Handler, level: int, message: str) -> None:
    """A line for the log alone: the command line says an error itself."""
    handler.handle(logging.LogRecord(LOGGER.name, level, "", 0, "%s", (one_line(message),), None))
