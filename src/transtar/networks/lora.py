"""Low-rank adaptation (LoRA): a frozen linear layer plus a trainable product of two thin matrices.

Source: Hu et al. 2021 (arXiv:2106.09685); the paper's Sect. 3.1 uses rank 128 and alpha 256. With the hidden layers of
the paper's network that is 588,544 weights; its "all linear layers" with the output layer would be 596,864.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import nn

from ..checks import MOST_WIDTH, check_real, check_whole
from ..errors import InputError, SettingsError, shown
from .encoded import EncodedNetwork
from .residual import innermost

Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class LoRASettings:
    """Shape of a LoRA adapter.

    Parameters
    ----------
    rank : int
        Rank of the update; the same for every layer.
    alpha : float
        The update is scaled by alpha / rank.
    output_layer : bool
        Adapt the output layer too.
    """

    rank: int = 128
    alpha: float = 256.0
    output_layer: bool = False

    def __post_init__(self) -> None:
        check_whole(self.rank, "lora: rank", 1, MOST_WIDTH)
        check_real(self.alpha, "lora: alpha")
        if not isinstance(self.output_layer, bool):
            raise SettingsError(f"lora: output_layer must be true or false, not '{shown(self.output_layer)}'")


class LoRALinear(nn.Module):
    """A frozen linear layer with a trainable low-rank update: ``W x + b + (alpha / rank) B A x``.

    Parameters
    ----------
    layer : nn.Linear
        Its weights are shared, frozen, and stay bit-identical.
    rank : int
    alpha : float

    Attributes
    ----------
    A : Parameter, shape (rank, in_features)
        Kaiming-uniform with a = sqrt(5), as in peft and in the reference implementation.
    B : Parameter, shape (out_features, rank)
        Zero at the start, so that training begins at the frozen layer.
    """

    def __init__(self, layer: nn.Linear, rank: int = 128, alpha: float = 256.0):
        super().__init__()
        self.layer = layer.requires_grad_(False)
        self.scale = alpha / rank
        self.A = nn.Parameter(layer.weight.new_empty(rank, layer.in_features))
        self.B = nn.Parameter(layer.weight.new_zeros(layer.out_features, rank))
        nn.init.kaiming_uniform_(self.A, a=math.sqrt(5))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Apply the adapted layer to `inputs`, shape (n, in_features)."""
        return self.layer(inputs) + nn.functional.linear(nn.functional.linear(inputs, self.A), self.B) * self.scale

    @torch.no_grad()
    def merge(self) -> nn.Linear:
        """Fold the update into the weights.

        Returns
        -------
        nn.Linear
            A new plain layer; the product is formed in float64 and rounded once.
        """
        merged = copy.deepcopy(self.layer).requires_grad_(True)
        update = (self.B.double() @ self.A.double()) * self.scale
        merged.weight.copy_((self.layer.weight.double() + update).to(merged.weight.dtype))
        return merged


def add_lora(network: nn.Module, settings: LoRASettings | None = None) -> nn.Module:
    """Wrap the linear layers of a network; everything else in it is frozen.

    Parameters
    ----------
    network : nn.Sequential or EncodedNetwork
        A chain as built by `build_mlp`, or encoders with a head; copied, not changed. Encoders are adapted in all their linear
        layers: none of these is the output of the network.
    settings : LoRASettings, optional

    Raises
    ------
    SettingsError
        If no layer is left to adapt, as in a linear network without `output_layer`.
    """
    settings = settings or LoRASettings()
    wrapped = copy.deepcopy(network).requires_grad_(False)
    places = _adaptable(wrapped)
    adapted = places if settings.output_layer else places[:-1]
    if not adapted:
        raise SettingsError("lora: the network has no hidden layer to adapt; set output_layer or take another strategy")
    for place in adapted:
        layer = wrapped.get_submodule(place)
        assert isinstance(layer, nn.Linear)
        wrapped.set_submodule(place, LoRALinear(layer, settings.rank, settings.alpha))
    return wrapped


def _adaptable(network: nn.Module) -> list[str]:
    """Where the linear layers of a network are that LoRA may adapt, the output layer last."""
    if isinstance(network, nn.Linear):
        return ["0"]
    if not isinstance(network, EncodedNetwork):
        return [name for name, layer in network.named_children() if isinstance(layer, nn.Linear)]
    behind = {id(layer) for part in network.parts.modules() for layer in _behind(part)}
    encoders = [
        f"parts.{name}"
        for name, layer in network.parts.named_modules()
        if isinstance(layer, nn.Linear) and id(layer) not in behind
    ]
    core, heads = innermost(network.head)
    root = ".".join(["head", *["base"] * len(heads)])
    return encoders + ([root] if isinstance(core, nn.Linear) else [f"{root}.{name}" for name in _adaptable(core)])


def _behind(network: nn.Module) -> list[nn.Module]:
    """The layers of a network that give tokens or spectra back, behind the embedding: to adapt them would change nothing."""
    return [layer for name in getattr(network, "BEHIND", ()) for layer in network.get_submodule(name).modules()]


