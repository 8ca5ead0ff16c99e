"""Fine-tuning by gradient descent with losses and networks of one's own, which nobody has written gradients for."""

import copy
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn

from tests.train.examples import MLP, N_PIXELS, stars
from transtar.datasets import Stars
from transtar.errors import InputError, SettingsError, TranstarError
from transtar.train import (
    Augmentation,
    FineTuning,
    Full,
    Member,
    Scratch,
    Trainable,
    TrainSettings,
    finetune,
    finetune_fleet,
    fit,
    make_strategy,
    pretrain,
    settings_from_dict,
)
from transtar.train.steps import AutogradStep

# Every star in one batch and none held out, so that a loop in plain torch can do the same.
PLAIN = {
    "epochs": 6, "batch_size": 200, "learning_rate": 3e-3, "augmentation": None, "average_last": 0, "schedule": "constant",
    "validation_fraction": 0.0,
}  # fmt: skip


@dataclass(frozen=True)
class Huber(Full):
    """A loss of one's own."""

    name: ClassVar[str] = "huber"
    delta: float = 0.3

    def loss(self, outputs, targets):
        return nn.functional.huber_loss(outputs, targets, reduction="none", delta=self.delta)


class Gate(nn.Module):
    """A network of no known kind."""

    def __init__(self, base, n_inputs):
        super().__init__()
        self.base, self.gate = base, nn.Parameter(torch.zeros(n_inputs))

    def forward(self, inputs):
        return self.base(inputs * (1 + torch.tanh(self.gate)))


@dataclass(frozen=True)
class Gated(FineTuning):
    """One weight per pixel in front of the frozen model."""

    name: ClassVar[str] = "gated"

    def trainable(self, network, n_inputs, n_labels):
        gated = Gate(network, n_inputs)
        return Trainable(gated, lambda: gated)


@dataclass(frozen=True)
class Shape:
    """Settings within settings."""

    width: int = 3


@dataclass(frozen=True)
class Wide(Scratch):
    """A network from scratch that is not one of ours."""

    name: ClassVar[str] = "wide"
    shape: Shape = field(default_factory=Shape)

    def build(self, n_inputs, n_labels):
        return nn.Sequential(nn.Linear(n_inputs, self.shape.width), nn.Tanh(), nn.Linear(self.shape.width, n_labels))


@pytest.fixture(scope="module")
def base():
    return pretrain(Stars(*stars(200), "feh"), settings=TrainSettings(epochs=5, learning_rate=3e-3), mlp=MLP)


@pytest.fixture(scope="module")
def target():
    flux, labels = stars(60, seed=2, survey=1)
    return Stars(flux, labels, "feh", weights=np.linspace(1, 2, 60))


def in_plain_torch(module, model, known, loss, epochs=6):
    """What a user would write: AdamW, all stars at once."""
    inputs = torch.from_numpy((known.inputs - model.input_mean) / model.input_std)
    targets = torch.from_numpy(((known.labels - model.label_mean) / model.label_std).astype(np.float32))
    weights = torch.from_numpy(known.weights / known.weights.mean())[:, None]
    optimiser = torch.optim.AdamW([p for p in module.parameters() if p.requires_grad], lr=3e-3, weight_decay=1e-4)
    for _ in range(epochs):
        optimiser.zero_grad()
        (loss(module(inputs), targets) * weights).mean().backward()
        optimiser.step()
    return module


def agree(one, other):
    for mine, theirs in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("kind", [Full, Huber, Gated])
def test_they_train_as_plain_torch_would(base, target, kind):
    strategy = kind(**PLAIN)
    module = copy.deepcopy(base.network)
    if kind is Gated:
        module = Gate(module.requires_grad_(False), N_PIXELS)
    expected = in_plain_torch(module, base, target, strategy.loss)
    adapted = finetune(base, target, strategy=strategy)
    agree(adapted.network, expected)
    assert not np.array_equal(adapted.predict(target.inputs), base.predict(target.inputs))
    assert adapted.provenance[-1]["strategy"] == strategy.name


def test_the_loss_is_that_of_validation_and_history_too(base, target):
    strategy = Huber(**PLAIN | {"validation_fraction": 0.2, "delta": 0.1})
    squared = finetune(base, target, strategy=Full(**PLAIN | {"validation_fraction": 0.2})).provenance[-1]
    step = finetune(base, target, strategy=strategy).provenance[-1]
    # At small errors half the square, at large ones far less.
    assert step["validation_loss"][0] < 0.5 * squared["validation_loss"][0]
    assert step["settings"]["delta"] == 0.1


def test_known_networks_are_accelerated_and_agree_with_autograd(base, target, monkeypatch):
    fast = finetune(base, target, strategy=Full(**PLAIN))
    monkeypatch.setattr(fit, "accelerated", lambda *given: None)
    steps = []
    monkeypatch.setattr(fit, "AutogradStep", lambda *given: steps.append(given) or AutogradStep(*given))
    slow = finetune(base, target, strategy=Full(**PLAIN))
    assert len(steps) == 1
    agree(fast.network, slow.network)


def test_in_a_fleet_they_are_trained_as_alone(base, target):
    members = [Member(base, target, kind(**PLAIN), seed) for seed in (1, 2) for kind in (Huber, Gated, Full)]
    for member, model in zip(members, finetune_fleet(members), strict=True):
        agree(model.network, finetune(base, target, strategy=member.strategy, seed=member.seed).network)


