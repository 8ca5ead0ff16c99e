"""Whether `auto` is as good as the best strategy that could have been fixed beforehand."""

from __future__ import annotations

import csv
import io

import numpy as np

from ...evaluate import Results
from ...files import write_text
from ...glossary import decimals, plain
from ...report import Section, in_order, rows_html
from ...rounding import with_error
from ...train import Auto
from ..context import Context
from ..paired import score_strategies
from ..predictions import Predicted, select
from .formatting import mean_of

HEADER = ("n", "strategy", "R2", "sigma", "bias", "R2 of auto minus this")
COLUMNS = (*HEADER, "its error")
"""Of the CSV, whose numbers are not rounded to their errors."""


def auto(results: Results, context: Context) -> list[Section]:
    """Write ``tables/auto-LABEL.csv`` and show it; none for a study without `auto`."""
    if Auto.name not in results.distinct("strategy"):
        return []
    if context.predictions is None:
        return [Section("auto", context.left_out("predictions.parquet", "what auto is worth"))]
    sections = []
    for label in context.compared.distinct("label"):
        judged = select(context.predictions, variant="default", label=label, target=context.study.target.survey)
        rows, lines = [], []
        for size in sorted({one.n_finetune for one in judged if one.strategy == Auto.name}):
            of_size, line = _compared([one for one in judged if one.n_finetune in (0, size)], size)
            rows += of_size
            lines.append(line)
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([f"{one:.6f}" if isinstance(one, float) else one for one in row] for row in rows)
        write_text(context.out / "tables" / f"auto-{label}.csv", text.getvalue())
        caption = (
            f"{plain(label)} of {context.study.target.survey}; {mean_of(context.study.seeds)}. "
            "Differences are paired, star by star and seed "
            "by seed, and have errors over stars and seeds."
        )
        sections.append(
            Section(
                f"{plain(label)}: auto", lines, [rows_html(HEADER, [_printed(row, label) for row in rows], caption)]
            )
        )
    return sections


def _printed(row: list, label: str) -> list[str]:
    """A row of numbers as readers see it."""
    size, name, r2, sigma, bias, gain, error = row
    digits = decimals(label)
    scores = [f"{r2:.3f}".replace("-", "−"), f"{sigma:.{digits}f}", f"{bias:+.{digits}f}".replace("-", "−")]
    return [size, name, *scores, gain if gain == "" else with_error(gain, error)]


def _compared(judged: list[Predicted], size: int) -> tuple[list[list], str]:
    """Values of `COLUMNS` of all strategies with so many stars, and what they say."""
    scored = score_strategies(judged)
    of_auto = scored[Auto.name]
    rows = []
    for name in in_order(list(scored)):
        one = scored[name]
        scores = [float(values.mean()) for values in (one.r2, one.sigma, one.bias)]
        rows.append([str(size), name, *scores, *(("", "") if name == Auto.name else of_auto.minus(one))])
    best = max((name for name in scored if name != Auto.name), key=lambda name: scored[name].r2.mean())
    gain, error = of_auto.minus(scored[best])
    verdict = "within its error no worse than" if gain >= -error else "worse by more than its error than"
    line = f"n = {size}: auto is {verdict} the best fixed strategy, {best} ({with_error(gain, error)} in R2)"
    return rows, f"{line}; it chose {', '.join(_chosen(judged))}."


def _chosen(judged: list[Predicted]) -> list[str]:
    """What was chosen, seed by seed: the strategy that predicts the same as `auto`."""
    names = []
    for one in sorted((one for one in judged if one.strategy == Auto.name), key=lambda one: one.seed):
        others = [other for other in judged if other.seed == one.seed and other.strategy != Auto.name]
        apart = [float(np.abs(other.predicted - one.predicted).max()) for other in others]
        nearest = int(np.argmin(apart))
        # The same training beside others differs by rounding.
        same = apart[nearest] < 1e-3 * float(np.nanstd(one.predicted))
        names.append(others[nearest].strategy if same else "one that was not run by itself")
    return names
