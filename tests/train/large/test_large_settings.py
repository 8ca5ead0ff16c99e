import numpy as np
import pytest

from transtar.errors import SettingsError
from transtar.train.large import TRAINING_SIZES, EncoderTraining, training_of


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "either epochs or steps"),
        ({"epochs": 1, "steps": 1}, "either epochs or steps"),
        ({"epochs": 0}, "epochs must be a whole number from 1"),
        ({"steps": True}, "steps must be a whole number"),
        ({"epochs": 1, "batch_size": 6, "accumulate": 4}, r"batch of 6 cannot be divided into 4 equal parts"),
        ({"epochs": 1, "learning_rate": 0}, "learning_rate must be a number above 0"),
        ({"epochs": 1, "betas": 0.9}, "betas must be two numbers"),
        ({"epochs": 1, "betas": (0.9, 1)}, "betas must be below 1"),
        ({"epochs": 1, "precision": "float16"}, "unknown key float16; known keys: bf16, float32"),
        ({"epochs": 1, "validation_fraction": 1}, "must be below 1"),
        ({"epochs": 1, "clip": 0}, "clip must be a number above 0"),
        ({"epochs": 1, "device": "abacus"}, "there is no device 'abacus'"),
        ({"epochs": 1, "checkpoint_minutes": float("nan")}, "checkpoint_minutes must be a number above 0"),
    ],
)
def test_what_cannot_be_is_refused(given, message):
    with pytest.raises(SettingsError, match=message):
        EncoderTraining(**given)


def test_epochs_and_steps_take_the_place_of_each_other():
    base = EncoderTraining(epochs=3)
    assert base.with_({"seed": 2}).epochs == 3
    longer = base.with_({"steps": 100, "accumulate": 2})
    assert (longer.epochs, longer.steps, longer.accumulate) == (None, 100, 2)
    assert longer.with_({"epochs": 5}).steps is None
    assert base.n_steps(7) == 21
    assert longer.n_steps(7) == 100
    with pytest.raises(SettingsError, match=r"unknown key epoch; .*did you mean epochs"):
        base.with_({"epoch": 5})


def test_the_rate_rises_in_a_line_and_falls_by_half_a_cosine():
    settings = EncoderTraining(steps=110, warmup_steps=10, learning_rate=2e-3)
    rates = np.array([settings.rate_at(step, 110) for step in range(111)])
    np.testing.assert_allclose(rates[:10], 2e-4 * np.arange(1, 11))
    np.testing.assert_allclose(rates[10:], 1e-3 * (1 + np.cos(np.pi * np.arange(101) / 100)), atol=1e-18)
    # The floor of the public schedule is zero.
    assert rates[110] == 0
    assert EncoderTraining(steps=100).n_warmup(100) == 5
    assert EncoderTraining(steps=1, warmup_steps=0).rate_at(0, 1) == 1e-4


def test_sizes_of_the_paper_are_those_of_the_public_configurations():
    lrs, xp, align = (TRAINING_SIZES[kind]["paper"] for kind in ("lrs", "xp", "align"))
    assert (lrs.batch_size, lrs.steps, lrs.warmup_steps, lrs.learning_rate) == (64 * 8, 980_000, 9_760, 1e-5)
    assert (xp.batch_size, xp.steps, xp.warmup_steps, xp.learning_rate) == (64 * 4, 1_960_000, 19_520, 1e-5)
    assert (align.batch_size, align.steps, align.warmup_steps, align.learning_rate) == (1024 * 8, 10_000, 1_000, 1e-4)
    assert lrs.betas == xp.betas == (0.9, 0.95)
    assert align.betas == (0.9, 0.999)
    assert (lrs.weight_decay, xp.weight_decay, align.weight_decay) == (0.1, 0.1, 0.05)
    assert (lrs.patience, xp.patience, align.patience) == (10, 10, 20)
    assert {one.clip for one in (lrs, xp, align)} == {1.0}


def test_a_size_is_called_by_kind_and_name():
    assert training_of("lrs", "small") is TRAINING_SIZES["lrs"]["small"]
    with pytest.raises(SettingsError, match="unknown key large; known keys: paper, small"):
        training_of("lrs", "large")
    with pytest.raises(SettingsError, match="unknown key vis; known keys: lrs, xp"):
        training_of("vis", "small")
