"""Files that older versions wrote stay readable, and what they say stays what it was.

`tests/data/format-1` was written by transtar 0.1.0, `format-2` by the last version before the house was opened: each is
a study that ran to its end on made-up surveys, a model, and catalogs of what it predicts. `format-3` is a set with an
input beside the flux, a model that takes both, and catalogs. `format-4` is an encoder, a set that has its embedding, a model
that takes it, and a catalog. `format-5` is a model with errors
star by star, and a catalog. `shipped-models.csv` has what the shipped models said of 100 real spectra,
`quickstart-tiny-results.csv` (compared in cli/test_quickstart.py) the results of the smallest demo.
"""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.table import Table
from safetensors.numpy import load_file

from transtar.catalog import read_columns
from transtar.cli import main
from transtar.datasets import read_set
from transtar.encoders.encoder_storage import encoder_hash, read_encoder
from transtar.flags import Flag
from transtar.models import load_estimator

from .encoders.examples import forget
from .made_surveys import made_lamost, made_miles
from .studies.finished import runs_told

DATA = Path(__file__).parent / "data"
FORMATS = ("format-1", "format-2")


@pytest.fixture(scope="module")
def surveys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("surveys")
    made_lamost(folder / "lamost", n=24)
    made_miles(folder / "miles", n=36)
    return folder


def rows_of(path):
    with Path(path).open(newline="") as file:
        return list(csv.DictReader(file))


def same_scores(path, golden, tolerance=1e-6, relative=1e-5):
    """Results of the same runs in the same order, whose numbers agree (six decimals; processors round otherwise)."""
    rows, before = rows_of(path), rows_of(golden)
    numbers = ("r2", "r2_err", "sigma", "bias")
    assert [{k: v for k, v in row.items() if k not in numbers} for row in rows] == [
        {k: v for k, v in row.items() if k not in numbers} for row in before
    ]
    for name in numbers:
        now, then = (np.array([float(row[name]) for row in each]) for each in (rows, before))
        np.testing.assert_allclose(now, then, rtol=relative, atol=tolerance + 1e-9, err_msg=name)


def set_of(version):
    (folder,) = (DATA / version / "run" / "sets").glob("lamost-*")
    return folder


@pytest.mark.parametrize("version", FORMATS)
def test_sets(version):
    prepared = read_set(set_of(version))
    table = pq.read_table(set_of(version) / "spectra.parquet")
    for name in ("flux", "ivar"):
        column = table.column(name).combine_chunks()
        plain = column.flatten().to_numpy().reshape(len(table), -1)
        np.testing.assert_array_equal(getattr(prepared, name), plain)
    stars = pq.read_table(set_of(version) / "stars.parquet")
    for name in ("file", "id", "feh", "teff", "snr", "flags"):
        np.testing.assert_array_equal(prepared.columns[name], stars.column(name).to_numpy(zero_copy_only=False))
    assert prepared.columns["id"][0] == 2**62 + 1
    assert prepared.preprocessing.frame == "rest"


@pytest.mark.parametrize("version", FORMATS)
def test_models(version):
    folder = DATA / version / "model"
    model = load_estimator(folder)
    config = json.loads((folder / "config.json").read_text())
    assert model.label_names == ("feh",)
    assert model.surveys == ("lamost",)
    assert [step["strategy"] for step in model.provenance] == ["mlp", "lora" if version == "format-1" else "full"]
    assert config["format_version"] == int(version[-1])
    weights = load_file(folder / "model.safetensors")
    assert sum(weight.size for name, weight in weights.items() if "network" in name or "layers" in name) > 23_000
    predicted = model.predict(read_set(set_of(version)).flux)[:, 0]
    np.testing.assert_allclose(predicted, pq.read_table(DATA / version / "catalog.parquet").column("feh"), atol=1e-6)


ERRORS = {f"feh{ending}" for ending in ("_err", "_lo", "_hi", "_noise")}
SINCE = ERRORS | {"strange", "misfit"}
"""Columns that catalogs have since the fifth format."""


@pytest.mark.parametrize("version", FORMATS)
@pytest.mark.parametrize("ending", ["parquet", "fits", "csv"])
def test_catalogs(version, ending):
    path = DATA / version / f"catalog.{ending}"
    catalog = read_columns(path)
    plain = Table.read(path)
    assert len(catalog["feh"]) == len(plain) == 24
    assert catalog["id"].tolist() == [2**62 + 1 + number for number in range(24)]
    np.testing.assert_allclose(catalog["feh"], np.asarray(plain["feh"]), atol=1e-6)
    np.testing.assert_array_equal(catalog["flags"], np.asarray(plain["flags"]))


