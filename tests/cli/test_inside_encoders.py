"""Models of embeddings by the verbs that go inside their encoders: explain, and fine-tuning end to end."""

import csv
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from transtar.datasets import Stars, read_set
from transtar.encoders import load_encoder, note_of, registry, save_encoder
from transtar.explain import read_landscapes
from transtar.explain.saliency import gradients
from transtar.explain.stored_results import read_saliency
from transtar.models import folded, load_estimator
from transtar.networks import EncodedNetwork, MLPSettings
from transtar.preprocess import Preprocessing
from transtar.train import TrainSettings, pretrain

from ..models.encoded import small_encoder


@pytest.fixture(scope="module")
def inside(world):
    """An encoder in a folder, and a model of what it makes of the source."""
    source = read_set(world.source)
    folder = world.folder / "inside"
    save_encoder(small_encoder(preprocessing=source.preprocessing), folder / "seer")
    encoder = load_encoder(folder / "seer")
    inputs, labels = encoder.encode(source.flux), source.columns["feh"].astype(float)
    known = Stars(
        inputs, labels, "feh", files=source.columns["file"], survey="lamost", preprocessing=source.preprocessing,
        input="seer", encoders={"seer": note_of(encoder)},
    )  # fmt: skip
    settings = TrainSettings(epochs=5, learning_rate=1e-3)
    pretrain(known, settings=settings, mlp=MLPSettings((12, 6))).save(folder / "model")
    return SimpleNamespace(encoder=folder / "seer", model=folder / "model", folder=folder)


def rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def adapted(world, inside):
    from transtar.cli import main

    before = content(inside.model), content(inside.encoder)
    for strategy in ("full", "lora"):
        command = ["finetune", "--model", inside.model, "--data", world.target, "--strategy", strategy, "--end-to-end"]
        options = ["--epochs", 2, "--lr", 1e-3, "--out", inside.folder / strategy]
        assert main([str(part) for part in (*command, *options)]) == 0
    assert (content(inside.model), content(inside.encoder)) == before
    return inside


def test_end_to_end(world, adapted):
    encoder = load_encoder(adapted.encoder)
    for strategy in ("full", "lora"):
        model = load_estimator(adapted.folder / strategy)
        assert isinstance(model.network, EncodedNetwork)
        weights = zip(model.network.parts[0].network.parameters(), encoder.network.parameters(), strict=True)
        assert not all(torch.equal(*pair) for pair in weights)
        assert (model.input, model.encoders) == ("flux", {})
        step = model.provenance[-1]
        assert step["input"] == "seer"
        assert step["encoders"]["seer"]["sha256"] == encoder.sha256
        assert np.isfinite(model.domain_limit)
    assert any(name.startswith("parts.0") for name in model.adapter)


def test_the_adapted_model_predicts_without_the_encoder(world, adapted, transtar, monkeypatch, tmp_path):
    monkeypatch.setattr(registry, "_BY_HASH", {})
    monkeypatch.setattr(registry, "read_encoder", None)
    done = transtar("predict", "--model", adapted.folder / "lora", "--data", world.target, "--out", tmp_path / "c.csv")
    assert done.code == 0, done.err
    assert sum(row["feh"] != "" for row in rows(tmp_path / "c.csv")) == 36


def test_saliency_goes_through_the_encoder(world, adapted, transtar, tmp_path):
    models = [adapted.model, adapted.folder / "full"]
    done = transtar(
        "explain", "saliency", "--model", *models, "--data", world.target, "--split", "test", "--out", tmp_path
    )
    assert done.code == 0, done.err
    stored = read_saliency(tmp_path)
    prepared = read_set(world.target)
    flux = prepared.flux[prepared.columns["split"] == "test"]
    slopes = gradients(folded(load_estimator(adapted.model)), flux, "feh")
    np.testing.assert_allclose(stored.models["model"].mean, slopes.mean(axis=0), rtol=1e-4, atol=1e-6)
    assert list(stored.models) == ["model", "full"]


def test_landscapes(world, adapted, transtar, tmp_path):
    done = transtar(
        "explain", "landscape", "--model", adapted.model, adapted.folder / "full", adapted.folder / "lora", "--base",
        adapted.model, "--data", world.target, "--regime", "all", "--seeds", 1, "--points", 3, "--out", tmp_path,
    )  # fmt: skip
    assert done.code == 0, done.err
    landscapes = read_landscapes(tmp_path / "landscape.npz")
    assert {name: one.moves for name, one in landscapes.items()} == {
        "model": "all weights", "full": "all weights", "lora": "LoRA factors",
    }  # fmt: skip
    prepared = read_set(world.target)
    test = prepared.select(prepared.columns["split"] == "test")
    predicted = load_estimator(adapted.model).predict(load_encoder(adapted.encoder).encode(test.flux))[:, 0]
    start = np.mean((predicted - test.columns["feh"].astype(float)) ** 2)
    assert landscapes["model"].centre == pytest.approx(start, rel=1e-4)
    assert [landscapes[name].zero_shot for name in ("full", "lora")] == pytest.approx([start] * 2, rel=1e-3)


