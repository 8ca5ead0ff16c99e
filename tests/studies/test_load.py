"""Studies that cannot be: wrong kinds, numbers out of range, labels that do not exist, names that lead elsewhere."""

from dataclasses import fields

import pytest

from transtar.errors import SettingsError
from transtar.studies import load_study
from transtar.studies.load import build_study
from transtar.studies.sample import PlaneSample, Sample
from transtar.studies.setting_checks import check_settings
from transtar.studies.spec import ElementCheck, Experiments, Explain, Study, Subset
from transtar.studies.study_encoder import StudyEncoder

from ..hostile import try_hostile_values, try_wrong_kinds
from .test_spec import MINIMAL, SIDE, write

FULL = MINIMAL | {
    "description": "d",
    "notes": ["n"],
    "catalogs": ["c"],
    "selections": {"desi-edr": {}},
    "target": SIDE | {"split": "s.csv", "velocities": "v.csv:rv", "stars": "t.csv", "keep": {"feh": [-1.0, 0.5]}},
    "models": {"feh": ["feh"], "alphafe": ["alphafe"]},
    "sources": {"feh": {"labels": "other.csv"}},
    "plane": SIDE | {"reference": "r.csv", "truth": "t.csv"},
    "subset": {"stars": "clean.csv", "name": "clean", "pipeline": {"feh": "F"}},
    "element": {"model": "mock-alphafe", "column": "mg_fe"},
    "pipeline": {"feh": "FEH"},
    "shipped": {"feh": "mock-feh"},
    "preprocessing": {"frame": "rest"},
    "quality": {"snr": 20, "good_fraction": 0.7},
    "inputs": ["flux", "embed-align"],
    "encoders": {
        "mine": {"kind": "pca", "components": 8},
        "other": {"kind": "random", "encoder": "e", "seed": 1},
        "real": {"kind": "with-real", "stars": 10, "epochs": 2, "share": 0.1},
        "embed": {
            "kind": "masked",
            "size": "small",
            "seed": 1,
            "training": {"steps": 3},
            "network": {"layers": 2},
            "spectra": [{"survey": "lamost", "spectra": "s"}],
        },
        "embed-xp": {"kind": "autoencoder", "spectra": [{"survey": "gaia-xp", "spectra": "x", "stars": "t.csv"}]},
        "embed-align": {"kind": "aligned", "lrs": "embed", "xp": "embed-xp", "pairs": "p.csv", "variant": "base"},
    },
    "reporters": ["summary", "labels"],
    "seeds": [0, 1],
    "sizes": [10, 20],
    "pretrain": {
        "epochs": 3,
        "learning_rate": 1e-3,
        "augmentation": {"noise": [40, 300]},
        "mlp": {"hidden": [8, 4]},
        "by_input": {"mine": {"epochs": 2}, "others": {"epochs": 4}},
    },
    "strategies": {
        "lora": {
            "epochs": 3,
            "adapter": {"rank": 2, "alpha": 4.0},
            "by_size": {10: {"epochs": 4}},
            "by_model": {},
            "by_input": {"mine": {"epochs": 2, "by_size": {10: {"epochs": 5}}}},
        },
        "residual": {"head": {"hidden": 3}},
        "scratch": {"batch_size": 8, "patience": 3},
        "recalibrate": {"shrinkage": 1.0},
        "ridge": {"n_alpha": 3},
    },
    "adapter": {10: "lora", 20: {"feh": "lora"}},
    "rest": True,
    "split": "test",
    "explain": {"model": "feh", "regime": "poor", "seeds": 1, "labels": ["feh", "teff"]},
    "experiments": {
        "seeds": [0],
        "sizes": [10],
        "hidden": [2],
        "ranks": [1],
        "rates": [1e-3],
        "labels": ["teff"],
        "matched": ["feh"],
    },
    "variants": {"observed": {"preprocessing": {"frame": "observed"}}},
    "scales": {"small": {"seeds": [0]}},
}


def use(content):
    """Do what is done with a study before its inputs are looked for."""
    check_settings(build_study(content, "study s"), "study s")


