"""Networks of the emulator: a few small ones whose mean gives the coefficients of a linear basis."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import nn

from ...checks import MOST_WIDTH, check_list, check_whole
from ...errors import SettingsError
from ...networks.mlp import MOST_LAYERS

FEATURES = ("5040/teff", "logg", "feh", "alphafe", "vmic", "cfe", "feh+alphafe", "feh+cfe")
"""What the networks see, each standardised: the inverse temperature of excitation and ionisation, and [X/H] beside [X/Fe]."""

CENTERS = (0.98, 3.2, -1.0, 0.2, 1.25, 0.05, -0.8, -1.0)
SCALES = (0.16, 1.1, 1.1, 0.52, 0.8, 0.64, 1.1, 1.1)
"""Rounded means and standard deviations over the grid, those of the labels that act more simply doubled: they then
vary less, which makes a network start out smooth in them."""


def features(labels: torch.Tensor) -> torch.Tensor:
    """Standardised inputs of the networks.

    Parameters
    ----------
    labels : Tensor, shape (n, 6)
        Columns as `LABEL_NAMES`.

    Returns
    -------
    Tensor, shape (n, 8)
        As `FEATURES`; differentiable.
    """
    teff, logg, feh, alphafe, vmic, cfe = labels.unbind(dim=1)
    columns = torch.stack([5040 / teff, logg, feh, alphafe, vmic, cfe, feh + alphafe, feh + cfe], dim=1)
    return (columns - columns.new_tensor(CENTERS)) / columns.new_tensor(SCALES)


@dataclass(frozen=True)
class HeadShape:
    """Sizes of a `Head`.

    Parameters
    ----------
    members : int
        Networks whose mean is taken.
    hidden : tuple of int
        Widths of their hidden layers.
    components : int
        Rows of the basis.
    outputs : int
        Wavelengths.
    """

    members: int
    hidden: tuple[int, ...]
    components: int
    outputs: int

    def to_dict(self) -> dict:
        """Plain data for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: dict) -> HeadShape:
        """Build from `to_dict`.

        Raises
        ------
        SettingsError
            If a size is none.
        """
        hidden = check_list(content["hidden"], "hidden")
        if not 1 <= len(hidden) <= MOST_LAYERS:
            raise SettingsError(f"hidden must have 1 to {MOST_LAYERS} layers, not {len(hidden)}")
        sizes = {name: check_whole(content[name], name) for name in ("members", "components", "outputs")}
        return cls(hidden=tuple(check_whole(width, "hidden", 1, MOST_WIDTH) for width in hidden), **sizes)


class Head(nn.Module):
    """Features to values at wavelengths: ``mean + sum over k of coefficient_k(features) * basis_k``.

    The members are computed together, as one batched product per layer, and averaged before the basis, which is where
    most of the multiplications are.

    Parameters
    ----------
    shape : HeadShape
    device : str
        A torch device; on 'meta' the weights take no memory, and are none.
    """

    basis: torch.Tensor
    mean: torch.Tensor

    def __init__(self, shape: HeadShape, device: str = "cpu"):
        super().__init__()
        self.shape = shape
        widths = [len(FEATURES), *shape.hidden, shape.components]
        pairs = list(pairwise(widths))
        kind: dict[str, Any] = {"dtype": torch.float32, "device": device}
        self.weight = nn.ParameterList([torch.zeros(shape.members, a, b, **kind) for a, b in pairs])
        self.bias = nn.ParameterList([torch.zeros(shape.members, 1, b, **kind) for _, b in pairs])
        self.register_buffer("basis", torch.zeros(shape.components, shape.outputs, **kind))
        self.register_buffer("mean", torch.zeros(shape.outputs, **kind))

    def coefficients(self, inputs: torch.Tensor) -> torch.Tensor:
        """Mean coefficients of the members, (n, components), of features (n, 8)."""
        hidden = inputs.expand(self.shape.members, -1, -1)
        last = len(self.weight) - 1
        for layer in range(last):
            hidden = nn.functional.gelu(torch.baddbmm(self.bias[layer], hidden, self.weight[layer]))
        return torch.bmm(hidden, self.weight[last]).mean(dim=0) + self.bias[last].mean(dim=0)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Values (n, outputs) of features (n, 8)."""
        return torch.addmm(self.mean, self.coefficients(inputs), self.basis)
