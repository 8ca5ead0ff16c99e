"""A training step by hand for chains of linear layers and ReLU, plain or with LoRA, and the squared loss.

The networks are so small that the bookkeeping of automatic differentiation, and gradients nobody uses, take a third of the
time; tests compare it with `AutogradStep`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from ...networks.lora import LoRALinear
from ..losses import Loss, squared
from ..steps import Offset, StepModel

Once = Callable[[Offset, nn.Module], Offset]

# Views into the one flat tensor of weights start at multiples of 64 bytes, which vector instructions like.
_ALIGN = 16


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
    loss: Loss = staticmethod(squared)
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
