"""A survey in shards on the command line: made, ended, gone on with, and merged."""

import random
import signal
import subprocess
import sys
import time

import numpy as np
import pyarrow.parquet as pq
import pytest

from transtar.catalog import read_columns
from transtar.cli import main
from transtar.models import export_model
from transtar.shards import tasks as of_tasks

from ..made_surveys import made_lamost

# As `transtar`, but with shards of two files.
COMMAND = "import sys; from transtar.shards import tasks; tasks.FEWEST_FILES = 2; from transtar.cli import main; sys.exit(main())"


@pytest.fixture(scope="module")
def spectra(tmp_path_factory):
    return made_lamost(tmp_path_factory.mktemp("lamost"), n=9) / "spectra"


@pytest.fixture
def small(monkeypatch, unquestioned):
    monkeypatch.setattr(of_tasks, "FEWEST_FILES", 2)


def predict(spectra, out, *more):
    return ["predict", "--model", "mock-feh", "--survey", "lamost", "--spectra", str(spectra), "--out", str(out), *more]


def test_made_and_merged(spectra, small, tmp_path, capsys):
    out = tmp_path / "run"
    assert main(predict(spectra, out, "--workers", "1", "--part", "1/2", "--hash", "full")) == 0
    printed = capsys.readouterr()
    assert "run: 3 of 5 shards, 5 rows (5 rows in" in printed.out
    assert "transtar merge" not in printed.out
    assert main(["merge", str(out), "--out", str(tmp_path / "c.parquet")]) == 1
    assert "2 of 5 shards are not made" in capsys.readouterr().err
    assert main(predict(spectra, out, "--workers", "1", "--part", "2/2")) == 0
    assert f"transtar merge {out} --out CATALOG makes one catalog of them" in capsys.readouterr().out
    assert main(["merge", str(out), "--out", str(tmp_path / "c.parquet"), "--readme"]) == 0
    assert "mock-feh" in (tmp_path / "c.README.md").read_text()
    assert "c.parquet: 9 rows of 5 shards; flags: " in capsys.readouterr().out
    assert main(predict(spectra, tmp_path / "w.parquet", "--threads", "1")) == 0
    merged, whole = read_columns(tmp_path / "c.parquet"), read_columns(tmp_path / "w.parquet")
    np.testing.assert_allclose(merged["feh"], whole["feh"], rtol=2e-6)
    np.testing.assert_array_equal(merged["flags"], whole["flags"])
    text = (out / "status.csv").read_text().splitlines()
    assert len(text) == 10
    assert len(text[1].split(",")[-1]) == 64
    assert "5 of 5 shards are done, 9 rows" in (out / "log.txt").read_text()