def test_hostile_values_everywhere():
    """In any place of a study, whatever stands there is used, or refused in words."""
    use(FULL)
    refused, faults = try_hostile_values(use, FULL)
    assert not faults
    assert refused > 1500


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"models": {"feh": ["fe_h"]}}, r"models\.feh\[0\]: unknown label fe_h; known labels: .*; did you mean feh\?"),
        ({"models": {"a": ["feh"], "b": ["feh"]}}, "models a and b both predict feh alone, which results.csv does not"),
        (
            {"models": {"a": ["feh", "teff"], "b": ["logg", "feh"]}},
            "models a and b both predict feh with other labels, which results.csv does not",
        ),
        ({"models": {"feh": "feh"}}, "models.feh: must be a list of labels, not 'feh'"),
        ({"models": {"feh": ["feh", "feh"]}}, "models.feh: feh comes twice"),
        ({"models": {"../../../escaped": ["feh"]}}, "models: '../../../escaped' cannot be a name: it has a slash"),
        ({"models": {"a\\b": ["feh"]}}, "backslash"),
        ({"models": {".hidden": ["feh"]}}, "begins with a dot"),
        ({"models": {"": ["feh"]}}, "it is empty"),
        ({"models": {"m" * 101: ["feh"]}}, "longer than 100 bytes"),
        ({True: 1}, "unknown key True; .*truth values in YAML: as a key, write them in quotes"),
        ({"models": {1: ["feh"]}}, "models: each key must be text, not 1"),
        ({"variants": {"../v": {}}}, "variants: '../v' cannot be a name"),
        ({"variants": {"default": {}}}, "'default' is taken"),
        ({"variants": {"v-ensemble": {}}}, "'v-ensemble' is taken"),
        ({"variants": None}, "variants: must be names and settings, not None"),
        ({"selections": {"../../etc": {}}, "catalogs": ["c"]}, "selections: '../../etc' cannot be a name"),
        ({"source": SIDE | {"survey": "../../up", "mock": {}}}, "survey: '../../up' cannot be a name"),
        ({"subset": {"stars": "s", "name": "../up"}}, "subset.name: '../up' cannot be a name"),
        ({"subset": {"stars": "s", "name": "v"}, "variants": {"v": {}}}, "name 'v' is that of a variant"),
        ({"sizes": [0]}, r"sizes\[0\]: must be a whole number from 1 to 1000000000, not 0"),
        ({"sizes": [-5]}, r"sizes\[0\]: must be"),
        ({"sizes": [1.5]}, r"sizes\[0\]: must be .* not 1.5"),
        ({"sizes": ["all"]}, r"sizes\[0\]: must be .* not 'all'"),
        ({"sizes": [True]}, r"sizes\[0\]: must be .* not True"),
        ({"sizes": [10**12]}, r"sizes\[0\]: must be"),
        ({"sizes": [50, 50]}, "sizes: 50 comes twice"),
        ({"seeds": 1.5}, "seeds: must be a list of whole numbers, not 1.5"),
        ({"seeds": 10**12}, "seeds: must be a list"),
        ({"seeds": ["a"]}, r"seeds\[0\]: must be a whole number from 0"),
        ({"seeds": [-1]}, r"seeds\[0\]: must be a whole number from 0"),
        ({"seeds": list(range(2000)), "sizes": list(range(1, 101)), "strategies": {"full": {}}}, "make 200000 runs"),
        ({"explain": {"seeds": 10**12}}, r"explain\.seeds: must be a whole number from 1 to 1000"),
        ({"rest": "yes"}, "rest: must be true or false, not 'yes'"),
        ({"notes": "a text"}, "notes: must be a list of texts, not 'a text'"),
        (
            {"target": SIDE | {"keep": {"feh": [1, 0]}}},
            r"target\.keep\.feh: must be a range \[low, high\], not \[1, 0\]",
        ),
        (
            {"target": SIDE | {"keep": {"fhe": [0, 1]}}},
            r"target\.keep: unknown label fhe; known labels: .*; did you mean feh\?",
        ),
        (
            {"strategies": {"full": {"by_size": {"50": {}}}}},
            r"strategies\.full\.by_size: each key must be a whole number .*, not '50'",
        ),
        (
            {"strategies": {"full": {"by_model": {"fhe": {}}}}},
            r"strategies\.full\.by_model: unknown key fhe; known keys: feh; did you mean feh\?",
        ),
        ({"inputs": []}, r"inputs: must be a list of inputs, not \[\]"),
        ({"inputs": ["flux", "flux"]}, "inputs: flux comes twice"),
        ({"inputs": ["flux+"]}, r"inputs\[0\]: '' cannot be a name: it is empty"),
        ({"inputs": ["a+a"]}, r"inputs\[0\]: 'a\+a' has an input twice"),
        ({"inputs": ["../a"]}, r"inputs\[0\]: '../a' cannot be a name: it has a slash"),
        ({"encoders": {"flux": {}}}, "encoders: 'flux' cannot be the name of an encoder"),
        (
            {"encoders": {"a": {"kind": "ica"}}},
            r"encoders\.a\.kind: unknown kind ica; known kinds: aligned, autoencoder, masked, pca, random, stored, with-real",
        ),
        ({"encoders": {"a": {"components": 0}}}, r"encoders\.a\.components: must be a whole number from 1"),
        ({"pretrain": {"by_input": {"flux": 3}}}, r"pretrain\.by_input\.flux: must be names and settings, not 3"),
        ({"experiments": {"seeds": []}}, r"experiments\.seeds: must be a list of whole numbers, not \[\]"),
        (
            {"explain": {"labels": ["mg_fe"]}},
            r"explain\.labels\[0\]: unknown label mg_fe; known labels: alphafe, feh, logg, teff",
        ),
        ({"adapter": {"50": "full"}}, "adapter: each key must be a whole number"),
        ({"pipeline": {"fhe": "F"}}, "pipeline: unknown label fhe; known labels: .*feh"),
    ],
)
def test_what_is_said(tmp_path, changes, message):
    with pytest.raises(SettingsError, match=message) as caught:
        load_study(write(tmp_path / "s.yaml", changes))
    assert "s.yaml" in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 0}, "epochs must be a whole number from 1 to 1000000, not 0"),
        ({"epochs": -1}, "epochs must be"),
        ({"epochs": 10**12}, "epochs must be"),
        ({"epochs": 1e12}, "epochs must be"),
        ({"epochs": float("nan")}, "epochs must be"),
        ({"learning_rate": float("inf")}, "learning_rate must be a number above 0, not inf"),
        ({"learning_rate": "fast"}, "learning_rate must be"),
        ({"batch_size": 0}, "batch_size must be"),
        ({"seed": -1}, "seed must be a whole number from 0"),
        ({"device": "banana"}, "there is no device 'banana'; devices here: cpu"),
        ({"device": "cuda:99"}, "this machine has no device 'cuda:99'; devices here: cpu"),
        ({"schedule": "sine"}, "schedule: unknown key sine; known keys: constant, cosine"),
        ({"weight_decay": float("nan")}, "weight_decay must be a number from 0, not nan"),
        ({"mlp": {"hidden": [10**9]}}, "each width of hidden must be a whole number from 1 to 100000"),
        ({"mlp": {"hidden": [10**5] * 50}}, "more than 1000000000 weights"),
        ({"mlp": {"hidden": [1] * 1000}}, "a list of 1 to 100 positive widths"),
        ({"mlp": 3}, "mlp: expected settings by name, not '3'"),
        ({"epochz": 3}, "unknown key epochz; known keys: .*epochs"),
    ],
)
def test_training_that_cannot_be(tmp_path, settings, message):
    """Found before anything is read or written."""
    study = load_study(write(tmp_path / "s.yaml", {"pretrain": settings}))["default"]
    with pytest.raises(SettingsError, match=message):
        check_settings(study, "study s")


