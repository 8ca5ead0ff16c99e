"""Settings that follow from the number of stars, and who wins where they are given."""

import pytest

from transtar.datasets import Stars
from transtar.networks import LoRASettings, ResidualSettings
from transtar.train import Full, LoRA, Pretrain, Residual, Scratch, default_learning_rate, finetune, pretrain
from transtar.train.by_number import MANY

from .examples import MLP, stars


@pytest.fixture(scope="module")
def model():
    flux, labels = stars(60)
    return pretrain(Stars(flux, labels, "feh"), settings=Pretrain(epochs=2, augmentation=None), mlp=MLP)


def last_step(model, n, strategy):
    flux, labels = stars(n, seed=1)
    return finetune(model, Stars(flux, labels, "feh"), strategy=strategy).provenance[-1]


def without_augmentation(kind, **settings):
    return kind(augmentation=None, **settings)


SMALL = {LoRA: {"adapter": LoRASettings(2)}, Residual: {"head": ResidualSettings(4)}, Full: {}}


@pytest.mark.parametrize(("kind", "rate"), [(Full, 1e-5), (LoRA, 3e-5), (Residual, 3e-5)])
def test_few_stars_are_all_learnt_from_and_many_not(model, kind, rate):
    few = last_step(model, 50, without_augmentation(kind, **SMALL[kind]))
    assert (few["n_train"], few["n_validation"], few["kept"]) == (50, 0, "average")
    assert (few["epochs_run"], few["learning_rate"]) == (200, rate)
    many = last_step(model, MANY, without_augmentation(kind, **SMALL[kind]))
    assert (many["n_train"], many["n_validation"]) == (450, 50)
    assert (many["epochs_run"], many["learning_rate"]) == (40, pytest.approx(10 * rate))
    # What was used is what is remembered.
    assert (many["settings"]["epochs"], many["settings"]["validation_fraction"]) == (40, 0.1)


def test_what_is_given_wins(model):
    given = {"epochs": 3, "learning_rate": 7e-5, "validation_fraction": 0.2, "average_last": 0}
    step = last_step(model, 50, without_augmentation(Full, **given))
    assert {name: step["settings"][name] for name in given} == given
    assert (step["n_train"], step["n_validation"], step["epochs_run"], step["learning_rate"]) == (40, 10, 3, 7e-5)


def test_random_weights_have_the_rate_of_random_weights(model):
    step = last_step(model, 50, without_augmentation(Scratch, mlp=MLP, epochs=2))
    assert step["learning_rate"] == default_learning_rate(50, "cosine")
    assert step["n_validation"] == 0
