"""Small encoders to test with, and fresh registries."""

import hashlib

import numpy as np
import torch

from transtar.encoders import Encoder, OutsideEncoder, registry
from transtar.networks import MLPSettings, build_mlp
from transtar.preprocess import Preprocessing

WIDTH = 6


def small_encoder(seed=0, name="small", decoder=True, activation="gelu", **changes) -> Encoder:
    """Random weights from the grid to six values and, with a decoder, back."""
    settings = changes.pop("preprocessing", Preprocessing())
    n = settings.wavelengths.size
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    fields = {
        "name": name,
        "network": build_mlp(n, WIDTH, MLPSettings((8,)), activation=activation),
        "flux_mean": random.uniform(0.8, 1, n).astype(np.float32),
        "flux_std": random.uniform(0.05, 0.1, n).astype(np.float32),
        "preprocessing": settings,
        "provenance": ({"step": "pretrain", "n_stars": 3, "seed": seed},),
    }
    if decoder:
        fields |= {
            "decoder": build_mlp(WIDTH, n, MLPSettings((8,)), activation=activation),
            "target_mean": np.full(n, 0.9, np.float32),
            "target_std": np.full(n, 0.1, np.float32),
        }
    return Encoder(**(fields | changes))


def seen_stars(survey="lamost", ids=(2**62 + 1,)) -> dict[str, np.ndarray]:
    """Stars that an encoder has seen."""
    n = len(ids)
    return {
        "survey": np.full(n, survey), "id": np.array(ids), "file": np.full(n, ""), "star": np.full(n, ""),
        "role": np.full(n, "train"),
    }  # fmt: skip


def outside_encoder(encode=None, name="outside", content=b"1", **changes) -> OutsideEncoder:
    """By default two moments of the flux."""

    def moments(flux):
        return np.stack([flux.mean(axis=1), flux.std(axis=1)], axis=1)

    return OutsideEncoder(name, encode or moments, hashlib.sha256(content).hexdigest(), **changes)


def flux(n=5, seed=1, size=1462) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.9, 0.05, (n, size)).astype(np.float32)


def forget(monkeypatch, shipped=None) -> None:
    """As a fresh process would know them: no encoder, and none shipped unless a folder says so."""
    for known in ("_REGISTERED", "_SHIPPED", "_BY_HASH"):
        monkeypatch.setattr(registry, known, {})
    if shipped is not None:
        monkeypatch.setattr(registry, "SHIPPED", shipped)
