"""Progress bars: on a terminal as text, in a notebook as a widget, and nothing where neither is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

Counts = Callable[[int, int], None]

PATIENCE = 1.0
"""Seconds of work before a notebook shows a bar: what is done at once needs none."""


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return shell is not None and "IPKernelApp" in getattr(shell, "config", {})


def progress_bar(**settings: Any) -> Any:
    """A bar of tqdm, which vanishes at its end.

    Parameters
    ----------
    **settings
        Those of ``tqdm.tqdm``.

    Returns
    -------
    tqdm.tqdm
        A widget in a notebook that has ipywidgets, and text in one that has not; disabled where there is no terminal either.
    """
    if not in_notebook():
        from tqdm import tqdm

        return tqdm(**{"disable": None, "leave": False, **settings})
    settings = {"leave": False, "delay": PATIENCE, **settings, "disable": False}
    # Asked before, as tqdm.auto warns of a missing package at every import.
    if find_spec("ipywidgets") is None:
        from tqdm import tqdm

        return tqdm(**settings)
    from tqdm.notebook import tqdm as widget

    return widget(**settings)


def advance(bar: Any) -> Counts:
    """A callback ``(done, total)`` that moves a bar, whose total may grow: a file may hold many spectra."""

    def progress(done: int, total: int) -> None:
        bar.total = max(total, done)
        bar.update(done - bar.n)

    return progress


@contextmanager
def followed(progress: Counts | None, description: str, unit: str = "spectra") -> Iterator[Counts | None]:
    """The callback that a caller gave; without one, a bar in a notebook, and elsewhere None."""
    if progress is not None or not in_notebook():
        yield progress
        return
    with progress_bar(desc=description, unit=unit) as bar:
        yield advance(bar)


@contextmanager
def epochs_followed(progress: Callable | None, description: str) -> Iterator[Callable | None]:
    """The same for a training, whose callback takes ``(epoch, n_epochs, training_loss, validation_loss)``."""
    with followed(None if progress is None else lambda done, total: None, description, "epoch") as counts:
        if progress is not None or counts is None:
            yield progress
            return
        move = counts

        def show(epoch: int, n_epochs: int, *losses: float) -> None:
            move(epoch, n_epochs)

        yield show
