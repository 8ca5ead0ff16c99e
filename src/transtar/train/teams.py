"""Trainings side by side, from epoch to epoch: small networks of equal shape are trained as one."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import torch

from ..errors import TranstarError
from ..models.estimator import Estimator
from .fast import alike, stack
from .fit import Fit
from .loop import History, training
from .shared import Shared

Outcome = TypeVar("Outcome")
Begin = Callable[..., Fit | Estimator]


def carry_out_all(
    begins: Sequence[Begin],
    done: Callable[[int, Estimator | TranstarError], None],
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Carry out many trainings together, from epoch to epoch side by side.

    Those of equal stars, seed and augmentation draw their augmented spectra once, those of one base model compute its frozen
    outputs once, and small networks of equal shape are trained as one (see `transtar.train.fast.pays_to_stack`).

    Parameters
    ----------
    begins : sequence of callable
        Each takes `shared`, and does what comes before its training, or all where nothing is trained step by step.
    done : callable
        Called with the number of each and its model, or the error because of which there is none, as soon as it has one.
    progress : callable, optional
        Called after every epoch of a training, or of several that are trained as one, with the number of epochs done and
        the number of all; the last call has them equal.
    """
    shared = Shared()
    fits: dict[int, Fit] = {}
    for number, begin in enumerate(begins):
        begun = _outcome(partial(begin, shared=shared))
        if isinstance(begun, Fit):
            fits[number] = begun
        else:
            done(number, begun)
    teams = _teams(fits)
    n_done, n_all = 0, sum(fit.run.n_epochs for fit in fits.values())
    del fits
    while teams:
        for team in list(teams):
            histories = team.advance()
            if histories is None:
                n_done += len(team.fits)
            else:
                teams.remove(team)
                for (number, fit), history in zip(team.fits.items(), histories, strict=True):
                    # One that has stopped early is done with its other epochs.
                    n_done += fit.run.n_epochs - team.epoch
                    done(number, _outcome(partial(fit.finish, history)))
            if progress is not None:
                progress(n_done, n_all)
        # Whatever is drawn or computed anew in each epoch, nobody needs again.
        shared.forget()


def _outcome(make: Callable[[], Outcome]) -> Outcome | TranstarError:
    try:
        return make()
    except TranstarError as error:
        return error


@dataclass(eq=False)
class _Team:
    """Runs trained as one, or a single run."""

    fits: dict[int, Fit]
    epoch: int = 0

    def __post_init__(self) -> None:
        first = next(iter(self.fits.values()))
        # Weights are drawn; what is left to draw from torch's global generator is dropout, of networks never stacked.
        self.random_state = first.random_state
        steps = [fit.model for fit in self.fits.values()]
        model = first.model if len(steps) == 1 else stack(steps)
        self.course = training(model, [fit.run for fit in self.fits.values()])

    def advance(self) -> list[History] | None:
        """Train for an epoch; the histories after the last."""
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(self.random_state)
            try:
                next(self.course)
            except StopIteration as end:
                return end.value
            self.random_state = torch.get_rng_state()
        self.epoch += 1
        return None


def _teams(fits: dict[int, Fit]) -> list[_Team]:
    together: dict[Hashable, dict[int, Fit]] = {}
    for number, fit in fits.items():
        together.setdefault(_kind(fit, number), {})[number] = fit
    return [_Team(part) for part in together.values()]


def _kind(fit: Fit, number: int) -> Hashable:
    """Equal for runs that can be stacked and gain by it."""
    run, settings, shape = fit.run, fit.run.settings, alike(fit.model)
    if shape is None:
        return number
    return (
        shape,
        *(settings.epochs, settings.batch_size, settings.schedule, settings.weight_decay),
        *(settings.average_last, settings.patience),
        math.ceil(len(run.targets) / settings.batch_size),
        run.validation is None,
        run.augment is None,
    )
