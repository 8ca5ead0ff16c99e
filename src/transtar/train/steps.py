"""Step models: what one training step does to the weights that train, with everything frozen computed beforehand.

A step model owns a network, says which tensors the optimiser moves, turns inputs into whatever can be computed
once (`prepare`), and fills in the gradients of one batch (`step`).

`DenseStep` does it by hand for chains of linear layers and ReLU. The networks are so small that the bookkeeping of
automatic differentiation, and gradients nobody uses, take a third of the time; tests compare it with `AutogradStep`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import nn

from ..models.lora import LoRALinear

Offset = Callable[[torch.Tensor], torch.Tensor]
Once = Callable[[Offset, nn.Module], Offset]

# Views into the one flat tensor of weights start at multiples of 64 bytes, which vector instructions like.
_ALIGN = 16


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
    """

    parameters: list[list[torch.Tensor]]
    state: list[list[torch.Tensor]]
    needs_pairs: bool

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


def weighted_loss(outputs: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor | None) -> torch.Tensor:
    """Mean over stars and labels of the (weighted) squared difference; tensors of shape (n, n_labels)."""
    squared = (outputs - targets).square()
    return squared.mean() if weights is None else (squared * weights).mean()


class AutogradStep:
    """Any network, differentiated by torch; `prepare` computes the offset and nothing else.

    Parameters
    ----------
    network : nn.Module
        Parameters with ``requires_grad`` train; batch normalisation whose weights do not stays in evaluation mode.
    offset : callable, optional
        Frozen function of the inputs, added to the outputs.
    """

    def __init__(self, network: nn.Module, offset: Offset | None = None):
        self.network = network
        self.offset = offset
        trainable: list[torch.Tensor] = [p for p in network.parameters() if p.requires_grad]
        self.parameters = [trainable]
        self.state = [[p.data for p in trainable] + list(network.buffers())]
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
        loss = weighted_loss(self._forward(batch), targets, weights)
        loss.backward()
        return loss.detach()

    @torch.no_grad()
    def outputs(self, prepared: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """Predict in evaluation mode."""
        self.network.eval()
        return self._forward(prepared)


@dataclass
class Layer:
    """One linear layer: a weight matrix that trains or not, perhaps a low-rank update.

    `backward` is the transposed weight, laid out afresh where the weight is frozen.
    """

    weight: torch.Tensor
    bias: torch.Tensor
    backward: torch.Tensor
    trains: bool
    update: tuple[torch.Tensor, torch.Tensor] | None = None
    scale: float = 1.0


class DenseStep:
    """A chain of linear layers and ReLU (plain or with LoRA), differentiated by hand.

    Inside, activations are laid out as (features, stars), and the matrices A of LoRA as (inputs, rank): with batches
    of a few dozen stars that makes the matrix products up to twice as fast as the other way round.

    Parameters
    ----------
    network : nn.Sequential
        `nn.Linear` or `LoRALinear` layers with a `nn.ReLU` between them. Those of its parameters with
        ``requires_grad`` are moved into one flat tensor, which the optimiser updates in one call; the network sees
        every change.
    offset : callable, optional
        Frozen function of the inputs, added to the outputs; computed once per star.
    once : callable, optional
        Wraps the product with a frozen first layer, given that layer; `transtar.train.shared` shares it between runs.
    """

    needs_pairs = False
    _mm: Callable[..., torch.Tensor] = staticmethod(torch.mm)
    _addmm: Callable[..., torch.Tensor] = staticmethod(torch.addmm)

    def __init__(
        self, network: nn.Sequential, offset: Offset | None = None, once: Once = lambda function, layer: function
    ):
        self.offset = offset
        transposed = {id(module.A) for module in network if isinstance(module, LoRALinear)}
        self.trainable = [p for p in network.parameters() if p.requires_grad]
        self._flatten(transposed)
        self.layers: list[Layer] = []
        for module in network:
            if isinstance(module, LoRALinear):
                weight = module.layer.weight
                layer = Layer(weight, module.layer.bias, weight.T.contiguous(), False)
                layer.update, layer.scale = (module.A, module.B), module.scale
            elif isinstance(module, nn.Linear):
                trains, weight = module.weight.requires_grad, module.weight
                layer = Layer(weight, module.bias, weight.T if trains else weight.T.contiguous(), trains)
            else:
                continue
            self.layers.append(layer)
        # The first product with a frozen matrix is the same in every epoch.
        self.hoists = not self.layers[0].trains
        self.first = next(i for i, layer in enumerate(self.layers) if layer.trains or layer.update)
        lowest = network[0].layer if isinstance(network[0], LoRALinear) else network[0]
        self._first_product = once(self._multiply_first, lowest)

    @property
    def steps(self) -> Sequence[StepModel]:
        """Itself."""
        return [self]

    def _flatten(self, transposed: set[int]) -> None:
        sizes = [-(-p.numel() // _ALIGN) * _ALIGN for p in self.trainable]
        flat = torch.zeros(sum(sizes), device=self.trainable[0].device, dtype=self.trainable[0].dtype)
        flat.grad = torch.zeros_like(flat)
        for parameter, values, gradients in zip(self.trainable, flat.split(sizes), flat.grad.split(sizes), strict=True):
            turn = id(parameter) in transposed
            shape = parameter.shape[::-1] if turn else parameter.shape
            view, gradient = (part[: parameter.numel()].view(shape) for part in (values, gradients))
            view, gradient = (view.T, gradient.T) if turn else (view, gradient)
            view.copy_(parameter.data)
            parameter.data, parameter.grad = view, gradient
        self.parameters = [[flat]]
        self.state = [[flat]]

    def _multiply_first(self, inputs: torch.Tensor) -> torch.Tensor:
        return torch.addmm(self.layers[0].bias, inputs, self.layers[0].weight.T)

    @torch.no_grad()
    def prepare(self, inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Compute the first layer's frozen product and the offset for all stars."""
        prepared = [inputs]
        if self.hoists:
            prepared.append(self._first_product(inputs))
        if self.offset is not None:
            prepared.append(self.offset(inputs))
        return tuple(prepared)

    # Stars in rows to stars in columns, and back.
    def _columns(self, rows: torch.Tensor) -> torch.Tensor:
        return rows.T

    def _rows(self, columns: torch.Tensor) -> torch.Tensor:
        return columns.T

    def _forward(self, prepared: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, list[torch.Tensor], list]:
        hidden = self._columns(prepared[0])
        inputs: list[torch.Tensor] = []
        reduced: list = []
        last = len(self.layers) - 1
        for index, layer in enumerate(self.layers):
            inputs.append(hidden)
            hoisted = index == 0 and self.hoists
            total = self._columns(prepared[1]) if hoisted else self._addmm(layer.bias[..., None], layer.weight, hidden)
            if layer.update is None:
                reduced.append(None)
                total = total.contiguous()
            else:
                down, up = layer.update
                # Scaled here, where the matrix is thin.
                low = self._mm(down, hidden).mul_(layer.scale)
                reduced.append(low)
                # What was hoisted is a view of the batch in the other layout: add to a copy of it.
                total = self._addmm(total, up, low) if hoisted else self._addmm(total, up, low, out=total)
            hidden = total if index == last else torch.relu_(total)
        if self.offset is not None:
            hidden.add_(self._columns(prepared[-1]))
        return hidden, inputs, reduced

    @torch.no_grad()
    def step(
        self, batch: tuple[torch.Tensor, ...], targets: torch.Tensor, weights: torch.Tensor | None
    ) -> torch.Tensor:
        """Run one batch forward and backward."""
        outputs, inputs, reduced = self._forward(batch)
        difference = outputs.sub_(self._columns(targets))
        n = difference.shape[-2] * difference.shape[-1]
        gradient = difference if weights is None else difference * self._columns(weights)
        loss = torch.sum(gradient * difference, dim=(-2, -1)) / n
        gradient = gradient * (2.0 / n)
        for index in range(len(self.layers) - 1, self.first - 1, -1):
            layer, hidden, low = self.layers[index], inputs[index], reduced[index]
            if layer.trains:
                self._mm(gradient, hidden.mT, out=layer.weight.grad)
                torch.sum(gradient, -1, out=layer.bias.grad)
            if layer.update is not None:
                down, up = layer.update
                assert down.grad is not None
                self._mm(gradient, low.mT, out=up.grad)
                thin = self._mm(up.mT, gradient).mul_(layer.scale)
                self._mm(hidden, thin.mT, out=down.grad.mT)
            if index > self.first:
                below = self._mm(layer.backward, gradient)
                if layer.update is not None:
                    self._addmm(below, down.mT, thin, out=below)
                # The derivative of ReLU: `hidden` is its output, zero where it cut.
                gradient = torch.ops.aten.threshold_backward(below, hidden, 0)
        return loss

    @torch.no_grad()
    def outputs(self, prepared: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """Predict standardised labels."""
        return self._rows(self._forward(prepared)[0])