def lora_layers(network: nn.Module) -> dict[str, LoRALinear]:
    """The wrapped layers of a network by their place in it."""
    return {place: layer for place, layer in network.named_modules() if isinstance(layer, LoRALinear)}


def merge_lora(network: Network) -> Network:
    """Fold every LoRA update into its layer: a plain network that costs nothing more than the frozen one."""
    merged = copy.deepcopy(network)
    for place, layer in lora_layers(merged).items():
        merged.set_submodule(place, layer.merge())
    return merged.requires_grad_(True)


def without_lora(network: Network) -> Network:
    """The frozen network that was wrapped."""
    plain = copy.deepcopy(network)
    for place, layer in lora_layers(plain).items():
        plain.set_submodule(place, layer.layer)
    return plain


def lora_factors(network: nn.Module) -> dict[str, np.ndarray]:
    """Copy the thin matrices of a network that `add_lora` wrapped, to keep what merging folds away.

    Returns
    -------
    dict of str to ndarray, float32
        Per adapted layer, by its place in the network, ``"0.A"`` (rank, in_features) and ``"0.B"`` (out_features, rank);
        and ``"scale"``, shape (), the alpha / rank by which their product is multiplied.
    """
    factors: dict[str, np.ndarray] = {}
    for place, layer in lora_layers(network).items():
        factors |= {f"{place}.{name}": _array(getattr(layer, name)) for name in ("A", "B")}
        factors["scale"] = np.array(layer.scale, dtype=np.float32)
    return factors


def adapted_layers(network: nn.Module, factors: Mapping[str, np.ndarray]) -> dict[str, nn.Linear]:
    """The layers of a merged network that LoRA factors belong to, by their place in its core.

    Parameters
    ----------
    network : nn.Module
        Merged; the core of a chain of residual networks carries the update.
    factors : mapping of str to ndarray
        As `lora_factors` returns them.

    Raises
    ------
    InputError
        If the factors do not fit the network.
    """
    core, _ = innermost(network)
    linear = {"0": core} if isinstance(core, nn.Linear) else dict(core.named_modules())
    places = sorted({name.rpartition(".")[0] for name in factors if name != "scale"})
    layers: dict[str, nn.Linear] = {}
    for place in places:
        layer, a, b = linear.get(place), factors.get(f"{place}.A"), factors.get(f"{place}.B")
        if not isinstance(layer, nn.Linear) or a is None or b is None or a.ndim != 2 or b.ndim != 2:
            raise InputError(f"adapter: '{place}' names no adapted layer of the network")
        if (b.shape[0], a.shape[1]) != (layer.out_features, layer.in_features) or b.shape[1] != a.shape[0]:
            raise InputError(
                f"adapter: factors of shape {b.shape} and {a.shape} do not fit layer {place}, "
                f"({layer.out_features}, {layer.in_features})"
            )
        layers[place] = layer
    if not layers or "scale" not in factors or factors["scale"].shape != ():
        raise InputError("adapter: needs A and B of at least one layer, and their scale")
    return layers


def unmerge_lora(network: Network, factors: Mapping[str, np.ndarray]) -> Network:
    """Take a LoRA update out of a merged network again: frozen layers and their factors, as they were trained.

    Parameters
    ----------
    network : nn.Sequential or EncodedNetwork
        As `merge_lora` returns it; copied, not changed.
    factors : mapping of str to ndarray
        As `lora_factors` returned them before the merging.

    Returns
    -------
    nn.Module
        As `add_lora` returns it, to the rounding of the merged weights.

    Raises
    ------
    InputError
        If the factors do not fit the network.
    """
    unmerged = copy.deepcopy(network).requires_grad_(False)
    for place, layer in adapted_layers(unmerged, factors).items():
        a, b = (torch.from_numpy(np.asarray(factors[f"{place}.{name}"], dtype=np.float32)) for name in ("A", "B"))
        scale = float(factors["scale"])
        layer.weight.copy_((layer.weight.double() - scale * (b.double() @ a.double())).to(layer.weight.dtype))
        # The factors that a new wrapper draws are replaced: the caller's random numbers must not notice.
        with torch.random.fork_rng(devices=[]):
            wrapped = LoRALinear(layer, rank=len(a), alpha=scale * len(a))
        wrapped.A, wrapped.B = nn.Parameter(a.clone()), nn.Parameter(b.clone())
        unmerged.set_submodule(place, wrapped)
    return unmerged


def keep_factor_outputs(
    network: nn.Module, factors: Mapping[str, np.ndarray], rows: list[int]
) -> dict[str, np.ndarray]:
    """LoRA factors of a network that keeps only some of its outputs: those of the last layer lose rows of B."""
    core, _ = innermost(network)
    last = _adaptable(core)[-1]
    return {name: array[rows] if name == f"{last}.B" else array for name, array in factors.items()}


def _array(parameter: torch.Tensor) -> np.ndarray:
    return parameter.detach().to("cpu", torch.float32).numpy().copy()
