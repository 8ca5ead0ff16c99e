from importlib import import_module

import numpy as np
import pytest

from transtar.catalog import read_columns
from transtar.models import load_estimator
from transtar.train import Recalibrate, Residual, ZeroShot

pytestmark = pytest.mark.usefixtures("unquestioned")


@pytest.mark.parametrize("strategy", ["full", "auto"])
def test_a_new_label_is_learnt_from_an_old_one(world, transtar, tmp_path, strategy, monkeypatch):
    if strategy == "auto":
        module = import_module("transtar.train.choose")
        monkeypatch.setattr(module, "candidates_of_auto", lambda: (ZeroShot(), Recalibrate(), Residual(epochs=2)))
    few = () if strategy == "auto" else ("--epochs", 2)
    done = transtar(
        "finetune", "--model", world.model, "--data", world.target, "--strategy", strategy, *few, "--label", "teff",
        "--out", tmp_path / "new", "--label-noise", "teff=50",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert f"teff learnt from what {world.model} knows of feh" in done.err
    model = load_estimator(tmp_path / "new")
    assert model.label_names == ("teff",)
    assert model.provenance[-1]["from_label"] == ["feh"]
    assert ", teff from feh on" in transtar("models", "show", tmp_path / "new").out
    done = transtar("predict", "--model", tmp_path / "new", "--data", world.target, "--out", tmp_path / "c.parquet")
    assert done.code == 0, done.err
    catalog = read_columns(tmp_path / "c.parquet")
    assert np.isfinite(catalog["teff"]).any()
    # Its errors are its own, from folds of the stars it was learnt from.
    assert list(model.error_tables) == ["teff"]
    assert model.error_tables["teff"].label_noise == (50, 98)
    np.testing.assert_array_equal(np.isfinite(catalog["teff_err"]), np.isfinite(catalog["teff"]))
    assert "feh" not in catalog


def test_labels_that_cannot_take_those_places_are_refused(world, transtar, fails, tmp_path):
    same = (
        "finetune",
        "--model",
        world.model,
        "--data",
        world.target,
        "--strategy",
        "recalibrate",
        "--out",
        tmp_path / "m",
    )
    assert "the model predicts feh: " in fails(*same, "--label", "logg,teff")
    assert "has no label 'mg_fe'; it has:" in fails(*same, "--label", "mg_fe")
    other = (world.folder / "unlabelled", "--spectra", world.miles / "spectra")
    assert transtar("prepare", "--survey", "miles", *other[1:], "--out", other[0]).code == 0
    plain = fails(
        "finetune", "--model", world.model, "--data", other[0], "--strategy", "recalibrate", "--out", tmp_path / "m"
    )
    assert "has no label feh; it has: none" in plain
    assert "name it with --label" in plain
    assert not (tmp_path / "m").exists()


def test_the_label_of_the_model_itself_may_be_named(world, transtar, tmp_path):
    common = ("finetune", "--model", world.model, "--data", world.target, "--strategy", "recalibrate")
    assert transtar(*common, "--label", "feh", "--out", tmp_path / "named").code == 0
    assert transtar(*common, "--out", tmp_path / "plain").code == 0
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("named", "plain")]
    assert weights[0] == weights[1]
