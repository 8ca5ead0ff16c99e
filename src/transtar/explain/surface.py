"""The loss at many points of a plane of weights, all evaluated together."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from ..networks.lora import LoRALinear
from .moving import TrainedPart

STARS, VALUES, WEIGHTS = 1024, 1 << 21, 1 << 21
"""What is held at a time: stars, activations of a layer, and weights of a layer formed for single points."""

_Outputs = Callable[[torch.Tensor], torch.Tensor]


@torch.inference_mode()
def plane_losses(
    part: TrainedPart,
    directions: list[dict[str, torch.Tensor]],
    inputs: torch.Tensor,
    targets: torch.Tensor,
    points: torch.Tensor,
) -> torch.Tensor:
    """Mean squared error of a network whose weights W are moved to W + alpha D + beta E, for many (alpha, beta).

    In the first layer that moves, all points share three products, with W, D and E. From there on each point has inputs of its
    own: it needs one product, with weights that are formed for a few points at a time (three products with the shared
    matrices would take three times as long). LoRA goes through its thin factors: no dense matrix is formed for a point. What is
    no chain of layers, such as a network with an encoder inside, is computed as a whole, point by point.
    Memory does not grow with the number of points or stars.

    Parameters
    ----------
    part : TrainedPart
        With one output.
    directions : list of dict of str to Tensor, shape (2, rows, columns)
        As from `filter_directions`.
    inputs : Tensor, shape (n_stars, n_inputs), float32
        Standardised.
    targets : Tensor, shape (n_stars,), float64
        Standardised.
    points : Tensor, shape (n_points, 2), float64
        alpha and beta.

    Returns
    -------
    Tensor, shape (n_points,), float64
        In squared standard deviations of the label.
    """
    coefficients = torch.cat([points.new_ones(len(points), 1), points], dim=1).float()
    stacks = [
        {name: torch.cat([weight[None], moved[name]]) for name, weight in weights.items()}
        for weights, moved in zip(part.weights(), directions, strict=True)
    ]
    modules = [layer for network in part.moving for layer in network.modules()]
    widest = max(layer.out_features for layer in modules if isinstance(layer, nn.Linear))
    total = points.new_zeros(len(points), dtype=torch.float64)
    for start in range(0, len(inputs), STARS):
        stars = slice(start, start + STARS)
        block = inputs[stars]
        fixed = sum((network(block)[:, 0] for network in part.fixed), block.new_zeros(len(block)))
        networks = [_prepared(network, stack, block) for network, stack in zip(part.moving, stacks, strict=True)]
        step = max(1, VALUES // (len(block) * widest))
        for first in range(0, len(points), step):
            rows = slice(first, first + step)
            # Every summand has a shape of (points, stars).
            outputs = sum((network(coefficients[rows])[:, :, 0] for network in networks), fixed)
            total[rows] += (outputs.double() - targets[stars]).square().sum(dim=1)
    return total / len(inputs)


def _prepared(network: nn.Module, stacks: dict[str, torch.Tensor], inputs: torch.Tensor) -> _Outputs:
    """A function from coefficients (points, 3) to outputs (points, stars, 1); what points share is computed here."""
    # The names of a chain are '0.weight': those with more parts are of layers within layers.
    if not isinstance(network, nn.Sequential) or any(name.count(".") > 1 for name in stacks):
        return lambda coefficients: torch.stack([_at(network, stacks, inputs, point) for point in coefficients])
    layers = list(network.named_children())
    while not any(name.startswith(f"{layers[0][0]}.") for name in stacks):
        inputs = layers.pop(0)[1](inputs)
    (place, layer), rest = layers[0], layers[1:]
    adapted = isinstance(layer, LoRALinear)
    shared = inputs @ stacks[f"{place}.{'A' if adapted else 'weight'}"].transpose(1, 2)
    frozen = layer.layer(inputs) if isinstance(layer, LoRALinear) else layer.get_parameter("bias")

    def outputs(coefficients: torch.Tensor) -> torch.Tensor:
        hidden = (coefficients @ shared.flatten(1)).view(len(coefficients), *shared.shape[1:])
        if isinstance(layer, LoRALinear):
            hidden = _product(hidden, stacks[f"{place}.B"], coefficients).mul_(layer.scale)
        hidden += frozen
        for name, later in rest:
            if isinstance(later, LoRALinear):
                thin = _product(hidden, stacks[f"{name}.A"], coefficients)
                update = _product(thin, stacks[f"{name}.B"], coefficients)
                hidden = update.mul_(later.scale).add_(later.layer(hidden))
            elif isinstance(later, nn.Linear) and f"{name}.weight" in stacks:
                hidden = _product(hidden, stacks[f"{name}.weight"], coefficients).add_(later.bias)
            elif isinstance(later, nn.BatchNorm1d):
                hidden = later(hidden.flatten(0, 1)).view_as(hidden)
            else:
                hidden = later(hidden)
        return hidden

    return outputs


def _at(network: nn.Module, stacks: dict[str, torch.Tensor], inputs: torch.Tensor, point: torch.Tensor) -> torch.Tensor:
    """Outputs (stars, 1) of a network with the weights of one point."""
    weights = {name: (point @ stack.flatten(1)).view(stack.shape[1:]) for name, stack in stacks.items()}
    return torch.func.functional_call(network, weights, (inputs,))


def _product(hidden: torch.Tensor, stack: torch.Tensor, coefficients: torch.Tensor) -> torch.Tensor:
    """Hidden values (points, stars, in) times the weights of each point, mixed from a stack (3, out, in)."""
    product = hidden.new_empty(*hidden.shape[:2], stack.shape[1])
    step = max(1, WEIGHTS // stack[0].numel())
    for start in range(0, len(hidden), step):
        rows = slice(start, start + step)
        weights = (coefficients[rows] @ stack.flatten(1)).view(-1, *stack.shape[1:])
        torch.bmm(hidden[rows], weights.transpose(1, 2), out=product[rows])
    return product
