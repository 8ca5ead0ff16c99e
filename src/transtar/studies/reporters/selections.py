"""How the stars were selected, cut by cut."""

from __future__ import annotations

from ...evaluate import Results
from ...report import Section, rows_html
from ..context import Context

HEADER = ("table", "cut", "rows left", "lost", "source")


def selections(results: Results, context: Context) -> list[Section]:
    """A table of cuts for each selection of the study."""
    if not context.study.selections:
        return []
    if "selections" not in context.record:
        return [Section("Selections", context.left_out("study.json", "cuts of the selections"))]
    tables = [
        rows_html(HEADER, selection["cuts"], f"{selection['name']}: {selection['title']}")
        for selection in context.record["selections"]
    ]
    return [Section("Selections", tables=tables)]
