"""Which runs the panels of the paper's figures show: predictions against reference, and planes of [alpha/Fe] and [Fe/H]."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from ...evaluate import GAMMA, evaluate, select, squared_mmd
from ...report import Panel, Plane
from ..experiments import SIZES, rate_name
from ..job import Job
from ..pipeline import PIPELINE, shown
from ..plane import AXES, plane_labels
from ..spec import Study, adapters
from ..stored import read_rest

MOST_COLUMNS = 6
"""Panels in a row, the reference of a plane not counted."""

FINE_TUNED = "fine-tuned"
"""Title of the column in which each label has its own adapter."""


def columns_of(study: Study) -> list[tuple[str, dict[str, str]]]:
    """Columns of Figures 2 and 3: a title, and for each label a strategy."""
    chosen = adapters(study, max(study.sizes))
    labels = list(dict.fromkeys(label for names in study.models.values() for label in names))
    columns = [(shown(PIPELINE, study), dict.fromkeys(labels, PIPELINE))] if study.pipeline else []
    columns += [(name, dict.fromkeys(labels, name)) for name in ("scratch", "zero-shot")]
    return [*columns, (FINE_TUNED, {label: chosen[label] for label in labels if label in chosen})]


def comparison(study: Study, predictions: Iterable[dict], variant: str) -> list[list[Panel | None]]:
    """Rows of Figure 2 (or D7, for the variant of a subset): a label each, a column for each way to it."""
    own = select(predictions, target=study.target.survey, variant=variant)
    rows = []
    for label in dict.fromkeys(entry["label"] for entry in own):
        row = []
        for title, strategies in columns_of(study):
            found = select(own, label=label, strategy=strategies.get(label), n_finetune=(0, max(study.sizes)))
            found = [entry for entry in found if entry["seed"] == study.seeds[0]]
            name = f"{title}: {strategies.get(label)}" if title == FINE_TUNED else title
            row.append(panel(name, found[0]) if found else None)
        rows.append(row)
    # Columns that no label has are left out, so that those of one title stand under each other.
    there = [number for number in range(len(rows[0])) if any(row[number] for row in rows)] if rows else []
    return [[row[number] for number in there] for row in rows]


def rates(study: Study, predictions: Iterable[dict]) -> list[list[Panel]]:
    """Rows of Figure A4: from scratch, a column for each learning rate."""
    assert study.experiments is not None
    predictions, seed = list(predictions), study.experiments.seeds[0]
    rows = []
    for label in AXES:
        row = []
        for rate in at_most(study.experiments.rates):
            found = select(predictions, variant=rate_name(rate), label=label, strategy="scratch", seed=seed)
            row += [panel(_rate_title(rate), entry) for entry in found]
        rows.append(row)
    return [row for row in rows if row]


def _rate_title(rate: float) -> str:
    power = round(np.log10(rate))
    exact = np.isclose(rate, 10.0**power, rtol=1e-9)
    return f"rate $10^{{{power}}}$" if exact else f"rate {rate:g}"


def by_size(study: Study, predictions: Iterable[dict], runs: Path) -> list[list[Panel]]:
    """Rows of Figure A1: a column for each number of fine-tuning stars, judged on all stars that were not learnt from."""
    rows = []
    for label in AXES:
        row = []
        for n, entry in _of_sizes(study, predictions, label):
            rest = read_rest(entry["job"], runs)
            own = rest["label"] == label
            columns, stars = entry["set"].columns, rest["row"][own]
            more = {name: columns[name][stars].astype(np.float64) for name in entry["reference"]}
            both = {name: np.concatenate([values, more[name]]) for name, values in entry["reference"].items()}
            joined = np.concatenate([entry["predicted"], rest["predicted"][own]])
            row.append(panel(f"n = {n}", entry | {"predicted": joined, "reference": both}))
        if row:
            rows.append(row)
    return rows


def _of_sizes(study: Study, predictions: Iterable[dict], label: str) -> list[tuple[int, dict]]:
    """Runs of the experiment of sizes by which the label is carried, first seed, by number of fine-tuning stars."""
    assert study.experiments is not None
    strategy = adapters(study, max(study.sizes)).get(label)
    own = select(
        predictions, variant=SIZES, label=label, seed=study.experiments.seeds[0], strategy=("zero-shot", strategy)
    )
    by_number = {entry["n_finetune"]: entry for entry in own}
    return [(n, by_number[n]) for n in at_most(sorted(by_number))]


def at_most(values: Sequence, most: int = MOST_COLUMNS) -> list:
    """As many values as fit into a row of panels: all, or the first, the last and some evenly between them."""
    if len(values) <= most:
        return list(values)
    return [values[round(place)] for place in np.linspace(0, len(values) - 1, most)]


def panel(title: str, entry: dict) -> Panel:
    """One panel of predicted against reference labels, with its scores."""
    label, reference = entry["label"], entry["reference"]
    everyone = {"all": np.ones(len(entry["predicted"]), bool)}
    scores = evaluate(entry["predicted"], reference[label], everyone, n_boot=0)["all"]
    poor = reference["feh"] < -1 if "feh" in reference else None
    return Panel(title, label, reference[label], entry["predicted"], scores, poor)


def planes(study: Study, jobs: Sequence[Job], reference: np.ndarray, out: Path) -> list[Plane]:
    """Columns of Figure 3 (or D8, for the study of a subset), all but the reference."""
    seed, largest = study.seeds[0], max(study.sizes)
    found = plane_labels(study, jobs, out)
    panels = []
    for title, strategies in columns_of(study):
        if set(strategies.values()) == {PIPELINE}:
            stars = found.pipeline
        else:
            runs = [
                (strategies.get(name, ""), 0 if strategies.get(name) == "zero-shot" else largest, seed) for name in AXES
            ]
            stars = found.stars(*runs)
        if stars is not None:
            panels.append(plane(title, stars, reference))
    return panels


def planes_by_rate(study: Study, jobs: Sequence[Job], reference: np.ndarray, out: Path) -> list[Plane]:
    """Columns of Figure A5: from scratch, one for each learning rate."""
    assert study.experiments is not None
    run = ("scratch", max(study.sizes), study.experiments.seeds[0])
    panels = []
    for rate in at_most(study.experiments.rates):
        own = [job for job in jobs if job.variant == rate_name(rate)]
        stars = plane_labels(study, own, out).stars(run, run) if own else None
        if stars is not None:
            panels.append(plane(_rate_title(rate), stars, reference))
    return panels


def planes_by_size(study: Study, predictions: Sequence[dict], runs: Path, reference: np.ndarray) -> list[Plane]:
    """Columns of Figure A2: one for each number of fine-tuning stars, of all stars that were not learnt from."""
    found: dict[int, dict[str, np.ndarray]] = {}
    for label in AXES:
        for n, entry in _of_sizes(study, predictions, label):
            values = np.full(len(entry["set"]), np.nan)
            rest = read_rest(entry["job"], runs)
            own = rest["label"] == label
            values[rest["row"][own]], values[entry["row"]] = rest["predicted"][own], entry["predicted"]
            found.setdefault(n, {})[label] = values
    return [
        plane(f"n = {n}", np.stack([labels[name] for name in AXES], axis=1), reference)
        for n, labels in found.items()
        if set(AXES) <= set(labels)
    ]


def plane(title: str, stars: np.ndarray, reference: np.ndarray) -> Plane:
    """One panel of the plane, with its squared discrepancy from the reference; stars that lack a label are left out."""
    stars = stars[np.isfinite(stars).all(axis=1)]
    if len(stars) < 2:
        return Plane(title, stars[:, 0], stars[:, 1])
    found = squared_mmd(stars, reference, GAMMA)
    return Plane(title, stars[:, 0], stars[:, 1], found.value, found.error)
