"""A strategy and an input of another package, and inputs of a set, through the whole command line: no file of ours knows them."""

import csv
import re
import shutil
import sys

import numpy as np
import pytest
import yaml

from transtar.catalog import read_columns
from transtar.datasets import add_input, read_set
from transtar.datasets import inputs as inputs_module
from transtar.flags import Flag, has
from transtar.models import load_estimator
from transtar.train.strategies import strategy as registry_module

from ..plugged import plug_in

pytestmark = pytest.mark.usefixtures("unquestioned")

FEW = {"epochs": 3, "learning_rate": 1e-4, "schedule": "constant", "average_last": 0}


@pytest.fixture
def plugged(tmp_path, monkeypatch):
    monkeypatch.setattr(registry_module, "_REGISTERED", dict(registry_module._REGISTERED))
    monkeypatch.setattr(inputs_module, "_REGISTERED", dict(inputs_module._REGISTERED))
    points = "[transtar.strategies]\nhuber = huberplug:Huber\n[transtar.inputs]\ndepth = huberplug:DEPTH\n"
    (tmp_path / "site").mkdir()
    plug_in(tmp_path / "site", monkeypatch, points)
    yield
    sys.modules.pop("huberplug", None)


def test_strategies_of_the_command_line(world, transtar):
    assert "{residual,lora,full,auto,recalibrate}" in transtar("finetune", "--help").out
    done = transtar("finetune", "--model", world.model, "--data", world.target, "--strategy", "x", "--out", "y")
    assert done.code == 2
    assert "invalid choice: 'x' (choose from" in done.err


@pytest.mark.usefixtures("plugged")
def test_finetune(world, transtar, tmp_path):
    given = ("finetune", "--model", world.model, "--data", world.target, "--strategy", "huber", "--epochs", 2)
    done = transtar(*given, "--out", tmp_path / "m")
    assert done.code == 0, done.err
    assert "feh by huber on" in done.out
    step = load_estimator(tmp_path / "m").provenance[-1]
    assert (step["strategy"], step["settings"]["delta"], step["epochs_run"]) == ("huber", 0.5, 2)
    assert "{residual,lora,full,auto,huber,recalibrate}" in transtar("finetune", "--help").out


@pytest.mark.usefixtures("plugged")
def test_study(world, transtar, tmp_path, monkeypatch):
    study = {
        "title": "With a strategy from outside",
        "source": {"survey": "lamost", "spectra": "lamost/spectra", "labels": "lamost/labels.csv"},
        "target": {
            "survey": "miles", "spectra": "miles/spectra", "labels": "miles/labels.csv", "split": "miles/split.csv",
        },
        "models": {"feh": ["feh"]},
        "seeds": [0],
        "sizes": [12],
        "pretrain": FEW | {"augmentation": None},
        "strategies": {"recalibrate": {}, "huber": FEW | {"delta": 0.3}},
        "adapter": {12: "huber"},
    }  # fmt: skip
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    monkeypatch.setenv("TRANSTAR_DATA", str(world.folder))
    out = tmp_path / "out"
    done = transtar("study", tmp_path / "study.yaml", "--out", out, "--workers", 1)
    assert done.code == 0, done.err
    assert "huber is" in (out / "summary.txt").read_text()
    with (out / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["strategy"] for row in rows} == {"zero-shot", "recalibrate", "huber"}
    assert "full, Huber loss" in (out / "report.html").read_text()
    assert list((out / "figures").glob("*.pdf"))


@pytest.mark.usefixtures("plugged")
def test_an_encoder_runs_on_the_fly(world, transtar, tmp_path):
    model = tmp_path / "model"
    given = ("pretrain", "--data", world.source, "--label", "feh", "--epochs", 4, "--lr", "1e-3")
    done = transtar(*given, "--input", "flux+depth", "--out", model)
    assert done.code == 0, done.err
    assert "none for the input 'flux+depth'" in done.err
    estimator = load_estimator(model)
    assert (estimator.input, estimator.n_inputs) == ("flux+depth", 1462 + 34)
    native = ("--survey", "lamost", "--spectra", world.lamost / "spectra")
    for number, source in enumerate((native, ("--data", world.source))):
        done = transtar("predict", "--model", model, *source, "--out", tmp_path / f"{number}.parquet")
        assert done.code == 0, done.err
    prepared = read_set(world.source)
    expected = estimator.predict(np.hstack([prepared.flux, prepared.flux.reshape(-1, 34, 43).min(axis=2)]))[:, 0]
    np.testing.assert_allclose(read_columns(tmp_path / "1.parquet")["feh"], expected, rtol=1e-5)
    np.testing.assert_allclose(read_columns(tmp_path / "0.parquet")["feh"], expected, atol=1e-4)


def test_inputs_of_a_set(world, transtar, fails, tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    random = np.random.default_rng(0)
    for folder, copied in ((source, world.source), (target, world.target)):
        shutil.copytree(copied, folder)
        prepared = read_set(folder)
        values = prepared.columns["feh"][:, None] + random.normal(0, 0.1, (len(prepared), 6))
        values[3] = np.nan
        add_input(folder, "embedding", values)
    model, adapted, out = tmp_path / "model", tmp_path / "adapted", tmp_path / "c.parquet"
    given = ("pretrain", "--label", "feh", "--epochs", 20, "--lr", "1e-3", "--input", "embedding", "--out", model)
    done = transtar(*given, "--data", source)
    assert done.code == 0, done.err
    assert "39 spectra to learn from; left out: 0 " in done.err
    assert "1 without the input 'embedding'" in done.err
    assert "(of the input 'embedding')" in (model / "README.md").read_text()
    done = transtar(
        "finetune", "--model", model, "--data", target, "--strategy", "lora", "--epochs", 2, "--out", adapted
    )
    assert done.code == 0, done.err
    assert load_estimator(adapted).input == "embedding"
    done = transtar("predict", "--model", adapted, "--data", target, "--out", out)
    assert done.code == 0, done.err
    assert "1 of 36 spectra are without the input 'embedding'" in done.err
    catalog = read_columns(out)
    assert np.flatnonzero(~np.isfinite(catalog["feh"])).tolist() == [3]
    assert np.flatnonzero(has(catalog["flags"], Flag.NO_INPUT)).tolist() == [3]
    # A model of the flux beside it: each takes its own, and the label is missing where one of them has none.
    done = transtar("predict", "--model", adapted, world.model, "--data", target, "--out", tmp_path / "both.parquet")
    assert done.code == 0, done.err
    assert np.isfinite(read_columns(tmp_path / "both.parquet")["feh"]).sum() == 35
    said = fails("predict", "--model", adapted, "--data", world.target, "--out", tmp_path / "d.csv")
    assert "no input 'embedding': the spectra bring flux" in said
    said = fails(
        "predict",
        "--model",
        adapted,
        "--survey",
        "miles",
        "--spectra",
        world.miles / "spectra",
        "--out",
        tmp_path / "d.csv",
    )
    assert "no input 'embedding'" in said
    said = fails("explain", "saliency", "--model", adapted, "--data", target, "--out", tmp_path / "x")
    assert "has no wavelengths" in said
    assert "no input 'other'" in fails(*given[:-3], "other", "--out", tmp_path / "y", "--data", source)
    add_input(target, "embedding", np.ones((36, 4)))
    said = fails("predict", "--model", adapted, "--data", target, "--out", tmp_path / "d.csv")
    assert re.search("6 values .*'embedding'.* have 4", said)
