"""What was done and learnt, and what to bear in mind: the beginning of a report."""

from __future__ import annotations

from ...evaluate import Results
from ...report import Section
from ..context import Context


def summary(results: Results, context: Context) -> list[Section]:
    """The closing lines of the study, and its notes."""
    sections = []
    lines = [line[:1].upper() + line[1:] + "." for line in context.lines]
    if context.predictions is None and lines:
        lines += context.left_out("predictions.parquet", "paired comparisons of strategies")
    if lines:
        sections.append(Section("In short", paragraphs=lines))
    few = [line for what, why in context.record.get("too_few", {}).items() for line in context.too_few(what, why)]
    notes = [*context.study.notes, *few, *(f"{text[:1].upper()}{text[1:]}." for text in context.doubts())]
    if notes:
        sections.append(Section("What to bear in mind", paragraphs=notes, caveat=True))
    return sections
