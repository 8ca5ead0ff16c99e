"""What a trained encoder has to beat: principal components, and the same network untrained."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from ..errors import InputError
from ..networks.mlp import build_linear
from ..preprocess import Preprocessing
from .encoder import Encoder


def principal_components(
    flux: np.ndarray, n_components: int, preprocessing: Preprocessing, name: str = "pca", trained_on: dict | None = None
) -> Encoder:
    """An encoder that gives the principal components of spectra.

    Parameters
    ----------
    flux : ndarray, shape (n, n_grid)
        Spectra to fit them on, prepared as `preprocessing` says; rows that are not finite are left out.
    n_components : int
        In the order of their variance; each vector has its largest element positive.
    preprocessing : Preprocessing
    name : str
    trained_on : dict of str to ndarray, optional
        Which stars these are, as of `Encoder`.

    Returns
    -------
    Encoder
        Its decoder gives back the spectra of so many components.

    Raises
    ------
    InputError
        If there are fewer than two spectra, no more spectra than components, or all are equal.
    """
    flux = np.asarray(flux, np.float64)
    flux = flux[np.isfinite(flux).all(axis=1)]
    n, n_grid = flux.shape
    most = min(n - 1, n_grid)
    if not 1 <= n_components <= most:
        raise InputError(
            f"encoder '{name}': {n_components} principal components of {n} spectra of {n_grid} pixels; "
            f"there are at most {max(most, 0)}"
        )
    mean, std = flux.mean(axis=0), float(flux.std(axis=0).mean())
    if not std > 0:
        raise InputError(f"encoder '{name}': all {n} spectra are equal, so that they have no principal components")
    # With one scale for all pixels the directions are those of the flux.
    _, _, vectors = np.linalg.svd((flux - mean) / std, full_matrices=False)
    vectors = vectors[:n_components]
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(axis=1)[:, None], axis=1)
    weight = torch.from_numpy((vectors * np.sign(largest)).astype(np.float32))
    mean_32, std_32 = mean.astype(np.float32), np.full(n_grid, std, np.float32)
    return Encoder(
        name=name,
        network=_linear(weight),
        flux_mean=mean_32,
        flux_std=std_32,
        preprocessing=preprocessing,
        decoder=_linear(weight.T),
        # Of their own memory, as tensors on disk are.
        target_mean=mean_32.copy(),
        target_std=std_32.copy(),
        provenance=({"step": "principal components", "n_train": n, "components": n_components},),
        trained_on=trained_on or {},
    )


def _linear(weight: torch.Tensor) -> nn.Linear:
    """A linear layer without offset."""
    layer = build_linear(weight.shape[1], weight.shape[0])
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.zero_()
    return layer


def _drawn_as_one(network: nn.Module) -> list[Any]:
    """The modules that draw their weights, and all within them, by themselves; none of them lies within another."""
    if hasattr(network, "reset_parameters"):
        return [network]
    return [module for child in network.children() for module in _drawn_as_one(child)]


def untrained(encoder: Encoder, seed: int, name: str = "random") -> Encoder:
    """An encoder with the layers and scalers of another and weights drawn anew.

    Parameters
    ----------
    encoder : Encoder
        Left as it is.
    seed : int
    name : str

    Returns
    -------
    Encoder
        Without decoder.

    Raises
    ------
    InputError
        If a layer does not know how to draw its weights.
    """
    network = copy.deepcopy(encoder.network)
    drawn = _drawn_as_one(network)
    known = {id(weight) for module in drawn for weight in module.parameters()}
    if any(id(weight) not in known for weight in network.parameters()):
        raise InputError(
            f"encoder '{encoder.name}' has weights that cannot be drawn again; use the layers of another encoder"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for module in drawn:
            module.reset_parameters()
    return replace(
        encoder,
        name=name,
        network=network,
        decoder=None,
        target_mean=None,
        target_std=None,
        provenance=({"step": "random weights", "layers_of": encoder.name, "seed": seed},),
        trained_on={},
        sha256="",
        place="",
    )
