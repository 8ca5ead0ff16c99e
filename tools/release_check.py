"""A dry run of a release: what would be uploaded is built, checked, installed and used. Nothing leaves this machine.

    python -m tools.release_check [--out dist] [--skip-install]

1. All files that repeat the version have that of `transtar.version`.
2. Wheel and source distribution are built from a copy of what git tracks, so that nothing else can get into them: the source
   distribution first, the wheel from it, as a packager would.
3. ``twine check --strict`` reads their metadata, ``check-wheel-contents`` the wheel.
4. The wheel holds every tracked file of ``src/transtar`` and nothing else; the source distribution what builds the wheel; both
   are within their sizes.
5. The wheel is installed in a new environment with constraints.txt, and the tiny demo is run there, outside the checkout.

Each step prints a line; the first fault ends it with one line and exit status 1.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from collections.abc import Iterable
from pathlib import Path

import yaml

from transtar.version import __version__

ROOT = Path(__file__).parents[1]
PACKAGE = "src/transtar/"
MOST = {".whl": 25e6, ".gz": 25e6}
"""Bytes of each file; most of them are weights and templates, which compress little."""

BESIDE = {"CHANGELOG.md", "CITATION.cff", "LICENSE", "MANIFEST.in", "README.md", "constraints.txt", "pyproject.toml"}
"""Tracked files that the source distribution holds beside the package."""

MADE = {"PKG-INFO", "setup.cfg"}
"""What setuptools adds to it."""


class Fault(Exception):
    """What keeps a release back."""


def tracked() -> list[str]:
    """Names of all files that git tracks and that are there."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Fault(f"{ROOT}: no git checkout; a release is made from one")
    return [name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def build(names: Iterable[str], out: Path) -> tuple[Path, Path]:
    """Build from a copy of these files; the wheel and the source distribution."""
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            copy = Path(folder) / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy)
        _run([sys.executable, "-m", "build", "--no-isolation", "--outdir", out, folder], "build")
    (wheel,), (source,) = out.glob("*.whl"), out.glob("*.tar.gz")
    return wheel, source


def check_wheel(wheel: Path, names: Iterable[str]) -> int:
    """Compare the wheel with the tracked files of the package; how many files it holds.

    Raises
    ------
    Fault
        If a file is missing or there is one more.
    """
    expected = {name.removeprefix("src/") for name in names if name.startswith(PACKAGE)}
    with zipfile.ZipFile(wheel) as file:
        held = {name for name in file.namelist() if ".dist-info/" not in name}
    _compare(wheel, held, expected)
    return len(held)


def check_source(source: Path, names: Iterable[str]) -> int:
    """Compare the source distribution with the tracked files that it is to hold; how many files it holds.

    Raises
    ------
    Fault
        If a file is missing or there is one more.
    """
    expected = {name for name in names if name.startswith(PACKAGE) or name in BESIDE}
    with tarfile.open(source) as file:
        inside = {member.name.partition("/")[2] for member in file.getmembers() if member.isfile()}
    held = {name for name in inside if name not in MADE and ".egg-info/" not in name}
    _compare(source, held, expected)
    return len(held)


def _compare(path: Path, held: set[str], expected: set[str]) -> None:
    for names, what in ((expected - held, "lacks"), (held - expected, "holds what no release should")):
        if names:
            more = f" and {len(names) - 5} more" if len(names) > 5 else ""
            raise Fault(f"{path.name} {what}: {', '.join(sorted(names)[:5])}{more}")
    if path.stat().st_size > MOST[path.suffix]:
        raise Fault(f"{path.name} has {path.stat().st_size:,} bytes, more than {MOST[path.suffix]:,.0f}")


def versions() -> dict[str, str]:
    """The version by each file that says it; the CHANGELOG by its newest release."""
    text = {name: (ROOT / name).read_text(encoding="utf-8") for name in ("CHANGELOG.md", "CITATION.cff")}
    newest = re.search(r"^## \[([\d.]+)\]", text["CHANGELOG.md"], re.MULTILINE)
    recipe = (ROOT / "packaging/conda/recipe.yaml").read_text(encoding="utf-8")
    return {
        "src/transtar/version.py": __version__,
        "CHANGELOG.md": newest[1] if newest else "none",
        "CITATION.cff": str(yaml.safe_load(text["CITATION.cff"])["version"]),
        "packaging/conda/recipe.yaml": str(yaml.safe_load(recipe)["context"]["version"]),
    }


