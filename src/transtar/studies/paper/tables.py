"""Tables 1, A1 and A2: strategies, inputs and numbers of fine-tuning stars."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...evaluate import Results, select
from ...glossary import plain
from ...report import Section, Table, to_html, write_tables
from ...train import null_models
from ..context import Context
from ..experiments import LABELS, SIZES
from ..reporters.formatting import mean_and_spread
from ..spec import adapters
from ..study_record import counts_of
from .arrangements import (
    STRATEGIES_OF_TABLE_1,
    STRATEGIES_OF_TABLE_A2,
    inputs_by_size,
    strategies_by_input,
    strategies_by_size,
)
from .scores import scores_of_target

MARKED = "Shaded: the three best R2 of each kind of star; the null models are not ranked."

Row = dict[str, Any]
Counts = Mapping[int, tuple[int, int]]


def table_1(results: Results, context: Context) -> list[Section]:
    """Write ``table-1``, and with several sizes ``table-a1`` and ``table-a2``, as CSV, LaTeX and HTML, and show them."""
    study, summary = context.study, scores_of_target(results, context)
    of_study, of_sizes = select(summary, variant="default"), select(summary, variant=SIZES)
    labels = [label for label in context.labels if select(of_study, label=label)]
    tables, paragraphs = [], []
    if labels:
        tables.append(_table_1(context, of_study, labels, "table-1"))
    tables += [
        _table_1(context, select(summary, variant=LABELS), [label], f"table-1-{label}")
        for label in _further(context, summary)
    ]
    labels = [label for label in context.labels if select(of_sizes, label=label)]
    if labels:
        counts = counts_of(context.record)
        if "finetuning_stars" not in context.record:
            paragraphs = context.left_out("study.json", "numbers of metal-poor and metal-rich fine-tuning stars")
        if any(label in adapters(study, max(study.sizes, default=0)) for label in labels):
            tables.append(_table_a1(context, of_sizes, labels, counts))
        tables.append(_table_a2(context, of_sizes, labels, counts))
    return [Section("The paper's tables", paragraphs, tables)]


def _further(context: Context, summary: list[Row]) -> list[str]:
    """Labels of the experiment of further labels that have results."""
    wanted = context.study.experiments
    return [label for label in (wanted.labels if wanted else ()) if select(summary, variant=LABELS, label=label)]


def _table_1(context: Context, summary: list[Row], labels: list[str], name: str) -> str:
    size = max(context.study.sizes, default=0)
    null = null_models()
    blocks = [
        strategies_by_input(summary, label, size, (*STRATEGIES_OF_TABLE_1, *null), unranked=null) for label in labels
    ]
    which = "Table 1" if name == "table-1" else f"As Table 1, {' and '.join(map(plain, labels))}"
    caption = (
        f"{which}. R2 (all / metal-poor / metal-rich test stars) by strategy and input, {size} fine-tuning stars at most: "
        f"{_averaged(context, LABELS if name != 'table-1' else 'default')}. {MARKED}"
    )
    return _written(blocks, context, name, caption)


def _table_a1(context: Context, summary: list[Row], labels: list[str], counts: Counts) -> str:
    study = context.study
    chosen = adapters(study, max(study.sizes, default=0))
    sizes = _sizes(summary)
    blocks, by = [], []
    for label in [label for label in labels if label in chosen]:
        blocks.append(inputs_by_size(summary, label, chosen[label], sizes, counts))
        by.append(f"{plain(label)} by {chosen[label]}")
    caption = (
        f"Table A1. R2 (all / metal-poor / metal-rich test stars) by input and number of fine-tuning stars, {', '.join(by)}: "
        f"{_averaged(context, SIZES)}; without fine-tuning stars zero-shot. {MARKED}"
    )
    return _written(blocks, context, "table-a1", caption)


def _table_a2(context: Context, summary: list[Row], labels: list[str], counts: Counts) -> str:
    null = null_models()
    blocks = [
        strategies_by_size(summary, label, _sizes(summary), counts, (*STRATEGIES_OF_TABLE_A2, *null), unranked=null)
        for label in labels
    ]
    caption = (
        "Table A2. R2 (all / metal-poor / metal-rich test stars) by strategy and number of fine-tuning stars: "
        f"{_averaged(context, SIZES)}; without fine-tuning stars zero-shot. {MARKED}"
    )
    return _written(blocks, context, "table-a2", caption)


def _written(blocks: list[Table], context: Context, name: str, caption: str) -> str:
    write_tables(blocks, context.out / "tables", name, caption)
    return to_html(blocks, caption)


def _sizes(summary: list[Row]) -> list[int]:
    return sorted({row["n_finetune"] for row in summary}, reverse=True)


def _averaged(context: Context, variant: str) -> str:
    return mean_and_spread(context.studies[variant].seeds, "below, in small type,")
