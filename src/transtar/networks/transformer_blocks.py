"""The block of the transformers of SpecCLIP's family, and how its weights are drawn.

Source: the family that SpecCLIP (Zhao et al. 2025) takes over from AstroCLIP (Parker et al. 2024, MNRAS 531, 4990); the
numbers are those of SpecCLIP's public network.
"""

from __future__ import annotations

from math import sqrt

import torch
from torch import nn
from torch.nn import functional

from ..errors import SettingsError
from .mlp import build_linear

EPS = 1e-5
"""Added to the variance in each layer normalisation."""

_CUT = 3.0
"""Standard deviations at which normal weights are cut."""


class AttentionBlock(nn.Module):
    """Self-attention and a perceptron of four times the width, each behind a layer normalisation and beside a short cut.

    Parameters
    ----------
    width : int
        Values per token.
    heads : int
        Number of attention heads, each of ``width / heads`` values.
    doubly_scaled : bool
        Divide the products of queries and keys by the values per head, as the public network does, which scales them twice;
        otherwise by the square root, as is usual.
    device : str
        A torch device.

    Raises
    ------
    SettingsError
        If the heads do not share the width evenly.
    """

    def __init__(self, width: int, heads: int, doubly_scaled: bool = False, device: str = "cpu"):
        super().__init__()
        check_heads(width, heads)
        self.heads = heads
        self.scale = 1 / (width // heads) if doubly_scaled else 1 / sqrt(width // heads)
        self.before_attention = build_norm(width, device)
        self.query = build_linear(width, width, device)
        self.key_value = build_linear(width, 2 * width, device)
        self.output = build_linear(width, width, device)
        self.before_mlp = build_norm(width, device)
        self.mlp = nn.Sequential(
            build_linear(width, 4 * width, device), nn.GELU(), build_linear(4 * width, width, device)
        )

    def extra_repr(self) -> str:
        """What no layer within tells."""
        return f"heads={self.heads}, scale={self.scale:.9g}"

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Map tokens to tokens.

        Parameters
        ----------
        tokens : Tensor, shape (n, n_tokens, width)

        Returns
        -------
        Tensor, shape (n, n_tokens, width)
        """
        tokens = tokens + self._attention(self.before_attention(tokens))
        return tokens + self.mlp(self.before_mlp(tokens))

    def _attention(self, tokens: torch.Tensor) -> torch.Tensor:
        key, value = self.key_value(tokens).chunk(2, dim=-1)
        query, key, value = (self._by_head(part) for part in (self.query(tokens), key, value))
        mixed = functional.scaled_dot_product_attention(query, key, value, scale=self.scale)
        return self.output(mixed.transpose(1, 2).flatten(2))

    def _by_head(self, tokens: torch.Tensor) -> torch.Tensor:
        return tokens.unflatten(-1, (self.heads, -1)).transpose(1, 2)


def build_norm(width: int, device: str = "cpu") -> nn.LayerNorm:
    """A layer normalisation in float32, whatever torch makes by default."""
    return nn.LayerNorm(width, EPS, dtype=torch.float32, device=device)


def check_heads(width: int, heads: int) -> None:
    """Refuse heads that do not share a width evenly.

    Raises
    ------
    SettingsError
    """
    if width % heads:
        raise SettingsError(f"transformer: a width of {width} cannot be shared by {heads} heads; take a multiple")


@torch.no_grad()
def draw_linear(layer: nn.Linear, depth: float) -> None:
    """Draw the weights of a layer anew, in place: normal with deviation ``1 / sqrt(2 * inputs * depth)``, biases zero.

    Parameters
    ----------
    layer : nn.Linear
    depth : float
        Number of blocks of the network for a layer in one of them, 1/2 for the layer behind all of them.
    """
    draw_normal(layer.weight, 1 / sqrt(2 * layer.in_features * depth))
    nn.init.zeros_(layer.bias)


def draw_normal(weight: torch.Tensor, deviation: float) -> None:
    """Draw numbers anew, in place: normal, cut at three deviations."""
    nn.init.trunc_normal_(weight, std=deviation, a=-_CUT * deviation, b=_CUT * deviation)


def draw_block(block: nn.Module, depth: int) -> None:
    """Draw the weights of a block, or of several together, anew, in place: `draw_linear`, and plain normalisations."""
    for layer in block.modules():
        if isinstance(layer, nn.Linear):
            draw_linear(layer, depth)
        elif isinstance(layer, nn.LayerNorm):
            layer.reset_parameters()
