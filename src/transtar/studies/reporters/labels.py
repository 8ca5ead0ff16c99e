"""One section for each label and variant: tables of scores, and how they depend on stars and their kinds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...evaluate import Results, select
from ...glossary import decimals, plain
from ...report import (
    FigureFile,
    Section,
    against_sample_size,
    one_to_one,
    paper_table,
    regime_dots,
    rows_html,
    to_html,
    write_table,
)
from ...rounding import with_error
from ...train import get_strategy, trained_strategies
from .. import predictions as stars
from ..context import Context
from ..layout import CHOSEN
from ..paired import score_strategies
from ..pipeline import PIPELINE
from ..shipped import SHIPPED
from ..spec import Study, adapters
from .formatting import mean_and_spread, mean_of, panel, which_seed

KINDS = ("dwarf", "giant", "cool", "warm", "poor-dwarf", "poor-giant")
"""Regimes of the table by kind of star, as far as there are enough stars of them."""

Row = dict[str, Any]


def labels(results: Results, context: Context) -> list[Section]:
    """A section for each label of the target by the study itself, and one by each variant."""
    sections = []
    for label in context.compared.distinct("label"):
        of_label = select(context.summary, label=label, target=context.study.target.survey)
        others = sorted({row["variant"] for row in of_label} - {"default", CHOSEN, "ensemble"})
        for variant in ["default", *others]:
            rows = [row | {"source": "any"} for row in of_label if row["variant"] == variant]
            if rows and variant == "default":
                sections.append(_default(context, label, rows, of_label))
            elif rows:
                sections.append(_deviation(context, label, variant, rows))
    return sections


def _deviation(context: Context, label: str, variant: str, rows: list[Row]) -> Section:
    table = _scores(context, label, rows, f"-{variant}")
    subset = context.study.subset
    of_subset = subset is not None and variant == subset.name
    paragraphs, figures = _one_to_one(context, label, variant) if of_subset else ([], [])
    return Section(f"{plain(label)}: {variant}", paragraphs, [table], figures)


def _default(context: Context, label: str, rows: list[Row], of_label: list[Row]) -> Section:
    tables = [_scores(context, label, rows, ""), *_further(context, label, of_label)]
    paragraphs, figures = _one_to_one(context, label, "default")
    if context.predictions is None:
        paragraphs = context.left_out(
            "predictions.parquet", f"one-to-one-{label}", f"paired comparisons of {plain(label)}"
        )
    else:
        tables.append(_paired(context, label))
    kinds = tuple(name for name in KINDS if any(row["regime"] == name for row in rows)) or ("all",)
    table = paper_table(rows, label, regimes=kinds, unranked=_unranked(context))
    text = f"{plain(label)} by kind of star ({' / '.join(kinds)}), {mean_of(context.study.seeds)}."
    write_table(table, context.out / "tables", f"table-{label}-kinds", text)
    tables.append(to_html(table, text))
    further, curves = _curves(context, label, rows)
    return Section(plain(label), [*_of_shipped(context, label), *paragraphs, *further], tables, [*figures, *curves])


def _of_shipped(context: Context, label: str) -> list[str]:
    """Which model stands beside the networks, and where it has its labels from."""
    row = next(iter(context.results.select(label=label, strategy=SHIPPED, regime="all", variant="default")), None)
    if row is None:
        return []
    name = context.study.shipped.get(label, "a model")
    return [
        f"{SHIPPED} is {name} as it is. It has learnt from {row['n_train']} spectra of {row['source']} and from no star of "
        f"{row['target']}; it is shown and not ranked."
    ]


def _scores(context: Context, label: str, rows: list[Row], ending: str) -> str:
    study = context.study
    judged = "test stars" if study.split == "test" else "validation stars (folds of the pool)"
    table = paper_table(rows, label, unranked=_unranked(context))
    caption = (
        f"{plain(label)} on {judged} of {study.target.survey}: {_averaged(study)} and sigma. "
        "Shaded: the three best of each regime."
    )
    write_table(table, context.out / "tables", f"table-{label}{ending}", caption)
    return to_html(table, caption)


def _averaged(study: Study) -> str:
    return f"R2 (all / poor / rich), {mean_and_spread(study.seeds, 'below, in small type,')},"


def _unranked(context: Context) -> tuple[str, ...]:
    """The survey's pipeline and shipped models are shown and not ranked."""
    beside = {PIPELINE: context.study.pipeline, SHIPPED: context.study.shipped}
    return tuple(context.title(name) for name, given in beside.items() if given)


