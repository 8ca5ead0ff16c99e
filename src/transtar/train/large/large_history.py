"""What happened in a training of an encoder, look by look."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any


@dataclass
class LargeHistory:
    """What happened in a training; also what a checkpoint keeps of it.

    Parameters
    ----------
    rows : list of dict
        One per look at the validation spectra, the first before the first step: ``step``, ``epoch``, ``train_loss`` (mean since
        the look before; None in the first), ``validation_loss`` (None without such spectra), ``learning_rate``,
        ``samples_per_second`` (None in the first), and of several terms ``train_NAME`` and ``validation_NAME``.
    step : int
        Steps that are done.
    best_step : int or None
        Step whose weights were kept, those of the lowest validation loss; None: the last ones, without validation spectra.
    best_loss : float or None
    stopped_early : bool
    n_steps : int
        Steps of the whole training.
    seconds : float
        Spent in steps, over all runs of the command; `n_samples` spectra passed in them.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    step: int = 0
    best_step: int | None = None
    best_loss: float | None = None
    stopped_early: bool = False
    n_steps: int = 0
    seconds: float = 0.0
    n_samples: int = 0

    @property
    def samples_per_second(self) -> float:
        """Spectra per second of training, over all processes."""
        return self.n_samples / self.seconds if self.seconds else math.nan

    def __str__(self) -> str:
        """One line: how long it was, and how far the loss fell."""
        kind = "training" if self.best_step is None else "validation"
        column = "train_loss" if self.best_step is None else "validation_loss"
        known = [row[column] for row in self.rows if row[column] is not None]
        last = known[-1:] if self.best_loss is None else [self.best_loss]
        kept = "" if self.best_step is None else f", that of step {self.best_step:,} kept"
        fell = f"{kind} loss from {known[0]:.4g} to {last[0]:.4g}{kept}" if known else "no losses"
        early = ", stopped early" if self.stopped_early else ""
        return (
            f"{self.step:,} of {self.n_steps:,} steps{early}; {fell}; {self.samples_per_second:,.0f} spectra per second"
        )

    def losses(self, name: str = "train_loss") -> list[float]:
        """A column of the rows; NaN where it has no value."""
        return [math.nan if row.get(name) is None else row[name] for row in self.rows]