def test_a_study_that_extends_itself(tmp_path):
    for name, base in (("a", "a"), ("b", "c"), ("c", "b")):
        (tmp_path / f"{name}.yaml").write_text(f"extends: {tmp_path / f'{base}.yaml'}\n")
    for name in ("a", "b"):
        with pytest.raises(SettingsError, match=rf"{name}\.yaml: extends itself"):
            load_study(str(tmp_path / f"{name}.yaml"))


def test_a_key_that_stands_twice(tmp_path):
    path = write(tmp_path / "s.yaml", {})
    with open(path, "a") as file:
        file.write("seeds: [0]\nseeds: [1]\n")
    with pytest.raises(SettingsError, match="the key 'seeds' stands twice"):
        load_study(path)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("sizes.0", 1, "--set sizes.0: sizes is no settings by name"),
        ("pretrain.epochs.x", 1, "--set pretrain.epochs.x: pretrain.epochs is no settings by name, but '5'"),
        ("title.x", 1, "title is no settings by name"),
        ("models", "feh,teff", "--set models: unknown key teff; known keys: feh"),
        ("sneeds", 1, "unknown key sneeds; known keys"),
        ("models.feh", ["fe_h"], "unknown label fe_h"),
    ],
)
def test_settings_on_the_command_line(tmp_path, key, value, message):
    path = write(tmp_path / "s.yaml", {"pretrain": {"epochs": 5}, "sizes": [1]})
    with pytest.raises(SettingsError, match=message):
        load_study(path, changes={key: value})


