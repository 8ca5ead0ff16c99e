"""The experiments of the paper's appendix as variants of a study."""

import pytest

from transtar.errors import SettingsError
from transtar.studies import load_study
from transtar.studies.experiments import MATCHED, SIZES, build_experiments


def studies(*changes):
    return load_study("paper", "tiny", dict(changes))


def test_every_experiment_is_a_variant_with_its_own_seeds_and_strategy():
    found = studies(("experiments.seeds", [3, 4]))
    wanted = {"default", SIZES, "hidden-2", "hidden-384", "rank-1", "rate-0.001", "rate-0.0001", MATCHED}
    assert set(found) == wanted
    assert found["default"].seeds == [0]
    assert all(study.seeds == [3, 4] for name, study in found.items() if name != "default")
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


def test_a_width_that_is_the_default_is_the_run_of_the_study():
    found = studies()
    assert found["hidden-384"].strategies["residual"] == found["default"].strategies["residual"]


def test_a_rate_is_not_overruled_by_one_for_the_size():
    found = studies(("strategies.scratch.by_size", {24: {"learning_rate": 0.5}}))
    assert found["rate-0.0001"].strategies["scratch"]["learning_rate"] == 1e-4
    assert "by_size" not in found["rate-0.0001"].strategies["scratch"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"sizes": 3}, "sizes must be a list of numbers, not '3'"),
        ({"rates": ["fast"]}, "rates must be a list of numbers"),
        ({"matched": [1]}, "matched must be a list of names"),
        ({"widths": [1]}, "unknown key widths"),
        ([1], "expected settings"),
    ],
)
def test_impossible_settings(content, message):
    with pytest.raises(SettingsError, match=message):
        build_experiments(content, "study s, experiments")


def test_experiments_need_their_strategy_and_model():
    with pytest.raises(SettingsError, match="residual is not among the strategies"):
        studies(("strategies", {"lora": {}}), ("adapter", {}))
    with pytest.raises(SettingsError, match="unknown key teff"):
        studies(("experiments.matched", ["teff"]))
