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


def wide(columns, regimes=("all", "poor", "rich"), rows=("zero-shot", "residual", "lora", "scratch")):
    """A table with so many columns."""
    known = next(row for row in summary() if row["regime"] == "poor")
    made = [
        known | {"strategy": row, "input": f"input-{n}", "regime": regime, "n_finetune": 24, "r2": -12.345 + n, "label": "feh"}
        for row in rows for n in range(columns) for regime in regimes
    ]  # fmt: skip
    return paper_table(made, "feh", column="input", regimes=regimes, rows=rows)


KINDS = ("dwarf", "giant", "cool", "warm", "poor-dwarf", "poor-giant")


@NEEDS_LATEX
@pytest.mark.parametrize(("columns", "regimes"), [(1, ("all",)), (9, ("all", "poor", "rich")), (5, KINDS)])
def test_tables_compile_and_fit_a_page(tmp_path, columns, regimes):
    text = to_latex(wide(columns, regimes), "R2 of [Fe/H] & co, 5 % of them < -1; own_name #1", label="tab:a")
    log = compiled(text, tmp_path)
    assert "Overfull" not in log
    assert "Float too large" not in log
    assert "undefined" not in log


@NEEDS_LATEX
def test_plain_tables_compile_and_fit_a_page(tmp_path):
    heads = ["", *(rf"$R^2_\mathrm{{{name}}}$" for name in ("all", "poor", "rich")), r"$\sigma$", "$N$", "bias"]
    rows = [["[Fe/H] by input_1 & 2", *["$-12.345 \\pm 0.123$"] * 3, "0.123", "1234", "$-0.1$"]] * 4
    log = compiled("\n".join(table(heads, [("lora, n = 24", rows)], "A caption", "tab:a")), tmp_path)
    assert "Overfull" not in log


def test_more_columns_than_fit_follow_below_and_long_tables_in_another_float():
    text = to_latex([wide(9), wide(9)], "A caption", label="tab:a")
    floats = re.findall(r"\\begin\{table\*\}.*?\\end\{table\*\}", text, re.DOTALL)
    assert len(floats) > 1
    assert text.count(r"\label{tab:a}") == text.count(r"\caption{A caption}") == 1
    assert text.count(r"\caption{(continued)}") == text.count(r"\addtocounter{table}{-1}") == len(floats) - 1
    for number in range(9):
        assert text.count(f"input-{number} ") + text.count(f"input-{number}\n") == 2


def test_without_caption_there_is_no_float():
    assert r"\begin{table" not in to_latex(wide(2))


def test_a_page_is_that_of_the_class_article():
    assert PAGE_WIDTH == 345
