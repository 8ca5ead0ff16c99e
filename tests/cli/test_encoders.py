"""Models of an encoder on the command line: from files to a catalog, and encoders that are elsewhere."""

import re
import shutil

import numpy as np
import pytest

from transtar.catalog import read_columns
from transtar.encoders import load_encoder, save_encoder
from transtar.models import load_estimator

from ..encoders.examples import forget, seen_stars, small_encoder

pytestmark = pytest.mark.usefixtures("unquestioned")


@pytest.fixture
def encoder(tmp_path, monkeypatch):
    """A shipped encoder 'small', and a copy in a folder."""
    (tmp_path / "shipped").mkdir()
    forget(monkeypatch, tmp_path / "shipped")
    return save_encoder(small_encoder(trained_on=seen_stars()), tmp_path / "shipped" / "small")


def test_from_a_set_to_a_catalog(world, transtar, fails, tmp_path, monkeypatch, encoder):
    done = transtar(
        "pretrain", "--data", world.source, "--label", "feh", "--input", "flux+small", "--epochs", 2, "--lr", "1e-3",
        "--out", tmp_path / "model",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert re.search(f"input 'small' of 40 spectra .*encoder 'small' .*{encoder.sha256[:16]}", done.err)
    model = load_estimator(tmp_path / "model")
    assert model.encoders == {"small": {"name": "small", "sha256": encoder.sha256, "place": "small"}}
    assert model.trained_on["role"].tolist().count("encoder") == 1
    for strategy in ("lora", "recalibrate"):
        done = transtar(
            "finetune", "--model", tmp_path / "model", "--data", world.target, "--strategy", strategy, "--n", 20,
            "--out", tmp_path / strategy, *(() if strategy == "recalibrate" else ("--epochs", 2)),
        )  # fmt: skip
        assert done.code == 0, done.err
        assert load_estimator(tmp_path / strategy).encoders == model.encoders
    done = transtar(
        "predict", "--model", tmp_path / "lora", tmp_path / "recalibrate", "--survey", "miles", "--spectra",
        world.miles / "spectra", "--out", tmp_path / "c.parquet",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert np.isfinite(read_columns(tmp_path / "c.parquet")["feh"]).all()
    shown = transtar("models", "show", tmp_path / "lora")
    assert re.search("input 'small' .*encoder 'small'", shown.out)
    assert "which is here" in shown.err
    assert "small" in transtar("info").out

    # A transtar without it: what is needed is said, and where it is can be.
    shutil.move(tmp_path / "shipped" / "small", tmp_path / "elsewhere")
    forget(monkeypatch)
    assert "is needed and not here" in transtar("models", "show", tmp_path / "lora").err
    exported = transtar("models", "export", tmp_path / "lora", "--out", tmp_path / "copy")
    assert f"needs 'small' (sha256 {encoder.sha256[:16]}), known by its name" in exported.err
    predict = ("predict", "--model", tmp_path / "copy", "--survey", "miles", "--spectra", world.miles / "spectra")
    assert "--encoder FOLDER" in fails(*predict, "--out", tmp_path / "d.parquet")
    assert not (tmp_path / "d.parquet").exists()
    done = transtar(*predict, "--encoder", tmp_path / "elsewhere", "--out", tmp_path / "d.parquet")
    assert done.code == 0, done.err
    forget(monkeypatch)
    done = transtar(
        "finetune", "--model", tmp_path / "copy", "--data", world.target, "--strategy", "recalibrate", "--n", 20,
        "--encoder", tmp_path / "elsewhere", "--out", tmp_path / "again",
    )  # fmt: skip
    assert done.code == 0, done.err
    # From now on the model knows it by the folder.
    assert load_estimator(tmp_path / "again").encoders["small"]["place"] == str(tmp_path / "elsewhere")
    forget(monkeypatch)
    save_encoder(small_encoder(seed=1), tmp_path / "elsewhere")
    assert "is another (sha256" in fails(
        "predict", "--model", tmp_path / "again", "--data", world.target, "--out", tmp_path / "e.parquet"
    )
    said = fails(*predict, "--encoder", tmp_path / "elsewhere", "--out", tmp_path / "e.parquet")
    assert f"needed: 'small' (sha256 {encoder.sha256[:16]})" in said
    assert load_encoder(tmp_path / "elsewhere").sha256 != encoder.sha256


def test_inputs_that_are_nothing(world, fails, tmp_path, encoder):
    pretrain = ("pretrain", "--data", world.source, "--label", "feh", "--out", tmp_path / "model", "--input")
    assert "installed packages compute flux, small" in fails(*pretrain, "flux+smal")
    assert "comes twice" in fails(*pretrain, "small+small", code=2)
    assert not (tmp_path / "model").exists()
