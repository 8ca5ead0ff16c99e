"""What networks are worth that take different inputs: scores of each, and differences from the first, star by star."""

from __future__ import annotations

import csv
import io
from typing import Any

import numpy as np

from ...evaluate import Results, regimes, summarise
from ...files import write_text
from ...glossary import decimals, plain
from ...report import Section, against_inputs, in_order, paper_table, rows_html, start_of, to_html, write_table
from ...report.latex import table as latex_table
from ...report.style import strategy_title
from ...rounding import with_error
from ...train import null_models
from .. import predictions as stars
from ..context import Context
from ..paired import on_common_stars, score, usable
from ..predictions import Predicted
from ..spec import adapters
from .formatting import mean_and_spread

REGIMES = ("all", "poor", "rich")

MOST_COLUMNS = 4
"""Strategies side by side in a figure that can be read."""

FEWEST = 3
"""Stars of a regime below which nothing is said of it."""


def inputs(results: Results, context: Context) -> list[Section]:
    """A section for each label: tables, a figure, and differences; none for a study of one input."""
    of_study = results.select(variant="default", target=context.study.target.survey)
    if len(of_study.distinct("input")) < 2:
        return []
    return [_section(of_study.select(label=label), context, label) for label in of_study.distinct("label")]


def _section(results: Results, context: Context, label: str) -> Section:
    names = _inputs(results, context)
    summary = [row | {"source": "any"} for row in summarise(results) if row["input"] in names]
    tables = [_scores(summary, context, label, strategy) for strategy in _strategies(summary)]
    name = f"inputs-{label}"
    caption = (
        f"{plain(label)} of {context.study.target.survey}: R2 by input against the number of fine-tuning stars, "
        f"{mean_and_spread(context.study.seeds)}."
    )
    drawn, hidden = _drawn(_strategies(summary))
    if hidden:
        caption += f" {' and '.join(hidden)} are in the tables alone."
    paragraphs, figures = context.drawn(lambda: against_inputs(summary, label, names, drawn), name, caption)
    if context.of_all_inputs is None:
        return Section(_title(label), [*paragraphs, *context.left_out("predictions.parquet", name)], tables, figures)
    judged = stars.select(
        context.of_all_inputs, variant="default", label=label, target=context.study.target.survey, input=tuple(names)
    )
    differences = list(_differences(judged, names))
    tables.insert(0, _write(differences, context, label, names[0]))
    return Section(_title(label), [*_said(differences, context, label), *paragraphs], tables, figures)


def _title(label: str) -> str:
    return f"{plain(label)}: inputs"


def _inputs(results: Results, context: Context) -> list[str]:
    """Inputs in the order of the study, the one that the others are compared with first."""
    names = results.distinct("input")
    ordered = [name for name in context.study.inputs if name in names]
    ordered += [name for name in names if name not in ordered]
    return [context.input, *(name for name in ordered if name != context.input)]


def _strategies(summary: list[dict[str, Any]]) -> list[str]:
    """Strategies that learn from stars of the target, by which more than one input was tried."""
    tried: dict[str, set[str]] = {}
    for row in summary:
        if row["n_finetune"]:
            tried.setdefault(row["strategy"], set()).add(row["input"])
    return in_order([name for name, known in tried.items() if len(known) > 1])


def _drawn(strategies: list[str]) -> tuple[list[str], list[str]]:
    """Strategies for which a figure has room, and the others; null models make room first."""
    null = null_models()
    first = sorted(strategies, key=lambda name: name in null)[:MOST_COLUMNS]
    return [name for name in strategies if name in first], [name for name in strategies if name not in first]


def _scores(summary: list[dict[str, Any]], context: Context, label: str, strategy: str) -> str:
    """Scores of one strategy, an input in each row."""
    rows = [row for row in summary if row["strategy"] in (strategy, *start_of(strategy))]
    table = paper_table(rows, label, row="input", names={0: "zero-shot"})
    caption = (
        f"{plain(label)} of {context.study.target.survey} by {strategy_title(strategy)}: R2 (all / poor / rich), "
        f"{mean_and_spread(context.study.seeds, 'below, in small type,')}, and sigma. Shaded: the three best of each regime."
    )
    write_table(table, context.out / "tables", f"inputs-{label}-{strategy}", caption)
    return to_html(table, caption)


def _differences(judged: list[Predicted], names: list[str]):
    """Scores of each input by each strategy and number of stars, and how far R2 is from that of the first input."""
    for strategy in in_order([one.strategy for one in judged]):
        of_strategy = stars.select(judged, strategy=strategy)
        for size in sorted({one.n_finetune for one in of_strategy}):
            of_size = stars.select(of_strategy, n_finetune=size)
            by_input = {name: stars.select(of_size, input=name) for name in names}
            if sum(map(bool, by_input.values())) < 2:
                continue
            for name in (name for name in names if by_input[name]):
                yield _row(strategy, size, name, by_input[name], by_input[names[0]] if name != names[0] else [])


