"""Deviations from a study side by side, with the bias that the other tables have no room for."""

from __future__ import annotations

import csv
import io

import numpy as np

from ...evaluate import Results, select
from ...files import write_text
from ...glossary import decimals, plain
from ...report import Section, rows_html
from ...rounding import with_error
from .. import predictions as stars
from ..context import Context
from ..layout import CHOSEN
from ..paired import score_strategies
from ..predictions import Predicted
from .formatting import mean_of

HEADER = ("variant", "strategy", "n", "R2 all", "R2 poor", "R2 rich", "sigma", "bias", "R2 minus default")
COLUMNS = (*HEADER, "its error")
"""Of the CSV, whose numbers are not rounded to their errors."""


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
                writer = csv.writer(text, lineterminator="\n")
                writer.writerow(COLUMNS)
                writer.writerows([f"{one:.6f}" if isinstance(one, float) else one for one in row] for row in rows)
                write_text(context.out / "tables" / f"{name}.csv", text.getvalue())
                caption = (
                    f"{plain(label)} of {target}, variant by variant; {mean_of(context.study.seeds)}. "
                    "Differences are paired, star by star and "
                    "seed by seed, where both were judged on the same stars."
                )
                heading = f"{plain(label)} of {target}: all variants"
                paragraphs = []
                if context.predictions is None:
                    paragraphs = context.left_out("predictions.parquet", f"differences from the default in {name}")
                sections.append(
                    Section(heading, paragraphs, [rows_html(HEADER, [_printed(row, label) for row in rows], caption)])
                )
    return sections


def _printed(row: list, label: str) -> list[str]:
    """A row of numbers as readers see it."""
    *what, all_stars, poor, rich, sigma, bias, gain, error = row
    r2 = [one if one == "" else with_error(one, np.nan) for one in (all_stars, poor, rich)]
    digits = decimals(label)
    spread = (f"{sigma:.{digits}f}", f"{bias:+.{digits}f}".replace("-", "−"))
    return [*what, *r2, *spread, gain if gain == "" else with_error(gain, error)]


def _rows(context: Context, target: str, label: str) -> list[list]:
    """Values of `COLUMNS`, empty where there is none."""
    judged = stars.select(context.predictions or (), target=target, label=label)
    of_label = select(context.summary, label=label, target=target)
    rows = []
    for row in select(of_label, regime="all"):
        if row["variant"].endswith("ensemble") or row["variant"] == CHOSEN:
            continue
        same = {name: row[name] for name in ("variant", "strategy", "n_finetune", "source")}
        by_regime = {one["regime"]: one for one in select(of_label, **same)}
        r2 = [by_regime[name]["r2"] if name in by_regime else "" for name in ("all", "poor", "rich")]
        what = [row["variant"], row["strategy"], str(row["n_finetune"])]
        strategy = next((name for name, title in context.names.items() if title == row["strategy"]), row["strategy"])
        gain = _minus_default(judged, row["variant"], strategy, row["n_finetune"])
        rows.append([*what, *r2, row["sigma"], row["bias"], *(gain or ("", ""))])
    return rows


def _minus_default(judged: list[Predicted], variant: str, strategy: str, size: int) -> tuple[float, float] | None:
    """By how much a variant beats the default in R2, paired, and its error; None where the two cannot be compared."""
    if variant == "default":
        return None
    of_run = stars.select(judged, strategy=strategy, n_finetune=size)
    one, other = (stars.select(of_run, variant=name) for name in (variant, "default"))
    if not (one and other) or not all(np.array_equal(each.row, other[0].row) for each in [*one, *other]):
        return None
    scored, scored_default = (score_strategies(members)[strategy] for members in (one, other))
    return scored.minus(scored_default) if len(scored.r2) == len(scored_default.r2) else None
