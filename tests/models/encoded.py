"""Small encoders, and models of what they make of spectra."""

import numpy as np
import torch
from torch import nn

from transtar.encoders import Encoder
from transtar.models import Estimator
from transtar.networks import MLPSettings, ResidualNetwork, build_head, build_mlp
from transtar.preprocess import Preprocessing

WIDTH = 7


def small_encoder(name="seer", width=WIDTH, seed=0, preprocessing=None, **changes) -> Encoder:
    preprocessing = preprocessing or Preprocessing()
    n = preprocessing.wavelengths.size
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    fields = {
        "name": name,
        "network": build_mlp(n, width, MLPSettings((16, 12))),
        "flux_mean": random.normal(0.95, 0.05, n).astype(np.float32),
        "flux_std": random.uniform(0.03, 0.2, n).astype(np.float32),
        "preprocessing": preprocessing,
        "decoder": build_mlp(width, n, MLPSettings((12,))),
        "target_mean": random.normal(0.95, 0.05, n).astype(np.float32),
        "target_std": random.uniform(0.03, 0.1, n).astype(np.float32),
    }
    return Encoder(**(fields | changes))


def grid_flux(n=12, seed=5, n_pixels=1462) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.95, 0.08, (n, n_pixels)).astype(np.float32)


def head_network(kind, n_inputs, n_labels):
    torch.manual_seed(3)
    if kind == "linear":
        return nn.Linear(n_inputs, n_labels)
    network = build_mlp(n_inputs, n_labels, MLPSettings((10, 8)))
    if kind == "residual":
        head = build_head(n_inputs, n_labels)
        nn.init.normal_(head[-1].weight, 0, 0.1)
        return ResidualNetwork(network, head)
    return network


def embedding_model(encoders, name=None, kind="mlp", labels=("feh", "teff"), **changes) -> Estimator:
    """A model whose scalers are those of what the encoders make of some spectra."""
    encoders = {one.name: one for one in (encoders if isinstance(encoders, list) else [encoders])}
    name = name or "+".join(encoders)
    spectra = grid_flux(60, seed=8)
    parts = [spectra if part == "flux" else encoders[part].encode(spectra) for part in name.split("+")]
    inputs = np.concatenate(parts, axis=1)
    n = len(labels)
    fields = {
        "network": head_network(kind, inputs.shape[1], n),
        "input_mean": inputs.mean(axis=0),
        "input_std": inputs.std(axis=0),
        "label_names": labels,
        "label_mean": np.array([-0.5, 5000.0])[:n],
        "label_std": np.array([0.4, 700.0])[:n],
        "label_min": np.array([-2.5, 4000.0])[:n],
        "label_max": np.array([0.5, 7000.0])[:n],
        "preprocessing": next(iter(encoders.values())).preprocessing,
        "input": name,
        "domain_limit": 3.25,
    }
    return Estimator(**(fields | changes))


def encoded(name, encoders, spectra) -> np.ndarray:
    """The input of that name."""
    makers = {one.name: one for one in encoders}
    parts = [spectra if part == "flux" else makers[part].encode(spectra) for part in name.split("+")]
    return np.concatenate(parts, axis=1)
