"""Residual head: a small network beside the frozen model (the paper's Sect. 3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from torch import nn

from ...networks.residual import ResidualNetwork, ResidualSettings, build_head
from .gradient import FineTuning, Trainable, chain
from .strategy import Moved

if TYPE_CHECKING:
    from ...models.estimator import Estimator


@dataclass(frozen=True)
class Residual(FineTuning):
    """Train a small network whose output is added to that of the frozen model.

    It starts from zero and has far to go, hence its higher learning rate.

    Parameters
    ----------
    head : ResidualSettings
        Shape of the small network.
    """

    name: ClassVar[str] = "residual"
    colour: ClassVar[str] = "#0072B2"
    marker: ClassVar[str] = "o"
    candidate: ClassVar[bool] = True
    rate: ClassVar[float] = 3e-5
    inside: ClassVar[float] = 1.0
    head: ResidualSettings = field(default_factory=ResidualSettings)

    def trainable(self, network: nn.Module, n_inputs: int, n_labels: int) -> Trainable:
        """The head."""
        head = build_head(n_inputs, n_labels, self.head).to(self.device)
        return Trainable(head, lambda: ResidualNetwork(network, head), offset=network)

    @classmethod
    def moved(cls, model: Estimator) -> Moved | None:
        """The last head."""
        network = model.network
        if not isinstance(network, ResidualNetwork) or model.adapter is not None:
            return None
        return Moved("residual head", (chain(network.head),), (network.base,), network.base)

    def weights_in_step(self, n_inputs: int, hidden: Sequence[int]) -> tuple[int, int]:
        """Those of the head."""
        return n_inputs * self.head.hidden, 0