def test_networks_from_scratch_of_ones_own(base, target):
    model = finetune(base, target, strategy=Wide(**PLAIN | {"validation_fraction": 0.1, "epochs": 40}))
    assert isinstance(model.network[1], nn.Tanh)
    assert model.provenance[-1]["settings"]["shape"] == {"width": 3}
    made = settings_from_dict(Wide, {"shape": {"width": 7}, "mlp": {"hidden": [4]}})
    assert (made.shape, made.mlp.hidden) == (Shape(7), (4,))
    with pytest.raises(SettingsError, match="wide: shape: expected settings by name"):
        Wide(shape=3)


def test_a_network_that_does_not_fit_is_refused(base, target):
    @dataclass(frozen=True)
    class Wrong(FineTuning):
        name: ClassVar[str] = "wrong"

        def trainable(self, network, n_inputs, n_labels):
            gated = Gate(network, n_inputs)
            return Trainable(gated, lambda: Gate(nn.Linear(3, 1), 3))

    with pytest.raises(InputError, match=f"does not take {N_PIXELS} inputs"):
        finetune(base, target, strategy=Wrong(**PLAIN))


def test_augmentation_is_of_the_flux_only(caplog):
    known = Stars(*stars(80), "feh", input="embedding")
    settings = TrainSettings(epochs=3, learning_rate=3e-3, augmentation=Augmentation(noise=(20, 50)))
    model = pretrain(known, settings=settings, mlp=MLP)
    assert "none for the input 'embedding'" in caplog.text
    assert model.provenance[-1]["settings"]["augmentation"] is None
    assert model.input == "embedding"
    caplog.clear()
    again = finetune(model, known, strategy=make_strategy("full", epochs=2))
    assert again.input == "embedding"
    assert again.provenance[-1]["settings"]["augmentation"] is None


def test_each_part_of_an_input_has_a_scale_of_its_own():
    flux, labels = stars(80)
    joint = Stars(np.hstack([flux, 1000 * flux[:, :5]]), labels, "feh", input="flux+big", input_sizes=(N_PIXELS, 5))
    settings = TrainSettings(epochs=3, learning_rate=3e-3)
    std = pretrain(joint, settings=settings, mlp=MLP).input_std
    alone = pretrain(Stars(flux, labels, "feh"), settings=settings, mlp=MLP).input_std
    np.testing.assert_allclose(std[:N_PIXELS], alone, rtol=1e-5)
    assert len(set(std[N_PIXELS:])) == 1
    assert std[-1] > 100 * std[0]
    same = pretrain(replace(joint, input_sizes=()), settings=settings, mlp=MLP).input_std
    assert len(set(same)) == 1


WRONG_LOSSES = {
    "mean": (lambda outputs, targets: (outputs - targets).abs().mean(), r"not shape \(\)"),
    "star": (
        lambda outputs, targets: (outputs - targets).abs().mean(1),
        r"tensor of shape \(\d+, 2\), not shape \(\d+,\)",
    ),
    "kept": (lambda outputs, targets: (outputs - targets).abs().mean(1, keepdim=True), r"not shape \(\d+, 1\)"),
    "number": (lambda outputs, targets: 1.0, "not float"),
    "detached": (lambda outputs, targets: (outputs - targets).detach() ** 2, "was it detached"),
    "nan": (lambda outputs, targets: torch.log(-((outputs - targets) ** 2)), "not a number before the training begins"),
}


@pytest.mark.parametrize("kind", WRONG_LOSSES)
def test_a_loss_that_cannot_be_one_is_told(kind):
    wrong, message = WRONG_LOSSES[kind]
    flux, labels = stars(60, n_labels=2)
    labels[::3, 1] = np.nan
    given = Stars(flux, labels, ("feh", "teff"))
    model = pretrain(given, settings=TrainSettings(epochs=2, learning_rate=1e-3), mlp=MLP)

    @dataclass(frozen=True)
    class Wrong(Full):
        name: ClassVar[str] = "wrong"

        def loss(self, outputs, targets):
            return wrong(outputs, targets)

    with pytest.raises(TranstarError, match=message):
        finetune(model, given, strategy=Wrong(epochs=2, augmentation=None, validation_fraction=0.1))


class Flat(nn.Module):
    """Outputs of shape (n,), whose difference from labels of shape (n, 1) would be of shape (n, n)."""

    def __init__(self, base):
        super().__init__()
        self.base = base

    def forward(self, inputs):
        return self.base(inputs)[:, 0]


WRONG_TRAINABLES = {
    "flat": (
        lambda network: Trainable(Flat(network.requires_grad_(True)), lambda: network),
        r"outputs of shape \(\d+,\)",
    ),
    "frozen": (lambda network: Trainable(network, lambda: network), "no weight of its network trains"),
    "network": (lambda network: network, "must return a Trainable, not Sequential"),
}


@pytest.mark.parametrize("kind", WRONG_TRAINABLES)
def test_a_network_that_cannot_train_is_told(kind):
    wrong, message = WRONG_TRAINABLES[kind]
    flux, labels = stars(60)
    given = Stars(flux, labels, "feh")
    model = pretrain(given, settings=TrainSettings(epochs=2, learning_rate=1e-3), mlp=MLP)

    @dataclass(frozen=True)
    class Wrong(Full):
        name: ClassVar[str] = "wrong"

        def trainable(self, network, n_inputs, n_labels):
            return wrong(network)

    with pytest.raises(SettingsError, match=message):
        finetune(model, given, strategy=Wrong(epochs=2, augmentation=None, validation_fraction=0.1))
