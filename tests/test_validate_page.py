"""docs/validate.md: what it shows runs, and its numbers and links are of the code."""

import csv
import re

import pytest

from transtar.cli import main
from transtar.evaluate.validation.bound import MOST_STARS
from transtar.evaluate.validation.cluster_members import FEWEST_MEMBERS
from transtar.evaluate.validation.visits import EDGES
from transtar.evaluate.validation.wide_pairs import NEIGHBOURS

from .test_readme import ROOT, blocks, run

PAGE = ROOT / "docs" / "validate.md"


@pytest.mark.slow
def test_everything_the_page_shows_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sizes = [
        "lamost=20",
        "common=20",
        "edr=20",
        "miles=1",
        "xp_continuous=0",
        "clusters=3",
        "cluster_members=6",
        "wide_pairs=15",
    ]
    assert main(["simulate", "--set", *sizes, "--out", "universe", "--workers", "1"]) == 0
    models = ["mock-feh", "mock-alphafe", "mock-teff", "mock-logg"]
    given = ["--survey", "desi", "--spectra", "universe/desi/healpix", "--out", "desi.parquet"]
    assert main(["predict", "--model", *models, *given]) == 0
    ((_, command),) = blocks(PAGE, "bash")
    printed = run(["bash", "-euc", command], tmp_path)
    for check in ("clusters", "pairs", "strangers", "bound"):
        assert f"\n  {check} " in printed, check
    with (tmp_path / "validated" / "validation.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    (clusters,) = (
        row for row in rows if (row["check"], row["label"], row["subset"], row["what"])
        == ("clusters", "feh", "all", "scatter beyond the stated errors")
    )  # fmt: skip
    # The spectra of members have no scatter but noise.
    assert float(clusters["sigma"]) < 0.15


def test_numbers_of_the_page_are_current():
    text = PAGE.read_text(encoding="utf-8")
    (edges,) = re.findall(r"Bins are ([\d, ]+)\.", text)
    assert [float(edge) for edge in edges.split(",")] == list(EDGES[1:-1])
    assert f"one of the {NEIGHBOURS} nearest" in text
    assert f"of more than {MOST_STARS} spectra {MOST_STARS} are drawn" in text
    assert f"from {FEWEST_MEMBERS} members on" in text
