"""Telling the user what was converted, left out or doubtful: one logger, which the command line shows on standard error.

In a notebook Python itself prints what is told; ``logging.getLogger("transtar")`` takes handlers as any logger does.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from .errors import one_line, shown

LOGGER = logging.getLogger("transtar")


def tell(message: str) -> None:
    """Tell one line; the command line shows each line once."""
    LOGGER.warning("%s", one_line(message))


class _Once(logging.Handler):
    """Shows the first message of each kind on standard error, whatever that is at the time, and counts the others.

    Messages that differ in numbers, or in the file that they begin with, are of one kind.
    """

    def __init__(self) -> None:
        super().__init__()
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