def _row(strategy: str, size: int, name: str, members: list[Predicted], first: list[Predicted]) -> dict[str, Any]:
    """One line of the table of numbers; differences are NaN where there is nothing to compare with."""
    row: dict[str, Any] = {"strategy": strategy, "n": size, "input": name, "seeds": len(members)}
    row |= {"sigma": float("nan"), "bias": float("nan")}
    paired = on_common_stars(members, first)
    for regime in REGIMES:
        value = error = gain = gain_error = float("nan")
        if _known(members, regime):
            scored = score(members, regime)
            value, error = float(scored.r2.mean()), scored.error
            if regime == "all":
                row |= {"sigma": float(scored.sigma.mean()), "bias": float(scored.bias.mean())}
        if paired[0] and _known(paired[0], regime):
            gain, gain_error = score(paired[0], regime).minus(score(paired[1], regime))
        row |= {f"r2_{regime}": value, f"r2_{regime}_err": error}
        row |= {f"gain_{regime}": gain, f"gain_{regime}_err": gain_error}
    return row


def _known(members: list[Predicted], regime: str) -> bool:
    none = np.zeros(1, bool)
    return all((usable(one) & regimes(one.reference, 0).get(regime, none)).sum() >= FEWEST for one in members)


def _write(rows: list[dict[str, Any]], context: Context, label: str, first: str) -> str:
    """Write the table of differences as CSV and LaTeX; returns it as HTML."""
    name, digits = f"inputs-{label}", decimals(label)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(
        {key: f"{value:.6f}" if isinstance(value, float) else value for key, value in row.items()} for row in rows
    )
    write_text(context.out / "tables" / f"{name}.csv", text.getvalue())
    caption = (
        f"{plain(label)} of {context.study.target.survey}: R2, and by how much it is above that of {first}. Errors are over test "
        "stars (bootstrap) and seeds; those of differences are paired, star by star and seed by seed."
    )
    heads = ("strategy", "n", "input", *(f"R2 {regime}" for regime in REGIMES), "sigma")
    heads += tuple(f"minus {first}, {regime}" for regime in REGIMES)
    body = [
        [row["strategy"], row["n"], row["input"], *(_number(row, "r2", regime) for regime in REGIMES),
         f"{row['sigma']:.{digits}f}", *(_number(row, "gain", regime) for regime in REGIMES)]
        for row in rows
    ]  # fmt: skip
    blocks: dict[str, list[list[str]]] = {}
    for row in rows:
        title = f"{strategy_title(row['strategy'])}, n = {row['n']}" if row["n"] else strategy_title(row["strategy"])
        cells = [_number(row, key, regime, tex=True) for key in ("r2", "gain") for regime in REGIMES]
        blocks.setdefault(title, []).append([row["input"], *cells])
    columns = ["", *(rf"$R^2_\mathrm{{{regime}}}$" for regime in REGIMES)]
    columns += [rf"$\Delta R^2_\mathrm{{{regime}}}$" for regime in REGIMES]
    lines = latex_table(columns, blocks.items(), caption, f"tab:{name}")
    write_text(context.out / "tables" / f"{name}.tex", "\n".join(lines) + "\n")
    return rows_html(heads, body, caption)


def _number(row: dict[str, Any], key: str, regime: str, tex: bool = False) -> str:
    return with_error(row[f"{key}_{regime}"], row[f"{key}_{regime}_err"], tex=tex)


def _said(rows: list[dict[str, Any]], context: Context, label: str) -> list[str]:
    """For each number of stars, the inputs that are told apart from the first, by the strategy that was chosen beforehand."""
    lines = []
    for size in sorted({row["n"] for row in rows}):
        strategy = adapters(context.study, size).get(label) if size else "zero-shot"
        compared = [
            row for row in rows if (row["n"], row["strategy"]) == (size, strategy) and np.isfinite(row["gain_all"])
        ]
        if not compared:
            continue
        parts = [f"{row['input']} is {_verdict(row)} ({_number(row, 'gain', 'all')})" for row in compared]
        by = f"n = {size}, {strategy}" if size else "zero-shot"
        lines.append(f"R2 of all stars against {context.input}, {by}: {', '.join(parts)}.")
    return lines


def _verdict(row: dict[str, Any]) -> str:
    gain, error = row["gain_all"], row["gain_all_err"]
    return "better" if gain > 2 * error else "worse" if gain < -2 * error else "not told apart"
