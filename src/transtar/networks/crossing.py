"""Decoders of an alignment: what gives spectra back, and what predicts those of the other kind.

Source: SpecCLIP (Zhao et al. 2025) and its public settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from ..errors import InputError
from .alignment_settings import AlignmentSettings
from .mlp import MLPSettings, build_linear, build_mlp

SIDES = ("lrs", "xp")

_HIDDEN = {"lrs": (4, 4, 4), "xp": (4, 2, 1)}
"""Hidden layers of the decoder of each kind of spectrum, in widths of the embedding."""


def build_decoder(width: int, n_pixels: int, side: str, dropout: float, device: str = "cpu") -> nn.Sequential:
    """A decoder of embeddings into spectra: three hidden layers, each with GELU, batch normalisation and dropout in this order.

    Parameters
    ----------
    width : int
        Of the embedding.
    n_pixels : int
        Of a spectrum.
    side : {'lrs', 'xp'}
        What spectrum it gives.
    dropout : float
    device : str

    Returns
    -------
    nn.Sequential
        Maps (n, width) to (n, n_pixels).
    """
    layers: list[nn.Module] = []
    before = width
    for ratio in _HIDDEN[side]:
        layers += [
            build_linear(before, ratio * width, device),
            nn.GELU(),
            nn.BatchNorm1d(ratio * width, dtype=torch.float32, device=device),
            nn.Dropout(dropout),
        ]
        before = ratio * width
    return nn.Sequential(*layers, build_linear(before, n_pixels, device))


class SplitDecoder(nn.Module):
    """Gives a spectrum back from both parts of its embedding, each of which has a linear layer of its own first.

    Parameters
    ----------
    width, private_width : int
        Of the part that is shared, and of the other.
    n_pixels : int
    device : str
    """

    def __init__(self, width: int, private_width: int, n_pixels: int, device: str = "cpu"):
        super().__init__()
        self.width = width
        self.from_shared = build_linear(width, n_pixels, device)
        self.from_private = build_linear(private_width, n_pixels, device)
        self.joint = build_mlp(2 * n_pixels, n_pixels, MLPSettings((2 * n_pixels,)), device, "gelu")

    def forward(self, embedding: torch.Tensor) -> torch.Tensor:
        """Map embeddings (n, width + private_width) to spectra (n, n_pixels)."""
        shared, private = embedding[:, : self.width], embedding[:, self.width :]
        return self.joint(torch.cat([self.from_shared(shared), self.from_private(private)], dim=1))


class Crossings(nn.Module):
    """The four decoders of the variants 'pr' and 'split': each kind of spectrum from its own embedding and from the other's.

    Parameters
    ----------
    settings : AlignmentSettings
    n_lrs, n_xp : int
        Pixels of each kind of spectrum.
    device : str

    Raises
    ------
    InputError
        If the variant has no decoders.
    """

    def __init__(self, settings: AlignmentSettings, n_lrs: int, n_xp: int, device: str = "cpu"):
        super().__init__()
        if not settings.has_decoders:
            raise InputError(f"an alignment of variant '{settings.variant}' has no decoders")
        self.width = settings.width
        sizes = {"lrs": n_lrs, "xp": n_xp}
        back: dict[str, nn.Module] = {}
        across: dict[str, nn.Module] = {}
        for side in SIDES:
            if settings.private_width:
                back[side] = SplitDecoder(settings.width, settings.private_width, sizes[side], device)
            else:
                back[side] = build_decoder(settings.width, sizes[side], side, settings.dropout, device)
            across[side] = build_decoder(settings.width, sizes[side], side, settings.dropout, device)
        self.back: Any = nn.ModuleDict(back)
        self.across: Any = nn.ModuleDict(across)

    @torch.no_grad()
    def begin_at(self, back: Mapping[str, torch.Tensor], across: Mapping[str, torch.Tensor]) -> None:
        """Let every decoder begin at a spectrum, for each side one of shape (n_pixels,): the offsets of its last layer."""
        for side in SIDES:
            for decoder, spectrum in ((self.back[side], back[side]), (self.across[side], across[side])):
                layers = list((decoder.joint if isinstance(decoder, SplitDecoder) else decoder).children())
                layers[-1].bias.copy_(spectrum)

    def give_back(self, embedding: torch.Tensor, side: str) -> torch.Tensor:
        """A spectrum (n, n_pixels) from its own embedding (n, width + private_width)."""
        return self.back[side](embedding)

    def cross(self, embedding: torch.Tensor, to: str) -> torch.Tensor:
        """A spectrum of the kind `to`, (n, n_pixels), from the embedding of the other kind, of which the shared part counts."""
        return self.across[to](embedding[:, : self.width])


def other_side(side: str) -> str:
    """'xp' for 'lrs', 'lrs' for 'xp'.

    Raises
    ------
    InputError
        For anything else.
    """
    if side not in SIDES:
        raise InputError(f"an alignment has the sides {' and '.join(SIDES)}, not '{side}'")
    return SIDES[1 - SIDES.index(side)]
