"""Reporters by name: those that ship, those that a process registers, those of other packages; and who imports whom."""

import ast
import importlib
import sys
from importlib.util import resolve_name
from pathlib import Path

import pytest

import transtar
from transtar import load_study, redraw
from transtar.errors import SettingsError, TranstarError
from transtar.report import Section
from transtar.studies import reporters
from transtar.studies.load import build_study
from transtar.studies.reporters import (
    DEFAULT,
    OF_EXPERIMENTS,
    OF_EXPLAIN,
    SHIPPED,
    Reporter,
    get_reporter,
    register_reporter,
    reporter_names,
    reporters_of,
)
from transtar.studies.setting_checks import check_settings

from ..finished import STUDY, made_study


@pytest.mark.parametrize("name", SHIPPED)
def test_every_name_leads_to_a_function(name):
    assert callable(get_reporter(name))


def test_a_study_that_names_none_gets_the_usual_ones():
    assert reporters_of(load_study("quickstart")["default"]) == DEFAULT
    paper = load_study("paper")["default"]
    assert set(paper.reporters) == {*SHIPPED} - {"auto"}  # of which the paper knows nothing
    # The list in the file is what a study with experiments gets that names none, and its inputs.
    others = tuple(name for name in reporters_of(paper) if name != "inputs")
    assert others == ("summary", *OF_EXPERIMENTS, *OF_EXPLAIN, *DEFAULT[1:])


@pytest.fixture
def registry(monkeypatch):
    monkeypatch.setattr(reporters, "_REGISTERED", {})


@pytest.mark.usefixtures("registry")
def test_a_reporter_of_ones_own_draws_its_section(tmp_path):
    def best(results, context):
        rows = list(results.select(variant="default", regime="all"))
        top = max(rows, key=lambda row: row["r2"])
        return [Section("The best", [f"{top['strategy']} of {context.study.title}"])]

    register_reporter(Reporter("best", best))
    out = made_study(tmp_path, reporters=["best"])
    assert "lora of A made-up study" in redraw(out).read_text()
    with pytest.raises(SettingsError, match="'best' is registered already"):
        register_reporter(Reporter("best", print))
    with pytest.raises(SettingsError, match="'labels' is registered already"):
        register_reporter(Reporter("labels", best))


@pytest.mark.usefixtures("registry")
def test_a_reporter_of_another_package(tmp_path, monkeypatch):
    (tmp_path / "drawplug.py").write_text(
        "from transtar.report import Section\n"
        "from transtar.studies.reporters import Reporter\n"
        "REPORTER = Reporter('plugged', lambda results, context: [Section('Plugged in')])\n"
    )
    info = tmp_path / "drawplug-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: drawplug\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[transtar.reporters]\nplugged = drawplug:REPORTER\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    assert "plugged" in reporter_names()
    assert "drawplug" not in sys.modules
    (tmp_path / "out").mkdir()
    assert "Plugged in" in redraw(made_study(tmp_path / "out", reporters=["plugged"])).read_text()
    sys.modules.pop("drawplug")


@pytest.mark.usefixtures("registry")
def test_a_broken_package_is_found_before_the_training(tmp_path, monkeypatch):
    (tmp_path / "brokenplug.py").write_text("import no_such_package_at_all\n")
    info = tmp_path / "brokenplug-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: brokenplug\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[transtar.reporters]\nbrokenplug = brokenplug:REPORTER\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    study = build_study(STUDY | {"reporters": ["brokenplug"]}, "study s")
    with pytest.raises(TranstarError, match="brokenplug"):
        check_settings(study, "study s")


def imported(path: Path, source: Path) -> set[str]:
    """Full names of all modules that a file imports, wherever in it, with the names taken from them."""
    package = ".".join(path.relative_to(source.parent).with_suffix("").parts[:-1])
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = resolve_name("." * node.level + (node.module or ""), package) if node.level else node.module
            names |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
    return names


def test_nothing_imports_the_papers_folder():
    source = Path(transtar.__file__).parent
    paper = source / "studies" / "paper"
    inside = [
        path for path in paper.glob("*.py") if any("transtar.studies.paper" in name for name in imported(path, source))
    ]
    # That the search would find one.
    assert inside
    for path in source.rglob("*.py"):
        if path.parent != paper:
            assert not [name for name in imported(path, source) if name.startswith("transtar.studies.paper")], path


def test_running_a_study_that_is_not_the_papers_loads_nothing_of_it(tmp_path):
    import subprocess

    out = made_study(tmp_path)
    code = (
        "import sys, transtar\n"
        f"transtar.redraw({str(out)!r})\n"
        "print([name for name in sys.modules if name.startswith('transtar.studies.paper')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.usefixtures("registry")
def test_the_reporter_of_the_documentation(tmp_path):
    page = Path(__file__).parents[3] / "docs" / "study-results.md"
    code = page.read_text(encoding="utf-8").split("<!-- executed -->\n```python\n")[1].split("```")[0]
    exec(compile(code, str(page), "exec"), {})
    report = redraw(made_study(tmp_path, reporters=["ranking"])).read_text()
    body = report[report.index("Ranking") :]
    assert body.index("lora") < body.index("scratch") < body.index("zero-shot")
