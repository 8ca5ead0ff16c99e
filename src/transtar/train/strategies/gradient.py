"""Fine-tuning by gradient descent: what all strategies that train weights have in common."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from torch import nn

from ...errors import SettingsError, shown
from ..augment import Augmentation
from ..by_number import finetuning_rate
from ..fit import Fit, begin_adaptation
from ..loop import Progress
from ..settings import MODEST, TrainSettings
from ..shared import Shared
from .strategy import Strategy

if TYPE_CHECKING:
    from ...datasets.stars import Stars
    from ...models.estimator import Estimator


@dataclass(frozen=True, eq=False)
class Trainable:
    """What trains, and what becomes of it.

    Parameters
    ----------
    network : nn.Module
        Those of its parameters train that have ``requires_grad``.
    finish : callable
        Makes the network of the adapted model, once this one is trained.
    offset : nn.Module, optional
        Frozen network whose output is added; it is computed once per star.
    adapter : callable, optional
        Gives what `Estimator.adapter` keeps; called before `finish`.
    """

    network: nn.Module
    finish: Callable[[], nn.Module]
    offset: nn.Module | None = None
    adapter: Callable[[], dict[str, np.ndarray]] | None = None


@dataclass(frozen=True)
class FineTuning(TrainSettings, Strategy):
    """Settings of a fine-tuning by gradient descent, whose subclasses say in `trainable` what trains.

    Settings are those of `TrainSettings`, with the defaults that the studies lamost-to-miles and lamost-to-miles-search found:
    epochs, learning rate and what is held out follow from the number of stars (`transtar.train.by_number`), and the last
    weights are averaged. The loss can be another, as `loss` of `TrainSettings`.

    Parameters
    ----------
    end_to_end : bool
        Of a model of embeddings, such as one of the input 'through' or 'flux+through', train what makes them, too: encoder and
        model become one network of the flux, which is what the strategy then trains.

    Attributes
    ----------
    rate : float
        Learning rate on a few hundred stars, see `transtar.train.by_number.finetuning_rate`; one for the class.
    inside : float
        By what the rate is multiplied where an encoder learns, too, which was trained on many more stars than there are here.
        With a bottleneck encoder and 100 MILES stars, judged on 300 others of the pool, two draws: rms of [Fe/H] 0.208 for full
        and (at a third) 0.207 for lora; at the rate itself 0.210 and 0.218; at three times that 0.222 and (one draw) 0.224.
    """

    trains: ClassVar[bool] = True
    rate: ClassVar[float] = 1e-5
    inside: ClassVar[float] = 0.3
    epochs: int | None = None
    validation_fraction: float | None = None
    average_last: int = 10
    schedule: str = "cosine"
    augmentation: Augmentation | None = MODEST
    end_to_end: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.end_to_end, bool):
            raise SettingsError(f"{self.name}: end_to_end must be true or false, not '{shown(self.end_to_end)}'")

    def rate_for(self, n_stars: int) -> float:
        """The learning rate for so many stars, where none is given."""
        return finetuning_rate(self.rate * (self.inside if self.end_to_end else 1), n_stars)

    def trainable(self, network: nn.Module, n_inputs: int, n_labels: int) -> Trainable:
        """What trains, on a copy of the model's network: by default all of its weights.

        Parameters
        ----------
        network : nn.Module
            On the device of the training, all of it frozen. Weights drawn in here are decided by the seed.
        n_inputs, n_labels : int

        Returns
        -------
        Trainable
        """
        network.requires_grad_(True)
        return Trainable(chain(network), lambda: network)

    def begin(
        self, model: Estimator, stars: Stars, progress: Progress | None = None, shared: Shared | None = None
    ) -> Fit | Estimator:
        """Lay what trains on a copy of the model."""
        return begin_adaptation(model, stars, self, progress, shared)

    def passes(self, n_stars: int) -> int:
        """Its epochs."""
        return self.for_stars(n_stars).epochs or 0

    def weights_in_step(self, n_inputs: int, hidden: Sequence[int]) -> tuple[int, int]:
        """As all weights that train; biases and the last layer do not matter here."""
        return sum(a * b for a, b in itertools.pairwise((n_inputs, *hidden))), 0


def chain(network: nn.Module) -> nn.Sequential:
    """A network as a chain of layers.

    Parameters
    ----------
    network : nn.Module

    Returns
    -------
    nn.Sequential
        A chain as it is; anything else, such as a bare linear layer, as a chain of one.
    """
    return network if isinstance(network, nn.Sequential) else nn.Sequential(network)
