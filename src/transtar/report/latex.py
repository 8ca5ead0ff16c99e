"""Text for LaTeX."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ..latex_text import escape

__all__ = ["escape", "floating", "sentence", "table", "width"]

PAGE_WIDTH = 345.0
"""Width of a page in points: that of LaTeX's own class article, which is narrower than that of journals."""

PAGE_LINES = 46
"""Lines in `SIZE` of a float that leaves room for its caption on a page."""

SIZE, LETTER, GAP, BOX = r"\footnotesize", 4.4, 8.0, 3.5
"""Size of the type in tables; in points the width of a letter in it, twice the space beside a column, and what a box adds."""

_WORDS = ((r"±", r"$\\pm$"), (r"\bR2\b", r"$R^2$"), (r"\bsigma\b", r"$\\sigma$"), (r"\balpha\b", r"$\\alpha$"),
          (r"(?<![\w-])-(?=\d)", r"$-$"))  # fmt: skip


def sentence(text: str) -> str:
    """Escape a sentence, in which R2, sigma and alpha become symbols and a hyphen before a number a minus."""
    text = escape(text)
    for pattern, command in _WORDS:
        text = re.sub(pattern, command, text)
    return text


def table(
    heads: Sequence[str], blocks: Iterable[tuple[str, Sequence[Sequence[str]]]], caption: str, label: str
) -> list[str]:
    """Lines of a float with caption and label; it needs the package booktabs.

    Parameters
    ----------
    heads : sequence of str
        In LaTeX, one for each column.
    blocks : iterable of (str, sequence of rows)
        A title in plain text, and rows whose first cell is plain text and whose others are LaTeX.
    caption : str
        Plain text, see `sentence`.
    label : str
        Name by which LaTeX refers to the table.

    Returns
    -------
    list of str
    """
    blocks = list(blocks)
    lines = [rf"\begin{{tabular}}{{l{'r' * (len(heads) - 1)}}}", r"\toprule", " & ".join(heads) + r" \\"]
    for title, rows in blocks:
        lines += [r"\midrule", rf"\multicolumn{{{len(heads)}}}{{l}}{{{sentence(title)}}} \\"]
        # In braces: after a line break LaTeX would take a bracket for the start of its option.
        lines += [" & ".join([f"{{{sentence(row[0])}}}", *row[1:]]) + r" \\" for row in rows]
    small = _too_wide([heads, *(row for _, rows in blocks for row in rows)])
    return floating([*lines, r"\bottomrule", r"\end{tabular}"], caption, label, small=small)


def _too_wide(rows: Sequence[Sequence[str]]) -> bool:
    """Whether columns in LaTeX are wider than a page, by the letters that are printed."""
    printed = [[re.sub(r"\\[a-zA-Z]+|[${}_^]", "", cell) for cell in row] for row in rows]
    columns = zip(*printed, strict=True)
    return sum(GAP + max(map(width, column)) for column in columns) > PAGE_WIDTH


def floating(
    tabular: Sequence[str], caption: str, label: str, continued: bool = False, small: bool = False
) -> list[str]:
    """Lines of a float over both columns of a page, with caption and label.

    Parameters
    ----------
    tabular : sequence of str
    caption : str
        Plain text, see `sentence`.
    label : str
        Name by which LaTeX refers to it; none if empty.
    continued : bool
        Whether it goes on from the float before, under the same number.
    small : bool
        Whether it needs smaller type, and columns closer together.

    Returns
    -------
    list of str
    """
    lines = [r"\begin{table*}", r"\centering"]
    if continued:
        lines += [r"\addtocounter{table}{-1}", r"\caption{(continued)}"]
    else:
        lines += [rf"\caption{{{sentence(caption)}}}", *([rf"\label{{{label}}}"] if label else [])]
    size, gap = (r"\scriptsize", 2.0) if small else (SIZE, GAP / 2)
    lines += [size, rf"\setlength{{\tabcolsep}}{{{gap:g}pt}}", r"\setlength{\fboxsep}{1.5pt}"]
    return [*lines, *tabular, r"\end{table*}"]


def width(text: str) -> float:
    """About how many points a plain text takes in a table."""
    return LETTER * len(text)
