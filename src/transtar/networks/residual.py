"""The residual head: a small network beside a frozen one, whose output is added to it (the paper's Sect. 3.2)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from ..checks import MOST_WIDTH, check_whole
from .mlp import MLPSettings, build_mlp, linear_layers


@dataclass(frozen=True)
class ResidualSettings:
    """Shape of a residual head: [input, hidden, output] with ReLU, 562,177 weights at 1462 inputs and one output.

    Parameters
    ----------
    hidden : int
        Width of its one hidden layer.
    """

    hidden: int = 384

    def __post_init__(self) -> None:
        check_whole(self.hidden, "residual: hidden", 1, MOST_WIDTH)


def build_head(
    n_inputs: int, n_outputs: int, settings: ResidualSettings | None = None, device: str = "cpu"
) -> nn.Sequential:
    """Build a residual head whose last layer is zero, so that the sum starts at the frozen network's output."""
    head = build_mlp(n_inputs, n_outputs, MLPSettings(hidden=((settings or ResidualSettings()).hidden,)), device)
    last = linear_layers(head)[-1]
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return head


class ResidualNetwork(nn.Module):
    """The sum of a base network and a head, both fed the same standardised inputs.

    Parameters
    ----------
    base : nn.Module
        Any network; another ResidualNetwork where adaptations are chained.
    head : nn.Module
    """

    def __init__(self, base: nn.Module, head: nn.Module):
        super().__init__()
        self.base = base
        self.head = head

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Map standardised inputs (n, n_inputs) to standardised labels (n, n_outputs)."""
        return self.base(inputs) + self.head(inputs)


def innermost(network: nn.Module) -> tuple[nn.Module, list[nn.Module]]:
    """Take a chain of residual networks apart: the network at its heart and the heads, innermost first."""
    heads: list[nn.Module] = []
    while isinstance(network, ResidualNetwork):
        heads.insert(0, network.head)
        network = network.base
    return network, heads


def assemble(network: nn.Module, heads: list[nn.Module]) -> nn.Module:
    """Put back together what `innermost` took apart."""
    for head in heads:
        network = ResidualNetwork(network, head)
    return network
