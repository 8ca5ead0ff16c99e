"""What may be done to the last layer of a network: fold a map of its outputs into it, or keep some of them."""

from __future__ import annotations

import copy

import torch
from torch import nn

from ..errors import InputError
from .encoded import EncodedNetwork
from .residual import ResidualNetwork


@torch.no_grad()
def map_outputs(network: nn.Module, matrix: torch.Tensor, offset: torch.Tensor) -> None:
    """Fold ``output -> matrix @ output + offset`` into the last layers, in place.

    Parameters
    ----------
    network : nn.Module
    matrix : Tensor, shape (n_outputs, n_outputs)
    offset : Tensor, shape (n_outputs,)

    Raises
    ------
    InputError
        If its outputs do not come from a linear layer.
    """
    if isinstance(network, ResidualNetwork):
        map_outputs(network.base, matrix, offset)
        map_outputs(network.head, matrix, torch.zeros_like(offset))
        return
    if isinstance(network, EncodedNetwork):
        map_outputs(network.head, matrix, offset)
        return
    last = _last_layer(network)
    # In float64, so that the folded layer is rounded once.
    matrix, offset = matrix.double(), offset.double()
    last.weight.copy_((matrix @ last.weight.double()).to(last.weight.dtype))
    last.bias.copy_((matrix @ last.bias.double() + offset).to(last.bias.dtype))


def keep_outputs(network: nn.Module, rows: list[int]) -> nn.Module:
    """A copy of a network that computes only some of its outputs, in the order of `rows`.

    Raises
    ------
    InputError
        If its outputs do not come from a linear layer.
    """
    if isinstance(network, ResidualNetwork):
        return ResidualNetwork(keep_outputs(network.base, rows), keep_outputs(network.head, rows))
    if isinstance(network, EncodedNetwork):
        return EncodedNetwork(list(copy.deepcopy(network.parts)), keep_outputs(network.head, rows))
    network = copy.deepcopy(network)
    last = _last_layer(network)
    last.weight = nn.Parameter(last.weight.detach()[rows].clone())
    last.bias = nn.Parameter(last.bias.detach()[rows].clone())
    last.out_features = len(rows)
    return network


def _last_layer(network: nn.Module) -> nn.Linear:
    """The layer that gives the outputs of a chain."""
    last = network if isinstance(network, nn.Linear) else next(reversed(list(network.children())), None)
    if not isinstance(network, nn.Linear | nn.Sequential) or not isinstance(last, nn.Linear):
        raise InputError(
            f"a network of type {type(network).__name__} has no last linear layer to change its outputs in"
        )
    return last
