import json
import re
import sys
from dataclasses import replace

import numpy as np
import pytest
from astropy.table import Table

from transtar.catalog import read_columns
from transtar.encoders import named_encoder
from transtar.flags import Flag
from transtar.models import load_estimator
from transtar.train import Full, LoRA, Recalibrate, Residual, ZeroShot
from transtar.train.by_number import MANY, finetuning_epochs, finetuning_rate

from ..made_surveys import FIRST_ID

pytestmark = pytest.mark.usefixtures("unquestioned")


def test_prepared_sets_and_model(world, transtar):
    shown = transtar("models", "show", world.model)
    assert shown.code == 0
    assert "feh" in shown.out
    model = load_estimator(world.model)
    assert model.label_names == ("feh",)
    assert model.surveys == ("lamost",)
    assert sorted(model.trained_on["id"]) == [FIRST_ID + i for i in range(40)]


def test_pretraining_again_gives_the_same_model(world, transtar, tmp_path):
    again = (
        "pretrain",
        "--data",
        world.source,
        "--label",
        "feh",
        "--epochs",
        4,
        "--lr",
        "1e-3",
        "--out",
        tmp_path / "m",
    )
    assert transtar(*again).code == 0
    weights = [(folder / "model.safetensors").read_bytes() for folder in (world.model, tmp_path / "m")]
    assert weights[0] == weights[1]


@pytest.mark.parametrize("strategy", ["residual", "lora", "full", "recalibrate"])
def test_each_strategy(world, transtar, tmp_path, strategy):
    epochs = () if strategy == "recalibrate" else ("--epochs", 2)
    done = transtar(
        "finetune", "--model", world.model, "--data", world.target, "--strategy", strategy, "--n", 12, *epochs,
        "--out", tmp_path / "adapted",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "12 not in the pool" in done.err
    model = load_estimator(tmp_path / "adapted")
    assert [step["strategy"] for step in model.provenance][-1] == strategy
    assert len(model.provenance) == 2
    assert len(model.trained_on["id"]) == 40 + 12
    done = transtar("predict", "--model", tmp_path / "adapted", "--data", world.target, "--out", tmp_path / "c.parquet")
    assert done.code == 0, done.err
    catalog = read_columns(tmp_path / "c.parquet")
    seen = (catalog["flags"] & int(Flag.TRAINED_ON)) != 0
    assert seen.sum() == 12
    done = transtar(
        "evaluate", "--catalog", tmp_path / "c.parquet", "--labels", world.miles / "labels.csv", "--out", tmp_path
    )
    assert done.code == 0, done.err
    assert "left out:      12  seen by a model (TRAINED_ON)" in done.out
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["feh"]["all"]["n"] == 24
    assert set(metrics["feh"]["all"]) == {"r2", "r2_err", "sigma", "bias", "n", "n_clipped"}


def test_auto_compares_and_says_so(world, transtar, tmp_path, monkeypatch):
    few = (ZeroShot(), Recalibrate(), replace(Residual(), epochs=2))
    monkeypatch.setattr(sys.modules["transtar.train.choose"], "candidates_of_auto", lambda: few)
    done = transtar("finetune", "--model", world.model, "--data", world.target, "--out", tmp_path / "auto")
    assert done.code == 0, done.err
    assert "5 folds of 24 stars" in done.err
    lines = done.err.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("feh (dex)"))
    assert [line.split()[0] for line in lines[start + 1 : start + 4]] == ["zero-shot", "recalibrate", "residual"]
    # Every other one has its difference from the chosen one, with an error.
    assert sum(line.endswith("chosen") for line in lines) == 1
    assert sum(" +- " in line for line in lines[start + 1 : start + 4]) == 2
    assert lines[-2].startswith("chosen: ")
    assert lines[-1].startswith("feh: errors star by star of 24 stars (miles")
    assert load_estimator(tmp_path / "auto").provenance[-1]["choice"]["n_folds"] == 5


