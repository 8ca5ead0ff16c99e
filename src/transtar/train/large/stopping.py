"""Interrupts that wait for the end of a step, so that what was trained can be kept."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")


class Stopping:
    """A context in which Ctrl-C, SIGTERM and SIGHUP are noted; at its end what was noted takes its course.

    A second one does not wait. A signal that is ignored stays so; in another thread than the main one nothing is changed.

    Attributes
    ----------
    asked : bool
        Whether one has come.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[int, Any] = {}
        self._pending: Callable[[], Any] | None = None

    def __enter__(self) -> Stopping:
        if threading.current_thread() is threading.main_thread():
            for number in (getattr(signal, name) for name in _NAMES if hasattr(signal, name)):
                handler = signal.getsignal(number)
                # One that Python did not set cannot be called.
                if callable(handler):
                    self._before[number] = handler
                    signal.signal(number, self._note)
        return self

    def _note(self, number: int, frame: FrameType | None) -> None:
        handler = self._before[number]
        if self.asked:
            handler(number, frame)
            return
        self.asked = True
        self._pending = lambda: handler(number, frame)

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._pending is not None and error is None:
            self._pending()
            # A handler of the user's may do nothing; the training has stopped all the same.
            raise KeyboardInterrupt
