"""Networks as plain data: one function describes a network, one builds it again."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import nn

from ..errors import InputError, SettingsError, check_keys, said, shown
from .mlp import MLPSettings, build_linear, build_mlp, linear_layers
from .residual import ResidualNetwork, ResidualSettings, build_head


def describe(network: nn.Module) -> dict:
    """Describe a network as plain data, fit for JSON.

    Returns
    -------
    dict
        ``{"kind": "mlp", "hidden": [1024, 512, 64]}`` (with ``dropout``, ``batch_norm`` or ``activation``
        where used), ``{"kind": "residual", "base": {...}, "hidden": 384}`` or ``{"kind": "linear"}``.

    Raises
    ------
    InputError
        If it is none of these: one that is built from the description would predict otherwise.
    """
    description = _describe(network)
    try:
        again = build_network(description, *network_sizes(network), device="meta")
    except (InputError, SettingsError):
        again = None
    shapes = [{name: weight.shape for name, weight in one.state_dict().items()} for one in (network, again) if one]
    if again is None or shapes[0] != shapes[1] or _text(network) != _text(again) or not is_bare(network):
        raise InputError(
            "this network cannot be stored: it is no chain of linear layers and ReLU or GELU as transtar builds them "
            f"({shown(_text(network), 200)}); predict with it in this session"
        )
    return description


def is_bare(network: nn.Module) -> bool:
    """Whether its layers decide alone what a network computes: no hook, and no other forward pass than that of its class."""
    return not any("forward" in vars(one) or any(vars(one)[hooks] for hooks in _HOOKS) for one in network.modules())


_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def _text(network: nn.Module) -> str:
    # Whether ReLU writes over its input changes nothing.
    return str(network).replace("inplace=True", "")


def _describe(network: nn.Module) -> dict:
    if isinstance(network, nn.Linear):
        return {"kind": "linear"}
    if isinstance(network, ResidualNetwork):
        first = linear_layers(network.head)[0]
        return {"kind": "residual", "base": _describe(network.base), "hidden": first.out_features}
    if isinstance(network, nn.Sequential):
        hidden = [layer.out_features for layer in linear_layers(network)[:-1]]
        description: dict = {"kind": "mlp", "hidden": hidden}
        dropout = [layer.p for layer in network if isinstance(layer, nn.Dropout)]
        if dropout:
            description["dropout"] = dropout[0]
        if any(isinstance(layer, nn.BatchNorm1d) for layer in network):
            description["batch_norm"] = True
        if any(isinstance(layer, nn.GELU) for layer in network):
            description["activation"] = "gelu"
        return description
    raise InputError(f"a network of type {type(network).__name__} cannot be described; merge its adapters first")


def build_network(description: Mapping, n_inputs: int, n_outputs: int, device: str = "cpu") -> nn.Module:
    """Build the network that `describe` described, with freshly drawn weights; without any on the device 'meta'.

    Raises
    ------
    InputError
        If its kind is unknown.
    SettingsError
        If it has a key that its kind does not know.
    """
    settings = dict(description)
    kind = settings.pop("kind", None)
    if kind == "mlp":
        check_keys(settings, ("hidden", "dropout", "batch_norm", "activation"), "network mlp")
        activation = settings.pop("activation", "relu")
        return build_mlp(n_inputs, n_outputs, MLPSettings(**settings), device, activation)
    if kind == "residual":
        check_keys(settings, ("base", "hidden"), "network residual")
        base = build_network(settings["base"], n_inputs, n_outputs, device)
        return ResidualNetwork(base, build_head(n_inputs, n_outputs, ResidualSettings(settings["hidden"]), device))
    if kind == "linear":
        check_keys(settings, (), "network linear")
        return build_linear(n_inputs, n_outputs, device)
    raise InputError(f"no network of kind '{kind}'; known kinds: linear, mlp, residual")


def network_sizes(network: nn.Module, expected: tuple[int, int] | None = None) -> tuple[int, int]:
    """Numbers of inputs and outputs of a network.

    Parameters
    ----------
    network : nn.Module
    expected : (int, int), optional
        Of a network of another kind than those of `describe`, which is tried with so many inputs.

    Raises
    ------
    InputError
        If such a network does not take so many.
    """
    if isinstance(network, ResidualNetwork):
        return network_sizes(network.base, expected)
    layers = [network] if isinstance(network, nn.Linear) else linear_layers(network)
    chain = isinstance(network, nn.Linear) or (
        type(network) is nn.Sequential and len(layers) > 0 and network[0] is layers[0] and network[-1] is layers[-1]
    )
    if chain or (expected is None and layers):
        return layers[0].in_features, layers[-1].out_features
    if expected is None:
        raise InputError("model: the network has no linear layer that tells its sizes")
    try:
        with torch.no_grad():
            outputs = network.eval()(torch.zeros(1, expected[0], dtype=torch.float32, device="cpu"))
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        raise InputError(f"model: the network does not take {expected[0]} inputs ({said(error)})") from error
    return expected[0], outputs.shape[-1]


@torch.no_grad()
def map_outputs(network: nn.Module, matrix: torch.Tensor, offset: torch.Tensor) -> None:
    """Fold ``output -> matrix @ output + offset`` into the last layers, in place.

    Parameters
    ----------
    network : nn.Module
    matrix : Tensor, shape (n_outputs, n_outputs)
    offset : Tensor, shape (n_outputs,)
    """
    if isinstance(network, ResidualNetwork):
        map_outputs(network.base, matrix, offset)
        map_outputs(network.head, matrix, torch.zeros_like(offset))
        return
    last = network if isinstance(network, nn.Linear) else linear_layers(network)[-1]
    # In float64, so that the folded layer is rounded once.
    matrix, offset = matrix.double(), offset.double()
    last.weight.copy_((matrix @ last.weight.double()).to(last.weight.dtype))
    last.bias.copy_((matrix @ last.bias.double() + offset).to(last.bias.dtype))


def keep_outputs(network: nn.Module, rows: list[int]) -> nn.Module:
    """A copy of a network that computes only some of its outputs, in the order of `rows`."""
    if isinstance(network, ResidualNetwork):
        return ResidualNetwork(keep_outputs(network.base, rows), keep_outputs(network.head, rows))
    network = copy.deepcopy(network)
    last = network if isinstance(network, nn.Linear) else linear_layers(network)[-1]
    last.weight = nn.Parameter(last.weight.detach()[rows].clone())
    last.bias = nn.Parameter(last.bias.detach()[rows].clone())
    last.out_features = len(rows)
    return network
