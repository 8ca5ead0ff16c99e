"""Names and texts that others have chosen stay text, in HTML, in LaTeX and in figures."""

import re

import pytest

from transtar.evaluate import Results, summarise
from transtar.report import Section, paper_table, rows_html, settings_html, to_html, to_latex, write_report
from transtar.report.selection import to_latex as cuts_to_latex
from transtar.report.style import as_text, new_figure, paper_style, save
from transtar.selections import Step

from .results import results

EVIL = (
    "<script>alert(1)</script>",
    "\\input{/etc/passwd}",
    "' onload='x",
    '"><img src=x>',
    "a & b",
    "$x_{",
    "50%",
    "-1\\input{x}",
)


def evil_results(text):
    rows = [row | {"strategy": text if row["strategy"] == "lora" else row["strategy"]} for row in results()]
    return Results.from_rows(rows)


@pytest.mark.parametrize("text", EVIL)
def test_html(tmp_path, text):
    table = paper_table(summarise(evil_results(text)), "feh")
    parts = [to_html(table, text), rows_html([text, text], [[text, text]], text), settings_html({text: text}, text)]
    write_report(tmp_path / "r.html", text, [Section(text, paragraphs=[text], tables=parts)], text, text)
    page = (tmp_path / "r.html").read_text()
    for tag in ("<script>alert", "<img src=x", "' onload"):
        assert tag not in page


@pytest.mark.parametrize("text", EVIL)
def test_latex(text):
    table = paper_table(summarise(evil_results(text)), "feh")
    steps = [Step(text, text, text, 10, 1)]
    for made in (to_latex(table, text), cuts_to_latex(steps, text, "tab:cuts")):
        assert "\\input" not in made
        for special in re.findall(r"(?<!\\)%(?! needs)", made):
            pytest.fail(f"a comment begins with {special!r}: {made}")


@pytest.mark.parametrize("text", ["$x_{$", "$\\frac{$", "a$b$", "$"])
def test_figures(tmp_path, text):
    with paper_style():
        figure = new_figure(2, 1)
        figure.text(0.5, 0.5, as_text(text))
    save(figure, tmp_path, "a", ("png",))
    assert (tmp_path / "a.png").is_file()
