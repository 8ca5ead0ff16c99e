"""Models on disk: changed on purpose, and compared."""

import json

import numpy as np
import torch

from transtar.seal import sealed


def edit(folder, **changes):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(sealed(config | changes)))


def same_model(one, other):
    """Whether two models are the same, bit for bit."""
    parts = ("label_names", "surveys", "provenance", "domain_limit", "preprocessing")
    arrays = ("input_mean", "input_std", "label_mean", "label_std", "label_min", "label_max")
    weights = zip(one.network.state_dict().items(), other.network.state_dict().items(), strict=True)
    return (
        all(getattr(one, name) == getattr(other, name) for name in parts)
        and all(np.array_equal(getattr(one, name), getattr(other, name)) for name in arrays)
        and all(mine[0] == theirs[0] and torch.equal(mine[1], theirs[1]) for mine, theirs in weights)
        and all(np.array_equal(column, other.trained_on[name]) for name, column in one.trained_on.items())
        and (one.adapter is None) == (other.adapter is None)
        and all(np.array_equal(array, other.adapter[name]) for name, array in (one.adapter or {}).items())
    )