def test_what_is_given_wins_and_what_is_not_is_as_the_help_says(world, transtar, tmp_path):
    given = ("finetune", "--model", world.model, "--data", world.target, "--strategy", "full", "--out", tmp_path / "m")
    done = transtar(*given, "--epochs", 2)
    assert done.code == 0, done.err
    assert "on 24 stars, nothing held out; training loss " in done.out
    assert transtar(*given, "--epochs", 2, "--validation-fraction", 0.25, "--lr", 3e-5).code == 0
    step = load_estimator(tmp_path / "m").provenance[-1]
    assert (step["n_train"], step["n_validation"], step["learning_rate"]) == (18, 6, 3e-5)
    done = transtar(*given, "--validation-fraction", 1)
    assert done.code == 2
    assert "--validation-fraction" in done.err
    done = transtar(*given[:-3], "auto", "--out", tmp_path / "a", "--epochs", 2)
    assert re.search("--strategy auto .*leave out --epochs", done.err)
    done = transtar(*given[:-3], "recalibrate", "--out", tmp_path / "a", "--lr", 1, "--epochs", 2)
    assert done.code == 2
    assert re.search("--strategy recalibrate .*leave out --epochs, --lr", done.err)
    told = " ".join(transtar("finetune", "--help").out.split())
    assert f"{finetuning_epochs(1)} if not given, {finetuning_epochs(MANY)} from {MANY} stars on" in told
    rates = [f"{rate:.0e}".replace("e-0", "e-") for rate in (Full.rate, LoRA.rate)]
    assert f"(full {rates[0]}, lora and residual {rates[1]})" in told
    assert f"ten times that from {MANY} stars on" in told
    assert (Residual.rate, finetuning_rate(1.0, MANY)) == (LoRA.rate, 10)


@pytest.mark.parametrize("suffix", ["parquet", "fits", "csv"])
def test_catalogs_of_native_spectra(world, transtar, tmp_path, suffix):
    out = tmp_path / f"catalog.{suffix}"
    spectra = ("--survey", "lamost", "--spectra", world.lamost / "spectra")
    done = transtar("predict", "--model", world.model, *spectra, "--out", out)
    assert done.code == 0, done.err
    assert done.out.startswith(f"{out}: 40 rows; flags: ")
    assert "40 TRAINED_ON" in done.out
    catalog = read_columns(out)
    assert catalog["id"].tolist() == [FIRST_ID + i for i in range(40)]
    assert np.isfinite(catalog["feh"]).all()
    assert {"file", "snr", "good_fraction", "flags", "velocity"} <= set(catalog)
    # The same stars, prepared before, get the same labels.
    assert transtar("predict", "--model", world.model, "--data", world.source, "--out", tmp_path / "b.csv").code == 0
    np.testing.assert_allclose(read_columns(tmp_path / "b.csv")["feh"], catalog["feh"], atol=1e-4)
    if suffix == "fits":
        assert str(Table.read(out)["velocity"].unit) == "km / s"
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".transtar-")]


