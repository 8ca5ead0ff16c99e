"""Text for LaTeX."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence

from ..latex_text import escape

__all__ = ["escape", "first_column", "floating", "lines_of", "room", "sentence", "table", "width"]

PAGE_WIDTH, PAGE_HEIGHT = 345.0, 550.0
"""Of the text of a page in points: that of LaTeX's own class article on letter paper, which is smaller than that of journals."""

SIZE, LETTER, GAP, BOX = r"\footnotesize", 4.4, 8.0, 3.5
"""Size of the type in tables; in points the width of a digit in it, twice the space beside a column, and what a box adds."""

SMALL = 0.93
"""Width of a digit in smaller type, in those of `SIZE`; there columns have half the space beside them."""

LINE, RULE, HEAD, CAPTION_LINE, CAPTION_LETTERS = 9.6, 6.0, 25.0, 12.0, 62
"""Heights in points of a line in `SIZE`, a rule, heads, each with its space, and a line of a caption; letters in such a line."""

CONTINUED = " (continued)"

NAME_WIDTH = 150.0
"""Points of the first column at most: longer names go on in the next line."""

_WIDE = {"±": 2.3, "-": 1.6, "−": 1.6, "+": 1.6, "=": 2.3, "<": 2.3, ">": 2.3, "%": 1.7, "&": 1.6, "m": 1.7, "w": 1.5}
"""Widths of what is wider than a digit, in digits of Computer Modern, with the space that math sets beside a sign."""

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
    """Lines of a float with caption and label, or of several; it needs the package booktabs.

    Columns that do not fit across a page of LaTeX's own classes, even in smaller type, follow below under heads of their own;
    blocks that would make it longer than a page follow in another float.

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
    rows = [heads, *(row for _, rows in blocks for row in rows)]
    columns = [max(map(width, map(_printed, column))) for column in zip(*rows, strict=True)]
    named, columns[0] = first_column([row[0] for row in rows], max(columns[1:]) + GAP)
    small = sum(columns) + GAP * len(columns) > PAGE_WIDTH
    fits = SMALL * sum(columns) + GAP / 2 * len(columns) <= PAGE_WIDTH
    parts = [range(1, len(heads))] if fits else _parts(columns)
    most = room(caption)
    floats: list[list[str]] = [[]]
    left = most
    for part in parts:
        for number, (title, some) in enumerate(_pieces(blocks, most, columns[0])):
            begins = number == 0
            height = _height(title, some, columns[0])
            if floats[-1] and height + begins * HEAD > left:
                if not begins:
                    floats[-1] += _END
                floats.append([])
                begins, left = True, most
            if begins:
                floats[-1] += [r"\par\medskip"] if floats[-1] else []
                floats[-1] += _begin([heads[0], *(heads[place] for place in part)], named)
            left -= height + begins * HEAD
            floats[-1] += [r"\midrule", rf"\multicolumn{{{len(part) + 1}}}{{{_over(title)}}}{{{sentence(title)}}} \\"]
            # In braces: after a line break LaTeX would take a bracket for the start of its option.
            start = r"\raggedright " if named != "l" else ""
            floats[-1] += [
                " & ".join([f"{start}{{{sentence(row[0])}}}", *(row[place] for place in part)]) + r" \\" for row in some
            ]
        floats[-1] += _END
    lines = []
    for number, tabular in enumerate(floats):
        lines += floating(tabular, caption, label, continued=number > 0, small=small and fits)
    return lines


_END = (r"\bottomrule", r"\end{tabular}")


def _begin(heads: Sequence[str], named: str) -> list[str]:
    return [rf"\begin{{tabular}}{{{named}{'r' * (len(heads) - 1)}}}", r"\toprule", " & ".join(heads) + r" \\"]


def _printed(cell: str) -> str:
    """The letters that are printed of a cell in LaTeX, which sets signs apart by itself."""
    cell = re.sub(r"\s*\\pm\s*", "±", cell)
    cell = re.sub(r"\\(?:mathrm|mathit|text)\b", "", cell)
    return re.sub(r"[${}_^\\]", "", re.sub(r"\\[a-zA-Z]+", "m", cell))


def _parts(columns: Sequence[float]) -> list[range]:
    """Columns that fit across a page beside the first, of so few parts as can be, and of about as many columns each."""
    last = len(columns)
    for count in range(2, last):
        many = -(-(last - 1) // count)
        parts = [range(start, min(start + many, last)) for start in range(1, last, many)]
        if all(columns[0] + sum(columns[k] for k in part) + GAP * (len(part) + 1) <= PAGE_WIDTH for part in parts):
            return parts
    return [range(place, place + 1) for place in range(1, last)]


def first_column(names: Iterable[str], wide: float) -> tuple[str, float]:
    """How LaTeX sets a first column of such names beside others of so many points, and its own points, spaces included.

    Names that are longer than `NAME_WIDTH`, or than what the others leave, go on in the next line.
    """
    needed = max(map(width, names))
    most = min(NAME_WIDTH, max(PAGE_WIDTH - wide - GAP, NAME_WIDTH / 4))
    return ("l", needed) if needed <= most else (f"p{{{most:.0f}pt}}", most)


def room(caption: str) -> float:
    """Points that a float has on a page below a caption in plain text."""
    return PAGE_HEIGHT - CAPTION_LINE * (3 + len(caption) // CAPTION_LETTERS)


def _over(title: str) -> str:
    """How a title is set over all columns."""
    return "l" if width(title) < PAGE_WIDTH - GAP else f"p{{{PAGE_WIDTH - GAP:g}pt}}"


def _height(title: str, rows: Sequence[Sequence[str]], wide: float) -> float:
    """Points of a block with its title and rule, its first column so wide."""
    return RULE + LINE * (lines_of(title, PAGE_WIDTH) + sum(lines_of(row[0], wide) for row in rows))


def lines_of(name: str, wide: float) -> int:
    """Lines that a name takes in a first column of so many points."""
    # Words are not broken, so that lines are not full.
    return math.ceil(1.3 * width(name) / wide) if width(name) > wide else 1


def _pieces(
    blocks: Iterable[tuple[str, Sequence[Sequence[str]]]], most: float, wide: float
) -> Iterator[tuple[str, Sequence[Sequence[str]]]]:
    """Blocks, of which those that are longer than a page go on under the same title."""
    for title, rows in blocks:
        some: list[Sequence[str]] = []
        for row in rows:
            if some and HEAD + _height(title, [*some, row], wide) > most:
                yield title, some
                title, some = title.removesuffix(CONTINUED) + CONTINUED, []
            some.append(row)
        yield title, some


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
    """About how many points a plain text takes in a table, in Computer Modern."""
    return LETTER * sum(_WIDE.get(letter, 1.5 if letter.isupper() else 1.0) for letter in text)
