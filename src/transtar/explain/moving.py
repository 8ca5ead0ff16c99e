"""What the last training of a model moved, and random directions in which to move it on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from ..models.estimator import Estimator
from ..networks.lora import LoRALinear
from ..networks.residual import innermost
from ..train import find_strategy, trained_strategies


@dataclass(frozen=True, eq=False)
class TrainedPart:
    """A network taken apart: the sum of `moving` and `fixed` is its output.

    Parameters
    ----------
    strategy : str
        Of the last training, such as 'lora', or 'mlp' for a model that was only pre-trained.
    moves : str
        In words, such as 'LoRA factors' or 'all weights'.
    moving : tuple of nn.Module
        Networks whose weights move; where they hold a `LoRALinear`, only its A and B do.
    fixed : tuple of nn.Module
    start : nn.Module or None
        The network from which the last training began, where the weights tell it.
    """

    strategy: str
    moves: str
    moving: tuple[nn.Module, ...]
    fixed: tuple[nn.Module, ...] = ()
    start: nn.Module | None = None

    def weights(self) -> list[dict[str, torch.Tensor]]:
        """Per moving network its moving weights by name, in which every row is a filter; biases are not among them."""
        return [_weights(network) for network in self.moving]


def trained_part(estimator: Estimator) -> TrainedPart:
    """Tell what the last training of a model moved.

    Raises
    ------
    InputError
        If it was LoRA, but its factors are not with the model.
    """
    # Steps that train no weights by gradient descent: what the step before them trained is still what can be moved.
    steps = [str(step.get("strategy", "mlp")) for step in estimator.provenance]
    strategy = next((name for name in reversed(steps) if _leaves_weights(name)), "mlp")
    for name in [strategy] if steps else trained_strategies():
        kind = find_strategy(name)
        moved = None if kind is None else kind.moved(estimator)
        if moved is not None:
            return TrainedPart(name, **vars(moved))
    core, heads = innermost(estimator.network)
    return TrainedPart(strategy, "all weights", tuple(_chain(part) for part in (core, *heads)))


def _leaves_weights(name: str) -> bool:
    """Whether a step of that strategy trained weights or began with new ones; one that is not known here is taken to."""
    kind = find_strategy(name)
    return kind is None or kind.trains or not kind.uses_model


def filter_directions(part: TrainedPart, seed: int, n_directions: int = 2) -> list[dict[str, torch.Tensor]]:
    """Draw random Gaussian directions, each filter scaled to the length of the same filter of the trained weights.

    A filter is the weights of one output neuron; of LoRA's matrices it is a rank vector of A or an output row of B. A
    filter of zeros does not move.

    Parameters
    ----------
    part : TrainedPart
    seed : int
    n_directions : int

    Returns
    -------
    list of dict of str to Tensor, shape (n_directions, rows, columns), float32
        Per moving network and weight, as in `TrainedPart.weights`.

    References
    ----------
    Li et al. 2018, "Visualizing the Loss Landscape of Neural Nets" (arXiv:1712.09913), Sect. 4.
    """
    random = np.random.default_rng(seed)
    return [
        {
            name: torch.stack([_like_filters(weight.detach(), random) for _ in range(n_directions)])
            for name, weight in weights.items()
        }
        for weights in part.weights()
    ]


def _like_filters(weight: torch.Tensor, random: np.random.Generator) -> torch.Tensor:
    drawn = torch.from_numpy(random.standard_normal(tuple(weight.shape), dtype=np.float32))
    return drawn * (torch.linalg.vector_norm(weight, dim=1) / torch.linalg.vector_norm(drawn, dim=1))[:, None]


def _weights(network: nn.Module) -> dict[str, torch.Tensor]:
    layers = dict(network.named_modules())
    adapted = any(isinstance(layer, LoRALinear) for layer in layers.values())
    weights: dict[str, torch.Tensor] = {}
    for place, layer in layers.items():
        if isinstance(layer, LoRALinear):
            weights |= {f"{place}.A": layer.A, f"{place}.B": layer.B}
        elif isinstance(layer, nn.Linear) and not adapted:
            weights[f"{place}.weight"] = layer.weight
    return weights


def _chain(network: nn.Module) -> nn.Sequential:
    return network if isinstance(network, nn.Sequential) else nn.Sequential(network)
