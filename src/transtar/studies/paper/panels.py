"""What the panels of the paper's figures show: predictions against reference, and planes of [alpha/Fe] and [Fe/H]."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from ...evaluate import GAMMA, squared_mmd
from ...report import Panel, Plane
from ..context import Context
from ..experiments import SIZES, rate_name
from ..pipeline import PIPELINE
from ..planes import AXES, DEFAULT, PlaneLabels
from ..predictions import Predicted, select
from ..reporters.formatting import panel
from ..spec import Study, adapters

MOST_COLUMNS = 6
"""Panels in a row, the reference of a plane not counted."""

FINE_TUNED = "fine-tuned"
"""Title of the column in which each label has its own adapter."""


def columns_of(context: Context) -> list[tuple[str, dict[str, str]]]:
    """Columns of Figures 2 and 3: a title, and for each label a strategy."""
    study, labels = context.study, context.labels
    chosen = adapters(study, max(study.sizes, default=0))
    columns = [(context.title(PIPELINE), dict.fromkeys(labels, PIPELINE))] if study.pipeline else []
    columns += [(name, dict.fromkeys(labels, name)) for name in ("scratch", "zero-shot")]
    return [*columns, (FINE_TUNED, {label: chosen[label] for label in labels if label in chosen})]


def comparison(context: Context, predictions: Iterable[Predicted], variant: str) -> list[list[Panel | None]]:
    """Rows of Figure 2 (or D7, for the variant of a subset): a label each, a column for each way to it."""
    study = context.study
    of_seed = select(predictions, target=study.target.survey, variant=variant, seed=study.seeds[0])
    rows = []
    for label in dict.fromkeys(one.label for one in of_seed):
        row = []
        for title, strategies in columns_of(context):
            sizes = (0, max(study.sizes, default=0))
            shown = select(of_seed, label=label, strategy=strategies.get(label), n_finetune=sizes)
            name = f"{title}: {strategies.get(label)}" if title == FINE_TUNED else title
            row.append(panel(name, shown[0]) if shown else None)
        rows.append(row)
    # Columns that no label has are left out, so that those of one title stand under each other.
    filled = [number for number in range(len(rows[0])) if any(row[number] for row in rows)] if rows else []
    return [[row[number] for number in filled] for row in rows]


def rates(study: Study, predictions: Sequence[Predicted]) -> list[list[Panel]]:
    """Rows of Figure A4: from scratch, a column for each learning rate."""
    assert study.experiments is not None
    rows = []
    for label in AXES:
        row = []
        for rate in at_most(study.experiments.rates):
            wanted = {"variant": rate_name(rate), "label": label, "strategy": "scratch"}
            shown = select(predictions, **wanted, seed=study.experiments.seeds[0])
            row += [panel(rate_title(rate), one) for one in shown]
        rows.append(row)
    return [row for row in rows if row]


def rate_title(rate: float) -> str:
    """A learning rate as the title of a panel."""
    power = round(np.log10(rate))
    exact = np.isclose(rate, 10.0**power, rtol=1e-9)
    return f"rate $10^{{{power}}}$" if exact else f"rate {rate:g}"


def by_size(study: Study, predictions: Sequence[Predicted], rest: Sequence[Predicted]) -> list[list[Panel]]:
    """Rows of Figure A1: a column for each number of fine-tuning stars, judged on all stars that were not learnt from."""
    rows = [
        [panel(f"n = {size}", one) for size, one in _of_sizes(study, predictions, rest, label).items()]
        for label in AXES
    ]
    return [row for row in rows if row]


def planes_by_size(
    study: Study, predictions: Sequence[Predicted], rest: Sequence[Predicted], reference: np.ndarray
) -> list[Plane]:
    """Columns of Figure A2: one for each number of fine-tuning stars, of all stars that were not learnt from."""
    values: dict[int, dict[str, np.ndarray]] = {}
    n_rows = 1 + max((int(one.row.max(initial=0)) for one in (*predictions, *rest)), default=0)
    for label in AXES:
        for size, one in _of_sizes(study, predictions, rest, label).items():
            of_rows = np.full(n_rows, np.nan)
            of_rows[one.row] = one.predicted
            values.setdefault(size, {})[label] = of_rows
    return [
        plane(f"n = {size}", np.stack([labels[name] for name in AXES], axis=1), reference)
        for size, labels in values.items()
        if set(AXES) <= set(labels)
    ]


def _of_sizes(
    study: Study, predictions: Sequence[Predicted], rest: Sequence[Predicted], label: str
) -> dict[int, Predicted]:
    """Runs of the experiment of sizes by which the label is carried, first seed, by number of fine-tuning stars.

    Test stars come first, then those of the pool that were not learnt from.
    """
    assert study.experiments is not None
    strategy = adapters(study, max(study.sizes, default=0)).get(label)
    wanted = {"label": label, "seed": study.experiments.seeds[0], "strategy": ("zero-shot", strategy)}
    by_number = {one.n_finetune: one for one in select(predictions, variant=SIZES, **wanted)}
    of_rest = {one.n_finetune: one for one in select(rest, variant=SIZES, **wanted)}
    return {size: _with_rest(by_number[size], of_rest[size]) for size in at_most(sorted(set(by_number) & set(of_rest)))}


def _with_rest(one: Predicted, rest: Predicted) -> Predicted:
    reference = {name: np.concatenate([values, rest.reference[name]]) for name, values in one.reference.items()}
    row, predicted = (np.concatenate([getattr(each, name) for each in (one, rest)]) for name in ("row", "predicted"))
    return replace(one, row=row, predicted=predicted, reference=reference)


def at_most(values: Sequence, most: int = MOST_COLUMNS) -> list:
    """As many values as fit into a row of panels: all, or the first, the last and some evenly between them."""
    if len(values) <= most:
        return list(values)
    return [values[round(place)] for place in np.linspace(0, len(values) - 1, most)]


def planes(context: Context, labels: PlaneLabels) -> list[Plane]:
    """Columns of Figure 3 (or D8, for the labels of a subset), all but the reference."""
    seed, largest = context.study.seeds[0], max(context.study.sizes, default=0)
    panels = []
    for title, strategies in columns_of(context):
        if set(strategies.values()) == {PIPELINE}:
            stars = labels.pipeline
        else:
            runs = [
                (strategies.get(name, ""), 0 if strategies.get(name) == "zero-shot" else largest, seed) for name in AXES
            ]
            stars = labels.stars(*runs)
        if stars is not None:
            panels.append(plane(title, stars, labels.reference))
    return panels


def planes_by_input(context: Context) -> list[Plane]:
    """Columns of Figure 3 for the inputs: fine-tuned networks, each label by its adapter, a column for each input."""
    study, seed, largest = context.study, context.study.seeds[0], max(context.study.sizes, default=0)
    chosen = adapters(study, largest)
    panels = []
    for name in at_most(study.inputs):
        of_input = context.planes(input=name)
        labels = None if of_input is None else of_input[DEFAULT]
        stars = None if labels is None else labels.stars(*((chosen.get(axis, ""), largest, seed) for axis in AXES))
        if labels is not None and stars is not None:
            panels.append(plane(name, stars, labels.reference))
    return panels


def planes_by_rate(study: Study, labels: dict[str, PlaneLabels]) -> list[Plane]:
    """Columns of Figure A5: from scratch, one for each learning rate."""
    assert study.experiments is not None
    run = ("scratch", max(study.sizes, default=0), study.experiments.seeds[0])
    panels = []
    for rate in at_most(study.experiments.rates):
        of_rate = labels.get(rate_name(rate))
        stars = None if of_rate is None else of_rate.stars(run, run)
        if of_rate is not None and stars is not None:
            panels.append(plane(rate_title(rate), stars, of_rate.reference))
    return panels


def plane(title: str, stars: np.ndarray, reference: np.ndarray) -> Plane:
    """One panel of the plane, with its squared discrepancy from the reference; stars that lack a label are left out."""
    stars = stars[np.isfinite(stars).all(axis=1)]
    if len(stars) < 2:
        return Plane(title, stars[:, 0], stars[:, 1])
    distance = squared_mmd(stars, reference, GAMMA)
    return Plane(title, stars[:, 0], stars[:, 1], distance.value, distance.error)
