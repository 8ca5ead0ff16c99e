"""Step models: what one training step does to the weights that train, with everything frozen computed beforehand.

A step model owns a network, says which tensors the optimiser moves, turns inputs into whatever can be computed
once (`prepare`), and fills in the gradients of one batch (`step`).

`AutogradStep` takes any network and any loss; `transtar.train.fast` knows some that it can do quicker by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import nn

from ..errors import SettingsError
from ..networks.encoded import Affine
from .losses import Loss, each_loss, squared, weighted_mean

Offset = Callable[[torch.Tensor], torch.Tensor]


class StepModel(Protocol):
    """What the training loop needs to know of the network of a run, or of those of several runs.

    Batches, targets, weights and outputs of several runs are joined: the rows of the first run, then as many of the next.

    Attributes
    ----------
    parameters, state : list of list of Tensor
        Per run, what the optimiser moves, and all that a checkpoint holds.
    steps : sequence of StepModel
        One per run, which prepares its inputs.
    needs_pairs : bool
        Whether a batch of one star cannot be used.
    loss : callable
        Of each label of each star.
    """

    parameters: list[list[torch.Tensor]]
    state: list[list[torch.Tensor]]
    needs_pairs: bool
    loss: Loss

    @property
    def steps(self) -> Sequence[StepModel]:
        """The step models of the single runs."""

    def prepare(self, inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Compute once, for all stars, everything that does not change while the weights train."""

    def step(
        self, batch: tuple[torch.Tensor, ...], targets: torch.Tensor, weights: torch.Tensor | None
    ) -> torch.Tensor:
        """Put the gradients of the batch's loss into the parameters' ``grad``; return the loss, shape () or (runs,)."""

    def outputs(self, prepared: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """Predict standardised labels from prepared inputs."""


class AutogradStep:
    """Any network, differentiated by torch; `prepare` computes the offset and nothing else.

    Parameters
    ----------
    network : nn.Module
        Parameters with ``requires_grad`` train; batch normalisation whose weights do not stays in evaluation mode.
    offset : callable, optional
        Frozen function of the inputs, added to the outputs.
    loss : callable, optional
        Of each label of each star, as `transtar.train.losses.squared`.
    """

    def __init__(self, network: nn.Module, offset: Offset | None = None, loss: Loss = squared):
        self.network, self.offset, self.loss = network, offset, loss
        trainable: list[torch.Tensor] = [p for p in network.parameters() if p.requires_grad]
        self.parameters = [trainable]
        # The scalers of an encoder never change: an average of them would be rounded.
        kept = [module for module in network.modules() if not isinstance(module, Affine)]
        self.state = [
            [p.data for p in trainable] + [tensor for module in kept for tensor in module.buffers(recurse=False)]
        ]
        self.needs_pairs = any(isinstance(layer, nn.BatchNorm1d) for layer in network.modules())

    @property
    def steps(self) -> Sequence[StepModel]:
        """Itself."""
        return [self]

    @torch.no_grad()
    def prepare(self, inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Compute the offset, if there is one."""
        return (inputs,) if self.offset is None else (inputs, self.offset(inputs))

    def _forward(self, prepared: tuple[torch.Tensor, ...]) -> torch.Tensor:
        outputs = self.network(prepared[0])
        return outputs if self.offset is None else outputs + prepared[1]

    def step(
        self, batch: tuple[torch.Tensor, ...], targets: torch.Tensor, weights: torch.Tensor | None
    ) -> torch.Tensor:
        """Differentiate the loss of one batch."""
        self.network.train()
        for layer in self.network.modules():
            if isinstance(layer, nn.BatchNorm1d) and not layer.weight.requires_grad:
                layer.eval()
        for parameter in self.parameters[0]:
            parameter.grad = None
        loss = weighted_mean(each_loss(self.loss, self._forward(batch), targets), weights)
        if not loss.requires_grad:
            raise SettingsError(
                "the loss does not depend on the weights that train, as far as torch can tell; was it detached?"
            )
        loss.backward()
        return loss.detach()

    @torch.no_grad()
    def outputs(self, prepared: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """Predict in evaluation mode."""
        self.network.eval()
        return self._forward(prepared)
