"""A wheel built from the tree holds all it needs, and finds it; tests/test_project.py runs a study from one."""

import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    for name in ("build", "setuptools", "pip"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed: no wheel can be built without fetching it")
    folder = tmp_path_factory.mktemp("wheel")
    # A copy, for setuptools leaves build/ and *.egg-info in the tree; what git ignores is none of the wheel's.
    tree = folder / "tree"
    tree.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        if not (ROOT / name).is_file():
            pytest.skip(f"no {name} in {ROOT}: not the project's tree")
        shutil.copy(ROOT / name, tree)
    shutil.copytree(ROOT / "src", tree / "src", ignore=shutil.ignore_patterns("*.egg-info", "__pycache__"))
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(tree)]
    done = subprocess.run(build, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def run(wheel, tmp_path_factory):
    """Run `python -m transtar` as the wheel installs it, far from the source tree."""
    target = tmp_path_factory.mktemp("installed")
    install = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--target", str(target), str(wheel)]
    done = subprocess.run(install, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr

    def run(*arguments, cwd, data=""):
        environment = {**os.environ, "PYTHONPATH": str(target), "TRANSTAR_DATA": str(data)}
        command = [sys.executable, "-m", "transtar", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=cwd, env=environment)

    where = subprocess.run(
        [sys.executable, "-c", "import transtar; print(transtar.__file__)"], capture_output=True, text=True, cwd=target,
        env={**os.environ, "PYTHONPATH": str(target)},
    )  # fmt: skip
    assert where.stdout.startswith(str(target))
    return run


def test_contents(wheel):
    with zipfile.ZipFile(wheel) as file:
        names = set(file.namelist())
        licence = [name for name in names if name.endswith("LICENSE")]
    package = ROOT / "src" / "transtar"
    modules = {str(path.relative_to(ROOT / "src")) for path in package.rglob("*.py")}
    # Whatever lies in the package without being code is there to be read at run time.
    shipped = [p for p in package.rglob("*") if p.is_file() and p.suffix != ".py" and p.parent.name != "__pycache__"]
    extras = {str(path.relative_to(ROOT / "src")) for path in shipped}
    assert {"transtar/studies/lamost-to-miles.yaml", "transtar/report/template.html"} <= extras
    assert {"emulator/model.safetensors", "lines/lamost-dr10.npz"} <= {
        name.removeprefix("transtar/simulate/data/") for name in extras
    }
    assert modules | extras | {"transtar/py.typed"} <= names
    assert licence
    assert not [name for name in names if name.startswith(("tests", "tools")) or "__pycache__" in name]
    assert sum(path.stat().st_size for path in shipped) < 25e6


def test_a_shipped_study_is_found(run, tmp_path):
    done = run("study", "lamost-to-miles", "--out", "o", cwd=tmp_path, data=tmp_path / "nowhere")
    assert done.returncode == 1
    assert done.stderr.startswith("transtar study: ")
    assert done.stderr.count("\n") == 1
    assert "not found; set TRANSTAR_DATA to the folder that holds" in done.stderr


def test_help_of_a_study_file(run, tmp_path):
    done = run("study", "mine.yaml", "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert "NAME|FILE.yaml" in done.stdout