@pytest.mark.usefixtures("unquestioned")
@pytest.mark.parametrize("version", FORMATS)
@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_predictions_are_what_they_were(version, ending, tmp_path, capsys):
    out = tmp_path / f"catalog.{ending}"
    folder = DATA / version
    assert main(["predict", "--model", str(folder / "model"), "--data", str(set_of(version)), "--out", str(out)]) == 0
    now, before = read_columns(out), read_columns(folder / f"catalog.{ending}")
    assert set(now) == set(before) | SINCE
    for name, column in before.items():
        if column.dtype.kind == "f":
            np.testing.assert_allclose(now[name], column, atol=1e-6, err_msg=name)
        else:
            np.testing.assert_array_equal(now[name], column, err_msg=name)


def test_a_set_with_an_input_and_a_model_that_takes_it():
    folder = DATA / "format-3"
    prepared, model = read_set(folder / "set"), load_estimator(folder / "model")
    assert json.loads((folder / "set" / "set.json").read_text())["format"] == 3
    assert json.loads((folder / "model" / "config.json").read_text())["format_version"] == 3
    assert list(prepared.inputs) == ["flux", "depths"]
    np.testing.assert_array_equal(prepared.inputs["depths"], np.load(folder / "set" / "input-depths.npy"))
    depths = 1 - prepared.flux[:, :1460].reshape(12, 4, 365).min(axis=2)
    without = np.isnan(prepared.inputs["depths"]).all(axis=1)
    assert without.tolist() == [row == 4 for row in range(12)]
    np.testing.assert_array_equal(prepared.inputs["depths"][~without], depths[~without])
    assert (model.input, model.n_inputs, model.label_names, model.surveys) == (
        "flux+depths",
        1466,
        ("feh",),
        ("lamost",),
    )
    assert [step["n_train"] + step["n_validation"] for step in model.provenance] == [11]
    predicted = model.predict(prepared.input("flux+depths"))[:, 0]
    np.testing.assert_allclose(predicted, pq.read_table(folder / "catalog.parquet").column("feh"), atol=1e-6)


@pytest.mark.usefixtures("unquestioned")
@pytest.mark.parametrize("ending", ["parquet", "fits", "csv"])
def test_predictions_by_an_input_of_a_set_are_what_they_were(ending, tmp_path, capsys):
    out, folder = tmp_path / "catalog.parquet", DATA / "format-3"
    assert main(["predict", "--model", str(folder / "model"), "--data", str(folder / "set"), "--out", str(out)]) == 0
    assert "1 of 12 spectra are without the input 'flux+depths'" in capsys.readouterr().err
    now, before = read_columns(out), read_columns(folder / f"catalog.{ending}")
    assert set(now) == set(before) | SINCE
    for name, column in before.items():
        if column.dtype.kind == "f":
            np.testing.assert_allclose(now[name], column, atol=1e-6, err_msg=name)
        else:
            np.testing.assert_array_equal(now[name], column, err_msg=name)
    assert [Flag.NO_INPUT in Flag(flags) for flags in now["flags"].tolist()] == [row == 4 for row in range(12)]


@pytest.mark.usefixtures("unquestioned")
def test_an_encoder_and_a_model_that_takes_its_embedding(tmp_path, monkeypatch, capsys):
    """With the embedding of the set, and with that of the encoder, whose hash must stay what it was."""
    forget(monkeypatch)
    folder, out = DATA / "format-4", tmp_path / "catalog.parquet"
    assert json.loads((folder / "model" / "config.json").read_text())["format_version"] == 4
    model, prepared, encoder = (
        load_estimator(folder / "model"),
        read_set(folder / "set"),
        read_encoder(folder / "encoder"),
    )
    assert (model.input, model.n_inputs) == ("flux+golden", 1465)
    assert encoder.sha256 == encoder_hash(encoder) == model.encoders["golden"]["sha256"]
    assert encoder.sha256 == "b6cc943af4e99411801a417f2427a31893e19cecf0fbd016d99e33061496b440"
    assert prepared.further.encoders == model.encoders
    assert model.trained_on["id"][model.trained_on["role"] == "encoder"].tolist() == [2**62 + 5]
    np.testing.assert_allclose(encoder.encode(prepared.flux), prepared.inputs["golden"], atol=1e-5)
    before = pq.read_table(folder / "catalog.parquet").column("feh").to_numpy()
    assert np.isfinite(before).all()
    assert main(["predict", "--model", str(folder / "model"), "--data", str(folder / "set"), "--out", str(out)]) == 0
    np.testing.assert_allclose(read_columns(out)["feh"], before, atol=1e-5)
    # Of a set without its embedding.
    without = ["--data", str(DATA / "format-3" / "set"), "--out", str(out), "--model", str(folder / "model")]
    assert main(["predict", *without]) == 1
    assert "the encoder 'golden' (sha256 b6cc943af4e99411) is needed and not here" in capsys.readouterr().err
    assert main(["predict", *without, "--encoder", str(folder / "encoder")]) == 0
    np.testing.assert_allclose(read_columns(out)["feh"], before, atol=1e-5)


