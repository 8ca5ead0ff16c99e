"""Text for LaTeX."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ..latex_text import escape

__all__ = ["escape", "sentence", "table"]

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
    """Lines of a float in one column with caption and label; it needs the package booktabs.

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
    lines = [r"\begin{table}", r"\centering", rf"\caption{{{sentence(caption)}}}", rf"\label{{{label}}}"]
    lines += [rf"\begin{{tabular}}{{l{'r' * (len(heads) - 1)}}}", r"\toprule", " & ".join(heads) + r" \\"]
    for title, rows in blocks:
        lines += [r"\midrule", rf"\multicolumn{{{len(heads)}}}{{l}}{{{sentence(title)}}} \\"]
        # In braces: after a line break LaTeX would take a bracket for the start of its option.
        lines += [" & ".join([f"{{{sentence(row[0])}}}", *row[1:]]) + r" \\" for row in rows]
    return [*lines, r"\bottomrule", r"\end{tabular}", r"\end{table}"]
