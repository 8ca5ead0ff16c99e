"""The project as a whole: what is tracked, pinned, packaged, and said of itself."""

import argparse
import ast
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import numpy as np
import pytest
import yaml

import transtar
from transtar.cli import VERBS, build_parser
from transtar.studies import shipped_studies

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]
OF_USERS = sorted(set(EXTRAS) - {"all", "test", "dev"})


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_no_large_file_and_no_notebook_is_tracked(tracked):
    assert [path for path in tracked if path.stat().st_size > 10e6] == []
    assert [path for path in tracked if path.suffix == ".ipynb"] == []


def test_no_survey_spectra_are_tracked(tracked):
    named = re.compile(r"(spec-\d{5}-|med-\d{5}-|MILES_res|coadd-(mws|main|sv\d)).*\.fits")
    assert [path for path in tracked if named.match(path.name)] == []


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def distributions(requirements: list[str]) -> set[str]:
    return {normal(re.match(r"[\w.-]+", requirement)[0]) for requirement in requirements}


def test_constraints_pin_every_dependency_and_no_build_of_one():
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines)
    pinned = {normal(line.split("==")[0]) for line in lines}
    assert len(pinned) == len(lines)
    assert not [name for name in pinned if name.startswith("nvidia") or name == "triton"]
    named = [*PROJECT["project"]["dependencies"], *(dependency for extra in EXTRAS.values() for dependency in extra)]
    assert distributions(named) - {"transtar"} <= pinned


def imported(node: ast.AST, deferred: bool = False) -> list[tuple[str, bool, int]]:
    """Packages that code imports: name, whether only when a function is called, and line."""
    names = []
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and node.level == 0:
        names = [node.module]
    found = [(name.split(".")[0], deferred, node.lineno) for name in names]
    deferred = deferred or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    for child in ast.iter_child_nodes(node):
        found += imported(child, deferred)
    return found


def undeclared(code: str, base: set[str], optional: set[str]) -> list[str]:
    """Imports that a user's installation need not satisfy: those of optional packages must wait for a call."""
    wrong = []
    for name, deferred, line in imported(ast.parse(code)):
        if name in sys.stdlib_module_names or name == "transtar":
            continue
        # Several distributions may share a name; one that is not installed is taken to be called as what it provides.
        of = {normal(distribution) for distribution in PROVIDERS.get(name, [name])}
        if not of & (base | optional if deferred else base):
            wrong.append(f"line {line}: {name}")
    return wrong


PROVIDERS = {"aion": ["polymathic-aion"]} | packages_distributions()
BASE_DEPENDENCIES = distributions(PROJECT["project"]["dependencies"])
OPTIONAL = distributions([requirement for name in OF_USERS for requirement in EXTRAS[name]])


def test_what_the_package_imports_is_declared():
    modules = sorted((ROOT / "src" / "transtar").rglob("*.py"))
    assert len(modules) > 100
    wrong = {}
    for path in modules:
        found = undeclared(path.read_text(encoding="utf-8"), BASE_DEPENDENCIES, OPTIONAL)
        if found:
            wrong[str(path.relative_to(ROOT))] = found
    assert not wrong


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("from scipy.stats import t", ["line 1: scipy"]),
        ("def f():\n    if True:\n        import scipy.ndimage", ["line 3: scipy"]),
        ("import specutils", ["line 1: specutils"]),
        ("class A:\n    import specutils", ["line 2: specutils"]),
        ("def f():\n    import specutils", []),
        ("import os.path, yaml\nfrom . import scipy\nfrom transtar import flags\nfrom numpy import pi", []),
    ],
)
def test_undeclared_imports_are_found(code, found):
    assert undeclared(code, BASE_DEPENDENCIES - {"scipy"}, OPTIONAL) == found


def test_the_extra_all_holds_every_optional_package_of_users():
    (everything,) = EXTRAS["all"]
    assert sorted(re.fullmatch(r"transtar\[(.*)\]", everything)[1].split(",")) == OF_USERS


def test_every_extra_is_tried_alone():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(r"^EXTRAS := (.*)$", makefile, re.MULTILINE)[1].split() == OF_USERS
    assert sorted(path.stem.removeprefix("test_") for path in (ROOT / "tests/extras").glob("test_*.py")) == OF_USERS


def test_versions_agree():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert PROJECT["project"]["version"] == transtar.__version__ == citation["version"]
    assert re.search(r"^## \[([\d.]+)\]", changes, re.MULTILINE)[1] == transtar.__version__


def test_citation_has_what_the_format_requires():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["license"] == PROJECT["project"]["license"]
    (paper,) = citation["references"]
    assert {"type", "title", "authors"} <= set(paper)


def test_continuous_integration_can_be_run():
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert subprocess.run(["bash", "-n", ROOT / ".ci" / "run"], check=False).returncode == 0


def verb_parsers() -> dict[str, argparse.ArgumentParser]:
    (action,) = [a for a in build_parser()._actions if isinstance(a, argparse._SubParsersAction)]
    return action.choices


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_every_verb_explains_each_argument_and_its_default(verb):
    check_help(verb, verb_parsers()[verb])


def check_help(verb: str, parser: argparse.ArgumentParser) -> None:
    text = " ".join(parser.format_help().split())
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, inner in action.choices.items():
                check_help(f"{verb} {name}", inner)
        assert action.help, f"{verb}: {action.dest} is not explained"
        # Booleans and empty lists are off: their help says so by itself.
        if action.option_strings and action.default not in (None, False, argparse.SUPPRESS) and action.default != []:
            assert f"(default: {action.default})" in text, f"{verb}: default of {action.dest} is not shown"


@pytest.fixture(scope="module")
def wheel_site(tmp_path_factory) -> Path:
    """A folder into which a wheel of this tree is installed, as site-packages would be."""
    import shutil

    folder = tmp_path_factory.mktemp("wheel")
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("*.egg-info", "__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check"]
    alone = ["--no-deps", "--no-index"]
    subprocess.run([*pip, "wheel", *alone, "--no-build-isolation", "-w", folder / "dist", folder], check=True)
    (wheel,) = (folder / "dist").glob("*.whl")
    subprocess.run([*pip, "install", *alone, "--target", folder / "site", wheel], check=True)
    return folder / "site"


def test_an_installed_wheel_runs_a_study_from_any_folder(wheel_site, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(wheel_site), "TRANSTAR_DATA": str(tmp_path), "MPLBACKEND": "Agg"}

    def run(*command) -> str:
        done = subprocess.run(
            [str(c) for c in command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = run(sys.executable, "-c", "import transtar; print(transtar.__file__)")
    assert Path(where.strip()).is_relative_to(wheel_site)
    listed = run(sys.executable, wheel_site / "bin" / "transtar", "info")
    for name in shipped_studies():
        assert re.search(rf"^studies .*\b{name}\b", listed, re.MULTILINE)
    made_up_surveys(tmp_path)
    output = run(sys.executable, wheel_site / "bin" / "transtar", "study", "tiny.yaml", "--out", "out", "--workers", 1)
    assert output.strip().endswith("report.html")
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
