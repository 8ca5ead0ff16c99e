"""Tables of results in the pages, written from stored results: ``python -m tools.doc_tables`` brings all pages up to date.

A page has a table between ``<!-- end -->`` and, before it,
``<!-- table: NAME, written by python -m tools.doc_tables from docs/results/NAME.csv -->``.
`docs/results/tables.yaml` says how the rows of the CSV become cells:

rows, columns
    Columns of the CSV that name the row and the column of a cell; what both name first comes first.
head
    Heading of a column, with {} for its name.
corner
    Heading of the first column.
cells
    Formats of a cell by columns of the CSV. Of several the first counts whose values are all there.

A table without an entry is shown as its CSV is.
"""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Formatter
from typing import Any

import yaml

DOCS = Path(__file__).parents[1] / "docs"
RESULTS = DOCS / "results"

MARKED = re.compile(r"(<!-- table: ([\w-]+), written by [^>]*-->\n)(.*?)(<!-- end -->)", re.DOTALL)

Rows = Sequence[Mapping[str, str]]


def main(arguments: list[str]) -> int:
    """Write the tables into the pages; with --check only say which are out of date, with status 1."""
    changed = []
    for page in sorted(DOCS.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        new = with_tables(text)
        if new != text:
            changed.append(page)
            if "--check" not in arguments:
                page.write_text(new, encoding="utf-8")
    for page in changed:
        print(f"{page}: {'out of date' if '--check' in arguments else 'written'}")
    return int("--check" in arguments and bool(changed))


def with_tables(text: str) -> str:
    """A page with all marked tables as the stored results are.

    Parameters
    ----------
    text : str
        Of the page.

    Returns
    -------
    str

    Raises
    ------
    OSError
        If a page names results that are not stored.
    """
    return MARKED.sub(lambda match: match[1] + table(match[2]) + match[4], text)


def table(name: str) -> str:
    """One table in Markdown.

    Parameters
    ----------
    name : str
        Of the CSV in `docs/results`, without its ending.

    Returns
    -------
    str
        Ends with a line break.
    """
    with open(RESULTS / f"{name}.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    layouts = yaml.safe_load((RESULTS / "tables.yaml").read_text(encoding="utf-8"))
    lines = _crossed(rows, layouts[name]) if name in layouts else _plain(rows)
    head, *body = ("|" + "".join(f" {one} |" if one else " |" for one in line) for line in lines)
    return "\n".join([head, "|" + "---|" * len(lines[0]), *body]) + "\n"


def _plain(rows: Rows) -> list[list[str]]:
    return [list(rows[0]), *(list(row.values()) for row in rows)]


def _crossed(rows: Rows, layout: Mapping[str, Any]) -> list[list[str]]:
    names = [list(dict.fromkeys(row[layout[side]] for row in rows)) for side in ("rows", "columns")]
    cells = {(row[layout["rows"]], row[layout["columns"]]): cell(row, layout["cells"]) for row in rows}
    head = [layout.get("corner", layout["rows"]), *(layout.get("head", "{}").format(name) for name in names[1])]
    body = [[one, *(cells.get((one, other), "") for other in names[1])] for one in names[0]]
    return [head, *body]


def cell(row: Mapping[str, str], formats: Sequence[str]) -> str:
    """A cell by the first format whose values are all there; empty where none is.

    Parameters
    ----------
    row : mapping of str to str
        Of the CSV; '' is missing.
    formats : sequence of str
        As of `str.format`; values are numbers.

    Returns
    -------
    str
    """
    for one in formats:
        wanted = [name for _, name, _, _ in Formatter().parse(one) if name]
        if all(row.get(name) for name in wanted):
            return one.format(**{name: float(row[name]) for name in wanted})
    return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
