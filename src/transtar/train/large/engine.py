"""The training of an encoder by one process or many, with checkpoints.

`torchrun` starts the processes; without it there is one. Losses and gradients are those of the whole batch, however many
processes share it, so that two give what one gives with the same batch, up to rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch

from .course import Course, Progress
from .large_history import LargeHistory
from .large_settings import EncoderTraining
from .objectives import Objective
from .ranks import Ranks, from_first
from .run_folder import RunFolder
from .run_key import execution_of, key_of
from .stopping import Stopping
from .streams import Stream


def train_large(
    objective: Objective,
    stream: Stream,
    settings: EncoderTraining,
    folder: str | Path | None = None,
    *,
    progress: Progress | None = None,
    finish: Callable[[LargeHistory], dict[str, Any]] | None = None,
) -> LargeHistory:
    """Train the weights of an objective; it ends on the CPU, with those to keep.

    All processes call it with the same arguments. With a folder, an interrupted training (Ctrl-C, SIGTERM, kill) goes on from its
    last checkpoint when it is called again, and gives the losses of one that was not interrupted: on the CPU of one machine
    with the same number of processes and threads bit for bit.

    Parameters
    ----------
    objective : Objective
        With its initial weights.
    stream : Stream
        Of the same settings.
    settings : EncoderTraining
    folder : path, optional
        Of the training; see `RunFolder`. Without one nothing is written.
    progress : callable, optional
        Called in the first process as the training goes on, with steps done, steps in all, training loss and validation loss; NaN
        where there is none, and between two looks at the validation spectra.
    finish : callable, optional
        Called in the first process at the end, to write the result; returns what the folder's record keeps of it. Until it has
        returned, the checkpoint stays.

    Returns
    -------
    LargeHistory

    Raises
    ------
    InputError, MismatchError
        As of `RunFolder` and `Stream`.
    SettingsError
        If there is no such device.
    TranstarError
        If the training diverges, or the disk is full.
    KeyboardInterrupt
        At the end of a step, when the checkpoint is written.
    """
    ranks = Ranks.current()
    device = ranks.device(settings.device)
    with ExitStack() as stack:
        run: RunFolder | None = None

        def open_folder() -> None:
            nonlocal run
            if folder is not None:
                what, execution = key_of(objective, stream, settings, device), execution_of(ranks)
                run = stack.enter_context(RunFolder(folder, what, execution))

        from_first(open_folder)
        stack.enter_context(torch.random.fork_rng(devices=[device.index or 0] if device.type == "cuda" else []))
        course = Course(objective.to(device), stream, settings, run, progress)
        course.resume()
        if not course.is_done:
            with Stopping() as stopping:
                course.go_on(stopping)
        course.keep_best()
        objective.cpu()

        def end() -> None:
            result = {} if finish is None else finish(course.history)
            if run is not None:
                run.finish(result)

        from_first(end)
        return course.history
