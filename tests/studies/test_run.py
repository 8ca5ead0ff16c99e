"""A whole study on made-up surveys, through the command line; what it leaves when interrupted, and how it goes on."""

import contextlib
import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from transtar.cli import main
from transtar.datasets import read_set
from transtar.errors import InputError
from transtar.evaluate import RESULT_COLUMNS
from transtar.files import LIST, read_json, write_json
from transtar.models import load_estimator
from transtar.seal import file_hash, sealed
from transtar.studies.run import content_of
from transtar.studies.stored import read_run

from ..in_process import trained_in_process
from ..made_surveys import made_lamost, made_miles
from .finished import runs_told

# Stated in full, so that the defaults may change: few epochs must still improve on random weights.
FEW = {"epochs": 4, "learning_rate": 1e-4, "schedule": "constant", "average_last": 0}

STUDY = {
    "title": "A made-up study",
    "notes": ["Made up."],
    "source": {"survey": "lamost", "spectra": "lamost/spectra", "labels": "lamost/labels.csv"},
    "target": {
        "survey": "miles", "spectra": "miles/spectra", "labels": "miles/labels.csv", "split": "miles/split.csv",
    },
    "models": {"feh": ["feh"]},
    "seeds": [0, 1],
    "sizes": [12],
    "pretrain": FEW | {"augmentation": None},
    "strategies": {"recalibrate": {}, "residual": FEW, "scratch": FEW, "ridge": {}},
    "adapter": {12: "residual"},
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    made_lamost(folder / "lamost", n=30)
    made_miles(folder / "miles", n=36)
    (folder / "study.yaml").write_text(yaml.safe_dump(STUDY))
    return folder


@pytest.fixture(params=["in this process"])
def study(request, folder, monkeypatch, capsys):
    """Run a study file, and train as the parameter says; returns what it said."""
    monkeypatch.setenv("TRANSTAR_DATA", str(folder))

    def run(out, *more, code=0, name="study.yaml"):
        capsys.readouterr()
        with trained_in_process() if request.param == "in this process" else contextlib.nullcontext():
            assert main(["study", str(folder / name), "--out", str(out), "--workers", "2", *more]) == code
        return capsys.readouterr().err

    return run


def read_results(out):
    with (out / "results.csv").open() as file:
        return list(csv.DictReader(file))


def hidden(folder):
    return [path for path in folder.rglob(".*") if path.name != LIST]


@pytest.fixture(scope="module")
def finished(folder, tmp_path_factory):
    """Folder of a study that ran to its end."""
    out = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRANSTAR_DATA", str(folder))
        assert main(["study", str(folder / "study.yaml"), "--out", str(out), "--workers", "2"]) == 0
    return out


def test_outputs(finished):
    rows = read_results(finished)
    columns = (
        "source target label input strategy n_finetune seed regime r2 r2_err sigma bias n_train n_test split variant"
    )
    assert list(rows[0]) == columns.split() == list(RESULT_COLUMNS)
    default = [row for row in rows if row["variant"] == "default" and row["regime"] == "all"]
    counts = Counter((row["strategy"], row["n_finetune"]) for row in default)
    assert counts == {("zero-shot", "0"): 2} | {(s, "12"): 2 for s in STUDY["strategies"]}
    sources = {row["strategy"]: row["source"] for row in default}
    assert sources["scratch"] == sources["ridge"] == "none"
    assert sources["zero-shot"] == sources["residual"] == "lamost"
    assert {row["n_test"] for row in default} == {"12"}
    assert {row["n_train"] for row in default if row["strategy"] != "zero-shot"} == {"12"}
    assert {row["n_train"] for row in default if row["strategy"] == "zero-shot"} == {"30"}
    chosen = [row for row in rows if row["variant"] == "chosen"]
    assert {row["strategy"] for row in chosen} == {"residual"}
    for path in ("report.html", "predictions.parquet", "tables/table-feh.csv", "tables/table-feh.tex"):
        assert (finished / path).stat().st_size > 100
    figures = {path.suffix for path in (finished / "figures").glob("[!.]*")}
    assert figures == {".pdf", ".png"}
    report = (finished / "report.html").read_text()
    assert "A made-up study" in report
    assert "Made up." in report
    assert not hidden(finished)


@pytest.mark.parametrize("study", ["in processes"], indirect=True)
def test_nothing_is_done_twice(study, finished):
    before = read_results(finished)
    assert runs_told(study(finished)) == (10, 10)
    assert read_results(finished) == before
    # A run that is lost is done again, and comes out the same to the last digit; another size needs its own runs only.
    for path in sorted((finished / "runs").iterdir())[:3]:
        path.unlink()
    assert runs_told(study(finished, "--set", "sizes=[6,12]", "adapter={}")) == (18, 7)
    default = [row for row in before if row["variant"] == "default"]
    after = [row for row in read_results(finished) if row["variant"] == "default" and row["n_finetune"] != "6"]
    assert after == default


def test_settings_are_checked_before_anything_is_done(study, folder, tmp_path):
    (folder / "bad.yaml").write_text(yaml.safe_dump(STUDY | {"strategies": {"residual": {"epoch": 3}}}))
    said = study(tmp_path, code=2, name="bad.yaml")
    assert "bad.yaml: strategies: residual: unknown key epoch; known keys: " in said
    (folder / "bad.yaml").write_text(yaml.safe_dump(STUDY | {"strategies": {"magic": {}}}))
    assert "strategies: unknown key magic" in study(tmp_path, code=2, name="bad.yaml")
    (folder / "bad.yaml").write_text(yaml.safe_dump(STUDY | {"preprocessing": {"farme": "rest"}}))
    assert "preprocessing: unknown key farme" in study(tmp_path, code=2, name="bad.yaml")
    (folder / "bad.yaml").write_text(yaml.safe_dump(STUDY | {"adapter": {12: "lora"}}))
    assert "bad.yaml: adapter: 12: feh: unknown adapter lora; known adapters: " in study(
        tmp_path, code=2, name="bad.yaml"
    )
    assert not list(tmp_path.iterdir())


def test_a_run_that_cannot_be_done(study, finished):
    """It ends the study with one line that names it."""
    strategies = "strategies={residual: {epochs: 1, validation_fraction: 0.5}}"
    said = study(finished, "--set", strategies, "sizes=[1]", "adapter={}", code=1)
    last = said.strip().splitlines()[-1]
    assert last.startswith("transtar study: residual of feh, seed ")
    assert "cannot be split for validation" in last
    assert "Traceback" not in said
    assert not hidden(finished)


def complete_runs(out):
    return list(out.glob("runs/[!.]*.parquet"))


def all_ended(group, patience=10):
    """Whether all processes of a group end within so many seconds."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


def test_interrupted_and_resumed(study, folder, tmp_path):
    # Enough epochs that the interruption falls into a run, whatever the machine.
    slow = STUDY | {"strategies": {"recalibrate": {}, "scratch": FEW | {"epochs": 2000}}, "adapter": {}}
    (folder / "slow.yaml").write_text(yaml.safe_dump(slow))
    command = [sys.executable, "-m", "transtar", "study", folder / "slow.yaml", "--out", tmp_path, "--workers", "2"]
    process = subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        env={**os.environ, "TRANSTAR_DATA": str(folder)},
    )  # fmt: skip
    deadline = time.monotonic() + 300
    while not complete_runs(tmp_path) and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.05)
    assert process.poll() is None, process.stderr.read()
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    lines = err.strip().splitlines()
    assert lines[-1] == "transtar study: interrupted; nothing half written was left behind"
    assert "Traceback" not in err
    assert out == ""
    assert not hidden(tmp_path)
    assert not (tmp_path / "results.csv").exists()
    done = len(complete_runs(tmp_path))
    assert 1 <= done < 6
    assert all_ended(process.pid)
    fast = ("--set", "strategies={recalibrate: {}}")
    said = study(tmp_path, *fast, name="slow.yaml")
    assert runs_told(said) == (4, done)
    assert (tmp_path / "report.html").exists()


def test_pretraining_that_goes_on_from_another_model(study, finished, tmp_path):
    """A prior model is trained on, the results name both surveys, and scratch and ridge stay as they are."""
    (prior,) = (finished / "models").glob("feh-seed0-*")
    first = study(tmp_path, "--set", f"prior={{feh: {prior}}}", "pretrain={epochs: 2, learning_rate: 1.0e-5}")
    assert runs_told(first) == (10, 0)
    rows = read_results(tmp_path)
    assert {row["source"] for row in rows} == {"lamost", "none"}
    default = {"strategy": "zero-shot", "regime": "all", "variant": "default"}
    zero = [
        [float(row["r2"]) for row in table if default.items() <= row.items()]
        for table in (rows, read_results(finished))
    ]
    assert zero[0] != zero[1]
    own = {
        name: [
            row
            for row in read_results(out)
            if {"strategy": "scratch", "n_finetune": "12", "variant": "default"}.items() <= row.items()
        ]
        for name, out in (("with", tmp_path), ("without", finished))
    }
    assert own["with"] == own["without"]
    (model, *_) = (tmp_path / "models").glob("feh-seed0-*")
    assert [step["strategy"] for step in load_estimator(model).provenance] == ["mlp", "full"]


def test_a_prior_that_saw_the_judged_stars_is_refused(study, finished, tmp_path):
    (saw,) = (finished / "models").glob("feh-seed0-*")
    model = load_estimator(saw)
    (target,) = (finished / "sets").glob("miles-*")
    columns = read_set(target).columns
    seen = {name: column[:0] for name, column in model.trained_on.items()}
    test = columns["split"] == "test"
    seen |= {name: columns[name][test].astype(seen[name].dtype) for name in ("survey", "id", "file", "star")}
    replace(model, trained_on=seen | {"role": np.full(test.sum(), "train")}).save(tmp_path / "saw")
    line = study(tmp_path / "o", "--set", f"prior={{feh: {tmp_path / 'saw'}}}", code=1)
    assert "stars of miles that the study judges on; take another prior" in line


def test_other_labels_are_other_runs(study, finished, tmp_path):
    """Of the same spectra: a run is found again by its labels and split, too."""
    (target,) = (finished / "sets").glob("miles-*")
    assert content_of(target) == content_of(target)
    copy = Path(shutil.copytree(target, tmp_path / "copy"))
    stars = pq.read_table(copy / "stars.parquet")
    shifted = pa.array(stars["feh"].to_numpy() + 0.1)
    pq.write_table(stars.set_column(stars.column_names.index("feh"), "feh", shifted), copy / "stars.parquet")
    about = read_json(copy / "set.json") | {"stars_sha256": file_hash(copy / "stars.parquet")}
    write_json(copy / "set.json", sealed(about), ours=True)
    assert read_set(copy).hash == read_set(target).hash
    assert content_of(copy) != content_of(target)


def test_a_prior_that_does_not_fit(study, finished, tmp_path):
    (prior,) = (finished / "models").glob("feh-seed0-*")
    for change, message in (
        (f"prior={{teff: {prior}}}", "prior: unknown model teff; known models: feh"),
        ("prior={feh: nowhere}", "nowhere: no such model folder"),
    ):
        assert message in study(tmp_path, "--set", change, code=2 if "unknown model" in message else 1)
    changes = ("--set", f"prior={{feh: {prior}}}", "models={feh: [teff]}")
    assert "predicts feh, not teff" in study(tmp_path, *changes, code=1)
    changes = ("--set", f"prior={{feh: {prior}}}", "preprocessing={frame: observed}")
    assert "frame is rest against observed" in study(tmp_path, *changes, code=1)


def test_experiments_between_any_two_surveys(study, folder, tmp_path):
    """One label, no plane, no pipeline, few metal-poor stars, and a learning rate at which a run diverges."""
    wanted = {"seeds": [0], "sizes": [6, 12], "hidden": [2], "ranks": [1], "rates": [1e-3, 1e15], "matched": ["feh"]}
    more = STUDY | {
        "seeds": [0],
        "strategies": {"residual": FEW, "lora": FEW, "full": FEW, "scratch": FEW | {"validation_fraction": 0.0}},
        "experiments": wanted,
        "explain": {"regime": "rich", "seeds": 1},
    }
    (folder / "experiments.yaml").write_text(yaml.safe_dump(more))
    said = study(tmp_path / "out", name="experiments.yaml")
    assert (
        "failed, and left out: scratch of feh, seed 0, n = 12, variant rate-1e+15: training diverged in epoch" in said
    )
    rows = read_results(tmp_path / "out")
    variants = {row["variant"] for row in rows if row["strategy"] == "scratch"}
    assert {"default", "sizes", "rate-0.001", "teff-matched"} <= variants
    assert "rate-1e+15" not in variants
    for name in ("table-1", "table-a1", "table-a2", "teff-matched"):
        assert (tmp_path / "out" / "tables" / f"{name}.csv").stat().st_size > 100
    figures = {path.stem for path in (tmp_path / "out" / "figures").glob("figure-*.png")}
    assert figures == {f"figure-{name}" for name in ("2", "4", "5", "a1", "a3", "a4", "b6")}
    report = (tmp_path / "out" / "report.html").read_text()
    assert "s own split" in report


def test_a_run_of_the_study_itself_that_fails_ends_it_after_all_others(study, folder, tmp_path):
    more = STUDY | {
        "strategies": {"residual": FEW, "scratch": FEW | {"learning_rate": 1e15, "validation_fraction": 0.0}}
    }
    (folder / "failing.yaml").write_text(yaml.safe_dump(more))
    said = study(tmp_path / "out", name="failing.yaml", code=1)
    assert "scratch of feh, seed 0, n = 12, variant default: training diverged" in said
    assert "(and 1 more runs; what was done is kept)" in said
    done = [path for path in (tmp_path / "out" / "runs").glob("*.parquet")]
    # Two pre-trainings and two residual heads.
    assert len(done) == 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ('models={"../../../escaped": [feh]}', "'../../../escaped' cannot be a name"),
        ('variants={"../../../escaped": {preprocessing: {frame: observed}}}', "'../../../escaped' cannot be a name"),
        ("target.survey=../../../escaped", "'../../../escaped' cannot be a name"),
        ("source={survey: /tmp/escaped, mock: {stars: 3}}", "'/tmp/escaped' cannot be a name"),
        ("models={feh: [fe_h]}", "unknown label fe_h"),
        ("sizes=[0]", "sizes[0]: must be a whole number from 1"),
        ("pretrain.epochs=0", "epochs must be a whole number from 1"),
        ("pretrain.device=banana", "there is no device 'banana'"),
    ],
)
def test_nothing_is_written_outside(folder, study, tmp_path, changes, message):
    """Nor inside: what cannot be is found before anything is read or written."""
    before = sorted(tmp_path.parent.rglob("*"))
    assert message in study(tmp_path / "a/b/out", "--set", changes, code=2)
    assert sorted(tmp_path.parent.rglob("*")) == before


def test_more_stars_than_there_are(folder, study, tmp_path):
    said = study(tmp_path / "out", "--set", "sizes=[12, 5000]", code=2)
    assert "study.yaml: sizes: 5000 stars to learn from, but the pool of miles has 24; give smaller sizes" in said
    assert not (tmp_path / "out/runs").exists()


def test_a_folder_with_results_of_another_origin(folder, study, tmp_path):
    (tmp_path / "results.csv").write_text("years of work")
    assert "results.csv: exists and was not written by transtar; move or delete it, or choose another name" in study(
        tmp_path, code=1
    )
    assert "is a file, not a folder" in study(tmp_path / "results.csv", code=1)
    assert [path.name for path in tmp_path.iterdir()] == ["results.csv"]


def test_a_set_that_somebody_else_has_put_there(folder, study, tmp_path):
    """Its provenance would have a file read that the study does not name."""
    study(tmp_path / "out", "--set", "seeds=[0]", "strategies={recalibrate: {}}", "adapter={}")
    for path in (tmp_path / "out/sets").glob("lamost-*/set.json"):
        content = read_json(path)
        content["provenance"]["mock"] = {"lines": str(tmp_path / "any.npz")}
        write_json(path, content)
    assert "was not made by this study; delete it" in study(tmp_path / "out", code=1)


@pytest.fixture
def job(finished):
    key = sorted((finished / "runs").glob("*.parquet"))[0].stem
    return SimpleNamespace(key=key)


def test_flipped_bits_of_runs_are_told(finished, job, tmp_path):
    """In what describes the pages, too, which have checksums themselves; nothing is read as anything else."""
    path = tmp_path / f"{job.key}.parquet"
    content = (finished / "runs" / path.name).read_bytes()
    path.write_bytes(content)
    whole = read_run(job, tmp_path)
    told = 0
    for place in range(len(content) - 1500, len(content), 7):
        flipped = bytearray(content)
        flipped[place] ^= 1 << place % 8
        path.write_bytes(flipped)
        try:
            again = read_run(job, tmp_path)
        except InputError as error:
            told += str(error).endswith("delete it and run the same command again")
        else:
            assert {name: values.tolist() for name, values in again.items()} == {
                name: values.tolist() for name, values in whole.items()
            }
    assert told > 50


def test_a_study_file_that_would_be_written_over(study, finished, tmp_path):
    """The settings that a study records are study files themselves."""
    out = Path(shutil.copytree(finished, tmp_path / "out"))
    before = (out / "settings/default.yaml").read_bytes()
    assert main(["study", str(out / "settings/default.yaml"), "--out", str(out)]) == 1
    assert (out / "settings/default.yaml").read_bytes() == before


def test_without_lists_all_that_is_in_the_way_is_named_at_once(study, finished, tmp_path):
    out = Path(shutil.copytree(finished, tmp_path / "out"))
    for path in out.rglob(LIST):
        path.unlink()
    said = study(out, code=1)
    for name in ("results.csv", "report.html", "tables/", "figures/", "settings/default.yaml"):
        assert f", {name}" in said.replace("files: ", ", ")
    assert "runs/" not in said


def test_a_study_of_few_stars_ends_with_a_report(study, tmp_path, monkeypatch):
    """Kinds of stars have no figure, and a subset without test stars no scores: that costs a line each, not the study."""
    made_lamost(tmp_path / "lamost")
    made_miles(tmp_path / "miles")
    (tmp_path / "few.csv").write_text("file,feh\nMILES_res2.50_star_m0001V.fits,0.0\n")
    changes = {
        "models": {"feh": ["feh"], "both": ["feh", "teff"]}, "seeds": [0], "sizes": [6, 12], "adapter": {},
        "strategies": {"recalibrate": {}, "ridge": {}}, "subset": {"stars": str(tmp_path / "few.csv")},
        "pretrain": FEW | {"augmentation": None, "mlp": {"hidden": [8, 4]}},
    }  # fmt: skip
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(STUDY | changes))
    monkeypatch.setenv("TRANSTAR_DATA", str(tmp_path))
    said = study(tmp_path / "out", name=tmp_path / "study.yaml")
    assert "left out: kinds-feh; no results for label 'feh' with n_finetune 12" in said
    assert f"left out: subset clean; no test star is listed in {tmp_path / 'few.csv'}" in said
    report = (tmp_path / "out" / "report.html").read_text()
    assert "Left out: kinds-feh" in report
    assert "Left out: subset clean" in report
    assert (tmp_path / "out" / "figures" / "sample-size-feh.png").exists()
    # A misspelt column is found before anything is trained, whatever it is for.
    said = study(tmp_path / "new", "--set", "pipeline={feh: FEHH}", name=tmp_path / "study.yaml", code=1)
    assert "no column FEHH, which pipeline.feh names" in said
    assert not list((tmp_path / "new").glob("runs/*"))
    # Nor is anything trained that nothing can be judged by, or learnt from.
    split, labels = (tmp_path / "miles" / f"{name}.csv" for name in ("split", "labels"))
    judged = [line.partition(",")[0] for line in split.read_text().splitlines() if line.endswith(",test")]
    few = [line for line in labels.read_text().splitlines() if line.startswith(("file,", *judged))]
    labels.write_text("\n".join(few) + "\n")
    more = ("--set", "subset=null", "sizes=[1]")
    said = study(tmp_path / "no-pool", *more, name=tmp_path / "study.yaml", code=1)
    assert "models.both: no usable star in the pool of miles has feh or teff to learn from" in said
    split.write_text(split.read_text().replace(",test", ",pool"))
    said = study(tmp_path / "no-test", *more, name=tmp_path / "study.yaml", code=1)
    assert "target.split: miles/split.csv names no test star of miles" in said
