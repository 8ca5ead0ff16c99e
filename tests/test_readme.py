"""The README and the other pages: what they show is run, what they list is current, what they link exists."""

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from transtar.catalog import read_columns
from transtar.cli import main
from transtar.flags import BAD, DESCRIPTIONS, NO_LABEL, Flag
from transtar.glossary import as_markdown
from transtar.studies import load_study

from .made_surveys import made_lamost, made_miles

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path, *languages: str) -> list[tuple[str, str]]:
    """(language, content) of the fenced blocks of a page."""
    found = re.findall(r"^```(\w+)\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [(language, content) for language, content in found if language in languages]


def run(command: list[str], folder: Path, served: Path | None = None, **variables: str) -> str:
    """Run a command as a user would in `folder`, with `transtar` of `served` (tests/forking.py), else of this environment."""
    first = [str(served)] if served is not None else []
    path = os.pathsep.join([*first, str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    environment = {**os.environ, "PATH": path, "MPLBACKEND": "Agg", **variables}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def before(site: Path) -> str:
    """A PYTHONPATH on which `site` comes first, and where this transtar was found stays."""
    return os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")]))


def small_survey(source: Path, target: Path, tables: dict[str, list[str]]) -> None:
    """Make a folder like `source` with links to a few of its spectra, and tables of only those."""
    names = tables["labels.csv"]
    (target / "spectra").mkdir(parents=True)
    for name in names:
        (target / "spectra" / name).symlink_to(source / "spectra" / name)
    for table, kept in tables.items():
        with open(source / table, newline="") as file:
            reader = csv.DictReader(file)
            rows = [row for row in reader if row["file"] in set(kept)]
        with open(target / table, "w", newline="") as file:
            writer = csv.DictWriter(file, reader.fieldnames)
            writer.writeheader()
            writer.writerows(rows)


def column(path: Path, name: str) -> np.ndarray:
    with open(path, newline="") as file:
        return np.array([row[name] for row in csv.DictReader(file)])


@pytest.fixture(scope="module")
def small_data(data, tmp_path_factory) -> Path:
    """A data folder of 80 LAMOST stars, and of 220 MILES stars of the pool and 30 of the test set."""
    folder = tmp_path_factory.mktemp("data")
    files = column(data / "lamost_dr10/labels.csv", "file")
    feh = column(data / "lamost_dr10/labels.csv", "feh").astype(float)
    every = files[np.argsort(feh, kind="stable")][:: max(len(files) // 80, 1)].tolist()
    small_survey(data / "lamost_dr10", folder / "lamost_dr10", {"labels.csv": every})
    files, part = (column(data / "miles/split.csv", name) for name in ("file", "split"))
    both = [*files[part == "pool"][:220], *files[part == "test"][:30]]
    small_survey(data / "miles", folder / "miles", {"labels.csv": both, "split.csv": both})
    return folder


def test_everything_the_readme_shows_runs_in_order(small_data, served, tmp_path):
    shown = blocks(ROOT / "README.md", "bash", "python")
    assert {language for language, _ in shown} == {"bash", "python"}
    printed = ""
    for language, content in shown:
        if language == "bash":
            # Two epochs show that the command is right; what the defaults reach is for the study to say.
            content = re.sub(r"^(transtar (?:pretrain|finetune) .*)$", r"\1 --epochs 2", content, flags=re.MULTILINE)
            printed += run(["bash", "-euc", content], tmp_path, served, TRANSTAR_DATA=str(small_data))
        else:
            printed += run([sys.executable, "-c", content], tmp_path, TRANSTAR_DATA=str(small_data))
    for verb in ("prepare", "pretrain", "finetune", "predict", "evaluate"):
        assert any(f"transtar {verb} " in content for _, content in shown), verb
    assert "R2" in printed
    assert ".fits" in printed
    catalog = read_columns(tmp_path / "catalog.parquet")
    assert len(catalog["feh"]) == 250
    assert (tmp_path / "scores" / "metrics.json").is_file()


def test_python_example_is_short():
    ((_, example),) = blocks(ROOT / "README.md", "python")
    assert len([line for line in example.splitlines() if line.strip()]) <= 12


def test_the_study_of_the_readme_ships():
    named = re.findall(r"transtar study ([\w-]+)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert named
    for name in named:
        assert load_study(name)


def test_targets_of_the_readme_are_in_the_makefile():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = {name for page in PAGES for name in re.findall(r"\bmake ([a-z-]+)\b *(?:#|`)", page.read_text("utf-8"))}
    assert {"demo", "test"} <= named
    for target in (*named, "lint", "bench", "clean", "help"):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_and_to_pictures_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        file, _, place = target.partition("#")
        # What `make docs` writes, it checks as well.
        if target.startswith(("http", "generated/")):
            continue
        if file:
            assert (page.parent / file).is_file(), target
        else:
            assert place in headings(page), target


def headings(page) -> set[str]:
    """Anchors of the headings of a page, as they are made of the words."""
    lines = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines}


def flags_as_markdown() -> str:
    lines = ["| bit | flag | weight | meaning |", "|---|---|---|---|"]
    for flag in Flag:
        weight = "bad, no label" if flag in NO_LABEL else "bad" if flag in BAD else "warning"
        lines.append(f"| {int(flag).bit_length() - 1} | {flag.name} | {weight} | {DESCRIPTIONS[flag]} |")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(("name", "table"), [("columns", as_markdown), ("flags", flags_as_markdown)])
def test_tables_of_columns_and_flags_are_current(name, table):
    text = (ROOT / "docs" / "how-it-works.md").read_text(encoding="utf-8")
    (shown,) = re.findall(rf"<!-- {name}: .*? -->\n(.*?)<!-- end -->", text, re.DOTALL)
    assert shown == table()


def test_the_survey_of_the_guide_installs_and_is_read(tmp_path):
    from astropy.table import Table

    page = ROOT / "docs" / "add-a-survey.md"
    ((_, project), (_, module)) = blocks(page, "toml", "python")
    package, site = tmp_path / "package", tmp_path / "site"
    package.mkdir()
    (package / "pyproject.toml").write_text(project)
    (package / "transtar_mysurvey.py").write_text(module)
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--no-build-isolation"]
    run([*pip, "--target", str(site), "."], package)
    (tmp_path / "spectra").mkdir()
    random = np.random.default_rng(0)
    for number in range(3):
        wave = np.arange(3800, 6000, 1.0)
        error = np.full(len(wave), 0.02)
        flux = 1 - 0.5 * np.exp(-0.5 * ((wave - 4861) / 5) ** 2) + random.normal(0, error)
        table = Table({"WAVE": wave, "FLUX": flux, "ERROR": error})
        table.meta = {"OBJID": 2**62 + number, "RV": 20.0, "RA": 10.0, "DEC": -5.0}
        table.write(tmp_path / "spectra" / f"star{number}.fits")
    printed = ""
    for _, content in blocks(page, "bash"):
        printed += run(["bash", "-euc", content], tmp_path, PYTHONPATH=before(site))
    assert re.search(r"surveys .*mysurvey", printed)
    assert "3 spectra" in printed
    from transtar import read_set

    prepared = read_set(tmp_path / "sets" / "mysurvey")
    assert prepared.columns["id"].tolist() == [2**62, 2**62 + 1, 2**62 + 2]
    assert np.isfinite(prepared.flux).all()


def test_the_strategy_and_the_input_of_the_guide_install_and_are_used(tmp_path):
    from transtar import Estimator

    page = ROOT / "docs" / "add-a-strategy.md"
    ((_, project), (_, module)) = blocks(page, "toml", "python")
    package, site = tmp_path / "package", tmp_path / "site"
    package.mkdir()
    (package / "pyproject.toml").write_text(project)
    (package / "transtar_huber.py").write_text(module)
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--no-build-isolation"]
    run([*pip, "--target", str(site), "."], package)
    for make, survey, name in ((made_lamost, "lamost", "source"), (made_miles, "miles", "target")):
        folder = make(tmp_path / survey)
        given = ["--spectra", str(folder / "spectra"), "--labels", str(folder / "labels.csv")]
        assert main(["prepare", "--survey", survey, *given, "--out", str(tmp_path / "sets" / name)]) == 0
    printed = ""
    for _, content in blocks(page, "bash"):
        printed += run(["bash", "-euc", content], tmp_path, PYTHONPATH=before(site))
    assert "feh by huber on" in printed
    model = Estimator.load(tmp_path / "models" / "target")
    assert (model.input, model.n_inputs, model.provenance[-1]["settings"]["delta"]) == ("flux+depths", 1462 + 34, 1.0)


def test_the_grid_of_the_guide_installs_and_is_used(tmp_path):
    page = ROOT / "docs" / "add-a-grid.md"
    ((_, project), (_, module)) = blocks(page, "toml", "python")
    package, site = tmp_path / "package", tmp_path / "site"
    package.mkdir()
    (package / "pyproject.toml").write_text(project)
    (package / "transtar_calcium.py").write_text(module)
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--no-build-isolation"]
    run([*pip, "--target", str(site), "."], package)
    (tmp_path / "spectra").mkdir()
    random = np.random.default_rng(0)
    wave = np.arange(8300, 8900, 1.5)
    for number in range(3):
        flux = 3 - 2 * np.exp(-0.5 * ((wave - 8544.4) / 5) ** 2) + random.normal(0, 0.02, len(wave))
        rows = "".join(f"{w},{f},0.02\n" for w, f in zip(wave, flux, strict=True))
        (tmp_path / "spectra" / f"{number}.csv").write_text(f"# medium: vacuum\n# frame: rest\nwave,flux,error\n{rows}")
    printed = ""
    for _, content in blocks(page, "bash"):
        printed += run(["bash", "-euc", content], tmp_path, PYTHONPATH=before(site))
    assert re.search(r"grids .*blue, calcium, xp", printed)
    assert "3 spectra; labels: none; flags: none" in printed
    description = json.loads((tmp_path / "sets" / "calcium" / "set.json").read_text())
    assert description["preprocessing"]["grid"] == "calcium"
    assert len(description["preprocessing"]["grid_hash"]) == 16
    flux = pq.read_table(tmp_path / "sets" / "calcium" / "spectra.parquet")["flux"].to_pylist()
    np.testing.assert_allclose(np.median(flux, axis=1), 1, atol=0.03)
    assert np.argmin(flux[0]) == pytest.approx((np.log10(8544.4) - 3.9248) / 1e-4, abs=2)
