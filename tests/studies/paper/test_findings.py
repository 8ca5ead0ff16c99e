"""Words about results whose truth is known, because they were made."""

import re
from dataclasses import replace

import pytest

from transtar.studies import load_study
from transtar.studies.paper.findings import findings, rank, readings

from .made import made_predictions

STUDY = replace(load_study("paper", "tiny")["default"], sizes=[100])
EVEN = {"residual": 0.1, "lora": 0.1, "full": 0.1, "zero-shot": 0.1, "scratch": 0.1}


def test_a_clear_winner_is_named_and_the_others_are_significantly_lower():
    predictions = made_predictions(EVEN | {"lora": 0.05, "scratch": 0.3})
    ranking = rank(predictions, "feh", "all", 100)
    assert ranking.best == "lora"
    assert ranking.tied == []
    text = readings(STUDY, predictions)[0]
    assert text.startswith("[Fe/H], all test stars (400): lora has the highest R2, 0.99")
    assert "significantly lower: residual by 0.0" in text
    assert "not significantly" not in text


def test_equals_are_not_told_apart():
    ranking = rank(made_predictions(EVEN), "feh", "all", 100)
    assert set(ranking.tied) == set(EVEN) - {ranking.best}
    assert "; not significantly lower: " in readings(STUDY, made_predictions(EVEN))[0]


def test_one_seed_tells_nothing_apart_and_says_so():
    predictions = made_predictions(EVEN | {"scratch": 0.5}, seeds=(0,))
    assert len(rank(predictions, "feh", "all", 100).tied) == 4
    assert "One seed only" in readings(STUDY, predictions)[0]


def test_two_seeds_must_agree_closely():
    """A difference that the stars make significant is not so over two seeds of which one is far off."""
    predictions = made_predictions({"residual": 0.05, "lora": 0.06}, seeds=(0, 1))
    predictions[-1] = replace(predictions[-1], predicted=predictions[-2].predicted + 0.3)
    assert rank(predictions, "feh", "all", 100).tied == ["lora"]


def test_regimes_are_read_apart():
    predictions = made_predictions({"residual": (0.2, 0.05), "lora": (0.05, 0.2)})
    assert rank(predictions, "feh", "poor", 100).best == "residual"
    assert rank(predictions, "feh", "rich", 100).best == "lora"


def test_a_null_model_that_is_as_good_is_named():
    text = readings(STUDY, made_predictions(EVEN | {"recalibrate": 0.05, "ridge": 0.4}))[0]
    assert re.search("Not significantly .*recalibrate by −0.", text)
    assert "ridge" not in text


@pytest.mark.parametrize(
    ("poor", "verdict"), [((0.05, 0.15), "confirmed"), ((0.1, 0.1), "not confirmed"), ((0.2, 0.05), "contradicted")]
)
def test_the_third_finding(poor, verdict):
    residual, others = poor
    predictions = made_predictions({"residual": (0.1, residual), "lora": (0.1, others), "full": (0.1, others)})
    said, ours, found = findings(STUDY, predictions)[2]
    assert "residual head" in said
    assert "residual minus lora" in ours
    assert found == verdict


def test_the_first_finding_is_about_both_labels_and_leaves_a_simulated_pipeline_out():
    good = {"zero-shot": 0.2, "scratch": 0.4, "residual": 0.1, "pipeline": 0.5}
    predictions = made_predictions(good) + made_predictions(good, "alphafe")
    _, ours, verdict = findings(STUDY, predictions)[0]
    assert verdict == "confirmed"
    assert ours.count("zero-shot minus scratch") == 2
    assert "pipeline is simulated" in ours
    worse = made_predictions(good) + made_predictions(good | {"zero-shot": 0.6}, "alphafe")
    assert findings(STUDY, worse)[0][2] == "contradicted in part"
    unclear = made_predictions(good) + made_predictions(good | {"zero-shot": 0.4}, "alphafe")
    assert findings(STUDY, unclear)[0][2] == "confirmed in part"


def test_a_pipeline_that_is_not_simulated_is_compared():
    real = replace(STUDY, simulate=None)
    good = {"zero-shot": 0.2, "scratch": 0.4, "residual": 0.1}
    pipeline = made_predictions({"pipeline": 0.5}, seeds=(0,))
    _, ours, verdict = findings(real, made_predictions(good) + pipeline)[0]
    assert "zero-shot minus the survey's pipeline 0.400" in ours
    assert verdict == "confirmed"
    better = made_predictions({"pipeline": 0.01}, seeds=(0,))
    assert findings(real, made_predictions(good) + better)[0][2] == "contradicted in part"


def test_too_few_stars_are_not_ranked():
    text = readings(STUDY, made_predictions(EVEN, n=32))
    assert text[1].startswith("[Fe/H], metal-poor stars: too few stars (fewer than 10)")
    assert "(32)" in text[0]


def test_one_input_tests_nothing_of_the_second_finding():
    assert findings(STUDY, made_predictions(EVEN))[1][2] == "not tested"


@pytest.mark.parametrize(
    ("rich", "poor", "alpha", "verdict"),
    [
        (0.05, 0.3, 0.1, "confirmed"),
        (0.12, 0.3, 0.2, "confirmed in part"),
        (0.3, 0.05, 0.02, "contradicted"),
        (0.3, 0.3, 0.1, "contradicted in part"),
    ],
)
def test_the_second_finding_compares_embeddings_with_the_flux(rich, poor, alpha, verdict):
    """By the adapter of each label; what `through` has learnt from labels does not count."""
    study = replace(STUDY, adapter={100: {"feh": "residual", "alphafe": "lora"}})
    flux = made_predictions({"residual": 0.12, "lora": 0.5}) + made_predictions({"lora": 0.1}, "alphafe")
    noise = {"embed": (rich, poor), "through": (0.01, 0.01)}
    others = [
        replace(one, input=name)
        for name, of_input in noise.items()
        for one in made_predictions({"residual": of_input}) + made_predictions({"lora": alpha}, "alphafe")
    ]
    _, ours, found = findings(study, flux, flux + others)[1]
    assert found == verdict
    assert ours.startswith("[Fe/H] of metal-rich stars by residual, minus flux: embed ")
    assert ours.count("embed") == 3
    assert "through" not in ours
    few = [replace(one, **{"reference": {**one.reference, "feh": one.reference["feh"] + 5}}) for one in flux + others]
    assert "metal-poor" not in findings(study, few, few)[1][1]
