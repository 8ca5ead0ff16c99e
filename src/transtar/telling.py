"""Telling the user what was converted, left out or doubtful: one logger, which the command line shows on standard error.

In a notebook Python itself prints what is told; ``logging.getLogger("transtar")`` takes handlers as any logger does.
"""

from __future__ import annotations

import logging

from .errors import one_line

LOGGER = logging.getLogger("transtar")


def tell(message: str) -> None:
    """Tell one line; the command line shows each line once."""
    LOGGER.warning("%s", one_line(message))


class _Once(logging.Handler):
    """Shows each message once on standard error, whatever that is at the time."""

    def __init__(self) -> None:
        super().__init__()
        self.told: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        import sys

        message = record.getMessage()
        if message not in self.told:
            self.told.add(message)
            print(message, file=sys.stderr, flush=True)


def show_on_stderr() -> None:
    """Show what is told on standard error, as the command line does; what was told before is told again."""
    for handler in [handler for handler in LOGGER.handlers if isinstance(handler, _Once)]:
        LOGGER.removeHandler(handler)
    LOGGER.addHandler(_Once())
