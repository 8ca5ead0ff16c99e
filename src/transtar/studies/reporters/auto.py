"""Whether `auto` is as good as the best strategy that could have been fixed beforehand."""

from __future__ import annotations

import csv
import io

import numpy as np

from ...evaluate import Results
from ...files import write_text
from ...glossary import decimals, plain
from ...report import Section, in_order, rows_html
from ...train import Auto
from ..context import Context
from ..paired import score_strategies
from ..predictions import Predicted, select
from .formatting import with_error

HEADER = ("n", "strategy", "R2", "sigma", "bias", "R2 of auto minus this")


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
        csv.writer(text, lineterminator="\n").writerows([HEADER, *rows])
        write_text(context.out / "tables" / f"auto-{label}.csv", text.getvalue())
        caption = (
            f"{plain(label)} of {context.study.target.survey}; means over seeds. Differences are paired, star by star and seed "
            "by seed, and have errors over stars and seeds."
        )
        sections.append(Section(f"{plain(label)}: auto", lines, [rows_html(HEADER, rows, caption)]))
    return sections


def _compared(judged: list[Predicted], size: int) -> tuple[list[list[str]], str]:
    """Rows of all strategies with so many stars, and what they say."""
    scored = score_strategies(judged)
    digits = decimals(judged[0].label)
    of_auto = scored[Auto.name]
    rows = []
    for name in in_order(list(scored)):
        one = scored[name]
        difference = "" if name == Auto.name else with_error(*of_auto.minus(one))
        sigma, bias = f"{one.sigma.mean():.{digits}f}", f"{one.bias.mean():+.{digits}f}"
        rows.append([str(size), name, f"{one.r2.mean():.3f}", sigma, bias, difference])
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