@pytest.mark.usefixtures("unquestioned")
def test_a_model_with_errors_of_stars(tmp_path, capsys):
    folder, out = DATA / "format-5", tmp_path / "catalog.parquet"
    assert json.loads((folder / "model" / "config.json").read_text())["format_version"] == 5
    table = load_estimator(folder / "model").error_tables["feh"]
    assert (table.n, table.stars, table.label_noise, len(table.cells)) == (200, "made-up stars", (0.03, 0.06), 32)
    prepared = str(DATA / "format-4" / "set")
    assert main(["predict", "--model", str(folder / "model"), "--data", prepared, "--out", str(out)]) == 0
    now, before = read_columns(out), read_columns(folder / "catalog.parquet")
    np.testing.assert_array_equal(now["flags"], before["flags"])
    for name in ("feh", *ERRORS):
        assert np.isfinite(before[name]).any()
        np.testing.assert_allclose(now[name], before[name], rtol=1e-4, err_msg=name)


@pytest.mark.parametrize("version", FORMATS)
def test_a_study_goes_on_where_it_ended(version, surveys, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TRANSTAR_DATA", str(surveys))
    out = tmp_path / "run"
    shutil.copytree(DATA / version / "run", out)
    # The threshold at the time.
    study = [str(DATA / version / "study.yaml"), "--set", "quality.good_fraction=0.8"]
    assert main(["study", *study, "--out", str(out), "--workers", "1"]) == 0
    assert runs_told(capsys.readouterr().err) == (7, 7)
    same_scores(out / "results.csv", DATA / version / "results.csv")


def test_a_study_trained_anew_has_the_scores_it_had(surveys, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TRANSTAR_DATA", str(surveys))
    out = tmp_path / "run"
    # The default at the time.
    held_out = [f"strategies.{name}.validation_fraction=0.1" for name in ("residual", "lora", "full", "scratch")]
    study = ["study", str(DATA / "format-1" / "study.yaml"), "--out", str(out), "--workers", "1"]
    assert main([*study, "--set", *held_out]) == 0
    assert runs_told(capsys.readouterr().err) == (7, 0)
    same_scores(out / "results.csv", DATA / "format-1" / "results.csv")


@pytest.mark.parametrize("survey", ["lamost", "miles"])
def test_the_shipped_models_say_of_real_stars_what_they_said(survey, data, tmp_path, capsys):
    before = [row for row in rows_of(DATA / "shipped-models.csv") if row["survey"] == survey]
    files = [str(data / row["file"]) for row in before]
    out = tmp_path / "catalog.parquet"
    models = ["mock-feh", "mock-alphafe", "mock-teff", "mock-logg"]
    arguments = ["predict", "--survey", survey, "--spectra", *files, "--model", *models, "--out", str(out)]
    assert main(arguments) == 0
    now = read_columns(out)
    place = {Path(name).name: row for row, name in enumerate(now["file"])}
    rows = [place[Path(row["file"]).name] for row in before]
    assert now["flags"][rows].tolist() == [int(row["flags"]) for row in before]
    # Of the size of the label: Teff in kelvin has one digit less after 5,000 in single precision.
    for name in ("teff", "logg", "feh", "alphafe", "feh_err", "feh_hi", "feh_noise", "alphafe_noise", "snr",
        "good_fraction", "strange", "misfit",
    ):  # fmt: skip
        then = np.array([float(row[name]) for row in before])
        np.testing.assert_allclose(now[name][rows], then, rtol=1e-6, atol=1e-6, err_msg=name)
