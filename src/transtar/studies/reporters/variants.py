"""Deviations from a study side by side, with the bias that the other tables have no room for."""

from __future__ import annotations

import csv
import io

import numpy as np

from ...evaluate import Results, select
from ...files import write_text
from ...glossary import decimals, plain
from ...report import Section, rows_html
from .. import predictions as stars
from ..context import Context
from ..layout import CHOSEN
from ..paired import score_strategies
from ..predictions import Predicted
from .formatting import with_error

HEADER = ("variant", "strategy", "n", "R2 all", "R2 poor", "R2 rich", "sigma", "bias", "R2 minus default")


def variants(results: Results, context: Context) -> list[Section]:
    """A table for each label and target; none for a study without variants."""
    studies = [study for variant, study in context.studies.items() if variant not in context.experiments]
    if len(studies) < 2:
        return []
    sections = []
    for target in dict.fromkeys(study.target.survey for study in studies):
        for label in context.compared.distinct("label"):
            rows = _rows(context, target, label)
            if rows:
                name = f"variants-{target}-{label}"
                text = io.StringIO()
                csv.writer(text, lineterminator="\n").writerows([HEADER, *rows])
                write_text(context.out / "tables" / f"{name}.csv", text.getvalue())
                caption = (
                    f"{plain(label)} of {target}, variant by variant; means over seeds. Differences are paired, star by star and "
                    "seed by seed, where both were judged on the same stars."
                )
                heading = f"{plain(label)} of {target}: all variants"
                paragraphs = []
                if context.predictions is None:
                    paragraphs = context.left_out("predictions.parquet", f"differences from the default in {name}")
                sections.append(Section(heading, paragraphs, [rows_html(HEADER, rows, caption)]))
    return sections


def _rows(context: Context, target: str, label: str) -> list[list[str]]:
    judged = stars.select(context.predictions or (), target=target, label=label)
    of_label = select(context.summary, label=label, target=target)
    rows = []
    for row in select(of_label, regime="all"):
        if row["variant"].endswith("ensemble") or row["variant"] == CHOSEN:
            continue
        same = {name: row[name] for name in ("variant", "strategy", "n_finetune", "source")}
        by_regime = {one["regime"]: one for one in select(of_label, **same)}
        r2 = [f"{by_regime[name]['r2']:.3f}" if name in by_regime else "" for name in ("all", "poor", "rich")]
        digits = decimals(label)
        numbers = [f"{row['sigma']:.{digits}f}", f"{row['bias']:+.{digits}f}"]
        what = [row["variant"], row["strategy"], str(row["n_finetune"])]
        strategy = next((name for name, title in context.names.items() if title == row["strategy"]), row["strategy"])
        rows.append([*what, *r2, *numbers, _minus_default(judged, row["variant"], strategy, row["n_finetune"])])
    return rows


def _minus_default(judged: list[Predicted], variant: str, strategy: str, size: int) -> str:
    """By how much a variant beats the default in R2, paired; empty where the two cannot be compared."""
    if variant == "default":
        return ""
    of_run = stars.select(judged, strategy=strategy, n_finetune=size)
    one, other = (stars.select(of_run, variant=name) for name in (variant, "default"))
    if not (one and other) or not all(np.array_equal(each.row, other[0].row) for each in [*one, *other]):
        return ""
    scored, scored_default = (score_strategies(members)[strategy] for members in (one, other))
    return with_error(*scored.minus(scored_default)) if len(scored.r2) == len(scored_default.r2) else ""
