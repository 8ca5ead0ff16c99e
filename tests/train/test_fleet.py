from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.train.examples import MLP, stars
from transtar.datasets import Stars
from transtar.errors import InputError, TranstarError
from transtar.networks import LoRASettings
from transtar.networks.residual import ResidualSettings
from transtar.preprocess import Preprocessing
from transtar.train import (
    Augmentation,
    Full,
    LoRA,
    Member,
    Recalibrate,
    Residual,
    Ridge,
    Scratch,
    TrainSettings,
    ZeroShot,
    fast,
    finetune,
    finetune_fleet,
    pretrain,
    shared,
)

# 20 steps: 60 stars, a tenth of them held out, batches of 16.
SHORT = {"epochs": 5, "batch_size": 16, "learning_rate": 1e-3, "augmentation": None, "validation_fraction": 0.1}
NOISE = Augmentation(noise=(20, 100), shift_kms=10, smoothing_pixels=(0, 1), continuum_amplitude=0.01)
STRATEGIES = (
    Residual(head=ResidualSettings(7), **SHORT),
    LoRA(adapter=LoRASettings(3, 6), **SHORT),
    Full(**SHORT),
    Scratch(mlp=MLP, **SHORT),
)


def known(n, seed, **more):
    """Stars of two labels."""
    return Stars(
        *stars(n, seed=seed, n_labels=2, **more), ("feh", "teff"), survey="miles", preprocessing=Preprocessing()
    )


@pytest.fixture(scope="module")
def bases():
    """Two models of the same shape."""
    return [
        pretrain(known(150, seed), mlp=MLP, settings=TrainSettings(epochs=3, learning_rate=1e-3)) for seed in (0, 1)
    ]


def team(bases, strategy, sizes=(60, 60, 61), **more):
    """Runs of one strategy that differ in model, stars and seed; missing labels in one of them."""
    members = []
    for seed, n in enumerate(sizes):
        taught = known(n, 10 + seed, survey=1)
        if seed == 1:
            taught.labels[::7, 1] = np.nan
        members.append(Member(bases[seed % 2], taught, strategy, seed, **more))
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
    stacked = fast.StackedStep
    monkeypatch.setattr(fast, "StackedStep", lambda steps: sizes.append(len(steps)) or stacked(steps))
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
        assert largest_difference(single, member.model) > 1e-5 if strategy.name == "full" else True
        assert largest_difference(model, single) < 1e-5
        one, other = model.provenance[-1], single.provenance[-1]
        for name in ("best_epoch", "kept", "epochs_run", "learning_rate", "settings", "n_train", "n_validation"):
            assert one[name] == other[name]
        np.testing.assert_allclose(one["train_loss"], other["train_loss"], rtol=1e-4)
        np.testing.assert_array_equal(model.trained_on["id"], single.trained_on["id"])


def test_runs_of_every_kind_side_by_side(bases, monkeypatch):
    drawn = []
    augment = shared.augment_flux
    monkeypatch.setattr(shared, "augment_flux", lambda *given: drawn.append(1) or augment(*given))
    # Too large to be stacked: each is trained by itself, and nothing but what is shared could change it.
    monkeypatch.setattr(fast, "STACK_BELOW", 0)
    taught = known(60, 3, survey=1)
    strategies = [replace(strategy, augmentation=NOISE) for strategy in STRATEGIES]
    strategies += [replace(STRATEGIES[3], augmentation=NOISE, mlp=replace(MLP, dropout=0.2, batch_norm=True))]
    strategies += [ZeroShot(), Recalibrate(), Ridge()]
    members = [
        Member(base, replace(taught, inputs=taught.inputs.copy()), strategy, seed=4)
        for strategy in strategies
        for base in bases
    ]
    seen, told = {}, []
    together = finetune_fleet(members, done=seen.__setitem__, progress=lambda *count: told.append(count))
    # Once per epoch for all ten.
    assert len(drawn) == 5
    assert told[-1] == (50, 50)
    assert all(seen[number] is model for number, model in enumerate(together))
    for model, member in zip(together, members, strict=True):
        assert torch.equal(weights(model), weights(alone(member)))


def test_members_that_fail_leave_the_others_alone(bases, stacks):
    members = team(bases, STRATEGIES[3], sizes=(60, 60, 60, 60))
    members[1] = replace(members[1], strategy=replace(STRATEGIES[3], learning_rate=1e30))
    members[2] = replace(
        members[2], stars=replace(members[2].stars, inputs=members[2].stars.inputs[:, :5], input_sizes=())
    )
    together = finetune_fleet(members)
    assert stacks == [3]
    assert isinstance(together[1], TranstarError)
    assert "diverged" in str(together[1])
    assert isinstance(together[2], InputError)
    for number in (0, 3):
        assert largest_difference(together[number], alone(members[number])) < 1e-5


def test_runs_that_stop_early_wait_for_the_others(bases, stacks):
    strategy = replace(STRATEGIES[2], patience=1, epochs=12)
    members = team(bases, strategy)
    # The first is as good as it gets from the start.
    members[0] = replace(members[0], strategy=replace(strategy, learning_rate=1.0))
    together = finetune_fleet(members)
    assert stacks == [3]
    lengths = [model.provenance[-1]["epochs_run"] for model in together]
    assert lengths == [alone(member).provenance[-1]["epochs_run"] for member in members]
    assert min(lengths) < max(lengths)
    assert largest_difference(together[0], alone(members[0])) < 1e-5


def test_only_small_networks_of_one_shape_are_stacked(bases, stacks):
    taught = known(60, 3, survey=1)
    heads = [Residual(head=ResidualSettings(hidden), **SHORT) for hidden in (5, 5, 6)]
    longer = [replace(heads[2], epochs=6), replace(heads[2], batch_size=20)]
    finetune_fleet([Member(bases[0], taught, strategy, seed=1) for strategy in heads + longer])
    assert stacks == [2]
    # 61 inputs with the bias, 3,000 hidden units: 189,002 weights.
    large = Residual(head=ResidualSettings(3000), **SHORT | {"epochs": 1})
    finetune_fleet([Member(bases[0], taught, large, seed=seed) for seed in (1, 2)])
    assert stacks == [2]


@pytest.mark.slow
@pytest.mark.parametrize(
    "strategy", [Residual(head=ResidualSettings(16), learning_rate=1e-4), Scratch(mlp=MLP)], ids=lambda s: s.name
)
def test_after_a_whole_training_runs_are_as_good_as_single_ones(bases, strategy, stacks):
    members = team(bases, replace(strategy, epochs=100), sizes=(300, 300, 300))
    flux, labels = stars(1000, seed=99, survey=1, n_labels=2)
    together = finetune_fleet(members)
    assert stacks == [3]
    for model, member in zip(together, members, strict=True):
        r2 = [
            1 - ((one.predict(flux) - labels) ** 2).sum(axis=0) / ((labels - labels.mean(axis=0)) ** 2).sum(axis=0)
            for one in (model, alone(member))
        ]
        assert r2[1].min() > 0.5
        np.testing.assert_allclose(r2[0], r2[1], atol=0.003)
