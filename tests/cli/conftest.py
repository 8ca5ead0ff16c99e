import fcntl
import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest

from transtar.cli import main

from ..made_surveys import made_lamost, made_miles


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    """Made-up surveys, prepared sets of them, and a model trained for a few epochs; tests must not change them."""
    folder = tmp_path_factory.mktemp("world")
    made_lamost(folder / "lamost", n=40)
    made_miles(folder / "miles", n=36)
    world = SimpleNamespace(
        folder=folder, lamost=folder / "lamost", miles=folder / "miles", source=folder / "source.set",
        target=folder / "target.set", model=folder / "model",
    )  # fmt: skip
    lamost, miles = world.lamost, world.miles
    steps = [
        ["prepare", "--survey", "lamost", "--spectra", lamost / "spectra", "--labels", lamost / "labels.csv",
         "--out", world.source],
        ["prepare", "--survey", "miles", "--spectra", miles / "spectra", "--labels", miles / "labels.csv",
         "--split", miles / "split.csv", "--out", world.target],
        ["pretrain", "--data", world.source, "--label", "feh", "--epochs", 4, "--lr", "1e-3", "--out", world.model],
    ]  # fmt: skip
    for step in steps:
        assert main([str(part) for part in step]) == 0
    return world


TINY = ("lamost=150", "common=120", "edr=80", "miles=5", "xp_continuous=0")
"""The universe of the shipped studies at their scale `tiny`, which refuse another one in its place."""


@pytest.fixture(scope="session")
def tiny_universe(tmp_path_factory):
    """Put the universe of `TINY`, with further settings, into a folder; each is made once for all processes of a run,
    tests/cli/test_quickstart.py has a study make its own."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def put(folder, *further):
        name = "-".join(["tiny-universe", *further])
        with open(base / f"{name}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            # What is complete already is left alone.
            settings = [*TINY, *further]
            assert (
                main(["simulate", "--scale", "small", "--set", *settings, "--seed", "0", "--out", str(base / name)])
                == 0
            )
        shutil.copytree(base / name, folder, copy_function=os.link)

    return put


@pytest.fixture
def transtar(capsys):
    """Run the command line in this process; returns its exit status, standard output and standard error."""

    def run(*arguments):
        capsys.readouterr()
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as stopped:
            code = stopped.code
        captured = capsys.readouterr()
        return SimpleNamespace(code=code, out=captured.out, err=captured.err)

    return run


@pytest.fixture
def fails(transtar):
    """Run the command line and check that it fails with one clear line."""

    def run(*arguments, code=1):
        done = transtar(*arguments)
        assert done.code == code, done.err
        assert "Traceback" not in done.err
        last = done.err.strip().splitlines()[-1]
        assert last.startswith(f"transtar {arguments[0]}: ")
        assert "unexpected" not in last
        return last

    return run


def start(*arguments, **options):
    """Start the command line as a process of its own."""
    command = [sys.executable, "-m", "transtar", *(str(argument) for argument in arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, **options
    )


@pytest.fixture(name="start")
def start_fixture():
    started = []

    def start_and_note(*arguments, **options):
        started.append(start(*arguments, **options))
        return started[-1]

    yield start_and_note
    # Of a test that failed while they were at work.
    for process in started:
        process.kill()
