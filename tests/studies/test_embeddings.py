"""Studies of several inputs, on made-up surveys."""

import csv
import hashlib

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
import yaml

from transtar.cli import main
from transtar.datasets import Input, inputs, read_set
from transtar.encoders import Encoder, OutsideEncoder, load_encoder, registry, save_encoder
from transtar.errors import MismatchError, SettingsError
from transtar.models import load_estimator
from transtar.networks.mlp import MLPSettings, build_mlp
from transtar.preprocess import Preprocessing
from transtar.studies import load_study
from transtar.studies.by_input import FLUX, JOINT
from transtar.studies.job import Job
from transtar.studies.load import build_study
from transtar.studies.setting_checks import check_settings
from transtar.studies.spec import pretraining_for, settings_for

from ..in_process import trained_in_process
from ..made_surveys import made_lamost, made_miles
from .finished import runs_told
from .test_spec import MINIMAL, write

FEW = {"epochs": 2, "learning_rate": 1e-3, "validation_fraction": 0.0}
STUDY = {
    "title": "Inputs compared",
    "source": {"survey": "lamost", "spectra": "lamost/spectra", "labels": "lamost/labels.csv"},
    "target": {
        "survey": "miles", "spectra": "miles/spectra", "labels": "miles/labels.csv", "split": "miles/split.csv",
    },
    "models": {"feh": ["feh"]},
    "seeds": [0],
    "sizes": [12],
    "pretrain": FEW | {"mlp": {"hidden": [16]}, "by_input": {"others": {"mlp": {"hidden": [8]}}}},
    "strategies": {"recalibrate": {}, "full": FEW, "scratch": FEW},
    "encoders": {"pca": {"components": 5}, "through": {"encoder": "through"}},
}  # fmt: skip


