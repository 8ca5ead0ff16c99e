"""The verb simulate as a user types it."""

import shlex
import signal
import time

import pytest

from transtar.cli import main
from transtar.datasets import read_set

TINY = ["--set", "lamost=30", "common=30", "edr=40", "miles=4", "faults=2", "xp_continuous=0", "--seed", "3"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulate") / "u"
    assert main(["simulate", *TINY, "--catalogs-only", "--out", str(folder)]) == 0
    return folder


def test_tables_then_spectra_then_the_next_command(folder, transtar, tmp_path, monkeypatch):
    assert not (folder / "lamost" / "spectra").exists()
    done = transtar("simulate", *TINY, "--out", folder)
    assert done.code == 0, done.err
    assert "poor stars are oversampled" in done.err
    assert "MB to write" in done.err
    lines = done.out.splitlines()
    assert lines[0].split() == ["part", "files", "rows", "size"]
    assert lines[-2].startswith("all ")
    assert any(line.startswith("desi/healpix ") for line in lines)
    monkeypatch.chdir(tmp_path)
    following = shlex.split(lines[-1].removeprefix("next: transtar "))
    assert main(following) == 0
    prepared = read_set(tmp_path / "sets/lamost")
    assert len(prepared.flux) == len(list((folder / "lamost/spectra").rglob("*.gz")))
    again = transtar("simulate", *TINY, "--out", folder)
    assert (again.code, again.out) == (0, done.out)
    assert "complete already" in again.err


def test_wrong_use(folder, fails, transtar, tmp_path):
    line = fails("simulate", "--set", "stars=5", "--out", tmp_path / "u", code=2)
    assert "unknown key stars; known keys: blanketing" in line
    assert "lamost_apogee" in line
    assert "simulate takes" not in fails("simulate", "--set", "lamost", "--out", tmp_path / "u", code=2)
    line = fails("simulate", *TINY[:-1], "4", "--out", folder)
    assert "(seed 3, not 4)" in line
    assert transtar("simulate", "--scale", "huge", "--out", tmp_path / "u").code == 2
    assert not (tmp_path / "u").exists()


def test_interrupted(start, tmp_path):
    """By Ctrl-C while two processes write: status 130, no half file, and what is there counts."""
    out = tmp_path / "u"
    process = start(
        "simulate", "--set", "lamost=600", "common=40", "edr=60", "miles=0", "faults=2", "xp_continuous=0",
        "--workers", "2", "--out", out,
    )  # fmt: skip
    deadline = time.monotonic() + 100
    while not (out / "lamost/spectra").exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "not complete" in err.splitlines()[-2]
    assert err.splitlines()[-1].startswith("transtar simulate: interrupted")
    assert (out / "universe.json").is_file()
    assert not [path for path in out.rglob(".*")]
