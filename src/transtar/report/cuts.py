"""Tables of cuts: what was asked, where it comes from, and the rows left."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Protocol


class Step(Protocol):
    """One cut: see `transtar.labels.select.Step`."""

    @property
    def table(self) -> str: ...  # noqa: D102
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def source(self) -> str: ...  # noqa: D102
    @property
    def rows(self) -> int: ...  # noqa: D102
    @property
    def lost(self) -> int: ...  # noqa: D102


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


def to_latex(steps: Sequence[Step], caption: str = "") -> str:
    """Table for a paper; it needs the package booktabs."""
    lines = ["% needs \\usepackage{booktabs}", "\\begin{table}"]
    if caption:
        lines.append(f"\\caption{{{_tex(caption)}}}")
    lines += ["\\begin{tabular}{llrl}", "\\toprule", r"Table & Cut & Rows left & Source \\", "\\midrule"]
    previous = None
    for step in steps:
        table = "" if step.table == previous else _tex(step.table)
        if previous is not None and step.table != previous:
            lines.append("\\midrule")
        previous = step.table
        lines.append(f"{table} & {_tex(step.name)} & {step.rows:,} & {_tex(step.source)} \\\\")
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}", "\\end{table}", ""])


def _tex(text: str) -> str:
    replaced = {"\\": r"\textbackslash{}", "_": r"\_", "%": r"\%", "&": r"\&", "#": r"\#", "$": r"\$", "{": r"\{",
                "}": r"\}", ">=": r"$\geq$", "<=": r"$\leq$", ">": "$>$", "<": "$<$", "~": r"\textasciitilde{}",
                "^": r"\textasciicircum{}"}  # fmt: skip
    out, place = [], 0
    while place < len(text):
        key = next((key for key in (text[place : place + 2], text[place]) if key in replaced), None)
        out.append(replaced[key] if key else text[place])
        place += len(key) if key else 1
    return "".join(out)