def test_an_ensemble(world, transtar, tmp_path):
    second = tmp_path / "second"
    done = transtar(
        "pretrain", "--data", world.source, "--label", "feh", "--epochs", 2, "--lr", 1e-4, "--seed", 1, "--out", second
    )
    assert done.code == 0, done.err
    single = []
    for number, models in enumerate(([world.model], [second], [world.model, second])):
        out = tmp_path / f"{number}.parquet"
        assert transtar("predict", "--model", *models, "--data", world.target, "--out", out).code == 0
        single.append(read_columns(out))
    values = np.stack([single[0]["feh"], single[1]["feh"]])
    np.testing.assert_allclose(single[2]["feh"], values.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(single[2]["feh_ens_std"], values.std(axis=0, ddof=1), rtol=1e-4, atol=1e-6)
    assert "feh_ens_std" not in single[0]


def test_joint_labels_and_several_sets(world, transtar, tmp_path):
    done = transtar(
        "pretrain",
        "--data",
        world.source,
        world.target,
        "--label",
        "feh,teff",
        "--epochs",
        1,
        "--lr",
        1e-4,
        "--out",
        tmp_path / "m",
    )
    assert done.code == 0, done.err
    model = load_estimator(tmp_path / "m")
    assert model.label_names == ("feh", "teff")
    assert len(model.trained_on["id"]) == 40 + 24


def test_a_missing_velocity_is_a_flag_and_no_label(world, transtar, tmp_path):
    (tmp_path / "v.csv").write_text("obsid,rv\n" + "\n".join(f"{FIRST_ID + i},1.0" for i in range(39)) + "\n")
    spectra = ("--survey", "lamost", "--spectra", world.lamost / "spectra", "--velocities", f"{tmp_path / 'v.csv'}:rv")
    assert transtar("predict", "--model", world.model, *spectra, "--out", tmp_path / "c.csv").code == 0
    catalog = read_columns(tmp_path / "c.csv")
    assert np.flatnonzero(np.isnan(catalog["feh"])).tolist() == [39]
    assert catalog["flags"][39] & Flag.NO_VELOCITY


@pytest.mark.parametrize("verb", ["prepare", "predict"])
def test_the_same_fault_of_many_files_is_told_once(world, transtar, tmp_path, verb):
    """On standard error, with the count; standard output has the result alone."""
    spectra = [world.lamost / "spectra/spec-001.fits"]
    for number in range(20):
        spectra.append(tmp_path / f"bad-{number}.fits")
        spectra[-1].write_text("no")
    own = ("--out", tmp_path / "set") if verb == "prepare" else ("--model", world.model, "--out", tmp_path / "c.csv")
    done = transtar(verb, "--survey", "lamost", "--spectra", *spectra, *own)
    assert done.code == 0
    assert done.err.count("not a FITS file") == 1
    assert f"skipped 20 files, the first: {tmp_path / 'bad-0.fits'}: not a FITS file" in done.err
    assert done.out.startswith(f"{own[-1]}: 1 ")
    assert done.out.count("\n") == 1
    done = transtar(verb, "--survey", "lamost", "--spectra", *spectra[1:], *own[:-1], tmp_path / "other.csv")
    assert done.code == 1
    assert done.err.count("skipped 20 files") == 1
    assert not done.out


def test_a_bad_file_is_told_and_left_out(world, transtar, tmp_path):
    (tmp_path / "bad.fits").write_text("no")
    spectra = [world.lamost / "spectra/spec-001.fits", tmp_path / "bad.fits"]
    done = transtar(
        "predict", "--model", world.model, "--survey", "lamost", "--spectra", *spectra, "--out", tmp_path / "c.csv"
    )
    assert done.code == 0
    assert f"skipped: {tmp_path / 'bad.fits'}: not a FITS file" in done.err
    assert "bad.fits" not in done.out
    assert len(read_columns(tmp_path / "c.csv")["id"]) == 1


def test_preprocessing_of_a_model_or_a_file(world, transtar, tmp_path):
    (tmp_path / "s.yaml").write_text("frame: observed\n")
    common = ("prepare", "--survey", "lamost", "--spectra", world.lamost / "spectra/spec-001.fits")
    assert transtar(*common, "--preprocessing", tmp_path / "s.yaml", "--out", tmp_path / "a").code == 0
    assert transtar(*common, "--preprocessing", tmp_path / "a", "--out", tmp_path / "b").code == 0
    assert transtar(*common, "--preprocessing", world.model, "--out", tmp_path / "c").code == 0
    frames = [json.loads((tmp_path / n / "set.json").read_text())["preprocessing"]["frame"] for n in "abc"]
    assert frames == ["observed", "observed", "rest"]


def test_info(transtar):
    done = transtar("info")
    assert done.code == 0
    surveys = "surveys      desi, desi-brz, gaia-xp, generic, lamost, miles"
    for word in (
        "torch",
        surveys,
        "inputs       flux",
        "encoders     through",
        "strategies   zero-shot, recalibrate",
        "lamost-to-miles",
    ):
        assert word in done.out


def test_models_by_name(world, transtar, tmp_path, monkeypatch):
    monkeypatch.setenv("TRANSTAR_MODELS", str(tmp_path / "store"))
    done = transtar("models", "import", world.model, "--name", "mine")
    assert done.code == 0, done.err
    listed = transtar("models", "list").out
    assert any(line.split()[:2] == ["mine", "feh"] for line in listed.splitlines())
    encoder = named_encoder("through")
    (line,) = (line for line in listed.splitlines() if line.startswith("through "))
    assert f"encoder of {encoder.width} values" in line
    assert f"hash {encoder.sha256[:16]} " in line
    assert line.endswith("shipped/through")
    assert transtar("models", "path", "mine").out.strip() == str(tmp_path / "store" / "mine")
    assert transtar("models", "show", "mine").out == transtar("models", "show", world.model).out
    done = transtar("predict", "--model", "mine", "--data", world.target, "--out", tmp_path / "c.parquet")
    assert done.code == 0, done.err
    wrong = transtar("models", "show")
    assert wrong.code == 2
    assert "needs the name or folder of a model" in wrong.err