def made_encoder(folder, seed=0, **changes):
    """A small encoder in a folder."""
    settings = Preprocessing(**changes)
    size = settings.wavelengths.size
    torch.manual_seed(seed)
    network = build_mlp(size, 6, MLPSettings(hidden=(10,)))
    scalers = (np.full(size, value, np.float32) for value in (0.9, 0.1))
    save_encoder(Encoder("through", network, *scalers, settings), folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    made_lamost(folder / "lamost", n=30)
    made_miles(folder / "miles", n=36)
    made_encoder(folder / "through")
    return folder


def run(folder, out, capsys, code=0, **changes):
    """Run a study in this process; returns what it said, and its rows for all stars."""
    content = STUDY | {"encoders": STUDY["encoders"] | {"through": {"encoder": str(folder / "through")}}} | changes
    (folder / "study.yaml").write_text(yaml.safe_dump(content))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRANSTAR_DATA", str(folder))
        with trained_in_process():
            assert main(["study", str(folder / "study.yaml"), "--out", str(out), "--workers", "1"]) == code
    said = capsys.readouterr().err
    if code:
        return said, []
    with (out / "results.csv").open(newline="") as file:
        return said, [row for row in csv.DictReader(file) if row["regime"] == "all"]


INPUTS = ["flux", "pca", "random", "through", "flux+through"]


@pytest.fixture(scope="module")
def finished(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("finished")

    class Nothing:
        @staticmethod
        def readouterr():
            return type("Said", (), {"err": ""})

    return out, run(folder, out, Nothing, inputs=INPUTS)[1]


def test_every_input_has_the_same_runs_on_the_same_stars(finished):
    out, rows = finished
    runs = [(row["input"], row["strategy"], row["n_finetune"]) for row in rows]
    kinds = [("zero-shot", "0"), *((name, "12") for name in STUDY["strategies"])]
    assert sorted(runs) == sorted((name, *kind) for name in INPUTS for kind in kinds)
    # An ensemble of the inputs would be none.
    assert {row["variant"] for row in rows} == {"default"}
    table = pq.read_table(out / "predictions.parquet").to_pandas()
    groups = {name: group for name, group in table[table.strategy == "full"].groupby("input")}
    assert set(groups) == set(INPUTS)
    for group in groups.values():
        np.testing.assert_array_equal(group["row"], groups["flux"]["row"])
    predicted = np.array([group["predicted"] for group in groups.values()])
    assert np.unique(predicted.round(6), axis=0).shape[0] == len(INPUTS)


def test_runs_of_the_flux_stay_what_they_were(finished, folder, capsys):
    """A study of the flux alone finds its runs done, whether it says so or not; other tables do not change."""
    out, before = finished
    said, rows = run(folder, out, capsys)
    assert runs_told(said) == (4, 4)
    flux = [row for row in before if row["input"] == "flux"]
    assert rows == flux
    said, rows = run(folder, out, capsys, inputs=INPUTS)
    assert runs_told(said) == (20, 20)
    assert "embedding" not in said
    assert rows == before


def test_keys_of_runs_with_the_flux_are_those_of_older_versions():
    job = Job(
        variant="default", model="feh", labels=("feh",), strategy="full", seed=1, n_finetune=50, settings={"epochs": 3},
        split="test", n_folds=5, source="s", target="t", data=("a", "b"), base="m", base_key="k",
    )  # fmt: skip
    assert job.key == "e868301f181e45b9"


def test_models_know_their_encoders(finished, folder):
    out, _ = finished
    models = {load_estimator(path).input: load_estimator(path) for path in (out / "models").iterdir() if path.is_dir()}
    assert set(models) == set(INPUTS)
    assert models["flux"].encoders == {}
    assert models["flux+through"].encoders.keys() == {"through"}
    through = load_encoder(folder / "through")
    for name in ("through", "flux+through"):
        assert models[name].encoders["through"]["sha256"] == through.sha256
    for name, hidden in (("flux", 16), ("pca", 8), ("random", 8)):
        assert models[name].network[0].out_features == hidden
    source = read_set(next((out / "sets").glob("lamost-*")))
    for name in ("pca", "random"):
        encoder = load_encoder(models[name].encoders[name]["place"])
        assert encoder.sha256 == models[name].encoders[name]["sha256"]
        assert encoder.name == name
        assert models[name].n_inputs == encoder.width == (5 if name == "pca" else 6)
    # The components are of the stars that were learnt from.
    pca = load_encoder(models["pca"].encoders["pca"]["place"])
    assert sorted(pca.trained_on["file"]) == sorted(source.columns["file"])
    np.testing.assert_allclose(pca.encode(source.flux).mean(axis=0), 0, atol=1e-3)


def test_another_encoder_of_the_name_has_runs_of_its_own(folder, tmp_path, capsys):
    one, other = ({"through": {"encoder": str(made_encoder(tmp_path / name, seed))}} for seed, name in enumerate("ab"))
    chosen = {"inputs": ["through"], "strategies": {"full": FEW}}
    _, first = run(folder, tmp_path / "out", capsys, encoders=one, **chosen)
    said, second = run(folder, tmp_path / "out", capsys, encoders=other, **chosen)
    assert runs_told(said) == (2, 0)
    assert [row["r2"] for row in first] != [row["r2"] for row in second]
    said, third = run(folder, tmp_path / "out", capsys, encoders=one, **chosen)
    assert runs_told(said) == (2, 2)
    assert third == first


def test_registered_inputs_and_encoders_join_by_name(folder, tmp_path, capsys, monkeypatch):
    depth = Input("depth", lambda spectra, _: 1 - spectra.flux.reshape(len(spectra.flux), -1, 17).mean(axis=2))
    monkeypatch.setitem(inputs._REGISTERED, "depth", depth)
    coarse = OutsideEncoder(
        "coarse", lambda flux: flux.reshape(len(flux), -1, 43).mean(axis=2), hashlib.sha256().hexdigest()
    )
    monkeypatch.setitem(registry._REGISTERED, "coarse", coarse)
    _, rows = run(folder, tmp_path, capsys, inputs=["depth", "flux+coarse"], strategies={"ridge": {}}, encoders={})
    assert {(row["input"], row["strategy"]) for row in rows} == {
        (name, strategy) for name in ("depth", "flux+coarse") for strategy in ("zero-shot", "ridge")
    }
    said, again = run(folder, tmp_path, capsys, inputs=["depth", "flux+coarse"], strategies={"ridge": {}}, encoders={})
    assert runs_told(said) == (4, 4)
    assert again == rows


def refused(message, kind=SettingsError, **changes):
    with pytest.raises(kind, match=message):
        check_settings(build_study(MINIMAL | changes, "study"), "study s")


def test_what_cannot_be_is_refused_before_anything_is_read(folder, tmp_path, monkeypatch):
    mine = {"mine": {"encoder": str(folder / "through")}}
    refused(
        r"inputs: nothing makes the input 'throug'; known are flux, pca, random.*'encoders: \{throug: ",
        inputs=["throug"],
    )
    refused(
        "encoders.mine: .*no such encoder folder",
        Exception,
        inputs=["mine"],
        encoders={"mine": {"encoder": "no"}},
    )
    refused("frame", MismatchError, inputs=["mine"], encoders=mine, preprocessing={"frame": "observed"})
    refused(
        "of networks of the flux alone are experiments and explain; let flux", inputs=["pca"], sizes=[5],
        experiments={"sizes": [5]}, explain={"model": "feh"},
    )  # fmt: skip
    refused(
        "mock-feh takes the input 'flux', networks of the study pca",
        inputs=["flux", "pca"],
        prior={"feh": "mock-feh"},
    )
    refused(
        "strategies.full.by_input.pca: augmentation changes spectra", inputs=["pca"],
        strategies={"full": {"by_input": {"pca": {"augmentation": {"noise": [1, 2]}}}}},
    )  # fmt: skip
    refused(r"pretrain.by_input: unknown key pcaa; .*did you mean pca", pretrain={"by_input": {"pcaa": {}}})
    refused("unknown key epochz", pretrain={"by_input": {"pca": {"epochz": 1}}}, inputs=["pca"])
    native = OutsideEncoder("native", lambda flux, ivar, wave: flux, hashlib.sha256().hexdigest(), native=True)
    monkeypatch.setitem(registry._REGISTERED, "native", native)
    refused("native takes spectra as they are read from files", inputs=["native"])
    refused("native .*", inputs=["random"], encoders={"random": {"encoder": "native"}})


def test_more_components_than_stars(folder, tmp_path, capsys):
    said, _ = run(folder, tmp_path, capsys, code=1, inputs=["pca"], encoders={"pca": {"components": 100}})
    assert "100 principal components of 30 spectra" in said


def test_an_encoder_that_has_seen_the_judges(folder, tmp_path, capsys):
    encoder = load_encoder(folder / "through")
    files = sorted(path.name for path in (folder / "miles" / "spectra").iterdir())
    n = len(files)
    seen = {
        "survey": np.full(n, "miles"), "id": np.arange(1, n + 1), "file": np.array(files),
        "star": np.array([str(k) for k in range(1, n + 1)]), "role": np.full(n, "train"),
    }  # fmt: skip
    made = Encoder("seen", encoder.network, encoder.flux_mean, encoder.flux_std, encoder.preprocessing, trained_on=seen)
    save_encoder(made, tmp_path / "seen")
    said, _ = run(
        folder,
        tmp_path / "out",
        capsys,
        code=1,
        inputs=["seen"],
        encoders={"seen": {"encoder": str(tmp_path / "seen")}},
    )
    assert "encoders.seen: has seen 12 of the 12 stars of miles that the study judges on" in said


def test_an_encoder_learns_from_spectra_of_the_study_without_labels(folder, tmp_path, capsys):
    quick = {"kind": "with-real", "stars": 40, "epochs": 1}
    encoders = {"through-real": quick | {"share": 0.3}, "through-alone": quick | {"share": 0.0}}
    changes = {"inputs": [*encoders], "encoders": encoders, "strategies": {"recalibrate": {}}}
    said, rows = run(folder, tmp_path, capsys, **changes)
    assert {row["input"] for row in rows} == set(encoders)
    assert "'through-real': 40 mock stars and 54 spectra without labels" in said
    assert "'through-alone': 40 mock stars and 0 spectra without labels" in said
    made = {name: load_encoder(next(tmp_path.glob(f"encoders/{name}-*"))) for name in encoders}
    pool = read_set(next(tmp_path.glob("sets/miles*")))
    taught = {
        name: set(encoder.trained_on["file"][encoder.trained_on["role"] == "train"]) for name, encoder in made.items()
    }
    assert taught["through-alone"] == set()
    assert taught["through-real"] & set(pool.columns["file"]) == set(
        pool.columns["file"][pool.columns["split"] == "pool"]
    )
    # Given again, it makes neither anew.
    said, again = run(folder, tmp_path, capsys, **changes)
    assert "training the encoder" not in said
    assert again == rows


def test_settings_by_input(tmp_path):
    strategies = {
        "full": {
            "epochs": 1, "learning_rate": 1e-5, "by_size": {50: {"learning_rate": 2e-5}},
            "by_input": {
                "others": {"learning_rate": 1e-3, "by_size": {50: {"learning_rate": 2e-3}}}, "flux": {"batch_size": 8},
            },
        }
    }  # fmt: skip
    pretrain = {"epochs": 4, "by_input": {"pca": {"epochs": 5}, "others": {"epochs": 6}}}
    path = write(tmp_path / "s.yaml", {"strategies": strategies, "pretrain": pretrain})
    study = load_study(path, changes={"inputs": "flux, pca,random"})["default"]
    assert study.inputs == ["flux", "pca", "random"]
    assert [pretraining_for(study, name)["epochs"] for name in study.inputs] == [4, 5, 6]
    rates = {
        (n, name): settings_for(study, "full", "feh", n, name)["learning_rate"]
        for n in (50, 100)
        for name in study.inputs
    }
    assert [rates[100, name] for name in study.inputs] == [1e-5, 1e-3, 1e-3]
    assert [rates[50, name] for name in study.inputs] == [2e-5, 2e-3, 2e-3]
    assert settings_for(study, "full", "feh", 50) == {"epochs": 1, "learning_rate": 2e-5, "batch_size": 8}


def test_names_are_those_of_inputs():
    """Study files are read without what computes inputs."""
    assert (inputs.FLUX.name, inputs.JOINT) == (FLUX, JOINT)