def _further(context: Context, label: str, of_label: list[Row]) -> list[str]:
    """The adapter chosen beforehand, and the mean prediction of all seeds, as a table; none where there are none."""
    n_seeds = len(context.study.seeds)
    names = {
        CHOSEN: lambda row: "chosen beforehand",
        "ensemble": lambda row: f"{row['strategy']}, {n_seeds}-seed mean",
    }
    rows = [row | {"source": "any", "row": names[row["variant"]](row)} for row in of_label if row["variant"] in names]
    if not rows:
        return []
    table = paper_table(rows, label, row="row")
    chosen = f"The adapter chosen beforehand for each n ({mean_of(context.study.seeds)})"
    text = f"{chosen}, and the mean prediction of all seeds."
    write_table(table, context.out / "tables", f"table-{label}-further", text)
    return [to_html(table, text)]


def _paired(context: Context, label: str) -> str:
    """R2 with errors over the test stars, and differences from two strategies that need no adapter."""
    size = max(context.study.sizes, default=0)
    wanted = {"target": context.study.target.survey, "label": label, "variant": "default", "n_finetune": (0, size)}
    scored = score_strategies(stars.select(context.predictions or (), **wanted))
    digits = decimals(label)
    compared = [name for name in ("zero-shot", "scratch") if name in scored]
    rows = []
    for name, one in scored.items():
        alone = name == PIPELINE and bool(context.study.pipeline)
        minus = ["–" if alone or other == name else with_error(*one.minus(scored[other])) for other in compared]
        spread = (f"{values.mean():.{digits}f}".replace("-", "−") for values in (one.sigma, one.bias))
        rows.append([context.title(name), with_error(one.r2.mean(), one.error), *minus, *spread])
    header = ["", "R2", *(f"R2 minus that of {name}" for name in compared), "sigma", "bias"]
    caption = (
        f"{plain(label)}, all test stars, at most {size} fine-tuning stars: errors are over test stars (bootstrap) and seeds; "
        "those of differences are paired, star by star and seed by seed."
    )
    return rows_html(header, rows, caption)


def _one_to_one(context: Context, label: str, variant: str) -> tuple[list[str], list[FigureFile]]:
    """Predicted against reference labels of one seed, or a paragraph that says why there is no such figure."""
    name = f"one-to-one-{label}" + ("" if variant == "default" else f"-{variant}")
    if context.predictions is None:
        return context.left_out("predictions.parquet", name) if variant != "default" else [], []
    study, seed = context.study, context.study.seeds[0]
    wanted = {"target": study.target.survey, "label": label, "seed": seed, "variant": variant}
    of_seed = stars.select(context.predictions, **wanted)
    panels = []
    for strategy, size in dict.fromkeys(_columns(study, label)):
        shown = stars.select(of_seed, strategy=strategy, n_finetune=size)
        if shown:
            title = context.title(strategy) + (f", n = {size}" if size else "")
            panels.append(panel(title, shown[0]))
    if not panels:
        return [], []
    caption = f"Predicted against reference {plain(label)} of the same stars, {which_seed(study)}."
    return [], [context.figure(one_to_one(panels), name, caption)]


def _columns(study: Study, label: str) -> list[tuple[str, int]]:
    """Strategies and numbers of fine-tuning stars that are shown beside each other."""
    largest = max(study.sizes, default=0)
    beside = {PIPELINE: study.pipeline, SHIPPED: study.shipped}
    first = [(name, 0) for name, given in beside.items() if label in given]
    if study.pipeline:
        first += [("zero-shot", 0), ("recalibrate", largest), ("ridge", largest)]
    else:
        size = 100 if 100 in study.sizes else largest
        adapter = adapters(study, size).get(label, "lora")
        first += [("zero-shot", 0), ("recalibrate", size), ("scratch", size), (adapter, size)]
    # Networks from scratch first, then the adapters.
    trained = sorted(trained_strategies(), key=lambda name: get_strategy(name).uses_model)
    # The first four fill a row.
    return [*first[:4], *((name, largest) for name in trained)]


def _curves(context: Context, label: str, rows: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[FigureFile]]:
    """Scores against the number of fine-tuning stars, and by kind of star, and what could not be drawn of that."""
    sizes = sorted({row["n_finetune"] for row in rows} - {0})
    averaged = mean_and_spread(context.study.seeds)
    paragraphs: list[str] = []
    figures: list[FigureFile] = []
    if len(sizes) > 1:
        adapted = [row for row in rows if row["strategy"] != context.title(PIPELINE)]
        caption = f"{plain(label)}: R2 and sigma against the number of fine-tuning stars, {averaged}."
        figures.append(context.figure(against_sample_size(adapted, label), f"sample-size-{label}", caption))
    if sizes:
        caption = f"{plain(label)} by kind of star, fine-tuned on {sizes[-1]} stars, {averaged}."
        paragraphs, dots = context.drawn(lambda: regime_dots(rows, label, sizes[-1]), f"kinds-{label}", caption)
        figures += dots
    return paragraphs, figures
