"""The experiments of the paper's appendix as variants of a study."""

import pytest

from transtar.errors import SettingsError
from transtar.schema import parse
from transtar.studies import load_study
from transtar.studies.experiments import FULL, LABELS, MATCHED, RESPONSES, SIZES, TOGETHER
from transtar.studies.spec import Experiments, settings_for


def studies(*changes):
    return load_study("paper", "tiny", dict(changes))


def test_every_experiment_is_a_variant_with_its_own_seeds_and_strategy():
    found = studies(("experiments.seeds", [3, 4]))
    wanted = {
        "default",
        SIZES,
        "hidden-2",
        "hidden-384",
        "rank-1",
        "rate-0.001",
        "rate-0.0001",
        MATCHED,
        LABELS,
        RESPONSES,
    }
    assert set(found) == wanted
    assert found["default"].seeds == [0]
    assert all(study.seeds == [3, 4] for name, study in found.items() if name not in ("default", MATCHED, RESPONSES))
    assert found[MATCHED].seeds == [0]
    assert found[SIZES].sizes == [12, 24]
    assert found[SIZES].strategies == found["default"].strategies
    assert found["hidden-2"].strategies["residual"]["head"] == {"hidden": 2}
    assert set(found["hidden-2"].strategies) == {"residual"}
    assert found["rank-1"].strategies["lora"]["adapter"] == {"rank": 1, "alpha": 2.0}
    assert found["rate-0.0001"].strategies["scratch"]["learning_rate"] == 1e-4
    assert found[MATCHED].split == "matched"
    assert list(found[MATCHED].models) == ["feh"]
    # Two numbers of stars in the experiment of sizes, the largest in all others.
    assert all(study.sizes == [24] for name, study in found.items() if name != SIZES)


def test_further_inputs_are_tried_in_all_sizes_and_nowhere_else():
    inputs = ["flux", "pca", "through"]
    varied = studies(("inputs", inputs))
    assert varied["default"].inputs == varied[SIZES].inputs == varied[LABELS].inputs == inputs
    assert all(study.inputs == ["flux"] for name, study in varied.items() if name not in ("default", SIZES, LABELS))


def test_further_labels_have_networks_of_their_own_and_one_of_all():
    found = studies(("seeds", [5, 6]))
    assert found[LABELS].models == {"teff": ["teff"]}
    assert found[LABELS].strategies == found["default"].strategies
    # Of [Fe/H] and [alpha/Fe] the study itself has networks.
    together = found[RESPONSES].models.pop(TOGETHER)
    assert together == ["teff", "logg", "feh", "alphafe"]
    assert found[RESPONSES].models == {"teff": ["teff"], "logg": ["logg"]}
    assert set(found[RESPONSES].strategies) == {FULL}
    assert (found[RESPONSES].seeds, found[RESPONSES].sizes) == ([5], [24])
    assert found[RESPONSES].plane is found[LABELS].plane is None
    alone = studies(("experiments", None))
    assert set(alone) == {"default", RESPONSES}
    assert RESPONSES not in studies(("explain.labels", []))
    with pytest.raises(SettingsError, match=r"experiments\.labels: feh are labels of the study itself"):
        studies(("experiments.labels", ["teff", "feh"]))


def test_labels_that_can_be_asked_for_are_those_that_are_moved():
    """Study files are read without what makes spectra."""
    from transtar.simulate.mocks.moved import STEPS
    from transtar.studies.spec import MOVABLE

    assert set(MOVABLE) == set(STEPS)


def test_a_width_that_is_the_default_is_the_run_of_the_study():
    found = studies()
    assert found["hidden-384"].strategies["residual"] == found["default"].strategies["residual"]


@pytest.mark.parametrize("special", ["by_size", "by_model"])
def test_a_rate_is_not_overruled_by_a_special_one(special):
    """Neither where the rate is that of the study otherwise."""
    key = 24 if special == "by_size" else "feh"
    found = studies((f"strategies.scratch.{special}", {key: {"learning_rate": 0.5, "epochs": 7}}))
    for rate in (1e-3, 1e-4):
        settings = settings_for(found[f"rate-{rate:g}"], "scratch", "feh", 24)
        assert (settings["learning_rate"], settings["epochs"]) == (rate, 7)


def test_stars_outside_a_run_are_labelled_where_figures_show_them():
    found = studies()
    assert {name for name, study in found.items() if study.rest} == {SIZES, MATCHED}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("split", "validation"), "for test stars, not for split 'validation'"),
        (("sizes", []), "need sizes"),
        (("explain", {"regime": "blue"}), "unknown key blue"),
        (("explain", {"seeds": 0}), r"explain\.seeds: must be a whole number from 1 to 1000, not 0"),
        (("explain", 5), r"explain: must be settings by name \(model, regime, seeds, labels\), not 5"),
        (("explain.model", "teff"), "unknown key teff"),
    ],
)
def test_what_cannot_be_drawn_is_refused_before_anything_is_trained(change, message):
    with pytest.raises(SettingsError, match=message):
        studies(change)


def test_models_of_several_labels_are_refused():
    both = {"feh": ["feh"], "alphafe": ["alphafe"], "both": ["feh", "alphafe"]}
    with pytest.raises(SettingsError, match="one label each, not both"):
        studies(("models", both))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"sizes": 3}, "sizes: must be a list of whole numbers, not 3"),
        ({"rates": ["fast"]}, r"rates\[0\]: must be a number above 0, not 'fast'"),
        ({"matched": [1]}, r"matched\[0\]: must be text, not 1"),
        ({"widths": [1]}, "unknown key widths"),
        ([1], r"must be settings by name \(seeds, .*\), not \[1\]"),
    ],
)
def test_impossible_settings(content, message):
    with pytest.raises(SettingsError, match=message):
        parse(Experiments, content, "study s: experiments")


def test_experiments_need_their_strategy_and_model():
    with pytest.raises(SettingsError, match="residual is not among the strategies"):
        studies(("strategies", {"lora": {}}), ("adapter", {}))
    with pytest.raises(SettingsError, match="unknown key teff"):
        studies(("experiments.matched", ["teff"]))
