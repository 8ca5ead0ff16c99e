from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.train.examples import MLP, stars
from transtar.models import LoRASettings
from transtar.models.residual import ResidualSettings
from transtar.preprocess import Preprocessing
from transtar.train import (
    Augmentation,
    Full,
    LoRA,
    Residual,
    Scratch,
    TrainSettings,
    finetune,
    finetune_fleet,
    fleet,
    pretrain,
)

# 20 steps: 60 stars, a tenth of them held out, batches of 16.
SHORT = {"epochs": 5, "batch_size": 16, "learning_rate": 1e-3, "augmentation": None}
NOISE = Augmentation(noise=(20, 100), shift_kms=10, smoothing_pixels=(0, 1), continuum_amplitude=0.01)
STRATEGIES = (
    Residual(head=ResidualSettings(7), **SHORT),
    LoRA(adapter=LoRASettings(3, 6), **SHORT),
    Full(**SHORT),
    Scratch(mlp=MLP, **SHORT),
)


@pytest.fixture(scope="module")
def bases():
    """Two models of the same shape."""
    return [
        pretrain(
            *stars(150, seed=seed, n_labels=2), label_names=("feh", "teff"), preprocessing=Preprocessing(), mlp=MLP,
            settings=TrainSettings(epochs=3, learning_rate=1e-3),
        )
        for seed in (0, 1)
    ]  # fmt: skip


def team(bases, strategy, sizes=(60, 60, 61), **more):
    """Runs of one strategy that differ in model, stars and seed; missing labels in one of them."""
    members = []
    for seed, n in enumerate(sizes):
        flux, labels = stars(n, seed=10 + seed, survey=1, n_labels=2)
        if seed == 1:
            labels[::7, 1] = np.nan
        members.append(fleet.Member(bases[seed % 2], flux, labels, strategy, survey="miles", seed=seed, **more))
    return members


def alone(member):
    return finetune(**vars(member))


def weights(model):
    return torch.cat([value.flatten() for value in model.network.state_dict().values()])


def largest_difference(one, other):
    return float((weights(one) - weights(other)).abs().max())


@pytest.fixture
def stacks(monkeypatch):
    """Sizes of the stacks that are made."""
    sizes = []
    stacked = fleet.StackedStep
    monkeypatch.setattr(fleet, "StackedStep", lambda steps: sizes.append(len(steps)) or stacked(steps))
    return sizes


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda strategy: strategy.name)
@pytest.mark.parametrize(
    "change",
    [
        {},
        {"augmentation": NOISE},
        {"validation_fraction": 0.0},
        {"average_last": 2, "schedule": "cosine"},
        {"poor_weight": 3.0, "patience": 2, "learning_rate": None},
    ],
    ids=["plain", "augmented", "no validation", "averaged", "weighted"],
)
def test_runs_trained_as_one_are_those_of_single_runs(bases, strategy, change, stacks):
    members = team(bases, replace(strategy, **change))
    together = finetune_fleet(members)
    assert stacks == [3]
    for model, member in zip(together, members, strict=True):
        single = alone(member)
        # Not left at the start, where all would agree.
        assert largest_difference(single, member.estimator) > 1e-5 if strategy.name == "full" else True
        assert largest_difference(model, single) < 1e-5
        one, other = model.provenance[-1], single.provenance[-1]
        for name in ("best_epoch", "kept", "epochs_run", "learning_rate", "settings", "n_train", "n_validation"):
            assert one[name] == other[name]
        np.testing.assert_allclose(one["train_loss"], other["train_loss"], rtol=1e-4)
        np.testing.assert_array_equal(model.trained_on["id"], single.trained_on["id"])
