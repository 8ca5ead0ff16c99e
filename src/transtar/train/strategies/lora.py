"""LoRA: low-rank updates of the frozen layers (the paper's Sect. 3.3)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import nn

from ...errors import InputError
from ...networks.encoded import EncodedNetwork
from ...networks.lora import LoRASettings, add_lora, lora_factors, merge_lora, unmerge_lora, without_lora
from ...networks.residual import assemble, innermost
from .gradient import FineTuning, Trainable, chain
from .strategy import Moved

if TYPE_CHECKING:
    from ...models.estimator import Estimator


@dataclass(frozen=True)
class LoRA(FineTuning):
    """Train low-rank updates of the frozen layers, merged into them at the end.

    Parameters
    ----------
    adapter : LoRASettings
        Rank and scale of the updates.
    """

    name: ClassVar[str] = "lora"
    colour: ClassVar[str] = "#E69F00"
    marker: ClassVar[str] = "D"
    candidate: ClassVar[bool] = True
    rate: ClassVar[float] = 3e-5
    adapter: LoRASettings = field(default_factory=LoRASettings)

    def trainable(self, network: nn.Module, n_inputs: int, n_labels: int) -> Trainable:
        """The thin matrices, laid on the network at the heart of a chain of heads, which stay."""
        core, heads = innermost(network)
        wrapped = add_lora(_whole(core), self.adapter)
        return Trainable(
            wrapped,
            lambda: assemble(_unwrapped(merge_lora(wrapped)), heads),
            offset=_Sum(heads) if heads else None,
            adapter=lambda: lora_factors(wrapped),
        )

    @classmethod
    def moved(cls, model: Estimator) -> Moved | None:
        """The two factors."""
        if model.adapter is None and not model.provenance:
            return None
        if model.adapter is None:
            raise InputError(
                "the model was fine-tuned with LoRA, but its factors are not kept (it was saved by an older transtar, or "
                "recalibrated since); fine-tune it again"
            )
        core, heads = innermost(model.network)
        wrapped = unmerge_lora(_whole(core), model.adapter)
        return Moved("LoRA factors", (wrapped,), tuple(heads), assemble(without_lora(wrapped), heads))

    def weights_in_step(self, n_inputs: int, hidden: Sequence[int]) -> tuple[int, int]:
        """Those of the factors; the first layer's frozen product is computed once."""
        layers = list(itertools.pairwise((n_inputs, *hidden)))
        return self.adapter.rank * sum(map(sum, layers)), sum(a * b for a, b in layers[1:])


class _Sum(nn.Module):
    """The sum of several heads."""

    def __init__(self, heads: list[nn.Module]):
        super().__init__()
        self.heads = nn.ModuleList(heads)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return torch.stack([head(inputs) for head in self.heads]).sum(dim=0)


def _whole(network: nn.Module) -> nn.Module:
    return network if isinstance(network, EncodedNetwork) else chain(network)


def _unwrapped(network: nn.Module) -> nn.Module:
    # A linear network is kept as the bare layer; it is only wrapped to be trained.
    return network[0] if isinstance(network, nn.Sequential) and len(network) == 1 else network
