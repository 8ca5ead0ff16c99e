"""Studies of mock stars: in place of files, with lines learnt on real stars, and an element to compare with."""

import csv

import numpy as np
import pytest

from tools.train_models import CONSTANT, LABELS
from transtar.cli import main
from transtar.errors import SettingsError
from transtar.evaluate import read_results
from transtar.models import load_estimator
from transtar.simulate.mocks.line_correction import load_lines
from transtar.studies.load import build_study, load_study

SAMPLE = {"survey": "miles", "spectra": "s", "labels": "l"}


def content(**changes):
    return {
        "title": "t",
        "models": {"feh": ["feh"]},
        "target": SAMPLE,
        "source": {"survey": "mock", "mock": {}},
    } | changes


def test_samples():
    study = build_study(content(target=SAMPLE | {"keep": {"teff": [4500, 6800]}}), "here")
    assert study.source.mock == {}
    assert study.target.keep == {"teff": [4500, 6800]}
    for changes, message in (
        ({"source": {"survey": "lamost"}}, "source: needs spectra and labels"),
        ({"source": {"survey": "mock", "mock": "many"}}, r"source\.mock: must be names and settings, not 'many'"),
        ({"lines": {"survey": "lamost"}}, "lines: needs spectra and labels"),
        ({"element": {"modl": "x"}}, "element: unknown key modl; known keys: column, model; did you mean model"),
        ({"target": SAMPLE | {"keep": {"feh": 3}}}, r"target\.keep\.feh: must be a range"),
        ({"source": SAMPLE, "lines": SAMPLE}, "lines needs a source of mock stars"),
        ({"lines": SAMPLE}, "whose own lines are null"),
        ({"seeds": 3}, "seeds: must be a list"),
    ):
        with pytest.raises(SettingsError, match=message):
            build_study(content(**changes), "here")


def test_priors_follow_the_models():
    """--set models=feh takes the priors of the other models away, too."""
    studies = load_study("lamost-to-miles", changes={"models": "feh"})
    assert studies["default"].prior == {"feh": "mock-feh"}
    assert studies["lamost-alone"].prior == {}
    assert studies["lamost-alone"].pretrain["learning_rate"] == 2e-4
    alone = load_study("lamost-to-miles-alone")["default"]
    assert studies["lamost-alone"].strategies == alone.strategies
    assert studies["lamost-alone"].pretrain == alone.pretrain


@pytest.mark.parametrize("label", LABELS)
def test_shipped_models(label):
    """Each predicts its label, has errors star by star or not, and remembers the stars of the line correction, no mock star."""
    model = load_estimator(f"mock-{label}")
    assert model.label_names == (label,)
    if label in CONSTANT:
        assert (model.label_error, model.error_tables) == ([CONSTANT[label]], {})
    else:
        assert model.label_error is None or np.isnan(model.label_error).all()
        assert model.error_tables[label].n > 800
    lines = load_lines("lamost-dr10").stars
    np.testing.assert_array_equal(np.sort(model.trained_on["id"]), np.sort(lines["id"]))
    assert set(model.trained_on["role"]) == {"lines"}


def test_mock_stars_to_real_ones(data, tmp_path, capsys, monkeypatch):
    """Small, whole: MILES with lines of LAMOST, and half of LAMOST with lines of the other half, both judged."""
    monkeypatch.setenv("TRANSTAR_DATA", str(data))
    files = "spectra: lamost_dr10/spectra, labels: lamost_dr10/labels.csv, split: null"
    target = f"{{survey: lamost, {files}, keep: {{teff: [4500, 6800]}}}}"
    variants = f"variants={{lamost: {{target: {target}, split: validation}}}}"
    settings = ["source.mock.stars=400", "pretrain.epochs=2", "pretrain.augmentation=null", variants]
    assert main(["study", "mock-to-real", "--out", str(tmp_path / "o"), "--set", *settings]) == 0
    capsys.readouterr()
    rows = list(read_results(tmp_path / "o/results.csv"))
    kinds = {(row["variant"], row["target"], row["split"]) for row in rows}
    assert {("joint", "miles", "test"), ("lamost-joint", "lamost", "validation")} <= kinds
    assert {row["source"] for row in rows} == {"mock"}
    judged = {
        row["n_test"] for row in rows if (row["target"], row["regime"], row["label"]) == ("lamost", "all", "teff")
    }
    assert 700 < sum(judged) < 900
    with open(tmp_path / "o/tables/element.csv") as file:
        values = {row["quantity"]: row for row in csv.DictReader(file)}
    partial = values["partial rank correlation of the model at fixed [Fe/H]"]
    assert 0 < float(partial["low"]) < float(partial["value"]) < float(partial["high"]) < 1
    assert (tmp_path / "o/tables/variants-miles-feh.csv").is_file()
