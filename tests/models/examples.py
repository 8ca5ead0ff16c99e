"""A small estimator to test with."""

import numpy as np
import torch

from transtar.models import Estimator
from transtar.networks import MLPSettings, build_mlp

N_INPUTS = 20


def small_estimator(seed=0, label_names=("feh", "teff"), **changes) -> Estimator:
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    n = len(label_names)
    fields = {
        "network": build_mlp(N_INPUTS, n, MLPSettings((8, 6))),
        "input_mean": random.normal(1, 0.1, N_INPUTS).astype(np.float32),
        "input_std": random.uniform(0.02, 0.1, N_INPUTS).astype(np.float32),
        "label_names": label_names,
        "label_mean": np.array([-0.5, 5000.0])[:n],
        "label_std": np.array([0.4, 700.0])[:n],
        "label_min": np.array([-2.5, 4000.0])[:n],
        "label_max": np.array([0.5, 7000.0])[:n],
        "surveys": ("lamost",),
        "provenance": ({"step": "pretrain", "n_train": 2, "validation_loss": [0.5, None]},),
        "trained_on": {
            "survey": np.array(["lamost", "lamost"]),
            "id": np.array([2**62 + 1, -1], dtype=np.int64),
            "file": np.array(["a.fits", "b.fits.gz"]),
            "star": np.array(["J1", ""]),
            "role": np.array(["train", "validation"]),
        },
        "domain_limit": 3.25,
    }
    return Estimator(**(fields | changes))


def flux(n=30, seed=1) -> np.ndarray:
    return np.random.default_rng(seed).normal(1, 0.1, (n, N_INPUTS)).astype(np.float32)
