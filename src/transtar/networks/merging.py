"""Merging what follows each other without a ReLU between: scalers and linear layers become one linear layer."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn

from ..errors import InputError
from .encoded import Affine, EncodedNetwork, EncoderPart
from .mlp import is_plain_mlp


@torch.no_grad()
def as_one_mlp(network: nn.Module) -> nn.Sequential:
    """A network of one encoder with a head behind it as one multilayer perceptron that computes the same.

    The last layer of the encoder and the first of the head have no ReLU between them, so that their product does as well: the
    embedding is gone, and so are the scalers.

    Parameters
    ----------
    network : EncodedNetwork
        Of one part, an encoder; it and the head chains of linear layers with a ReLU between.

    Returns
    -------
    nn.Sequential
        Formed in float64 and rounded once.

    Raises
    ------
    InputError
        If it is another network.
    """
    if not isinstance(network, EncodedNetwork) or len(network.parts) != 1:
        raise InputError("only a network of one encoder and a head can become one multilayer perceptron")
    part, head = network.parts[0], network.head
    if not isinstance(part, EncoderPart) or not (is_plain_mlp(part.network) and is_plain_mlp(head)):
        raise InputError("only chains of linear layers and ReLU can become one multilayer perceptron")
    layers: list[nn.Module] = []
    for module in (part.before, *part.network.children(), part.after, *head.children()):
        if layers and not isinstance(module, nn.ReLU) and not isinstance(layers[-1], nn.ReLU):
            layers[-1] = _product(layers[-1], module)
        else:
            layers.append(module)
    assert not any(isinstance(one, nn.ReLU) == isinstance(other, nn.ReLU) for one, other in pairwise(layers))
    return nn.Sequential(*(nn.ReLU() if isinstance(layer, nn.ReLU) else _linear(*_maps(layer)) for layer in layers))


class _Product(nn.Module):
    """A linear map in float64, on the way."""

    def __init__(self, matrix: torch.Tensor, offset: torch.Tensor):
        super().__init__()
        self.matrix, self.offset = matrix, offset


def _product(first: nn.Module, second: nn.Module) -> _Product:
    (inner, inner_offset), (outer, outer_offset) = _maps(first), _maps(second)
    if outer.ndim == 1:
        matrix = outer[:, None] * inner if inner.ndim == 2 else outer * inner
        return _Product(matrix, outer * inner_offset + outer_offset)
    matrix = outer @ inner if inner.ndim == 2 else outer * inner
    return _Product(matrix, outer @ inner_offset + outer_offset)


def _maps(layer: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
    """Matrix, or its diagonal, and offset of a layer, in float64."""
    if isinstance(layer, _Product):
        return layer.matrix, layer.offset
    if isinstance(layer, Affine):
        return layer.scale.double(), layer.shift.double()
    assert isinstance(layer, nn.Linear)
    return layer.weight.double(), layer.bias.double()


def _linear(matrix: torch.Tensor, offset: torch.Tensor) -> nn.Linear:
    layer = nn.Linear(matrix.shape[1], matrix.shape[0], dtype=torch.float32)
    layer.weight.copy_(matrix)
    layer.bias.copy_(offset)
    return layer
