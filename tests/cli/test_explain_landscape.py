import csv
import json
import re
import shutil

import numpy as np
import pytest

from transtar.datasets import read_set
from transtar.explain import loss_landscape, read_landscapes
from transtar.models import load_estimator
from transtar.seal import sealed

SMALL = ("--seeds", 2, "--points", 5)


@pytest.fixture(scope="module")
def adapted(world, tmp_path_factory):
    """The model of the world, adapted in three ways to the pool of the target."""
    from transtar.cli import main

    folder = tmp_path_factory.mktemp("adapted")
    for strategy in ("residual", "lora", "full"):
        command = ["finetune", "--model", world.model, "--data", world.target, "--strategy", strategy, "--epochs", 2]
        assert main([str(part) for part in (*command, "--out", folder / strategy)]) == 0
    return folder


def test_strategies_side_by_side(world, adapted, transtar, tmp_path):
    models = [adapted / name for name in ("residual", "lora", "full")]
    common = ("explain", "landscape", "--data", world.target, "--regime", "all", *SMALL, "--base", world.model)
    done = transtar(*common, "--model", *models, "--out", tmp_path / "out")
    assert done.code == 0, done.err
    assert re.search("12 spectra of 36; left out: 24 .*'test', 0 flagged bad", done.err)
    assert sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("[!.]*.*")) == [
        "figures/landscape.pdf", "figures/landscape.png", "landscape.csv", "landscape.npz",
    ]  # fmt: skip
    found = read_landscapes(tmp_path / "out" / "landscape.npz")
    assert {name: landscape.moves for name, landscape in found.items()} == {
        "residual": "residual head", "lora": "LoRA factors", "full": "all weights",
    }  # fmt: skip
    prepared = read_set(world.target)
    test = prepared.select(prepared.columns["split"] == "test")
    reference = test.columns["feh"].astype(float)
    expected = loss_landscape(load_estimator(models[1]), test.flux, reference, n_seeds=2, n_points=5)
    np.testing.assert_array_equal(found["lora"].loss, expected.loss)
    zero_shot = np.mean((load_estimator(world.model).predict(test.flux)[:, 0] - reference) ** 2)
    assert [landscape.zero_shot for landscape in found.values()] == pytest.approx([zero_shot] * 3, rel=1e-4)
    with (tmp_path / "out" / "landscape.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["model"], row["seed"]) for row in rows] == [(name, seed) for name in found for seed in "01"]
    lines = done.out.splitlines()
    assert lines[0] == "mean squared error of feh in dex^2, 12 stars"
    for row, line in zip(rows, lines[2:8], strict=True):
        words = line.replace("*", "").split()
        assert words[0] == row["model"]
        assert float(words[4]) == pytest.approx(float(row["centre_loss"]), rel=1e-3)
        assert float(words[5]) == pytest.approx(float(row["minimum_loss"]), rel=1e-3)
        assert float(words[8]) == pytest.approx(float(row["distance"]), abs=0.006)
        assert float(words[9]) == pytest.approx(zero_shot, rel=1e-3)
        assert ("*" in line) == (row["on_edge"] == "True")


def test_stars_the_model_has_seen_are_left_out_and_counted(world, adapted, transtar, fails, tmp_path):
    common = ("explain", "landscape", "--data", world.target, "--regime", "all", *SMALL, "--out", tmp_path / "o")
    done = transtar(*common, "--split", "all", "--model", adapted / "full")
    assert done.code == 0, done.err
    assert "12 spectra of 36; left out: 0 flagged bad, 0 without label, 24 seen" in done.err
    done = transtar(*common, "--split", "all", "--model", world.model)
    assert done.code == 0, done.err
    assert "36 spectra of 36" in done.err
    assert done.out.splitlines()[2].split()[:2] == ["model", "all"]
    line = fails(*common, "--split", "pool", "--model", adapted / "full")
    assert "no star to compute the loss on" in line
    assert "24 seen by a model in training (TRAINED_ON)" in line


def test_regimes_are_told_by_the_reference(world, adapted, transtar, tmp_path):
    feh = read_set(world.target).columns["feh"][read_set(world.target).columns["split"] == "test"]
    for regime, n in (("poor", int((feh < -1).sum())), ("rich", int((feh >= -1).sum()))):
        assert n > 0
        done = transtar(
            "explain", "landscape", "--data", world.target, "--regime", regime, *SMALL, "--model", adapted / "lora",
            "--out", tmp_path / "o",
        )  # fmt: skip
        assert done.code == 0, done.err
        assert f"{n} spectra of 36" in done.err
        assert f"{len(feh) - n} not of the regime '{regime}'" in done.err
        assert read_landscapes(tmp_path / "o" / "landscape.npz")["lora"].n_stars == n


def test_two_models_of_one_strategy_go_by_their_folders(world, adapted, transtar, tmp_path):
    shutil.copytree(adapted / "full", tmp_path / "again")
    done = transtar(
        "explain", "landscape", "--data", world.target, "--regime", "all", *SMALL, "--out", tmp_path / "o",
        "--model", adapted / "full", tmp_path / "again",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert list(read_landscapes(tmp_path / "o" / "landscape.npz")) == ["full", "again"]


def test_bad_input(world, adapted, transtar, fails, tmp_path):
    out = ("--out", tmp_path / "o")
    common = ("explain", "landscape", "--model", adapted / "lora", *SMALL, *out)
    assert transtar("explain").code == 2
    assert transtar("explain", "weather").code == 2
    assert transtar(*common, "--data", world.target, "--regime", "odd").code == 2
    data = ("--data", world.target, "--regime", "all")
    assert "points must be odd" in fails(*common, *data, "--points", 4, code=2)
    assert "--seeds: must be a whole number from 1" in fails(*common, *data, "--seeds", 0, code=2)
    assert "--extent: must be a number above 0" in fails(*common, *data, "--extent", -1, code=2)
    assert "is not a prepared set" in fails(*common, "--data", tmp_path)
    assert "no such model" in fails("explain", "landscape", "--model", tmp_path / "no", *data, *out)
    assert f"{adapted / 'lora'}: predicts feh, not teff (--label)" in fails(*common, *data, "--label", "teff")

    def target(name, **changes):
        shutil.copytree(world.target, tmp_path / name)
        description = json.loads((tmp_path / name / "set.json").read_text())
        (tmp_path / name / "set.json").write_text(json.dumps(sealed(description | changes)))
        return "--data", tmp_path / name, "--regime", "all"

    assert "no label 'feh'; it has: none" in fails(*common, *target("bare", labels=[]))
    settings = read_set(world.target).preprocessing.to_dict() | {"frame": "observed"}
    line = fails(*common, *target("moved", preprocessing=settings))
    assert "preprocessed differently: frame is rest against observed" in line
    assert str(adapted / "lora") in line
    shutil.copytree(adapted / "lora", tmp_path / "old")
    (tmp_path / "old" / "adapter.safetensors").unlink()
    line = fails("explain", "landscape", "--model", tmp_path / "old", *data, *SMALL, *out)
    assert f"{tmp_path / 'old'}: the model was fine-tuned with LoRA" in line
    assert not (tmp_path / "o").exists()


def test_debug_may_stand_before_or_after_the_subject(world, transtar, tmp_path):
    for arguments in (("--debug", "landscape"), ("landscape", "--debug")):
        with pytest.raises(Exception, match="no such model"):
            transtar("explain", *arguments, "--model", tmp_path / "no", "--data", world.target, "--out", tmp_path / "o")
