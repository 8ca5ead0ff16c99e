from dataclasses import asdict

import pytest
import yaml

from transtar.errors import InputError, SettingsError
from transtar.studies import load_study, shipped_studies
from transtar.studies.load import merge
from transtar.studies.spec import adapters, data_path, settings_for

SIDE = {"survey": "lamost", "spectra": "s", "labels": "l.csv"}
MINIMAL = {"title": "t", "source": SIDE, "target": SIDE, "models": {"feh": ["feh"]}}


def write(path, changes):
    path.write_text(yaml.safe_dump(MINIMAL | changes))
    return str(path)


@pytest.mark.parametrize("name", shipped_studies())
def test_shipped_studies_can_be_read(name):
    studies = load_study(name)
    assert studies["default"].title
    for scale in studies["default"].scales:
        load_study(name, scale)


def test_changes_scales_and_variants(tmp_path):
    changes = {
        "pretrain": {"epochs": 5, "batch_size": 8},
        "scales": {"small": {"seeds": [7], "pretrain": {"epochs": 1}}},
        "variants": {"observed": {"preprocessing": {"frame": "observed"}}},
    }
    path = write(tmp_path / "s.yaml", changes)
    studies = load_study(path, "small", {"pretrain.batch_size": 4, "sizes": [3]})
    assert list(studies) == ["default", "observed"]
    for study in studies.values():
        assert (study.seeds, study.sizes, study.pretrain) == ([7], [3], {"epochs": 1, "batch_size": 4})
    assert studies["default"].preprocessing == {}
    assert studies["observed"].preprocessing == {"frame": "observed"}
    assert load_study(path)["default"].seeds == [0, 1, 2, 3, 4]


def test_a_model_may_have_a_source_of_its_own(tmp_path):
    changes = {
        "models": {"feh": ["feh"], "alphafe": ["alphafe"]},
        "sources": {"alphafe": {"labels": "a.csv"}},
        "variants": {"more": {"source": {"spectra": "t"}}},
    }
    path = write(tmp_path / "s.yaml", changes)
    study = load_study(path)["default"]
    assert (study.sources["alphafe"].labels, study.sources["alphafe"].spectra) == ("a.csv", "s")
    assert study.source.labels == "l.csv"
    # What is said of the source holds for the sources of the models, too.
    assert load_study(path)["more"].sources["alphafe"].spectra == "t"
    assert load_study(path, changes={"models": "feh"})["default"].sources == {}
    for wrong, message in (
        ({"sources": {"teff": {}}}, "no 'teff'|unknown.*teff"),
        ({"sources": {"feh": {"label": 1}}}, "sources.feh"),
        ({"sources": {"feh": "x"}}, r"sources\.feh: must be settings by name \(survey, .*, not 'x'"),
        ({"sources": {"feh": {"keep": {"feh": [0, 1]}}}}, "keep is for the target alone"),
    ):
        with pytest.raises(SettingsError, match=message):
            load_study(write(tmp_path / "w.yaml", wrong))


