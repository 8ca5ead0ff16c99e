"""The command line as a process: exit status, one line, no traceback; Ctrl-C."""

import os
import signal
import subprocess
import time

import pytest

from transtar.datasets import read_set
from transtar.files import LIST, TEMPORARY, write_text

from ..surveys.fits_files import GRID, write_lamost_table


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (["info"], 0, ""),
        (["models", "show", "nowhere"], 1,
         "transtar models: nowhere: no such model folder; models by name: mock-alphafe, mock-feh, mock-logg, mock-teff"),
        (["predict", "--model", "x", "--out", "c.csv"], 2, "transtar predict: give either --survey and --spectra, or --data"),
    ],
)  # fmt: skip
def test_exit_status(start, tmp_path, arguments, code, line):
    process = start(*arguments, cwd=tmp_path)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err.strip()) == (code, line)
    assert bool(out) == (code == 0)


def test_debug_shows_where(start, tmp_path):
    process = start("models", "--debug", "show", "nowhere", cwd=tmp_path)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Traceback (most recent call last)" in err
    assert "InputError: nowhere: no such model folder" in err


def test_a_reader_that_goes_away(start, world):
    """``transtar models show MODEL | head -1`` ends without a traceback."""
    process = start("models", "show", world.model)
    process.stdout.close()
    err = process.stderr.read()
    process.wait(timeout=60)
    assert "Traceback" not in err


@pytest.fixture
def endless(tmp_path):
    """A folder that takes minutes to read: files on two wavelength arrays, which cannot be packed together, under many names."""
    folder = tmp_path / "spectra"
    folder.mkdir()
    for i in range(4):
        write_lamost_table(folder / f"{i}.fits", GRID if i % 2 else GRID[:3000] + 0.3)
    for i in range(4, 40_000):
        os.link(folder / f"{i % 4}.fits", folder / f"{i}.fits")
    return folder


def interrupt(process, beside=None, number=signal.SIGINT, status=130, said="interrupted"):
    """Send what Ctrl-C sends, or another signal, once the process has begun to write in the folder `beside`."""
    if beside is not None:
        begun = time.monotonic()
        while not list(beside.glob(f"{TEMPORARY}*")):
            assert process.poll() is None
            assert time.monotonic() - begun < 60
            time.sleep(0.02)
        time.sleep(0.5)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == status, err
    assert out == ""
    assert err.strip().splitlines()[-1].endswith(f": {said}; nothing half written was left behind")
    assert "Traceback" not in err


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_interrupted_prepare(start, world, endless, tmp_path):
    out = tmp_path / "out"
    subprocess.run(["cp", "-r", world.target, out / "set"] if out.mkdir() is None else [], check=True)
    process = start("prepare", "--survey", "lamost", "--spectra", endless, "--out", out / "set")
    interrupt(process, out)
    assert names(out) == ["set"]
    assert read_set(out / "set").hash == read_set(world.target).hash


@pytest.mark.parametrize(("name", "status"), [("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_batch_system_ends_it(start, world, endless, tmp_path, name, status):
    process = start("prepare", "--survey", "lamost", "--spectra", endless, "--out", tmp_path / "out/set")
    interrupt(process, tmp_path / "out", getattr(signal, name), status, f"ended by {name}")
    assert names(tmp_path / "out") == []


def test_interrupted_predict(start, world, endless, tmp_path):
    """FITS, which needs two temporary files; the other formats are interrupted in tests/catalog."""
    suffix = "fits"
    out = tmp_path / "out"
    out.mkdir()
    write_text(out / f"c.{suffix}", "old")
    process = start(
        "predict", "--model", world.model, "--survey", "lamost", "--spectra", endless, "--out", out / f"c.{suffix}"
    )
    interrupt(process, out)
    assert names(out) == [LIST, f"c.{suffix}"]
    assert (out / f"c.{suffix}").read_text() == "old"


def test_interrupted_pretrain(start, world, tmp_path):
    process = start("pretrain", "--data", world.source, "--label", "feh", "--epochs", 10**6, "--out", tmp_path / "m")
    assert "spectra to learn from" in process.stderr.readline()
    time.sleep(1)
    interrupt(process)
    assert not names(tmp_path)
