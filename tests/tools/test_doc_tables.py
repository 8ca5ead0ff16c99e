"""Tables of results in the pages are those of the stored results."""

import csv
import re

import pytest

from tools.doc_tables import DOCS, MARKED, RESULTS, cell, table, with_tables

PAGES = [page for page in sorted(DOCS.glob("*.md")) if MARKED.search(page.read_text(encoding="utf-8"))]


def test_results_are_stored_for_the_main_pages():
    assert {"choose-a-strategy.md", "errors.md", "paper-study.md", "speed.md"} <= {page.name for page in PAGES}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_tables_of_a_page_are_those_of_the_results(page):
    text = page.read_text(encoding="utf-8")
    assert with_tables(text) == text, "run: python -m tools.doc_tables"


def test_every_stored_result_is_shown_once():
    shown = [name for page in PAGES for _, name, _, _ in MARKED.findall(page.read_text(encoding="utf-8"))]
    assert sorted(shown) == sorted(path.stem for path in RESULTS.glob("*.csv"))


NO_RESULTS = {"add-a-grid.md", "choose-a-strategy.md", "paper-study.md", "specclip.md", "tables.md"}
"""Pages that have a table of numbers which nobody measured: sizes, limits, settings."""


def tables_by_hand(page):
    """Heads of tables of which most cells are numbers, and that no tool writes."""
    text = re.sub(r"<!-- [^>]* written by .*?<!-- end -->", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for match in re.finditer(r"^(\|.*\|)\n\|[-:| ]+\|\n((?:\|.*\n)+)", text, re.MULTILINE):
        cells = [one for line in match[2].splitlines() for one in line.strip("|").split("|")[1:]]
        if sum(bool(re.match(r"\s*[-+]?\d", one)) for one in cells) > 0.4 * len(cells):
            yield match[1]


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_no_table_of_results_is_written_by_hand(page):
    by_hand = list(tables_by_hand(page)) if page.name != "study-keys.md" else []
    assert len(by_hand) <= {"specclip.md": 2}.get(page.name, int(page.name in NO_RESULTS)), by_hand


def test_a_table_by_hand_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("| a | b |\n|---|---|\n| x | 0.9 |\n\n| c | d |\n|---|---|\n| x | words |\n")
    assert list(tables_by_hand(page)) == ["| a | b |"]


def test_numbers_of_a_crossed_table_stand_in_their_rows():
    with open(RESULTS / "lamost-to-miles-feh.csv", newline="") as file:
        rows = {(row["strategy"], row["n"]): row for row in csv.DictReader(file)}
    lines = table("lamost-to-miles-feh").splitlines()
    sizes = re.findall(r"n = (\d+)", lines[0])
    for line in lines[2:]:
        strategy, *cells = (one.strip() for one in line.strip("|").split("|"))
        for size, one in zip(sizes, cells, strict=True):
            assert float(one.split(" / ")[0]) == float(rows[strategy, size]["r2"])


def test_a_number_that_changes_in_the_page_is_put_right():
    text = (DOCS / "choose-a-strategy.md").read_text(encoding="utf-8")
    assert with_tables(text.replace("| residual | 0.908 /", "| residual | 0.808 /")) == text


@pytest.mark.parametrize(
    ("row", "shown"),
    [
        ({"r2": "0.9", "std": "0.01"}, "0.90 (+- 0.01)"),
        ({"r2": "0.9", "std": ""}, "0.90"),
        ({"r2": "", "std": "0.01"}, ""),
    ],
)
def test_a_cell_takes_the_first_format_that_its_values_fill(row, shown):
    assert cell(row, ["{r2:.2f} (+- {std:.2f})", "{r2:.2f}"]) == shown
