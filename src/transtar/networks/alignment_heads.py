"""Heads that bring the embeddings of two kinds of spectra together: one for many tokens of a spectrum, one for a single vector.

Source: SpecCLIP (Zhao et al. 2025) and its public settings: one learned query that looks at the tokens, or a block of linear
layers, and in both a residual network behind it.
"""

from __future__ import annotations

from math import sqrt
from typing import Any

import torch
from torch import nn

from ..checks import MOST_WIDTH, check_mapping, check_real, check_whole
from ..errors import SettingsError, check_keys, shown
from .mlp import build_linear

MOST_HEADS = 1024

MLP_RATIO = 4
"""Width of the hidden layer of the residual network, in widths of the head."""


class ResidualMLP(nn.Module):
    """A vector, and what two linear layers make of it added.

    Parameters
    ----------
    width : int
    dropout : float
        Behind each of the two layers, while training.
    device : str
        A torch device.
    """

    def __init__(self, width: int, dropout: float, device: str = "cpu"):
        super().__init__()
        self.layers = nn.Sequential(
            build_linear(width, MLP_RATIO * width, device),
            nn.GELU(),
            nn.Dropout(dropout),
            build_linear(MLP_RATIO * width, width, device),
            nn.Dropout(dropout),
        )

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Map values (n, width) to values of the same shape."""
        return values + self.layers(values)


class AttentionHead(nn.Module):
    """One learned query that looks at all tokens of a spectrum (cross-attention), and a residual network behind it.

    Parameters
    ----------
    tokens_width : int
        Of each token: keys and values are made of them.
    width : int
        Of the query, and of what is given; a multiple of `heads`.
    heads : int
        Parts of the query that look at the tokens each in its own way.
    dropout : float
        On what the attention gives and in the residual network, while training; the attention's weights have none.
    device : str
        A torch device; on 'meta' the weights take no memory, and are none.

    Raises
    ------
    SettingsError
        If a number is out of range, or the heads do not share the width evenly.
    """

    def __init__(self, tokens_width: int, width: int, heads: int, dropout: float = 0.1, device: str = "cpu"):
        super().__init__()
        check_whole(tokens_width, "alignment head: width of a token", 1, MOST_WIDTH)
        check_whole(width, "alignment head: width", 1, MOST_WIDTH)
        check_whole(heads, "alignment head: heads", 1, MOST_HEADS)
        _check_dropout(dropout)
        if width % heads:
            raise SettingsError(f"alignment head: {heads} heads do not share a width of {width} evenly")
        self.heads, self.dropout_share = heads, float(dropout)
        self.query = nn.Parameter(torch.empty(width, dtype=torch.float32, device=device))
        self.to_query = build_linear(width, width, device)
        self.to_key = build_linear(tokens_width, width, device)
        self.to_value = build_linear(tokens_width, width, device)
        self.to_output = build_linear(width, width, device)
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(width, dtype=torch.float32, device=device)
        self.mlp = ResidualMLP(width, dropout, device)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all weights anew: the query from a standard normal distribution, projections after Glorot."""
        nn.init.normal_(self.query)
        for layer in (self.to_query, self.to_key, self.to_value):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
        self.to_output.reset_parameters()
        nn.init.zeros_(self.to_output.bias)
        self.norm.reset_parameters()
        for module in self.mlp.layers:
            if isinstance(module, nn.Linear):
                module.reset_parameters()

    @property
    def width(self) -> int:
        """Values that it gives."""
        return len(self.query)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Map tokens (n, n_tokens, tokens_width) to values (n, width), also if n is 1."""
        return self.mlp(self.norm(self.dropout(self.attend(tokens))))

    def attend(self, tokens: torch.Tensor) -> torch.Tensor:
        """What the query takes from tokens (n, n_tokens, tokens_width): (n, width).

        A single query need not have keys and values of all tokens: ``q . (K x) = (K^T q) . x``, and the mean of ``V x`` is V
        times the mean of x. The same numbers for a hundredth of the work.
        """
        each = self.width // self.heads
        query = self.to_query(self.query).view(self.heads, each)
        if not (isinstance(self.to_key, nn.Linear) and isinstance(self.to_value, nn.Linear)):
            return self.to_output(self._attend_to_each(query, tokens))
        key = self.to_key.weight.view(self.heads, each, -1)
        # (heads, tokens_width), and what the offset of the keys adds: the same for all tokens.
        looked_for = torch.einsum("he,het->ht", query, key) / sqrt(each)
        offset = (query * self.to_key.bias.view(self.heads, each)).sum(dim=1) / sqrt(each)
        shares = torch.softmax(tokens @ looked_for.T + offset, dim=1)
        means = torch.einsum("nkh,nkt->nht", shares.to(tokens.dtype), tokens)
        value = self.to_value.weight.view(self.heads, each, -1)
        values = torch.einsum("nht,het->nhe", means, value).flatten(1) + self.to_value.bias
        return self.to_output(values)

    def _attend_to_each(self, query: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        """The same with keys and values of all tokens, where their layers are no plain ones, as while LoRA adapts them."""
        n, n_tokens, _ = tokens.shape
        key, value = (
            layer(tokens).view(n, n_tokens, self.heads, -1).transpose(1, 2) for layer in (self.to_key, self.to_value)
        )
        queries = query[None, :, None].expand(n, -1, 1, -1)
        return nn.functional.scaled_dot_product_attention(queries, key, value).flatten(1)

    def settings(self) -> dict[str, Any]:
        """Plain data from which `build_head_of` builds it again."""
        return {"kind": "attention", "width": self.width, "heads": self.heads, "dropout": self.dropout_share}


class LatentHead(nn.Module):
    """The head of an encoder that gives a single vector: a linear layer, a block of two, and a residual network.

    Parameters
    ----------
    latent_width : int
        Of the vector.
    width : int
        Of what is given.
    block : int
        Width of the hidden layer of the block; 1160 makes it as large as the `AttentionHead` of the paper's width.
    dropout : float
        While training.
    device : str
        A torch device.

    Raises
    ------
    SettingsError
        If a number is out of range.
    """

    def __init__(self, latent_width: int, width: int, block: int, dropout: float = 0.1, device: str = "cpu"):
        super().__init__()
        check_whole(latent_width, "alignment head: width of the latent vector", 1, MOST_WIDTH)
        check_whole(width, "alignment head: width", 1, MOST_WIDTH)
        check_whole(block, "alignment head: block", 1, MOST_WIDTH)
        _check_dropout(dropout)
        self.width, self.block_width, self.dropout_share = width, block, float(dropout)
        self.first = build_linear(latent_width, width, device)
        self.block = nn.Sequential(
            build_linear(width, block, device),
            nn.LayerNorm(block, dtype=torch.float32, device=device),
            nn.GELU(),
            build_linear(block, width, device),
            nn.LayerNorm(width, dtype=torch.float32, device=device),
            nn.Dropout(dropout),
        )
        self.mlp = ResidualMLP(width, dropout, device)

    def forward(self, latent: torch.Tensor) -> torch.Tensor:
        """Map vectors (n, latent_width) to values (n, width)."""
        return self.mlp(self.block(self.first(latent)))

    def settings(self) -> dict[str, Any]:
        """Plain data from which `build_head_of` builds it again."""
        return {"kind": "latent", "width": self.width, "block": self.block_width, "dropout": self.dropout_share}


Head = AttentionHead | LatentHead


def build_head_of(settings: Any, given_width: int, device: str = "cpu") -> Head:
    """Build a head of its settings, with freshly drawn weights.

    Parameters
    ----------
    settings : dict
        As `AttentionHead.settings` and `LatentHead.settings` give them.
    given_width : int
        Width of the tokens, or of the vector, that it is given.
    device : str

    Raises
    ------
    SettingsError
        If it has a kind or key that is not known, or a number out of range.
    """
    known = dict(check_mapping(settings, "alignment head"))
    kind = known.pop("kind", None)
    if kind == "attention":
        check_keys(known, ("width", "heads", "dropout"), "alignment head 'attention'")
        return AttentionHead(given_width, known["width"], known["heads"], known["dropout"], device)
    if kind == "latent":
        check_keys(known, ("width", "block", "dropout"), "alignment head 'latent'")
        return LatentHead(given_width, known["width"], known["block"], known["dropout"], device)
    raise SettingsError(f"no alignment head of kind '{shown(kind)}'; known kinds: attention, latent")


def _check_dropout(dropout: Any) -> None:
    if check_real(dropout, "alignment head: dropout", 0, 1) == 1:
        raise SettingsError("alignment head: dropout must be below 1")