def test_settings_for(tmp_path):
    strategies = {"full": {"epochs": 1, "by_size": {50: {"epochs": 2}}, "by_model": {"teff": {"lr": 3}}}, "ridge": None}
    models = {"feh": ["feh"], "teff": ["teff"]}
    study = load_study(write(tmp_path / "s.yaml", {"strategies": strategies, "models": models}))["default"]
    assert settings_for(study, "full", "feh", 100) == {"epochs": 1}
    assert settings_for(study, "full", "feh", 50) == {"epochs": 2}
    assert settings_for(study, "full", "teff", 50) == {"epochs": 2, "lr": 3}
    assert settings_for(study, "ridge", "feh", 50) == {}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sneeds": 3}, r"unknown key sneeds; known keys: .*seeds"),
        ({7: 3}, "unknown key 7"),
        ({"source": None}, r"source: must be settings by name \(survey, spectra, labels, .*, not None"),
        (
            {"source": SIDE | {"colour": 1}},
            r"s\.yaml: source: unknown key colour; known keys: .*; did you mean columns\?",
        ),
        ({"target": {"survey": "miles"}}, "target: needs spectra and labels"),
        ({"split": "both"}, "split: unknown split both; known splits: matched, test, validation"),
        ({"models": {}}, "needs at least one model and one seed"),
        ({"seeds": []}, "needs at least one model and one seed"),
        ({"strategies": {"full": 3}}, r"strategies.full: must be settings by name, not 3"),
        ({"variants": {"v": {"sneeds": 1}}}, r"s\.yaml, variant v: unknown key sneeds"),
        ({"source": SIDE | {"labels": 3}}, r"source\.labels: must be text, not 3"),
        ({"simulate": "small"}, r"simulate: must be names and settings, not 'small'"),
        ({"selections": {"desi-edr": 3}, "catalogs": ["c"]}, r"selections.desi-edr: must be names and settings, not 3"),
        ({"selections": {"desi-edr": {}}}, "selections need 'catalogs'"),
        ({"catalogs": "c"}, "catalogs: must be a list of files and folders, not 'c'"),
        ({"plane": SIDE | {"reference": "r"}}, "plane needs models of feh and alphafe, not feh"),
        ({"plane": SIDE}, r"s\.yaml: plane: needs 'reference'"),
        ({"plane": "desi"}, r"plane: must be settings by name \(survey, spectra, labels, .*, not 'desi'"),
        ({"plane": SIDE | {"truht": "t"}}, "plane: unknown key truht"),
        ({"shipped": {"alphafe": "mock-alphafe"}}, "shipped: unknown key alphafe; known keys: feh"),
        ({"shipped": {"feh": "mock-feh"}, "models": {"both": ["feh", "teff"]}}, "shipped: unknown key feh"),
        ({"pipeline": {"alphafe": "A"}}, "pipeline: unknown key alphafe; known keys: feh"),
        ({"adapter": {50: 3}}, r"adapter\.50: must be a strategy, or one for each label, not 3"),
        ({"adapter": {50: {"teff": "lora"}}}, r"adapter\.50: unknown key teff"),
    ],
)
def test_impossible_studies(tmp_path, changes, message):
    with pytest.raises(SettingsError, match=message) as caught:
        load_study(write(tmp_path / "s.yaml", changes))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"), [("a: [", "not YAML"), ("", "holds no settings"), ("- 1", "holds no settings")]
)
def test_no_study(tmp_path, text, message):
    (tmp_path / "s.yaml").write_text(text)
    with pytest.raises(InputError, match=message):
        load_study(str(tmp_path / "s.yaml"))


def test_a_study_without_title_says_so(tmp_path):
    (tmp_path / "s.yaml").write_text(yaml.safe_dump({k: v for k, v in MINIMAL.items() if k != "title"}))
    with pytest.raises(SettingsError, match="title"):
        load_study(str(tmp_path / "s.yaml"))


def test_adapters(tmp_path):
    made = {50: "full", 100: {"feh": "residual"}}
    study = load_study(write(tmp_path / "s.yaml", {"adapter": made}))["default"]
    assert adapters(study, 50) == {"feh": "full"}
    assert adapters(study, 100) == {"feh": "residual"}
    assert adapters(study, 200) == {}


def test_a_written_study_is_read_back(tmp_path):
    """The report stores the settings as a study file."""
    plane = SIDE | {"reference": "r"}
    both = {"models": {"feh": ["feh"], "alphafe": ["alphafe"]}, "plane": plane, "simulate": {"scale": "small"}}
    study = load_study(write(tmp_path / "s.yaml", both))["default"]
    (tmp_path / "t.yaml").write_text(yaml.safe_dump(asdict(study)))
    assert load_study(str(tmp_path / "t.yaml"))["default"] == study


def test_merge():
    assert merge({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 9}, "e": 4}) == {"a": {"b": 9, "c": 2}, "d": 3, "e": 4}


def test_data_path(tmp_path, monkeypatch):
    monkeypatch.setenv("TRANSTAR_DATA", str(tmp_path))
    (tmp_path / "a.csv").touch()
    assert data_path("a.csv") == str(tmp_path / "a.csv")
    assert data_path("*.csv") == str(tmp_path / "*.csv")
    with pytest.raises(InputError, match=r"b\.csv: not found; set TRANSTAR_DATA"):
        data_path("b.csv")
    with pytest.raises(InputError, match=r"^/nowhere/b\.csv: not found$"):
        data_path("/nowhere/b.csv")