def test_an_encoder_that_went_elsewhere_is_named_and_may_be_shown(
    world, inside, transtar, fails, monkeypatch, tmp_path
):
    monkeypatch.setattr(registry, "_BY_HASH", {})
    model = load_estimator(inside.model)
    note = model.encoders["seer"] | {"place": str(tmp_path / "gone")}
    replace(model, encoders={"seer": note}).save(tmp_path / "model")
    common = ("--model", tmp_path / "model", "--data", world.target, "--out", tmp_path / "out")
    for verb in (("finetune", "--strategy", "full", "--end-to-end"), ("explain", "saliency")):
        line = fails(*verb, *common)
        assert f"the encoder 'seer' (sha256 {note['sha256'][:16]}) is needed and not here: {tmp_path / 'gone'}" in line
        assert not (tmp_path / "out").exists()
    done = transtar(*verb, *common, "--encoder", inside.encoder)
    assert done.code == 0, done.err


def test_options_that_do_not_fit(world, inside, fails, tmp_path):
    common = ("finetune", "--data", world.target, "--out", tmp_path / "out", "--end-to-end")
    line = fails(*common, "--model", inside.model, "--strategy", "recalibrate", code=2)
    assert re.search("--strategy recalibrate .*leave out --end-to-end", line)
    line = fails(*common, "--model", inside.model, "--strategy", "auto", code=2)
    assert re.search("--strategy auto .*leave out --end-to-end", line)
    line = fails(*common, "--model", world.model, "--strategy", "full", code=2)
    assert re.search("full: end_to_end .*input 'flux'", line)


def test_reconstruction(world, inside, transtar, tmp_path):
    common = ("explain", "reconstruction", "--model", inside.encoder, "--data", world.target)
    done = transtar(*common, "--out", tmp_path / "a")
    assert done.code == 0, done.err
    assert re.search("12 stars; left out: 24 .*split, 0 flagged bad, 0 seen", done.err)
    lines = done.out.splitlines()
    assert lines[0] == "spectra minus what seer gives back, 12 stars"
    assert [line.split()[0] for line in lines[2:5]] == ["16", "median", "84"]
    assert [line.rsplit("/", 1)[-1] for line in lines[-3:]] == [
        "reconstruction.csv", "reconstruction.pdf", "reconstruction.png",
    ]  # fmt: skip
    table, prepared = rows(tmp_path / "a" / "reconstruction.csv"), read_set(world.target)
    test = np.flatnonzero(prepared.columns["split"] == "test")
    assert [int(row["row"]) for row in table] == test.tolist()
    assert [row["file"] for row in table] == prepared.columns["file"][test].tolist()
    residual = prepared.flux[test] - load_encoder(inside.encoder).reconstruct(prepared.flux[test])
    np.testing.assert_allclose([float(row["rms"]) for row in table], np.sqrt((residual**2).mean(axis=1)), rtol=1e-4)
    assert {row["rms_in_noise"] for row in table} == {""}
    file = prepared.columns["file"][test[3]]
    done = transtar(*common, "--rows", test[0], "--ids", file, "--out", tmp_path / "b")
    assert done.code == 0, done.err
    assert len(done.out.splitlines()) == len(lines) - 1


def test_what_cannot_be_reconstructed(world, inside, fails, tmp_path):
    common = ("explain", "reconstruction", "--data", world.target, "--out", tmp_path / "out")
    settings = read_set(world.target).preprocessing
    blind = small_encoder(preprocessing=settings, decoder=None, target_mean=None, target_std=None)
    save_encoder(blind, tmp_path / "blind")
    line = fails(*common, "--model", tmp_path / "blind")
    assert re.search("encoder 'seer' .*no decoder", line)
    save_encoder(
        small_encoder(preprocessing=Preprocessing.from_dict(settings.to_dict() | {"frame": "observed"})), tmp_path / "o"
    )
    line = fails(*common, "--model", tmp_path / "o")
    assert "encoder 'seer' and " in line
    assert "frame is observed against rest" in line
    assert "no such encoder" in fails(*common, "--model", tmp_path / "none")
    common = (*common, "--model", inside.encoder)
    assert "has no row 36; its rows are 0 to 35 (--rows)" in fails(*common, "--rows", 36)
    assert "has no identifier, star or file 'nobody' (--ids)" in fails(*common, "--ids", "nobody")
    pool = int(np.flatnonzero(read_set(world.target).columns["split"] == "pool")[0])
    assert f"row {pool} is of another split" in fails(*common, "--rows", pool)
    assert "shows up to 5 stars, not 6" in fails(*common, "--split", "all", "--rows", *range(6))
    assert not (tmp_path / "out").exists()
