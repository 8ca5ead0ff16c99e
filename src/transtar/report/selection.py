"""What a selection leaves on disk: the selected rows, and the table of its cuts with the rows left by each."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from ..catalog.writers import check_suffix, write_catalog
from ..files import write_text
from ..selections import Selected, Step
from ..version import __version__
from .latex import sentence
from .latex import table as latex_table


def write_selection(selected: Selected, path: str | Path, name: str, catalogs: Sequence[str | Path]) -> dict[str, Path]:
    """Write the selected rows, and beside them the cuts as ``STEM-cuts.csv`` and ``STEM-cuts.tex``.

    Parameters
    ----------
    selected : Selected
        As from `transtar.selections.select`.
    path : path
        Ends in .csv, .parquet or .fits.
    name : str
        Of the selection, for the provenance.
    catalogs : sequence of path
        What it was applied to, for the provenance.

    Returns
    -------
    dict of str to Path
        'rows', 'csv' and 'tex'.

    Raises
    ------
    InputError
        On another suffix.
    TranstarError
        If the disk is full; older files stay.
    """
    path, selection = Path(path), selected.selection
    check_suffix(path)
    about = {
        "transtar": __version__,
        "selection": name,
        "title": selection.title,
        "source": selection.source,
        "settings": selection.settings,
        "catalogs": [str(catalog) for catalog in catalogs],
        "cuts": [[step.table, step.name, step.rows] for step in selected.steps],
    }
    write_catalog(path, selected.columns, about)
    paths = output_paths(path)
    write_text(paths["csv"], to_csv(selected.steps))
    caption = f"{selection.title} ({selection.source})."
    write_text(paths["tex"], to_latex(selected.steps, caption, f"tab:{paths['tex'].stem}"))
    return paths


def output_paths(path: Path) -> dict[str, Path]:
    """Where the rows and the cuts go: 'rows', 'csv' and 'tex'."""
    return {"rows": path, **{kind: path.with_name(f"{path.stem}-cuts.{kind}") for kind in ("csv", "tex")}}


def to_text(steps: Sequence[Step]) -> str:
    """Table for a terminal."""
    lines = [("table", "cut", "rows left", "lost", "source")]
    for step in steps:
        lost = f"{step.lost:,}" if step.lost else ""
        lines.append((step.table, step.name, f"{step.rows:,}", lost, step.source))
    widths = [max(len(line[k]) for line in lines) for k in range(4)]
    text = []
    for table, name, rows, lost, source in lines:
        front = f"{table:<{widths[0]}}  {name:<{widths[1]}}  {rows:>{widths[2]}}  {lost:>{widths[3]}}  {source}"
        text.append(front.rstrip())
    return "\n".join(text) + "\n"


def to_csv(steps: Sequence[Step]) -> str:
    """One line a cut: table, cut, source, rows left and rows lost."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["table", "cut", "source", "rows", "lost"])
    writer.writerows([step.table, step.name, step.source, step.rows, step.lost] for step in steps)
    return out.getvalue()


def to_latex(steps: Sequence[Step], caption: str, label: str) -> str:
    """Table for a paper, with caption and label, a block for each table; it needs the package booktabs."""
    blocks = [
        (table, [[step.name, f"{step.rows:,}", sentence(step.source)] for step in cuts])
        for table, cuts in groupby(steps, lambda step: step.table)
    ]
    lines = latex_table(["Cut", "Rows left", "Source"], blocks, caption, label)
    return "\n".join(["% needs \\usepackage{booktabs}", *lines, ""])
