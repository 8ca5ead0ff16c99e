"""Networks as plain data: one function describes a network, one builds it again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from typing import Any, NamedTuple

import torch
from torch import nn

from ..checks import MOST_WIDTH, check_list, check_mapping, check_whole
from ..errors import InputError, SettingsError, check_keys, said, shown
from .aligned import AlignedNetwork, given_width
from .alignment_heads import build_head_of
from .encoded import MOST_PARTS, Affine, EncodedNetwork, EncoderPart
from .lrs import LRSSettings, LRSTransformer
from .mlp import MLPSettings, build_linear, build_mlp, linear_layers
from .residual import ResidualNetwork, ResidualSettings, build_head
from .xp_autoencoder import XPAutoencoder, XPSettings


def describe(network: nn.Module) -> dict:
    """Describe a network as plain data, fit for JSON.

    Returns
    -------
    dict
        ``{"kind": "mlp", "hidden": [1024, 512, 64]}`` (with ``dropout``, ``batch_norm`` or ``activation``
        where used), ``{"kind": "residual", "base": {...}, "hidden": 384}``, ``{"kind": "linear"}``, or, with an encoder inside,
        ``{"kind": "encoded", "parts": [None, {"encoder": {...}, "width": 128}], "head": {...}}``, where None is the spectrum;
        ``{"kind": "lrs-transformer", ...}`` and ``{"kind": "xp-autoencoder", ...}`` with all their settings.

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
            "this network cannot be stored: it is no chain of linear layers and ReLU or GELU, transformer or autoencoder "
            "as transtar builds them "
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


class Kind(NamedTuple):
    """How networks of one class are described and built."""

    of: type[nn.Module]
    keys: tuple[str, ...]
    """What a description may have beside its kind."""
    describe: Callable[[Any], dict]
    build: Callable[[dict, int, int, str], nn.Module]
    """From the description without its kind, the numbers of inputs and outputs, and the device."""


def _describe(network: nn.Module) -> dict:
    for name, kind in KINDS.items():
        if isinstance(network, kind.of):
            return {"kind": name, **kind.describe(network)}
    raise InputError(f"a network of type {type(network).__name__} cannot be described; merge its adapters first")


def build_network(description: Mapping, n_inputs: int, n_outputs: int, device: str = "cpu") -> nn.Module:
    """Build the network that `describe` described, with freshly drawn weights; without any on the device 'meta'.

    Raises
    ------
    InputError
        If its kind is unknown.
    SettingsError
        If it has a key that its kind does not know, or does not fit the numbers of inputs and outputs.
    """
    settings = dict(description)
    name = settings.pop("kind", None)
    if not isinstance(name, str) or name not in KINDS:
        raise InputError(f"no network of kind '{shown(name)}'; known kinds: {', '.join(sorted(KINDS))}")
    check_keys(settings, KINDS[name].keys, f"network {name}")
    return KINDS[name].build(settings, n_inputs, n_outputs, device)


def _describe_mlp(network: nn.Sequential) -> dict:
    description: dict = {"hidden": [layer.out_features for layer in linear_layers(network)[:-1]]}
    dropout = [layer.p for layer in network if isinstance(layer, nn.Dropout)]
    if dropout:
        description["dropout"] = dropout[0]
    if any(isinstance(layer, nn.BatchNorm1d) for layer in network):
        description["batch_norm"] = True
    if any(isinstance(layer, nn.GELU) for layer in network):
        description["activation"] = "gelu"
    return description


def _build_mlp(settings: dict, n_inputs: int, n_outputs: int, device: str) -> nn.Module:
    activation = settings.pop("activation", "relu")
    return build_mlp(n_inputs, n_outputs, MLPSettings(**settings), device, activation)


def _describe_residual(network: ResidualNetwork) -> dict:
    return {"base": _describe(network.base), "hidden": linear_layers(network.head)[0].out_features}


def _build_residual(settings: dict, n_inputs: int, n_outputs: int, device: str) -> nn.Module:
    base = build_network(settings["base"], n_inputs, n_outputs, device)
    return ResidualNetwork(base, build_head(n_inputs, n_outputs, ResidualSettings(settings["hidden"]), device))