def install_and_use(wheel: Path, folder: Path) -> str:
    """Install a wheel in a new environment of `folder` and run the tiny demo there; what the demo printed last."""
    venv.create(folder / "env", with_pip=True)
    python = folder / "env" / "bin" / "python"
    pins = ROOT / "constraints.txt"
    (torch,) = re.findall(r"^torch==.*$", pins.read_text(encoding="utf-8"), re.MULTILINE)
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-c", pins]
    # First and by its exact version, as the Makefile has it: any other way of asking may bring a CUDA build.
    _run([*install, torch], "installing torch")
    _run([*install, wheel], "installing the wheel")
    _run([python, "-m", "pip", "check"], "pip check")
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "TRANSTAR"))}
    code = "import transtar; print(transtar.__version__, transtar.__file__)"
    printed = _run([python, "-c", code], "importing", cwd=elsewhere, env=clean).split()
    if printed[0] != __version__ or not Path(printed[1]).is_relative_to(folder):
        raise Fault(f"the installed transtar is {' of '.join(printed)}, not {__version__} of {folder}")
    command = [folder / "env" / "bin" / "transtar", "study", "quickstart", "--scale", "tiny", "--out", "demo"]
    _run(command, "the tiny demo", cwd=elsewhere, env={**clean, "MPLBACKEND": "Agg"})
    for name in ("report.html", "results.csv"):
        if not (elsewhere / "demo" / name).is_file():
            raise Fault(f"the tiny demo wrote no {name}")
    return f"{len(list((elsewhere / 'demo').rglob('*.png')))} figures and report.html"


def _run(command: list, what: str, **more) -> str:
    """Run a command; what it prints."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, **more)
    if done.returncode:
        print(done.stdout, done.stderr, file=sys.stderr)
        raise Fault(f"{what} failed with exit status {done.returncode}; its output stands above")
    return done.stdout


def check(out: Path, install: bool = True) -> None:
    """Do all steps, with a line for each.

    Raises
    ------
    Fault
        At the first thing that is not as it should be.
    """
    said = versions()
    if set(said.values()) != {__version__}:
        raise Fault("versions differ: " + ", ".join(f"{name} says {version}" for name, version in said.items()))
    print(f"version: {__version__} in {', '.join(said)}", flush=True)
    if left := [path.name for path in out.glob("*") if path.suffix in MOST] if out.is_dir() else []:
        raise Fault(f"{out}: holds {', '.join(sorted(left))} of an earlier build; remove them (make clean)")
    out.mkdir(parents=True, exist_ok=True)
    names = tracked()
    wheel, source = build(names, out)
    print(f"built: {wheel.name} ({_size(wheel)}), {source.name} ({_size(source)})", flush=True)
    _run([sys.executable, "-m", "twine", "check", "--strict", wheel, source], "twine check")
    print("twine check --strict: passed", flush=True)
    _run([Path(sys.executable).with_name("check-wheel-contents"), wheel], "check-wheel-contents")
    print("check-wheel-contents: passed", flush=True)
    print(f"files: {check_wheel(wheel, names)} in the wheel, {check_source(source, names)} in the source distribution")
    if not install:
        return
    with tempfile.TemporaryDirectory() as folder:
        shown = install_and_use(wheel, Path(folder))
    print(f"installed in a new environment, tiny demo run outside the checkout: {shown}")


def _size(path: Path) -> str:
    return f"{path.stat().st_size / 1e6:.1f} MB"


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="folder of wheel and source (default: dist)")
    parser.add_argument("--skip-install", action="store_true", help="leave out the installation and the demo")
    arguments = parser.parse_args()
    try:
        check(arguments.out, not arguments.skip_install)
    except Fault as fault:
        print(f"release-check: {fault}", file=sys.stderr)
        return 1
    print("release-check: all passed; nothing was uploaded")
    return 0


if __name__ == "__main__":
    sys.exit(main())
