"""Fleets: many fine-tuning runs together, which compute once what they have in common."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import partial

import torch

from ..datasets.stars import Stars
from ..errors import TranstarError
from ..models.estimator import Estimator
from .fast import alike, stack
from .finetuning import begin_finetuning
from .fit import Fit
from .loop import History, training
from .shared import Shared
from .strategies import Strategy


@dataclass(frozen=True, eq=False)
class Member:
    """One run of a fleet: the arguments of `finetune`."""

    model: Estimator
    stars: Stars
    strategy: Strategy
    seed: int | None = None
    new_label: bool = False


def finetune_fleet(
    members: Sequence[Member],
    *,
    done: Callable[[int, Estimator | TranstarError], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Estimator | TranstarError]:
    """Fine-tune many models together; each comes out as `finetune` would have made it, up to rounding.

    All runs go from epoch to epoch side by side. Those of equal stars, seed and augmentation draw their augmented spectra
    once, those of one base model compute its frozen outputs once, and small networks of equal shape are trained as one
    (see `transtar.train.fast.pays_to_stack`). Every run keeps its state in memory: about 24 bytes per weight that trains, and a
    copy or two of its spectra.

    Parameters
    ----------
    members : sequence of Member
    done : callable, optional
        Called with the number of a member and its result as soon as it has one.
    progress : callable, optional
        Called after every epoch of a member, or of several that are trained as one, with the number of epochs done and the
        number of all; the last call has them equal.

    Returns
    -------
    list of Estimator or TranstarError
        In the order of the members; the error where one could not be trained, which does not touch the others.
    """
    results: dict[int, Estimator | TranstarError] = {}

    def settle(number: int, make: Callable[[], Estimator]) -> None:
        try:
            results[number] = make()
        except TranstarError as error:
            results[number] = error
        if done is not None:
            done(number, results[number])

    shared = Shared()
    fits: dict[int, Fit] = {}
    for number, member in enumerate(members):
        try:
            begun: Fit | Estimator | TranstarError = begin_finetuning(**vars(member), shared=shared)
        except TranstarError as error:
            begun = error
        if isinstance(begun, Fit):
            fits[number] = begun
        else:
            settle(number, partial(_raised, begun))
    teams = _teams(fits)
    n_done, n_all = 0, sum(fit.run.settings.epochs for fit in fits.values())
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
                    n_done += fit.run.settings.epochs - team.epoch
                    settle(number, partial(fit.finish, history))
            if progress is not None:
                progress(n_done, n_all)
        # Whatever is drawn or computed anew in each epoch, nobody needs again.
        shared.forget()
    return [results[number] for number in range(len(members))]


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


def _raised(outcome: Estimator | TranstarError) -> Estimator:
    if isinstance(outcome, TranstarError):
        raise outcome
    return outcome
