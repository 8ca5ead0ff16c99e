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

import pytest
import yaml

import transtar
from transtar.cli import VERBS, build_parser

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]
OF_USERS = sorted(set(EXTRAS) - {"all", "test", "docs", "dev"})


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
    """One place sets it, src/transtar/version.py; the build reads it there, and files that must repeat it say the same."""
    assert "version" not in PROJECT["project"]
    assert PROJECT["project"]["dynamic"] == ["version"]
    assert PROJECT["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "transtar.version.__version__"}
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    recipe = yaml.safe_load((ROOT / "packaging/conda/recipe.yaml").read_text(encoding="utf-8"))
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert transtar.__version__ == citation["version"] == recipe["context"]["version"]
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
