"""What a study did and what it taught, in a few lines."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..evaluate import Results
from ..glossary import plain
from ..report import in_order
from ..rounding import with_error
from ..train import find_strategy
from .paired import score_strategies
from .pipeline import PIPELINE
from .planes import AXES, REFERENCE, TRUE, TRUTH, mean_mmd
from .predictions import Predicted, select
from .shipped import SHIPPED
from .spec import Study, adapters

BESIDE = (PIPELINE, SHIPPED)
"""What has learnt neither from the source nor from stars of the target that the study names."""


def needs_no_adapter(name: str) -> bool:
    """Whether an adapter has to beat it: no adaptation, the null models, and a network without pre-training."""
    kind = find_strategy(name)
    return kind is not None and (not kind.fits or kind.null or not kind.uses_model)


def closing_lines(
    study: Study, results: Results, predictions: list[Predicted] | None, mmd: list[dict[str, Any]]
) -> list[str]:
    """One line on what was done, one for each label on what was learnt, one on the plane.

    Parameters
    ----------
    study : Study
    results : Results
    predictions : list of Predicted, or None
        Without them strategies are not compared star by star.
    mmd : list of dict
        Rows of ``mmd.csv``; empty without a plane.

    Returns
    -------
    list of str
    """
    wanted = {"variant": "default", "target": study.target.survey}
    scores = results.select(**wanted, regime="all")
    if not len(scores):
        return []
    judged = None if predictions is None else select(predictions, **wanted)
    labels = scores.distinct("label")
    lines = [_done(study, list(scores), judged, labels)]
    for label in labels:
        of_label = None if judged is None else select(judged, label=label)
        lines.append(_learnt(study, label, scores.select(label=label), of_label))
    if mmd:
        lines.append(_plane(study, mmd))
    return lines


def _done(study: Study, scores: list[dict[str, Any]], judged: list[Predicted] | None, labels: list[str]) -> str:
    mock = "mock " if study.simulate is not None else ""
    source, target = (f"{mock}{sample.survey.upper()}" for sample in (study.source, study.target))
    trained = max((row["n_train"] for row in scores if row["strategy"] == "zero-shot"), default=0)
    adapted = max((row["n_train"] for row in scores if row["n_finetune"]), default=0)
    stars = max((int(np.isfinite(one.reference[one.label]).sum()) for one in judged or ()), default=0)
    stars = stars or max(row["n_test"] for row in scores)
    which = "test stars" if study.split == "test" else "held-out stars"
    names = " and ".join(plain(label) for label in labels)
    seeds = f"{len(study.seeds)} seeds" if len(study.seeds) > 1 else "one seed"
    start = f" on top of {' and '.join(dict.fromkeys(study.prior.values()))}" if study.prior else ""
    return (
        f"done: {names} learnt from {trained} spectra of {source}{start}, carried to {target} with at most {adapted} of its "
        f"stars, judged on {stars} other {which}; {seeds}"
    )


def _learnt(study: Study, label: str, scores: Results, judged: list[Predicted] | None) -> str:
    size = max(scores.distinct("n_finetune"))
    values: dict[str, list[float]] = {}
    for row in scores.select(n_finetune=(0, size)):
        if row["strategy"] not in BESIDE:
            values.setdefault(row["strategy"], []).append(row["r2"])
    means = {name: float(np.mean(values[name])) for name in in_order(list(values))}
    text = f"{plain(label)}: R2 " + ", ".join(f"{name} {mean:.3f}" for name, mean in means.items())
    return text + _verdict(study, label, size, judged) + _as_it_is(study, label, scores)


def _as_it_is(study: Study, label: str, scores: Results) -> str:
    """What a model has that stands beside the networks."""
    row = next(iter(scores.select(strategy=SHIPPED)), None)
    return "" if row is None else f"; {study.shipped.get(label, SHIPPED)} as it is {row['r2']:.3f}"


def _verdict(study: Study, label: str, size: int, judged: list[Predicted] | None) -> str:
    """Whether the adapter that was chosen beforehand beats the best that needs none, star by star."""
    compared = [one for one in select(judged or (), n_finetune=(0, size)) if one.strategy not in BESIDE]
    scored = score_strategies(compared)
    adapter = adapters(study, size).get(label)
    rivals = [name for name in in_order(list(scored)) if needs_no_adapter(name)]
    if adapter not in scored or not rivals:
        return ""
    rival = max(rivals, key=lambda name: scored[name].r2.mean())
    gain, error = scored[adapter].minus(scored[rival])
    verdict = "better than" if gain > 2 * error else "worse than" if gain < -2 * error else "not told apart from"
    return f"; {adapter} is {verdict} the best that needs no adapter, {rival} ({with_error(gain, error, signed=True, minus='-')})"


def _plane(study: Study, mmd: list[dict]) -> str:
    names = [name for name in in_order([row["strategy"] for row in mmd]) if name in ("zero-shot", "scratch")]
    chosen = adapters(study, max(study.sizes, default=0))
    names[1:1] = dict.fromkeys(chosen[label] for label in AXES if label in chosen)
    from_truth = mean_mmd(mmd, TRUE, TRUTH) is not None
    against = TRUTH if from_truth else REFERENCE
    means = {name: value for name in names if (value := mean_mmd(mmd, name, against))}
    text = ", ".join(f"{name} {with_error(*value, digits=4, minus='-')}" for name, value in means.items())
    n = max((row["n"] for row in mmd if row["strategy"] in names), default=0)
    line = f"[alpha/Fe]-[Fe/H] plane of {n} more stars: MMD^2 from the {'true labels' if from_truth else 'reference'} {text}"
    floor = mean_mmd(mmd, TRUE)
    if floor is None:
        return line
    values = ", ".join(f"{name} {value[0]:.4f}" for name in names if (value := mean_mmd(mmd, name)))
    return f"{line}; from the reference {values}, and {with_error(*floor, digits=4, minus='-')} with perfect labels"
