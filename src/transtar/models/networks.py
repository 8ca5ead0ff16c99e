"""Networks as plain data: one function describes a network, one builds it again."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import nn

from ..errors import InputError, check_keys, said
from .mlp import MLPSettings, build_linear, build_mlp, linear_layers
from .residual import ResidualNetwork, ResidualSettings, build_head


def describe(network: nn.Module) -> dict:
    """Describe a network as plain data, fit for JSON.

    Returns
    -------
    dict
        ``{"kind": "mlp", "hidden": [1024, 512, 64]}`` (with ``dropout`` or ``batch_norm`` where used),
        ``{"kind": "residual", "base": {...}, "hidden": 384}`` or ``{"kind": "linear"}``.

    Raises
    ------
    InputError
        If it is none of these, or of other layers than `build_network` would make of that description.
    """
    description = _described(network)
    # A chain with another activation would be read back as one with ReLU, and predict something else.
    if not description or repr(build_network(description, *network_sizes(network), device="meta")) != repr(network):
        raise InputError(
            f"a network of type {type(network).__name__} cannot be saved, unless it is a linear layer, what "
            "transtar.models.build_mlp makes, or such with heads of transtar.models.residual; merge adapters first"
        )
    return description


def _described(network: nn.Module) -> dict:
    if isinstance(network, nn.Linear):
        return {"kind": "linear"}
    if isinstance(network, ResidualNetwork):
        first = next(iter(linear_layers(network.head)), None)
        base = _described(network.base)
        return {"kind": "residual", "base": base, "hidden": first.out_features} if base and first is not None else {}
    if not isinstance(network, nn.Sequential) or not (
        hidden := [one.out_features for one in linear_layers(network)[:-1]]
    ):
        return {}
    description: dict = {"kind": "mlp", "hidden": hidden}
    dropout = [layer.p for layer in network if isinstance(layer, nn.Dropout)]
    if dropout:
        description["dropout"] = dropout[0]
    if any(isinstance(layer, nn.BatchNorm1d) for layer in network):
        description["batch_norm"] = True
    return description


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
        check_keys(settings, ("hidden", "dropout", "batch_norm"), "network mlp")
        return build_mlp(n_inputs, n_outputs, MLPSettings(**settings), device)
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
    if expected is None or type(network) in (nn.Linear, nn.Sequential):
        return layers[0].in_features, layers[-1].out_features
    try:
        with torch.no_grad():
            outputs = network.eval()(torch.zeros(1, expected[0], dtype=torch.float32, device="cpu"))
    except (RuntimeError, ValueError, TypeError) as error:
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
