"""A wheel built from the tree holds all it needs, finds it, and runs a study from any folder."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml

from transtar.studies import shipped_studies

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
    """Run `transtar` as the wheel installs it, far from the source tree."""
    target = tmp_path_factory.mktemp("installed")
    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--no-deps",
        "--no-index",
        "--no-compile",
        "--target",
        str(target),
        str(wheel),
    ]
    done = subprocess.run(install, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr

    def run(*arguments, cwd, data=""):
        environment = {**os.environ, "PYTHONPATH": str(target), "TRANSTAR_DATA": str(data), "MPLBACKEND": "Agg"}
        command = [sys.executable, str(target / "bin" / "transtar"), *map(str, arguments)]
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


def test_an_installed_wheel_runs_a_study_from_any_folder(run, tmp_path):
    listed = run("info", cwd=tmp_path, data=tmp_path)
    assert listed.returncode == 0, listed.stderr
    for name in shipped_studies():
        assert re.search(rf"^studies .*\b{name}\b", listed.stdout, re.MULTILINE)
    made_up_surveys(tmp_path)
    done = run("study", "tiny.yaml", "--out", "out", "--workers", 1, cwd=tmp_path, data=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("report.html")
    assert (tmp_path / "out" / "report.html").is_file()
    assert "recalibrate" in (tmp_path / "out" / "results.csv").read_text()


def made_up_surveys(folder: Path) -> None:
    """Write two files of spectra whose one line is the deeper the more metals, labels, and a study of them."""
    random = np.random.default_rng(0)
    wave = np.arange(3800.0, 5900.0, 1.5)
    for name, n in (("source", 60), ("target", 80)):
        feh = random.uniform(-2, 0.3, n)
        lines = np.exp(-0.5 * ((wave - random.uniform(4000, 5600, (40, 1))) / 3) ** 2).sum(axis=0)
        flux = 1 - (0.1 + 0.08 * (feh[:, None] + 2)) * lines + random.normal(0, 0.01, (n, len(wave)))
        ids = np.arange(n) + 2**62
        np.savez(
            folder / f"{name}.npz", wave=wave, flux=flux, ivar=np.full(flux.shape, 1e4), id=ids,
            velocity=np.zeros(n), medium="vacuum", frame="rest",
        )  # fmt: skip
        rows = [f"{i},5500,4.0,{value:.4f}" for i, value in zip(ids, feh, strict=True)]
        (folder / f"{name}.csv").write_text("\n".join(["id,teff,logg,feh", *rows]) + "\n")
        part = [f"{i},{'pool' if k % 2 else 'test'}" for k, i in enumerate(ids)]
        (folder / f"{name}-split.csv").write_text("\n".join(["id,split", *part]) + "\n")
    study = {
        "title": "tiny",
        "source": {"survey": "generic", "spectra": "source.npz", "labels": "source.csv"},
        "target": {
            "survey": "generic",
            "spectra": "target.npz",
            "labels": "target.csv",
            "split": "target-split.csv",
        },
        "models": {"feh": ["feh"]},
        "seeds": [0, 1],
        "sizes": [20],
        "pretrain": {"epochs": 1},
        "strategies": {"recalibrate": {}},
        "adapter": {20: "recalibrate"},
    }
    (folder / "tiny.yaml").write_text(yaml.safe_dump(study))
