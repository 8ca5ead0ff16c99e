"""From scratch: a fresh network that learns from the target's stars alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from torch import nn

from ...errors import SettingsError
from ...networks.mlp import MLPSettings, build_mlp
from ..fit import Fit, begin_fresh
from ..loop import Progress
from ..settings import default_learning_rate
from ..shared import Shared
from .gradient import FineTuning

if TYPE_CHECKING:
    from ...datasets.stars import Stars
    from ...models.estimator import Estimator


@dataclass(frozen=True)
class Scratch(FineTuning):
    """Train a fresh network with its own scalers, using nothing of the model but its labels and preprocessing.

    Parameters
    ----------
    mlp : MLPSettings
        Shape of the network.
    """

    name: ClassVar[str] = "scratch"
    colour: ClassVar[str] = "#D55E00"
    marker: ClassVar[str] = "v"
    uses_model: ClassVar[bool] = False
    command: ClassVar[bool] = False
    mlp: MLPSettings = field(default_factory=MLPSettings)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.end_to_end:
            raise SettingsError("scratch: end_to_end trains the encoder of a model, of which scratch uses nothing")

    def build(self, n_inputs: int, n_labels: int) -> nn.Module:
        """The network, with freshly drawn weights, from standardised inputs to standardised labels."""
        return build_mlp(n_inputs, n_labels, self.mlp)

    def rate_for(self, n_stars: int) -> float:
        """That of random weights, which have far to go."""
        return default_learning_rate(n_stars, self.schedule)

    def begin(
        self, model: Estimator, stars: Stars, progress: Progress | None = None, shared: Shared | None = None
    ) -> Fit | Estimator:
        """Draw the weights, or find the scalers, of a network of its own."""
        return begin_fresh(
            stars, self, self.build, model.preprocessing, progress, shared, step="finetune", strategy=self.name
        )

    def weights_in_step(self, n_inputs: int, hidden: Sequence[int]) -> tuple[int, int]:
        """Those of its own network."""
        return super().weights_in_step(n_inputs, self.mlp.hidden)
