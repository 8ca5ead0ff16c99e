"""Tables 1, A1 and A2: strategies, inputs and numbers of fine-tuning stars."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ...datasets import read_set
from ...evaluate import select, summarise
from ...glossary import plain
from ...report import Section, Table, inputs_by_size, strategies_by_input, strategies_by_size, to_html, write_tables
from ...train.split import POOR_LIMIT
from ..experiments import SIZES
from ..job import Job
from ..rows import divide, taught
from ..spec import Study, adapters

NULL_MODELS = ("recalibrate", "ridge")
TABLE_1 = ("residual", "lora", "full", "zero-shot", "scratch", *NULL_MODELS)
TABLE_A2 = ("residual", "lora", "full", "scratch", *NULL_MODELS)

MARKED = "Shaded: the three best R2 of each kind of star; the null models are not ranked."


def tables_section(study: Study, jobs: Iterable[Job], results: list[dict], out: Path) -> Section:
    """Write ``table-1``, ``table-a1`` and ``table-a2`` as CSV, LaTeX and HTML, and show them.

    Parameters
    ----------
    study : Study
        With `experiments`.
    jobs : iterable of Job
    results : list of dict
        Rows of results.csv.
    out : Path
    """
    summary = [row | {"source": "any"} for row in summarise(select(results, target=study.target.survey, split="test"))]
    labels = list(dict.fromkeys(label for names in study.models.values() for label in names))
    found = [_table_1(study, select(summary, variant="default"), labels, out)]
    own = select(summary, variant=SIZES)
    if own:
        counts = fine_tuning_counts([job for job in jobs if job.variant == SIZES])
        if any(label in adapters(study, max(study.sizes)) for label in labels):
            found.append(_table_a1(study, own, labels, counts, out))
        found.append(_table_a2(own, labels, counts, out))
    return Section("The paper's tables", tables=found)


def _table_1(study: Study, summary: list[dict], labels: list[str], out: Path) -> str:
    size = max(study.sizes)
    blocks = [strategies_by_input(summary, label, size, TABLE_1, unranked=NULL_MODELS) for label in labels]
    caption = (
        f"Table 1. R2 (all / metal-poor / metal-rich test stars) by strategy and input, {size} fine-tuning stars at most: "
        f"{_averaged(len(study.seeds))}. {MARKED}"
    )
    return _written(blocks, out, "table-1", caption)


def _table_a1(study: Study, summary: list[dict], labels: list[str], counts, out: Path) -> str:
    assert study.experiments is not None
    chosen = adapters(study, max(study.sizes))
    sizes = _sizes(summary)
    blocks, by = [], []
    for label in [label for label in labels if label in chosen]:
        blocks.append(inputs_by_size(summary, label, chosen[label], sizes, counts))
        by.append(f"{plain(label)} by {chosen[label]}")
    caption = (
        f"Table A1. R2 (all / metal-poor / metal-rich test stars) by input and number of fine-tuning stars, {', '.join(by)}: "
        f"{_averaged(len(study.experiments.seeds))}; without fine-tuning stars zero-shot. {MARKED}"
    )
    return _written(blocks, out, "table-a1", caption)


def _table_a2(summary: list[dict], labels: list[str], counts, out: Path) -> str:
    blocks = [
        strategies_by_size(summary, label, _sizes(summary), counts, TABLE_A2, unranked=NULL_MODELS) for label in labels
    ]
    n_seeds = max(row["n_seeds"] for row in summary)
    caption = (
        "Table A2. R2 (all / metal-poor / metal-rich test stars) by strategy and number of fine-tuning stars: "
        f"{_averaged(n_seeds)}; without fine-tuning stars zero-shot. {MARKED}"
    )
    return _written(blocks, out, "table-a2", caption)


def _written(blocks: list[Table], out: Path, name: str, caption: str) -> str:
    write_tables(blocks, out / "tables", name, caption)
    return to_html(blocks, caption)


def _sizes(summary: list[dict]) -> list[int]:
    return sorted({row["n_finetune"] for row in summary}, reverse=True)


def _averaged(n_seeds: int) -> str:
    return f"mean over {n_seeds} seeds and its standard deviation" if n_seeds > 1 else "one seed"


def fine_tuning_counts(jobs: Iterable[Job]) -> dict[int, tuple[int, int]]:
    """Metal-poor and metal-rich stars among those that runs of each size learn from, the first seed's."""
    found: dict[int, tuple[int, int]] = {0: (0, 0)}
    for job in jobs:
        if job.strategy != "pretrain" and job.n_finetune not in found:
            target = read_set(job.target)
            feh = target.columns["feh"][taught(job, target, divide(job)[0])].astype(np.float64)
            found[job.n_finetune] = int((feh < POOR_LIMIT).sum()), int((feh >= POOR_LIMIT).sum())
    return found
