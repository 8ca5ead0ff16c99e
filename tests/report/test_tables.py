import csv
import io
from xml.etree import ElementTree

import pytest

from transtar.errors import InputError
from transtar.report import paper_table, settings_html, to_csv, to_html, to_latex, write_table

from .results import summary


@pytest.fixture(scope="module")
def table():
    return paper_table(summary(), "feh")


def test_form_of_the_paper(table):
    assert table.rows == ("zero-shot", "residual", "lora", "scratch")
    assert table.columns == (0, 50, 100)
    assert ("zero-shot", 50) not in table.cells


def test_the_three_best_of_each_regime_are_marked(table):
    for regime in ("all", "poor", "rich"):
        values = sorted((cell[regime]["r2"] for cell in table.cells.values()), reverse=True)
        for (row, column, name), rank in table.ranks.items():
            if name == regime:
                assert table.cells[row, column][regime]["r2"] == values[rank - 1]
    assert len(table.ranks) == 9


def test_csv_holds_the_numbers(table):
    rows = list(csv.DictReader(io.StringIO(to_csv(table))))
    assert len(rows) == 7
    lora = next(row for row in rows if (row["row"], row["n_finetune"]) == ("lora", "50"))
    assert float(lora["r2_poor"]) == pytest.approx(table.cells["lora", 50]["poor"]["r2"], abs=1e-6)
    assert lora["n_seeds"] == "3"
    assert float(lora["r2_std_all"]) > 0


def test_latex(table):
    text = to_latex(table)
    assert r"\toprule" in text
    assert r"\colorbox[HTML]{6BAED6}" in text
    assert text.count("{") == text.count("}")
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}")
    assert r"\scriptsize $\sigma$" in text
    columns = {line.count(" & ") for line in text.splitlines() if line.startswith(("zero-shot", "lora", "scratch"))}
    assert columns == {3}


def test_html_is_well_formed_and_marks_ranks(table):
    tree = ElementTree.fromstring(to_html(table, "a < b & c"))
    assert tree.find("caption").text == "a < b & c"
    assert len(tree.findall(".//span[@class='rank1']")) == 3
    assert len(tree.findall("tbody/tr")) == 4


def test_settings_are_escaped():
    tree = ElementTree.fromstring(settings_html({"<a>": "b & c"}))
    assert tree.find(".//td").text == "b & c"


def test_files(tmp_path, table):
    paths = write_table(table, tmp_path / "tables", "table-1")
    assert {path.name for path in paths.values()} == {"table-1.csv", "table-1.tex", "table-1.html"}
    assert all(path.read_text() for path in paths.values())


def test_two_results_for_one_cell_are_refused():
    rows = summary()
    with pytest.raises(InputError, match="two results for strategy"):
        paper_table(rows + [row | {"variant": "frame"} for row in rows], "feh")
    with pytest.raises(InputError, match="no results for label 'teff'"):
        paper_table(rows, "teff")
