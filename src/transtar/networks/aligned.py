"""One side of an alignment, as one network of the spectrum: a trained encoder, and the heads that were trained behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from ..errors import InputError
from .alignment_heads import AttentionHead, Head

ROWS = 256
"""Spectra that go through together when nothing is to be learnt: tokens of all of them would fill the memory."""


def has_tokens(backbone: nn.Module) -> bool:
    """Whether an encoder gives tokens, at which a head can look."""
    return callable(getattr(backbone, "tokens", None))


def given_width(backbone: nn.Module, width: int) -> int:
    """Values of what a head is given by an encoder: of a token, where there are tokens, or of the embedding, `width`."""
    return int(getattr(backbone, "token_width", width)) if has_tokens(backbone) else width


class AlignedNetwork(nn.Module):
    """An encoder with heads: the first gives what both kinds of spectra share, a second what only this kind has.

    Parameters
    ----------
    backbone : nn.Module
        The encoder, which stays as it is: maps spectra (n, n_grid) to vectors; one with `AttentionHead` behind it has
        ``tokens(spectra)``, shape (n, n_tokens, width), as well.
    heads : sequence of AttentionHead or LatentHead
        One or two, of one kind.

    Raises
    ------
    InputError
        If there are others, or they need tokens that the encoder does not have.
    """

    def __init__(self, backbone: nn.Module, heads: Sequence[Head]):
        super().__init__()
        if not 1 <= len(heads) <= 2 or len({type(head) for head in heads}) > 1:
            raise InputError(f"an aligned network has one or two heads of one kind, not {len(heads)}")
        self.takes_tokens = isinstance(heads[0], AttentionHead)
        if self.takes_tokens and not has_tokens(backbone):
            raise InputError(f"a network of type {type(backbone).__name__} gives no tokens that a head could look at")
        self.backbone: Any = backbone
        self.heads: Any = nn.ModuleList(heads)
        self.width = sum(head.width for head in heads)
        """Values that it gives."""
        self.shared_width = heads[0].width
        """How many of them, the first ones, are of what both kinds of spectra share."""

    def head_settings(self) -> list[dict[str, Any]]:
        """Plain data from which `build_head_of` builds each head again."""
        return [head.settings() for head in self.heads]

    def forward(self, flux: torch.Tensor) -> torch.Tensor:
        """Map spectra (n, n_grid) to embeddings (n, width): what is shared first, then the rest."""
        if torch.is_grad_enabled() or len(flux) <= ROWS:
            return self.of_given(self.given(flux))
        return torch.cat([self.of_given(self.given(rows)) for rows in flux.split(ROWS)])

    def given(self, flux: torch.Tensor) -> torch.Tensor:
        """What the encoder makes of spectra (n, n_grid): tokens (n, n_tokens, width), or a vector each, (n, width)."""
        return self.backbone.tokens(flux) if self.takes_tokens else self.backbone(flux)

    def of_given(self, given: torch.Tensor) -> torch.Tensor:
        """What the heads make of what `given` gave: embeddings (n, width)."""
        return torch.cat([head(given) for head in self.heads], dim=1)

    def shared(self, flux: torch.Tensor) -> torch.Tensor:
        """Map spectra (n, n_grid) to what is shared, (n, shared_width): by this, spectra of both kinds are compared."""
        return self.heads[0](self.given(flux))