def _describe_encoded(network: EncodedNetwork) -> dict:
    parts = [
        {"encoder": _describe(part.network), "width": len(part.after.scale)} if isinstance(part, EncoderPart) else None
        for part in network.parts
    ]
    return {"parts": parts, "head": _describe(network.head)}


def _build_encoded(settings: dict, n_inputs: int, n_outputs: int, device: str) -> nn.Module:
    parts = check_list(settings["parts"], "network encoded: parts")
    check_whole(len(parts), "network encoded: number of parts", 1, MOST_PARTS)
    modules = [_build_part(part, n_inputs, device) for part in parts]
    widths = [n_inputs if part is None else part["width"] for part in parts]
    return EncodedNetwork(modules, build_network(settings["head"], sum(widths), n_outputs, device))


def _build_part(part: Mapping | None, n_inputs: int, device: str) -> nn.Module:
    if part is None:
        return nn.Identity()
    check_keys(check_mapping(part, "network encoded: part"), ("encoder", "width"), "network encoded: part")
    width = check_whole(part["width"], "network encoded: width", 1, MOST_WIDTH)
    encoder = build_network(part["encoder"], n_inputs, width, device)
    return EncoderPart(encoder, Affine(n_inputs, device), Affine(width, device))


def _describe_settings(network: LRSTransformer | XPAutoencoder) -> dict:
    return asdict(network.settings)


def _build_lrs(settings: dict, n_inputs: int, n_outputs: int, device: str) -> nn.Module:
    shape = LRSSettings(**settings)
    _check_width("lrs-transformer: width", shape.embedding_width, n_outputs)
    return LRSTransformer(n_inputs, shape, device)


def _build_xp(settings: dict, n_inputs: int, n_outputs: int, device: str) -> nn.Module:
    shape = XPSettings(**settings)
    _check_width("xp-autoencoder: latent", shape.latent, n_outputs)
    return XPAutoencoder(n_inputs, shape, device)


def _describe_aligned(network: AlignedNetwork) -> dict:
    width = network_sizes(network.backbone)[1]
    return {
        "backbone": _describe(network.backbone), "width": width, "heads": network.head_settings(),
    }  # fmt: skip


def _build_aligned(settings: dict, n_inputs: int, n_outputs: int, device: str) -> nn.Module:
    width = check_whole(settings["width"], "network aligned: width", 1, MOST_WIDTH)
    heads = check_list(settings["heads"], "network aligned: heads")
    check_whole(len(heads), "network aligned: number of heads", 1, 2)
    backbone = build_network(check_mapping(settings["backbone"], "network aligned: backbone"), n_inputs, width, device)
    network = AlignedNetwork(backbone, [build_head_of(head, given_width(backbone, width), device) for head in heads])
    _check_width("network aligned: width of its heads", network.width, n_outputs)
    return network


def _check_width(what: str, width: int, n_outputs: int) -> None:
    if width != n_outputs:
        raise SettingsError(f"{what} is {width}, where {n_outputs} outputs are needed")


def _names(settings: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(settings))


KINDS: dict[str, Kind] = {
    "linear": Kind(
        nn.Linear, (), lambda network: {}, lambda _, n, n_outputs, device: build_linear(n, n_outputs, device)
    ),
    "residual": Kind(ResidualNetwork, ("base", "hidden"), _describe_residual, _build_residual),
    "encoded": Kind(EncodedNetwork, ("parts", "head"), _describe_encoded, _build_encoded),
    "mlp": Kind(nn.Sequential, ("hidden", "dropout", "batch_norm", "activation"), _describe_mlp, _build_mlp),
    "lrs-transformer": Kind(LRSTransformer, _names(LRSSettings), _describe_settings, _build_lrs),
    "xp-autoencoder": Kind(XPAutoencoder, _names(XPSettings), _describe_settings, _build_xp),
    "aligned": Kind(AlignedNetwork, ("backbone", "width", "heads"), _describe_aligned, _build_aligned),
}
"""All networks that can be stored, by the name of their kind."""


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
    if isinstance(network, EncodedNetwork):
        return network.n_inputs, network_sizes(network.head)[1]
    if isinstance(network, LRSTransformer | XPAutoencoder):
        return network.n_inputs, network.n_outputs
    if isinstance(network, AlignedNetwork):
        return network_sizes(network.backbone)[0], network.width
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
