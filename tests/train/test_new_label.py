"""A new label from an old model."""

from dataclasses import replace

import numpy as np
import pytest

from transtar.datasets import Stars
from transtar.errors import InputError, SettingsError
from transtar.models import Estimator
from transtar.models.naming import describe_last_step
from transtar.networks import LoRASettings, ResidualSettings
from transtar.train import (
    Full,
    LoRA,
    Member,
    Recalibrate,
    Residual,
    Scratch,
    TrainSettings,
    ZeroShot,
    choose,
    finetune,
    finetune_fleet,
    pretrain,
)
from transtar.train.new_label import SHRINKAGE, begin_new_label

from .examples import MLP, stars

PLAIN = {"schedule": "constant", "augmentation": None, "average_last": 0, "input_scale": "pixel"}
FAST = {"epochs": 20, "learning_rate": 3e-3, **PLAIN}
STRATEGIES = [
    Residual(head=ResidualSettings(12), **FAST),
    LoRA(adapter=LoRASettings(4, 8), **FAST),
    Full(**FAST),
    Recalibrate(),
]


def another(n=60, seed=2, weights=None, **changes):
    """Stars of another survey that have [Mg/Fe], which falls with [Fe/H], and a little with Teff."""
    inputs, labels = stars(n, seed=seed, survey=1, n_labels=2)
    mg_fe = 0.1 - 0.15 * labels[:, 0] - 4e-5 * (labels[:, 1] - 5000)
    given = {"names": np.arange(n).astype(str), "survey": "miles", "ids": np.arange(n) + 2**62, "feh": labels[:, 0]}
    return Stars(inputs, mg_fe, "mg_fe", weights=weights, **given | changes)


@pytest.fixture(scope="module")
def model():
    flux, labels = stars(300, seed=1)
    known = Stars(flux, labels, "feh", survey="lamost", ids=np.arange(300))
    return replace(
        pretrain(known, settings=TrainSettings(**FAST | {"epochs": 40}), mlp=MLP), label_error=np.array([0.1])
    )


def r2(model, given):
    residual = model.predict(given.inputs)[:, 0] - given.labels[:, 0]
    return 1 - np.mean(residual**2) / given.labels.var()


def test_it_must_be_asked_for(model):
    with pytest.raises(InputError, match=r"the stars have the labels mg_fe; .* new_label=True"):
        finetune(model, another(), strategy=Recalibrate())
    with pytest.raises(InputError, match="predicts feh already"):
        finetune(model, replace(another(), label_names="feh"), strategy=Recalibrate(), new_label=True)


def test_the_start_is_a_shrunken_line(model):
    given = another(40)
    begun, note = begin_new_label(model, given)
    x, y = model.predict(given.inputs)[:, 0].astype(float), given.labels[:, 0]
    slope = np.polyfit(x, y, 1)[0] * 40 / (40 + SHRINKAGE)
    assert note["slope"] == pytest.approx([slope], rel=1e-6)
    np.testing.assert_allclose(begun.predict(given.inputs)[:, 0], y.mean() + slope * (x - x.mean()), atol=1e-5)
    assert (begun.label_mean, begun.label_std) == (pytest.approx([y.mean()]), pytest.approx([y.std()]))


def test_weights_count_in_the_start(model):
    given = another(40)
    twice = np.r_[np.arange(40), np.arange(20)]
    repeated = Stars(given.inputs[twice], given.labels[twice], "mg_fe")
    weighted = Stars(given.inputs, given.labels, "mg_fe", weights=np.where(np.arange(40) < 20, 2, 1))
    notes = [begin_new_label(model, one)[1] for one in (repeated, weighted)]
    # More rows are shrunken less, in the known proportion.
    free = [note["slope"][0] * (n + SHRINKAGE) / n for note, n in zip(notes, (60, 40), strict=True)]
    assert free[0] == pytest.approx(free[1], rel=1e-5)


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda one: one.name)
def test_every_strategy_learns_it_and_remembers_both_labels(model, strategy, tmp_path):
    adapted = finetune(model, another(), strategy=strategy, new_label=True, seed=3)
    assert r2(adapted, another(200, seed=9)) > (0.6 if strategy.name == "recalibrate" else 0.8)
    assert adapted.label_names == ("mg_fe",)
    assert adapted.label_error is None
    assert model.label_names == ("feh",)
    first, last = adapted.provenance
    assert (first, last["from_label"], last["label"]) == (model.provenance[0], ["feh"], ["mg_fe"])
    assert set(adapted.trained_on["id"]) == {*range(300), *(np.arange(60) + 2**62)}
    assert adapted.surveys == ("lamost", "miles")
    adapted.save(tmp_path / "model")
    read = Estimator.load(tmp_path / "model")
    np.testing.assert_array_equal(read.predict(another().inputs), adapted.predict(another().inputs))
    assert f"finetune ({strategy.name}), mg_fe from feh on " in (tmp_path / "model" / "README.md").read_text()
    assert describe_last_step(read).startswith(f"mg_fe by {strategy.name}, mg_fe from feh on ")