def test_files_that_cannot_be_used_are_told(spectra, small, tmp_path, capsys):
    (tmp_path / "spec-bad.fits").write_text("no")
    assert main(predict(tmp_path / "spec-bad.fits", tmp_path / "run")) == 1
    assert "no spectrum could be used" in capsys.readouterr().err
    (tmp_path / "list").write_text(f"{spectra}/spec-001.fits\n{tmp_path}/spec-bad.fits\n")
    assert main(predict(f"@{tmp_path / 'list'}", tmp_path / "other")) == 0
    printed = capsys.readouterr()
    assert "1 rows" in printed.out
    assert "spec-bad.fits" in printed.err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--out", "c.parquet", "--part", "1/2"], "--part is for long runs; give a folder as --out"),
        (["--out", "c.fits", "--workers", "2"], "--workers is for long runs"),
        (["--out", "run", "--part", "3/2"], "parts are numbered from 1 to 2"),
        (["--out", "run.txt"], "a catalog ends in one of"),
        (["--out", "run", "--style", "vizier"], "--readme, --style and --calibration are for the catalog"),
    ],
)
def test_wrong_use(spectra, tmp_path, monkeypatch, capsys, more, message):
    monkeypatch.chdir(tmp_path)
    assert main(["predict", "--model", "mock-feh", "--survey", "lamost", "--spectra", str(spectra), *more]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_no_folder_of_a_run(tmp_path, capsys):
    assert main(["merge", str(tmp_path), "--out", str(tmp_path / "c.fits")]) == 1
    assert "no folder of a run in shards" in capsys.readouterr().err


def endure(spectra, tmp_path, seeds):
    """Killed and ended as often as there are seeds, and gone on with to the end: the catalog of a run that was not."""
    arguments = predict(spectra, tmp_path / "run", "--workers", "2", "--threads", "1")
    for seed in seeds:
        process = subprocess.Popen([sys.executable, "-c", COMMAND, *arguments], stderr=subprocess.PIPE, text=True)
        time.sleep(random.Random(seed).uniform(2, 9))
        process.send_signal(signal.SIGTERM if seed % 4 == 3 else signal.SIGKILL)
        _, told = process.communicate(timeout=60)
        assert "Traceback" not in told
    for out in ("run", "whole"):
        assert main(predict(spectra, tmp_path / out, "--workers", "1", "--threads", "1")) == 0
        assert main(["merge", str(tmp_path / out), "--out", str(tmp_path / f"{out}.parquet")]) == 0
    shards = [sorted((tmp_path / out / "shards").glob("*.parquet")) for out in ("run", "whole")]
    assert [path.read_bytes() for path in shards[0]] == [path.read_bytes() for path in shards[1]]
    assert len(shards[0]) == 5


def test_a_kill(spectra, monkeypatch, tmp_path):
    monkeypatch.setattr(of_tasks, "FEWEST_FILES", 2)
    endure(spectra, tmp_path, [0])


@pytest.mark.slow
def test_twenty_kills(spectra, monkeypatch, tmp_path):
    monkeypatch.setattr(of_tasks, "FEWEST_FILES", 2)
    endure(spectra, tmp_path, range(20))


@pytest.mark.slow
def test_a_model_replaced_at_random_moments(spectra, monkeypatch, tmp_path):
    """Whatever the moment, the shards are of the model of the beginning, or the run says that another took its place."""
    monkeypatch.setattr(of_tasks, "FEWEST_FILES", 2)
    export_model("mock-feh", tmp_path / "model")
    export_model("mock-teff", tmp_path / "other")
    given = ["predict", "--model", str(tmp_path / "model"), "--survey", "lamost", "--spectra", str(spectra)]
    given += ["--threads", "1"]
    assert main([*given, "--out", str(tmp_path / "whole"), "--workers", "1"]) == 0
    told_of = 0
    for seed in range(20):
        out = tmp_path / f"run-{seed}"
        command = [sys.executable, "-c", COMMAND, *given, "--out", str(out), "--workers", "2"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        time.sleep(random.Random(seed).uniform(1, 12))
        (tmp_path / "model").rename(tmp_path / "aside")
        (tmp_path / "other").rename(tmp_path / "model")
        _, told = process.communicate(timeout=120)
        (tmp_path / "model").rename(tmp_path / "other")
        (tmp_path / "aside").rename(tmp_path / "model")
        assert "Traceback" not in told
        told_of += "was replaced by another model" in told
        begun = (out / "manifest.json").is_file()
        if begun and not labels_of(out) <= {"feh"}:
            # It was replaced before the run began.
            assert labels_of(out) == {"teff"}
            continue
        assert main([*given, "--out", str(out), "--workers", "1"]) == 0
        for name in sorted(path.name for path in (tmp_path / "whole/shards").glob("*.parquet")):
            assert (out / "shards" / name).read_bytes() == (tmp_path / "whole/shards" / name).read_bytes()
    assert told_of


def labels_of(out):
    """Labels of the shards that are there."""
    shards = (out / "shards").glob("*.parquet")
    return {name for path in shards for name in pq.read_schema(path).names if name in ("feh", "teff")}
