"""What `auto` does: it compares on stars not seen, takes the simplest of the best, and says why."""

import json
import sys
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
from sklearn.metrics import r2_score

from transtar.datasets import Stars
from transtar.datasets.split import folds
from transtar.errors import InputError, SettingsError
from transtar.models import Estimator
from transtar.train import (
    Auto,
    Full,
    Pretrain,
    Recalibrate,
    Residual,
    Ridge,
    ZeroShot,
    candidates_of_auto,
    choose,
    finetune,
    make_strategy,
    pretrain,
)
from transtar.train.choose import folds_of_auto

from .examples import MLP, stars

FAST = {"epochs": 4, "learning_rate": 1e-3, "augmentation": None, "average_last": 2}


def known(n, seed=2, survey=1, n_labels=1, **more):
    flux, labels = stars(n, seed=seed, survey=survey, n_labels=n_labels)
    ids = np.arange(n)
    return Stars(flux, labels, ("feh", "teff")[:n_labels], survey="miles", ids=ids, **more)


@pytest.fixture(scope="module")
def model():
    settings = Pretrain(epochs=40, learning_rate=3e-3, augmentation=None)
    return pretrain(replace(known(300, 1, 0), survey=np.full(300, "lamost")), settings=settings, mlp=MLP)


def test_scores_are_those_of_fits_that_have_not_seen_the_star(model):
    target = known(60)
    candidates = [ZeroShot(), Recalibrate(), Full(**FAST), Ridge()]
    best, table = choose(model, target, candidates=candidates, n_folds=4, seed=7)
    assert [row["strategy"] for row in table] == ["zero-shot", "recalibrate", "full", "ridge"]
    fold = folds(target.names, target.feh, 4, 7)
    errors = []
    for strategy, row in zip(candidates, table, strict=True):
        predicted = np.full(60, np.nan)
        for number in range(4):
            rows = fold == number
            adapted = finetune(model, target.select(~rows), strategy=strategy, seed=7)
            predicted[rows] = adapted.predict(target.inputs[rows])[:, 0]
        truth, scores = target.labels[:, 0], row["labels"]["feh"]
        assert scores["r2"] == pytest.approx(r2_score(truth, predicted), abs=1e-5)
        assert scores["rms"] == pytest.approx(np.sqrt(np.mean((predicted - truth) ** 2)), abs=1e-5)
        assert scores["n"] == 60
        errors.append(predicted - truth)
    limit = 3 * 1.4826 * min(np.median(np.abs(error)) for error in errors)
    assert best.provenance[-1]["choice"]["limits"]["feh"] == pytest.approx(limit, rel=1e-4)
    for error, row in zip(errors, table, strict=True):
        limited = np.sqrt(np.mean(np.minimum(np.abs(error), limit) ** 2))
        assert row["labels"]["feh"]["limited_rms"] == pytest.approx(limited, rel=1e-3)
    (chosen,) = [row for row in table if row["chosen"]]
    for row in table:
        # None in the table beats the chosen one.
        assert row["minus_chosen"] >= -row["minus_chosen_err"]
        difference = row["labels"]["feh"]["limited_rms"] - chosen["labels"]["feh"]["limited_rms"]
        assert row["labels"]["feh"]["minus_chosen"] == pytest.approx(difference)
    # Fitted on all of them in the end.
    strategy = candidates[[row["chosen"] for row in table].index(True)]
    np.testing.assert_array_equal(
        best.predict(target.inputs), finetune(model, target, strategy=strategy, seed=7).predict(target.inputs)
    )


def test_what_was_compared_is_kept_with_the_model(model, tmp_path):
    best, table = choose(model, known(60), candidates=[ZeroShot(), Recalibrate()], n_folds=3)
    best.save(tmp_path / "model")
    choice = Estimator.load(tmp_path / "model").provenance[-1]["choice"]
    assert choice == json.loads(json.dumps(best.provenance[-1]["choice"]))
    assert choice["table"] == table
    assert (choice["n_folds"], choice["n_stars"]) == (3, 60)
    assert choice["rms"] == {"feh": next(row for row in table if row["chosen"])["labels"]["feh"]["rms"]}


def test_leaving_the_model_alone_can_be_the_best(model):
    same, table = choose(model, known(40), candidates=[ZeroShot()], n_folds=2)
    np.testing.assert_array_equal(same.predict(known(40).inputs), model.predict(known(40).inputs))
    # The stars decided, and are remembered.
    assert len(same.trained_on["id"]) == len(model.trained_on["id"]) + 40
    assert same.provenance[-1]["choice"]["table"] == table


def test_a_bias_is_worth_a_recalibration_and_no_more(model):
    flux, labels = stars(100, seed=5)
    target = Stars(flux, labels - 0.3, "feh", survey="miles", names=np.arange(100).astype(str))
    table = choose(model, target, candidates=[ZeroShot(), Recalibrate(), Recalibrate(shrinkage=0.001)])[1]
    assert [row["chosen"] for row in table] == [False, True, False]
    assert table[0]["labels"]["feh"]["minus_chosen"] > 5 * table[0]["labels"]["feh"]["minus_chosen_err"]


