import csv
import io
import re
from xml.etree import ElementTree

import pytest

from transtar.errors import InputError
from transtar.evaluate.metrics import METRICS
from transtar.report import (
    paper_table,
    settings_html,
    to_csv,
    to_html,
    to_latex,
    write_table,
    write_tables,
)
from transtar.studies.paper.arrangements import strategies_by_input, strategies_by_size

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


def test_csv_has_a_metric_that_is_added(monkeypatch):
    monkeypatch.setitem(METRICS, "mad", None)
    table = paper_table([row | {"mad": 0.125, "mad_std": 0.5} for row in summary()], "feh")
    first = next(csv.DictReader(io.StringIO(to_csv(table))))
    assert (first["mad_poor"], first["mad_std_poor"]) == ("0.125000", "0.500000")


def test_latex(table):
    text = to_latex(table)
    assert r"\toprule" in text
    assert r"\colorbox[HTML]{6BAED6}" in text
    assert text.count("{") == text.count("}")
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}")
    assert r"\scriptsize $\sigma$" in text
    columns = {line.count(" & ") for line in text.splitlines() if line.startswith(("zero-shot", "lora", "scratch"))}
    assert columns == {2}


def test_html_is_well_formed_and_marks_ranks(table):
    tree = ElementTree.fromstring(to_html(table, "a < b & c"))
    assert tree.find("caption").text == "a < b & c"
    assert len(tree.findall(".//span[@class='rank1']")) == 3
    assert len(tree.findall("tbody/tr")) == 4


def test_r2_ends_where_its_spread_does_and_the_csv_has_all_digits():
    rows = [dict(row) for row in summary() if row["strategy"] == "lora" and row["n_finetune"] == 50]
    values = {"all": (0.84213, 0.00345), "poor": (-22.775, 7282.657), "rich": (0.84213, 0.31)}
    for row in rows:
        row["r2"], row["r2_std"] = values.get(row["regime"], (0.5, 0.1))
        row["sigma"], row["sigma_std"] = 0.12345, 0.0213
    table = paper_table(rows, "feh")
    (cell,) = ElementTree.fromstring(to_html(table)).findall("tbody/tr/td")
    assert "".join(cell.itertext()) == "0.8421 / undetermined / 0.84± 0.0034 / – / 0.31σ = 0.123 ± 0.021"
    text = to_latex(table)
    assert r"$\pm$ 0.0034 / -- / 0.31" in text
    assert "7282" not in text
    (row,) = csv.DictReader(io.StringIO(to_csv(table)))
    assert (row["r2_poor"], row["r2_std_poor"], row["sigma_all"]) == ("-22.775000", "7282.657000", "0.123450")


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


def several():
    rows = summary(labels=("feh", "alphafe"))
    sizes, counts = (100, 50, 0), {100: (12, 88), 50: (6, 44), 0: (0, 0)}
    return [strategies_by_size(rows, label, sizes, counts) for label in ("feh", "alphafe")]


def test_no_bracket_follows_a_rule_or_line_break_in_latex(table):
    # LaTeX would take it for the start of an option, and not come to an end.
    for text in (to_latex(table), to_latex(several(), in_a_row=2)):
        assert not re.search(r"(\\\w*rule|\\\\)\s*\[(?!4pt)", text)


def test_latex_of_several_labels_in_rows_of_columns():
    text = to_latex(several(), "R2 of [Fe/H] & co, 5 % of them < -1", in_a_row=2)
    lines = text.splitlines()
    assert r"\caption{$R^2$ of [Fe/H] \& co, 5 \% of them $<$ $-$1}" in lines
    assert r"\begin{tabular}{lcc}" in lines
    heads = [line for line in lines if line.startswith("{[")]
    assert heads == [
        r"{[Fe/H]} & n = 100 & n = 50 \\",
        r"{[Fe/H]} & n = 0 & \\",
        r"{[$\alpha$/Fe]} & n = 100 & n = 50 \\",
        r"{[$\alpha$/Fe]} & n = 0 & \\",
    ]
    assert lines.count(r"M-poor:M-rich & 12:88 & 6:44 \\") == 2
    inside = [line for line in lines if line.endswith((r"\\", r"\\[4pt]")) and "multicolumn" not in line]
    cells = re.compile(r"(?<!\\)&")
    assert {len(cells.findall(line)) for line in inside} == {2}
    assert text.count("{") == text.count("}")
    assert r"$\sigma$" not in text
    # Two columns fit a page, the third follows below.
    assert to_latex(several()).count(r"\midrule") == 7


def test_html_of_several_labels():
    tree = ElementTree.fromstring(to_html(several()))
    assert [len(body.findall("tr")) for body in tree.findall("tbody")] == [3, 4]
    (head,) = tree.findall("tbody/tr[@class='head']")
    assert ["".join(cell.itertext()) for cell in head] == [
        "[alpha/Fe]all / poor / richM-poor:M-rich", "n = 10012:88", "n = 506:44", "n = 00:0",
    ]  # fmt: skip
    ranks = [cell.get("class") for cell in tree.findall("tbody")[0].findall(".//span")]
    assert {name: ranks.count(name) for name in ranks} == {"rank1": 3, "rank2": 3, "rank3": 3}


def test_csv_of_several_labels():
    rows = list(csv.DictReader(io.StringIO(to_csv(several()))))
    assert [row["label"] for row in rows].count("alphafe") == len(rows) / 2 == 8
    assert {row["n_finetune"]: row["M-poor:M-rich"] for row in rows} == {"100": "12:88", "50": "6:44", "0": "0:0"}
    assert float(rows[0]["sigma_all"]) > 0


def test_names_shown_are_not_those_of_the_rows():
    rows = [row for row in summary() if row["n_finetune"] == 50]
    table = strategies_by_input(rows, "feh", 50, names={"lora": "LoRA", "flux": "normalised flux"})
    for text in (to_latex(table), to_html(table)):
        assert "LoRA" in text
        assert "normalised flux" in text
    assert "lora,flux" in to_csv(table)


def test_several_labels_in_one_file_each(tmp_path):
    paths = write_tables(several(), tmp_path, "table-a2", "caption", in_a_row=3)
    assert {path.name for path in tmp_path.glob("[!.]*")} == {"table-a2.csv", "table-a2.tex", "table-a2.html"}
    assert "<caption>caption</caption>" in paths["html"].read_text()
    other = strategies_by_input(summary(), "feh", 50)
    with pytest.raises(InputError, match=r"differ in column_name: n_finetune .feh. and input .feh."):
        write_tables([several()[0], other], tmp_path, "x")
    with pytest.raises(InputError, match="no table"):
        to_csv([])
