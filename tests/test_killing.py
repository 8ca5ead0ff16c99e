"""Verbs that are killed while they write; `tests/killing.py` has how. More of it: ``pytest -m slow tests/test_killing.py``."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CHEAP = ("evaluate", "predict-csv", "prepare")


def kill(*arguments, timeout):
    """Run the script; returns its last line."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.killing", *map(str, arguments)], capture_output=True, text=True, timeout=timeout,
        cwd=Path(__file__).parents[1], env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()[-1]


@pytest.mark.skipif(sys.platform != "linux", reason="looks for orphans in /proc")
@pytest.mark.parametrize(("name", "kills"), [("KILL", 6), ("TERM", 3)])
def test_cheap_verbs(name, kills):
    line = kill("--kills", kills, "--signal", name, "--verbs", *CHEAP, timeout=300)
    assert line.startswith(f"{kills} kills: ")
    assert line.endswith(" 0 broken")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks for orphans in /proc")
@pytest.mark.parametrize(("name", "kills"), [("KILL", 30), ("TERM", 15)])
def test_all_verbs(name, kills):
    assert kill("--kills", kills, "--signal", name, timeout=3600).endswith(" 0 broken")
