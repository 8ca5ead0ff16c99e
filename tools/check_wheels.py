"""Whether wheels of every dependency exist for other versions of Python than the one that tests run with.

    python -m tools.check_wheels [--python 3.12 3.13 3.14] [--extra hats ...]

asks the package index, and installs nothing: for the base dependencies, and for these with each extra. One line says what can be
had; what cannot is named, one requirement a line, with the reason. The exit status is 1 where a base dependency lacks a wheel; an
extra that lacks one is told, for most of such packages can still be built.

Wheels are looked for that suit this machine, in the latest versions and not those of constraints.txt. ``uv pip compile
--only-binary :all:`` answers what ``pip install --dry-run --only-binary=:all: --python-version`` would: pip fetches whole wheels
where the index has no metadata beside them (torch and its CUDA libraries have gigabytes), and judges conditions such as
``python_version < "3.12"`` by the Python that runs it.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
VERSIONS = ("3.12", "3.13", "3.14")
NOT_OF_USERS = ("all", "test", "dev")
"""Extras that stand for others, or that only whoever works on transtar needs."""

WAIT = 600
"""Seconds that uv may look for one set of requirements."""


def requirements() -> dict[str, list[str]]:
    """What pyproject.toml asks for: '' for the base, and each extra of users."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    return {"": project["dependencies"], **{name: extras[name] for name in extras if name not in NOT_OF_USERS}}


def look(version: str, wanted: Sequence[str]) -> str | None:
    """Ask for wheels.

    Parameters
    ----------
    version : str
        Of Python, such as '3.12'.
    wanted : sequence of str
        Requirements.

    Returns
    -------
    str or None
        Why there are none, in the words of uv; None if there are.
    """
    command = [
        sys.executable, "-m", "uv", "pip", "compile", "-", "--only-binary", ":all:", "--python-version", version,
        "--no-config", "--no-python-downloads", "--quiet", "--no-header",
    ]  # fmt: skip
    done = subprocess.run(command, input="\n".join(wanted), capture_output=True, text=True, check=False, timeout=WAIT)
    return None if done.returncode == 0 else reason(done.stderr)


def reason(text: str) -> str:
    """What uv says of a failure, on one line: the last cause, or the error where it gives none, without warnings and hints."""
    error = text[text.rfind("error:") :]
    words = re.split(r"\n\s*\n|\bhint:", error)[0].removeprefix("error:")
    return " ".join(words.rpartition("cause:")[2].split()) or "uv failed without a word"


def missing(version: str, wanted: Iterable[str]) -> list[str]:
    """Which of some requirements cannot be had as wheels, each with what it needs, and why."""
    faults = {one: look(version, [one]) for one in wanted}
    return [f"{one}: {fault}" for one, fault in faults.items() if fault is not None]


def check(versions: Sequence[str], extras: Sequence[str] | None = None) -> int:
    """Print what can be had for each version, as the module says.

    Parameters
    ----------
    versions : sequence of str
    extras : sequence of str, optional
        Of all that there are if not given.

    Returns
    -------
    int
        1 if a base dependency lacks a wheel, else 0.
    """
    wanted, status = requirements(), 0
    if unknown := set(extras or ()) - set(wanted):
        raise SystemExit(
            f"check_wheels: no extra {', '.join(sorted(unknown))}; there are {', '.join(list(wanted)[1:])}"
        )
    names = ["", *(list(wanted)[1:] if extras is None else extras)]
    for version in versions:
        for name in names:
            what = f"extra {name}" if name else "base"
            # With the base beside it, for an extra is never installed alone.
            fault = look(version, [*wanted[""], *wanted[name]] if name else wanted[""])
            if fault is None:
                print(f"Python {version}, {what}: wheels of all", flush=True)
                continue
            status |= not name
            print(f"Python {version}, {what}: NO: {fault}", flush=True)
            for line in missing(version, wanted[name]):
                print(f"    {line}", flush=True)
    return int(status)


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--python", nargs="+", default=list(VERSIONS), help="versions of Python (default: %(default)s)")
    parser.add_argument("--extra", nargs="*", help="extras to look at, none for the base alone (default: all)")
    arguments = parser.parse_args()
    return check(arguments.python, arguments.extra)


if __name__ == "__main__":
    sys.exit(main())
