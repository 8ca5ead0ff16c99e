"""docs/catalogs.md: what it shows runs, and its tables are of the code."""

import re

import pytest
from astropy.table import Table

from transtar.catalog import SUFFIXES
from transtar.catalog.latex_table import MOST_ROWS
from transtar.catalog.provenance import FEW
from transtar.catalog.styles import STYLES, styled_names
from transtar.cli import main

from .made_surveys import made_miles
from .test_readme import ROOT, blocks

PAGE = ROOT / "docs" / "catalogs.md"


@pytest.mark.slow
@pytest.mark.usefixtures("unquestioned")
def test_what_the_page_shows_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    made_miles(tmp_path / "miles", n=6)
    ((_, commands),) = blocks(PAGE, "console")
    for command in commands.splitlines():
        assert main(command.split()[1:]) == 0
    (_, content), _ = blocks(PAGE, "python")
    capsys.readouterr()
    exec(content, {})
    assert f"{commands.splitlines()[0]} ['mock-feh', 'mock-teff', 'mock-logg']" in capsys.readouterr().out
    assert {"__Fe_H_", "e_Teff"} <= set(Table.read("stars.vot").colnames)
    assert "__Fe_H_" not in Table.read("stars.fits").colnames
    assert "stars.README.md" in {path.name for path in tmp_path.iterdir()}


def test_the_tables_are_current():
    text = PAGE.read_text(encoding="utf-8")
    assert set(re.findall(r"`(\.\w+)`", text.partition("## Names")[0])) == set(SUFFIXES)
    assert f"at most {MOST_ROWS:,} |" in text
    assert f"if they are at most {FEW})" in text
    given = ["id", "ra", "dec", "velocity", "teff", "teff_err", "feh", "feh_lo", "desi_survey"]
    for style in STYLES:
        (row,) = re.findall(rf"^\| `{style}` \|(.*)$", text, re.MULTILINE)
        assert [name for name in styled_names(given, style).values() if f"`{name}`" not in row] == []
