"""LaTeX tables compile, and fit the page of LaTeX's own class, whose text is narrower than that of journals."""

import re
import shutil
import subprocess

import pytest

from transtar.report import paper_table, to_latex
from transtar.report.latex import PAGE_WIDTH, table

from .results import summary

NEEDS_LATEX = pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex here")
HEAD = r"\documentclass{article}\usepackage{booktabs}\usepackage{xcolor}\begin{document}See \ref{tab:a}." + "\n"


def compiled(body, folder):
    """The log of pdflatex, which must end well."""
    (folder / "page.tex").write_text(HEAD + body + "\n\\end{document}\n", encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"]
    for _ in range(2):
        run = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace")
    assert run.returncode == 0, run.stdout[-1500:]
    return run.stdout


STRATEGIES = ("zero-shot", "residual", "lora", "scratch")


def wide(columns, regimes=("all", "poor", "rich"), rows=STRATEGIES):
    """A table with so many columns."""
    known = next(row for row in summary() if row["regime"] == "poor")
    made = [
        known | {"strategy": row, "input": f"input-{n}", "regime": regime, "n_finetune": 24, "r2": -12.345 + n, "label": "feh"}
        for row in rows for n in range(columns) for regime in regimes
    ]  # fmt: skip
    return paper_table(made, "feh", column="input", regimes=regimes, rows=rows)


KINDS = ("dwarf", "giant", "cool", "warm", "poor-dwarf", "poor-giant")


MANY = tuple(f"an adapter with a number, {n}, and a name that is as long as people give" for n in range(30))


@NEEDS_LATEX
@pytest.mark.parametrize(
    ("columns", "regimes", "rows"),
    [(1, ("all",), ()), (9, ("all", "poor", "rich"), ()), (5, KINDS, ()), (2, ("all",), MANY), (1, KINDS, MANY)],
)
def test_tables_compile_and_fit_a_page(tmp_path, columns, regimes, rows):
    shown = wide(columns, regimes, rows or STRATEGIES)
    text = to_latex(shown, "R2 of [Fe/H] & co, 5 % of them < -1; own_name #1", label="tab:a")
    log = compiled(text, tmp_path)
    assert "Overfull" not in log
    assert "Float too large" not in log
    assert "undefined" not in log


VALUE = "$-12.345 \\pm 0.123$"

PLAIN = {
    "scores": ([rf"$R^2_\mathrm{{{name}}}$" for name in ("all", "poor", "rich")] + [r"$\sigma$", "$N$", "bias"],
               [("lora, n = 24", [["[Fe/H] by input_1 & 2", *[VALUE] * 3, "0.123", "1234", "$-0.1$"]] * 4)]),
    "inputs of a study with few stars": (
        [rf"${delta}R^2_\mathrm{{{name}}}$" for delta in ("", r"\Delta ") for name in ("all", "poor", "rich")],
        [(f"strategy {n}, n = 24", [["embed-align+flux", *[r"$-22.775 \pm 7282.657$"] * 6]] * 7) for n in range(7)]),
    "response matrix": ([r"$T_\mathrm{eff}$", r"$\log g$", "{[Fe/H]}", r"{[$\alpha$/Fe]}"],
                        [(f"teff alone, full; rich stars {n}", [["[Fe/H]", *["$-0.12$"] * 4]] * 4) for n in range(24)]),
    "one long block": (["{[Fe/H]}"], [("all", [["[Fe/H]", "$-0.12$"]] * 150)]),
    "many columns": ([f"column {n}" for n in range(29)], [("all", [["[Fe/H]", *[VALUE] * 29]] * 5)]),
    "long words": (["a number"], [("all " * 40, [["[Fe/H] of stars " * 12, VALUE], ["short", VALUE]])]),
}  # fmt: skip


@NEEDS_LATEX
@pytest.mark.parametrize("shape", PLAIN)
def test_plain_tables_compile_and_fit_a_page(tmp_path, shape):
    heads, blocks = PLAIN[shape]
    log = compiled("\n".join(table(["", *heads], blocks, "A caption of R2. " * 20, "tab:a")), tmp_path)
    assert "Overfull" not in log
    assert "Float too large" not in log
    assert "undefined" not in log


@pytest.mark.parametrize("shape", PLAIN)
def test_each_cell_of_a_plain_table_is_printed_once(shape):
    heads, blocks = PLAIN[shape]
    blocks = [
        (title, [[row[0], *(f"c{b}.{n}.{k}" for k in range(len(heads)))] for n, row in enumerate(rows)])
        for b, (title, rows) in enumerate(blocks)
    ]
    text = "\n".join(table(["", *heads], blocks, "A caption", "tab:a"))
    printed = re.findall(r"c\d+\.\d+\.\d+", text)
    assert sorted(printed) == sorted(cell for _, rows in blocks for row in rows for cell in row[1:])
    tabulars = re.findall(r"\\begin\{tabular\}\{[lp][^r]*(r+)\}(.*?)\\end\{tabular\}", text, re.DOTALL)
    assert len(tabulars) == text.count(r"\begin{tabular}")
    for columns, body in tabulars:
        rows = [line for line in body.splitlines() if "&" in line]
        assert {line.replace(r"\&", "").count("&") for line in rows} == {len(columns)}


def test_columns_that_fit_stay_side_by_side():
    heads, blocks = PLAIN["response matrix"]
    assert "\n".join(table(["", *heads], blocks[:2], "A caption", "tab:a")).count(r"\begin{tabular}") == 1


def test_more_columns_than_fit_follow_below_and_long_tables_in_another_float():
    text = to_latex([wide(9), wide(9)], "A caption", label="tab:a")
    floats = re.findall(r"\\begin\{table\*\}.*?\\end\{table\*\}", text, re.DOTALL)
    assert len(floats) > 1
    assert text.count(r"\label{tab:a}") == text.count(r"\caption{A caption}") == 1
    assert text.count(r"\caption{(continued)}") == text.count(r"\addtocounter{table}{-1}") == len(floats) - 1
    for number in range(9):
        assert text.count(f"input-{number} ") + text.count(f"input-{number}\n") == 2


@pytest.mark.parametrize("rows", [STRATEGIES, MANY])
def test_each_row_of_a_table_is_printed_once(rows):
    text = to_latex(wide(1, ("all",), rows), "A caption", label="tab:a")
    assert [text.count(f"{name} &") for name in rows] == [1] * len(rows)


def test_without_caption_there_is_no_float():
    assert r"\begin{table" not in to_latex(wide(2))


def test_a_page_is_that_of_the_class_article():
    assert PAGE_WIDTH == 345
