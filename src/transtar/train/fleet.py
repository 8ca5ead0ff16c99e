"""Fleets: many fine-tuning runs together, which compute once what they have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from ..datasets.stars import Stars
from ..errors import TranstarError
from ..models.estimator import Estimator
from .finetuning import begin_finetuning
from .strategies import Strategy
from .teams import carry_out_all


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

    What they have in common is computed once, see `transtar.train.teams.carry_out_all`. Every run keeps its state in memory:
    about 24 bytes per weight that trains, and a copy or two of its spectra.

    Parameters
    ----------
    members : sequence of Member
    done : callable, optional
        Called with the number of a member and its result as soon as it has one.
    progress : callable, optional
        Called with the number of epochs done and the number of all.

    Returns
    -------
    list of Estimator or TranstarError
        In the order of the members; the error where one could not be trained, which does not touch the others.
    """
    results: dict[int, Estimator | TranstarError] = {}

    def keep(number: int, outcome: Estimator | TranstarError) -> None:
        results[number] = outcome
        if done is not None:
            done(number, outcome)

    carry_out_all([partial(begin_finetuning, **vars(member)) for member in members], keep, progress)
    return [results[number] for number in range(len(members))]
