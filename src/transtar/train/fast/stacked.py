"""Several runs of one shape as a single step model: their weights stacked, every product one over all runs."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import torch

from ..steps import StepModel
from .dense import DenseStep, Layer


class StackedStep(DenseStep):
    """Runs of one shape that take their steps together.

    `DenseStep` with a leading dimension of runs: the flat tensors of the runs become the rows of one, (runs, weights), and
    the networks see every change. The gradients of a run are its own, but for rounding.

    Parameters
    ----------
    steps : sequence of DenseStep
        Of equal `shape_of`. They go on preparing the inputs of their runs, but take no steps of their own any more.
    """

    _mm = staticmethod(torch.bmm)
    _addmm = staticmethod(torch.baddbmm)

    def __init__(self, steps: Sequence[DenseStep]):
        self._steps = tuple(steps)
        self.offset, self.hoists, self.first = steps[0].offset, steps[0].hoists, steps[0].first
        flat = torch.stack([step.parameters[0][0] for step in steps])
        flat.grad = torch.zeros_like(flat)
        self._flat = flat
        self.layers = [self._stacked([step.layers[number] for step in steps]) for number in range(len(steps[0].layers))]
        rows = list(flat)
        for row, gradient in zip(rows, flat.grad, strict=True):
            row.grad = gradient
        self.parameters = [[row] for row in rows]
        self.state = [[row] for row in rows]
        for step, row in zip(steps, rows, strict=True):
            for parameter in step.trainable:
                place = row.storage_offset() + parameter.storage_offset()
                parameter.data = flat.as_strided(parameter.shape, parameter.stride(), place)

    def _stacked(self, layers: Sequence[Layer]) -> Layer:
        one = layers[0]
        update = None if one.update is None else (self._view(one.update[0]), self._view(one.update[1]))
        if one.trains:
            weight, bias = self._view(one.weight), self._view(one.bias)
            return Layer(weight, bias, weight.mT, True, update, one.scale)
        weight, bias, backward = (
            torch.stack([getattr(layer, name) for layer in layers]) for name in ("weight", "bias", "backward")
        )
        return Layer(weight, bias, backward, False, update, one.scale)

    def _view(self, parameter: torch.Tensor) -> torch.Tensor:
        """The same parameter of all runs; it lies at the same place in every row."""
        assert self._flat.grad is not None
        shape, stride = (len(self._flat), *parameter.shape), (self._flat.stride(0), *parameter.stride())
        view, gradient = (
            part.as_strided(shape, stride, parameter.storage_offset()) for part in (self._flat, self._flat.grad)
        )
        view.grad = gradient
        return view

    @property
    def steps(self) -> Sequence[StepModel]:
        """Those of the runs."""
        return self._steps

    @torch.no_grad()
    def prepare(self, inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Prepare joined inputs, each run its own."""
        parts = [step.prepare(part) for step, part in zip(self._steps, inputs.chunk(len(self._steps)), strict=True)]
        return tuple(map(torch.cat, zip(*parts, strict=True)))

    def _columns(self, rows: torch.Tensor) -> torch.Tensor:
        return rows.unflatten(0, (len(self._steps), -1)).mT

    def _rows(self, columns: torch.Tensor) -> torch.Tensor:
        return columns.mT.flatten(0, 1)


def shape_of(step: DenseStep) -> Hashable:
    """What must be equal for steps to be stacked: shapes, what trains, the scale of updates, and the device."""
    layers = tuple(
        (tuple(layer.weight.shape), layer.trains, layer.update and tuple(layer.update[0].shape), layer.scale)
        for layer in step.layers
    )
    weights = step.parameters[0][0]
    return layers, step.offset is None, weights.dtype, weights.device


def weights_in_products(step: DenseStep) -> int:
    """Number of weights that a step multiplies by: those that train, and the frozen ones that are not hoisted."""
    frozen = sum(layer.weight.numel() for layer in step.layers[step.hoists :] if not layer.trains)
    return frozen + sum(parameter.numel() for parameter in step.trainable)
