"""Which wheels are missing, by what the index says; here nothing is asked of one."""

import subprocess
from types import SimpleNamespace

import pytest

from tools import check_wheels
from tools.check_wheels import check, reason, requirements

FAULT = """warning: The requested Python version 3.14 is not available; 3.11.7 will be used to build dependencies instead.
error: No solution found when resolving dependencies
  cause: Because hdfs==2.7.3 has no usable wheels and you require hdfs, we can conclude that your requirements are unsatisfiable.

hint: Wheels are required for `hdfs` because building from source is disabled for all packages (i.e., with `--no-build`)
"""


@pytest.fixture
def index(monkeypatch):
    """An index that lacks packages: {(version, package)}; returns what it was asked."""
    asked, lacking = [], set()

    def run(command, input="", **_):
        version = command[command.index("--python-version") + 1]
        asked.append((version, input.split("\n")))
        bad = [name for name in input.split("\n") if any((version, word) in lacking for word in [name.split(">")[0]])]
        return SimpleNamespace(returncode=2 if bad else 0, stderr=FAULT if bad else "", stdout="")

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(
        check_wheels, "requirements", lambda: {"": ["numpy>=2", "torch>=2"], "hats": ["lsdb>=1", "mocpy>=1"]}
    )
    return SimpleNamespace(asked=asked, lacking=lacking)


def test_the_reason_is_one_line():
    line = "Because hdfs==2.7.3 has no usable wheels and you require hdfs, we can conclude that your requirements are "
    assert reason(FAULT) == line + "unsatisfiable."
    assert reason("error: Failed to fetch: `https://x/simple/`\n") == "Failed to fetch: `https://x/simple/`"
    assert reason("") == "uv failed without a word"


def test_all_there(index, capsys):
    assert check(["3.12", "3.13"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"Python {version}, {what}: wheels of all" for version in ("3.12", "3.13") for what in ("base", "extra hats")
    ]
    assert index.asked[1] == ("3.12", ["numpy>=2", "torch>=2", "lsdb>=1", "mocpy>=1"])


def test_an_extra_without_wheels_is_named_and_no_failure(index, capsys):
    index.lacking.add(("3.13", "mocpy"))
    assert check(["3.12", "3.13"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "Python 3.12, extra hats: wheels of all"
    assert lines[3].startswith("Python 3.13, extra hats: NO: Because hdfs")
    assert [line.split(":")[0].strip() for line in lines[4:]] == ["mocpy>=1"]


def test_a_base_dependency_without_wheels_is_a_failure(index, capsys):
    index.lacking |= {("3.14", "torch"), ("3.14", "numpy")}
    assert check(["3.14"], []) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0].strip() for line in lines[1:]] == ["numpy>=2", "torch>=2"]
    with pytest.raises(SystemExit, match="no extra moc; there are hats"):
        check(["3.14"], ["moc"])


def test_requirements_are_those_of_users():
    wanted = requirements()
    assert "torch>=2.6" in wanted[""]
    assert {"hats", "gaia"} <= set(wanted)
    assert not {"all", "test", "dev"} & set(wanted)
