"""docs/long-runs.md: what it shows runs, and its numbers are of the code."""

import re

import pytest

from transtar.catalog import read_columns
from transtar.cli import main
from transtar.shards.tasks import FEWEST_FILES, MANY_TASKS, MOST_BYTES, MOST_FILES
from transtar.shards.work import HEAD

from .test_readme import ROOT, blocks, run

PAGE = ROOT / "docs" / "long-runs.md"


def test_numbers_are_those_of_the_code():
    text = PAGE.read_text(encoding="utf-8")
    assert f"some {FEWEST_FILES} files each, at most {MOST_BYTES / 1e9:.0f} GB" in text
    assert f"(to {MOST_FILES:,}) where there would be over {MANY_TASKS:,} shards" in text
    assert f"its first {HEAD >> 10} KiB" in text


@pytest.mark.slow
def test_what_the_page_shows_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sizes = ["lamost=20", "common=20", "edr=20", "miles=1", "xp_continuous=0", "clusters=1", "wide_pairs=1"]
    assert main(["simulate", "--set", *sizes, "--out", "universe", "--workers", "1"]) == 0
    ((_, command),) = blocks(PAGE, "bash")
    printed = run(["bash", "-euc", command], tmp_path)
    assert re.search(r"run: (\d+) of \1 shards", printed)
    assert len(read_columns(tmp_path / "catalog.parquet")["feh"]) > 40