def test_the_range_is_that_of_the_new_label(model):
    given = another()
    adapted = finetune(model, given, strategy=Recalibrate(), new_label=True)
    assert (adapted.label_min, adapted.label_max) == (given.labels.min(), given.labels.max())
    again = finetune(adapted, another(30, seed=5), strategy=Recalibrate())
    both = np.r_[given.labels, another(30, seed=5).labels]
    assert (again.label_min, again.label_max) == (both.min(), both.max())


def test_recalibration_is_the_line_of_least_squares(model):
    given = another()
    adapted = finetune(model, given, strategy=Recalibrate(), new_label=True)
    line = np.poly1d(np.polyfit(model.predict(given.inputs)[:, 0].astype(float), given.labels[:, 0], 1))
    np.testing.assert_allclose(adapted.predict(given.inputs)[:, 0], line(model.predict(given.inputs)[:, 0]), atol=1e-5)


def test_what_is_held_out_has_no_say_in_the_start(model):
    given = another()
    settings = {**FAST, "epochs": 1, "learning_rate": 1e-12, "validation_fraction": 0.3}
    strategy = Residual(head=ResidualSettings(12), seed=4, **settings)
    adapted = finetune(model, given, strategy=strategy, new_label=True)
    expected = begin_new_label(model, given.split(0.3, 4)[0])[1]
    assert adapted.provenance[-1]["slope"] == expected["slope"]
    assert expected["slope"] != begin_new_label(model, given)[1]["slope"]


def test_leaving_the_model_alone_predicts_no_new_label(model):
    with pytest.raises(
        SettingsError, match="zero-shot leaves the model as it is, which predicts feh and nothing of mg_fe"
    ):
        finetune(model, another(), strategy=ZeroShot(), new_label=True)


def test_scratch_uses_nothing_of_the_old_label(model):
    strategy = Scratch(mlp=MLP, **FAST | {"epochs": 60})
    adapted = finetune(model, another(), strategy=strategy, new_label=True)
    np.testing.assert_array_equal(
        adapted.predict(another().inputs),
        finetune(replace(model, label_names=("mg_fe",)), another(), strategy=strategy).predict(another().inputs),
    )
    assert "from_label" not in adapted.provenance[-1]


def test_too_few_stars_or_one_value_are_refused(model):
    with pytest.raises(InputError, match="needs at least 3 stars that have it, not all with one value; got 2"):
        finetune(model, another(2), strategy=Recalibrate(), new_label=True)
    flat = Stars(another().inputs, np.full(60, 0.2), "mg_fe")
    with pytest.raises(InputError, match="not all with one value"):
        finetune(model, flat, strategy=Recalibrate(), new_label=True)


def test_choosing_works_and_leaves_out_the_model_as_it_is(model):
    candidates = [Recalibrate(), Residual(head=ResidualSettings(12), **FAST)]
    chosen, table = choose(model, another(), candidates=candidates, n_folds=3, new_label=True)
    assert [row["strategy"] for row in table] == ["recalibrate", "residual"]
    assert chosen.provenance[-1]["from_label"] == ["feh"]
    assert "choice" in chosen.provenance[-1]
    with pytest.raises(SettingsError, match="zero-shot leaves the model as it is"):
        choose(model, another(), candidates=[ZeroShot()], new_label=True)


def test_several_labels_are_taken_one_for_one():
    flux, labels = stars(200, seed=1, n_labels=2)
    model = pretrain(Stars(flux, labels, ("feh", "teff")), settings=TrainSettings(**FAST), mlp=MLP)
    one, both = another(), np.c_[another().labels, stars(60, seed=2, survey=1, n_labels=2)[1][:, 1]]
    with pytest.raises(InputError, match=r"predicts feh, teff: .* give 2, one for one in this order, not mg_fe"):
        finetune(model, one, strategy=Recalibrate(), new_label=True)
    with pytest.raises(InputError, match="'teff' is a label of the model and cannot take the place of 'feh'"):
        finetune(model, Stars(one.inputs, both[:, ::-1], ("teff", "mg_fe")), strategy=Recalibrate(), new_label=True)
    kept = Stars(one.inputs, both, ("mg_fe", "teff"))
    begun, note = begin_new_label(model, kept)
    # Teff is no new label: not a digit of it changes.
    np.testing.assert_allclose(begun.predict(one.inputs)[:, 1], model.predict(one.inputs)[:, 1], rtol=1e-6)
    assert (begun.label_min[1], note["slope"][1]) == (model.label_min[1], None)
    adapted = finetune(model, kept, strategy=Full(**FAST), new_label=True)
    assert adapted.label_min[1] == min(model.label_min[1], both[:, 1].min())
    assert ", mg_fe from feh on " in describe_last_step(adapted)


def test_a_fleet_learns_it_as_one_run_does(model):
    members = [Member(model, another(), strategy, seed=3, new_label=True) for strategy in STRATEGIES]
    for strategy, trained in zip(STRATEGIES, finetune_fleet(members), strict=True):
        alone = finetune(model, another(), strategy=strategy, new_label=True, seed=3)
        np.testing.assert_allclose(trained.predict(another().inputs), alone.predict(another().inputs), atol=1e-4)
        assert trained.provenance[-1]["from_label"] == ["feh"]
