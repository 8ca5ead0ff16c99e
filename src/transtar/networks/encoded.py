"""Networks of what encoders make of a spectrum, as one network of the spectrum itself: encoders within, a head behind them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from ..errors import InputError

MOST_PARTS = 16


class Affine(nn.Module):
    """Multiply each value by a number and add another: scalers, which do not train.

    Parameters
    ----------
    n : int
        Values per star.
    device : str
        A torch device.

    Attributes
    ----------
    scale, shift : Tensor, shape (n,), float32
        1 and 0 at first.
    """

    scale: torch.Tensor
    shift: torch.Tensor

    def __init__(self, n: int, device: str = "cpu"):
        super().__init__()
        self.register_buffer("scale", torch.ones(n, dtype=torch.float32, device=device))
        self.register_buffer("shift", torch.zeros(n, dtype=torch.float32, device=device))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Scale and shift `values`, shape (n_stars, n)."""
        return values * self.scale + self.shift


class EncoderPart(nn.Module):
    """An encoder between scalers.

    Parameters
    ----------
    network : nn.Module
        Maps spectra (n, n_pixels) to embeddings (n, width).
    before : Affine
        From spectra as the whole network takes them to spectra as the encoder takes them.
    after : Affine
        From embeddings to standardised ones.
    """

    def __init__(self, network: nn.Module, before: Affine, after: Affine):
        super().__init__()
        self.before, self.network, self.after = before, network, after

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Map standardised spectra (n, n_pixels) to standardised embeddings (n, width)."""
        return self.after(self.network(self.before(inputs)))


class EncodedNetwork(nn.Module):
    """What several parts make of a spectrum, put side by side and given to a head.

    Parameters
    ----------
    parts : sequence of nn.Module
        Each an `nn.Identity`, for the spectrum itself, or an `EncoderPart`; one of these at least.
    head : nn.Module
        Maps the values of all parts to standardised labels.

    Raises
    ------
    InputError
        If none of the parts is an encoder.
    """

    def __init__(self, parts: Sequence[nn.Module], head: nn.Module):
        super().__init__()
        if all(isinstance(part, nn.Identity) for part in parts):
            raise InputError("a network with an encoder inside needs an encoder")
        self.parts = nn.ModuleList(parts)
        self.head = head

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Map standardised spectra (n, n_pixels) to standardised labels (n, n_labels)."""
        return self.head(torch.cat([part(inputs) for part in self.parts], dim=1))

    @property
    def n_inputs(self) -> int:
        """Pixels of a spectrum."""
        return next(len(part.before.scale) for part in self.parts if isinstance(part, EncoderPart))
