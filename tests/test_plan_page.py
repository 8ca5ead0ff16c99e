"""docs/plan.md: what it shows runs, and its columns and units are those of the code."""

import re

import pytest

from transtar.catalog import read_columns
from transtar.catalog.next_stars import UNITS
from transtar.cli import main
from transtar.glossary import PLAN_COLUMNS, as_markdown

from .made_surveys import made_lamost
from .test_readme import ROOT, blocks

PAGE = ROOT / "docs" / "plan.md"


@pytest.mark.slow
@pytest.mark.usefixtures("unquestioned")
def test_what_the_page_shows_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = made_lamost(tmp_path / "lamost", n=40)
    assert main(["prepare", "--survey", "lamost", "--spectra", str(made / "spectra"), "--out", "sets/target"]) == 0
    ((_, command),) = blocks(PAGE, "bash")
    assert main(command.split()[1:]) == 0
    assert read_columns(tmp_path / "plan.csv")["plan_rank"].tolist() == list(range(1, 11))


def test_columns_and_units_are_current():
    text = PAGE.read_text(encoding="utf-8")
    (shown,) = re.findall(r"as_markdown -->\n(.*?)<!-- end -->", text, re.DOTALL)
    assert shown == as_markdown(PLAN_COLUMNS)
    assert f"{UNITS['teff']:g} K, {UNITS['logg']:g} dex and {UNITS['feh']:g} dex" in text
    assert f"[alpha/Fe] has {UNITS['alphafe']:g} dex" in text