def test_several_labels_are_compared_together_and_told_apart():
    settings = Pretrain(epochs=30, learning_rate=3e-3, augmentation=None)
    both = pretrain(known(300, 1, 0, 2), settings=settings, mlp=MLP)
    target = known(90, n_labels=2)
    target.labels[::3, 1] = np.nan
    best, table = choose(both, target, candidates=[ZeroShot(), Recalibrate()], n_folds=3)
    assert table[0]["labels"]["feh"]["n"] == 90
    assert table[0]["labels"]["teff"]["n"] == 60
    assert table[0]["labels"]["teff"]["rms"] > 10
    # By hand, for the one that needs no fit: squared standard deviations, averaged over the labels of each star.
    limits = best.provenance[-1]["choice"]["limits"]
    limit = np.array([limits["feh"], limits["teff"]])
    limited = np.minimum(np.abs(both.predict(target.inputs) - target.labels), limit)
    rms = np.sqrt(np.nanmean((limited / both.label_std) ** 2, axis=1).mean())
    assert table[0]["limited_rms"] == pytest.approx(rms, rel=1e-6)


def test_one_that_cannot_be_trained_is_left_out_and_told(model, caplog):
    @dataclass(frozen=True)
    class Broken(Recalibrate):
        name: ClassVar[str] = "broken"

        def begin(self, model, stars, progress=None, shared=None):
            raise InputError("no such luck")

    candidates = [Broken(), Full(**FAST | {"learning_rate": 1e30}), Recalibrate()]
    table = choose(model, known(40), candidates=candidates, n_folds=2)[1]
    assert "broken: left out of the comparison, fold 1 failed (no such luck)" in caplog.text
    assert "full: left out of the comparison, fold 1 failed (training diverged" in caplog.text
    assert [row["chosen"] for row in table] == [False, False, True]
    assert table[0]["labels"]["feh"]["rms"] is None


def test_by_name_and_what_it_is_told(model):
    assert [strategy.name for strategy in candidates_of_auto()] == [
        "zero-shot", "recalibrate", "full", "lora", "residual",
    ]  # fmt: skip
    assert make_strategy("auto", n_folds=3) == Auto(n_folds=3)
    assert (folds_of_auto(150), folds_of_auto(200)) == (5, 3)
    with pytest.raises(SettingsError, match="auto: n_folds"):
        Auto(n_folds=1)
    with pytest.raises(SettingsError, match="no strategy"):
        choose(model, known(40), candidates=[])
    with pytest.raises(InputError, match="needs 5 stars at least, and there are 3; choose a strategy yourself"):
        choose(model, known(3), candidates=[ZeroShot()])
    with pytest.raises(SettingsError, match="n_folds must be a whole number"):
        choose(model, known(40), candidates=[ZeroShot()], n_folds="3")
    for wrong in ("full", ["full"]):
        with pytest.raises(SettingsError, match="not a fine-tuning strategy: 'full'"):
            choose(model, known(40), candidates=wrong)


def test_stars_of_one_value_have_no_r2_and_tell_no_slope(model):
    cluster = known(40)
    cluster = replace(cluster, labels=np.full_like(cluster.labels, -0.3))
    table = choose(model, cluster, candidates=[ZeroShot(), Recalibrate()])[1]
    assert [row["labels"]["feh"]["r2"] for row in table] == [None, None]
    assert table[1]["labels"]["feh"]["rms"] > 0.01
    shift = Recalibrate().begin(model, cluster).predict(cluster.inputs) - model.predict(cluster.inputs)
    np.testing.assert_allclose(shift, shift.mean(), atol=1e-4)


def test_progress_counts_all_folds(model):
    told = []
    candidates = (Full(**FAST), Residual(**FAST), Recalibrate())
    choose(model, known(40), candidates=candidates, n_folds=3, progress=lambda *count: told.append(count))
    assert told[-1] == (24, 24)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert {total for _, total in told} == {24}


def test_auto_is_a_strategy_like_any_other(model, monkeypatch):
    module = sys.modules["transtar.train.choose"]
    monkeypatch.setattr(module, "candidates_of_auto", lambda: (ZeroShot(), Recalibrate()))
    told = []
    adapted = finetune(model, known(40), strategy=Auto(n_folds=2), seed=3, progress=lambda *each: told.append(each))
    expected, table = choose(model, known(40), candidates=[ZeroShot(), Recalibrate()], n_folds=2, seed=3)
    np.testing.assert_array_equal(adapted.predict(known(40).inputs), expected.predict(known(40).inputs))
    assert adapted.provenance[-1]["choice"]["table"] == table
    assert told == []  # neither trains step by step


def test_a_fold_has_the_settings_of_all_stars(model):
    # With 600 stars a fold of three has 400, for which other defaults hold.
    table = choose(model, known(600), candidates=[Full(augmentation=None)])[1]
    assert (table[0]["settings"]["epochs"], table[0]["settings"]["validation_fraction"]) == (40, 0.1)
    assert table[0]["settings"]["learning_rate"] == pytest.approx(1e-4)