def test_numbers_of_stars_on_the_command_line(tmp_path):
    path = write(tmp_path / "s.yaml", {"sizes": [50], "strategies": {"full": {"by_model": {"feh": {"epochs": 1}}}}})
    changes = {"adapter.50": "full", "strategies.full.by_size.50.epochs": 2}
    study = load_study(path, changes=changes)["default"]
    assert study.adapter == {50: "full"}
    assert study.strategies["full"] == {"by_model": {"feh": {"epochs": 1}}, "by_size": {50: {"epochs": 2}}}


def test_models_on_the_command_line_take_their_settings_with_them(tmp_path):
    by_model = {"feh": {"epochs": 1}, "teff": {"epochs": 2}}
    models = {"feh": ["feh"], "teff": ["teff"]}
    path = write(tmp_path / "s.yaml", {"models": models, "strategies": {"full": {"by_model": by_model}, "ridge": None}})
    study = load_study(path, changes={"models": "feh"})["default"]
    assert study.strategies == {"full": {"by_model": {"feh": {"epochs": 1}}}, "ridge": None}
    path = write(tmp_path / "t.yaml", {"strategies": [1], "sources": 3})
    with pytest.raises(SettingsError, match="sources: must be"):
        load_study(path, changes={"models": "feh"})


def test_no_key_takes_a_value_of_another_type():
    elsewhere = ("preprocessing.", "quality.", "pretrain.", "strategies.", "variants.", "scales.", "selections.")
    elsewhere += ("encoders.embed.training.", "encoders.embed.network.")

    def free(name, wrong):
        if name.startswith("quality."):
            return type(wrong) in (int, float)
        return name.startswith(elsewhere) or (name.startswith("adapter.") and isinstance(wrong, str | dict))

    tried, taken = try_wrong_kinds(lambda content: build_study(content, "study s"), FULL, free)
    assert not taken
    assert tried > 400


@pytest.mark.parametrize(
    ("section", "content"),
    [
        (Study, FULL),
        (Sample, FULL["target"]),
        (PlaneSample, FULL["plane"]),
        (Subset, FULL["subset"]),
        (ElementCheck, FULL["element"]),
        (Experiments, FULL["experiments"]),
        (StudyEncoder, {key for one in FULL["encoders"].values() for key in one}),
        (Explain, FULL["explain"]),
    ],
)
def test_the_study_of_these_tests_has_every_key(section, content):
    """So that what is added later is tried, too."""
    rest = {
        "simulate",
        "lines",
        "prior",
        "mock",
        "medium",
        "frame",
        "unit",
        "columns",
        "weights_of",
        "plane",
        "plane_pipeline",
    }
    if issubclass(section, PlaneSample):
        rest |= {"split", "velocities", "stars", "keep"}
    assert {one.name for one in fields(section)} - set(content) <= rest
