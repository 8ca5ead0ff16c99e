"""What a study did and what it taught, in a few lines."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..glossary import plain
from ..report import in_order
from ..train import find_strategy
from .paired import score_strategies
from .pipeline import PIPELINE
from .plane import AXES, REFERENCE, TRUE, TRUTH, mean_mmd
from .spec import Study, adapters


def needs_no_adapter(name: str) -> bool:
    """Whether an adapter has to beat it: no adaptation, the null models, and a network without pre-training."""
    kind = find_strategy(name)
    return kind is not None and (not kind.fits or kind.null or not kind.uses_model)


def closing_lines(study: Study, predictions: Iterable[dict], mmd: list[dict]) -> list[str]:
    """One line on what was done, one for each label on what was learnt, one on the plane.

    Parameters
    ----------
    study : Study
    predictions : iterable of dict
        Entries of `outputs` on the test stars, of the variant 'default'.
    mmd : list of dict
        Rows of ``mmd.csv``; empty without a plane.

    Returns
    -------
    list of str
    """
    entries = [p for p in predictions if p["variant"] == "default" and p["target"] == study.target.survey]
    if not entries:
        return []
    labels = list(dict.fromkeys(entry["label"] for entry in entries))
    lines = [_done(study, entries, labels)]
    lines += [_learnt(study, label, [entry for entry in entries if entry["label"] == label]) for label in labels]
    if mmd:
        lines.append(_plane(study, mmd))
    return lines


def _done(study: Study, entries: list[dict], labels: list[str]) -> str:
    mock = "mock " if study.simulate is not None else ""
    source, target = (f"{mock}{sample.survey.upper()}" for sample in (study.source, study.target))
    trained = max((entry["n_train"] for entry in entries if entry["strategy"] == "zero-shot"), default=0)
    adapted = max((entry["n_train"] for entry in entries if entry["n_finetune"]), default=0)
    judged = max(int(np.isfinite(entry["reference"][entry["label"]]).sum()) for entry in entries)
    which = "test stars" if study.split == "test" else "held-out stars"
    names = " and ".join(plain(label) for label in labels)
    seeds = f"{len(study.seeds)} seeds" if len(study.seeds) > 1 else "one seed"
    start = f" on top of {' and '.join(dict.fromkeys(study.prior.values()))}" if study.prior else ""
    return (
        f"done: {names} learnt from {trained} spectra of {source}{start}, carried to {target} with at most {adapted} of its "
        f"stars, "
        f"judged on {judged} other {which}; {seeds}"
    )


def _learnt(study: Study, label: str, entries: list[dict]) -> str:
    size = max((entry["n_finetune"] for entry in entries), default=0)
    at = [entry for entry in entries if entry["n_finetune"] in (0, size) and entry["strategy"] != PIPELINE]
    scored = score_strategies(at)
    text = f"{plain(label)}: R2 " + ", ".join(f"{name} {one.r2.mean():.3f}" for name, one in scored.items())
    adapter = adapters(study, size).get(label)
    rivals = [name for name in in_order(list(scored)) if needs_no_adapter(name)]
    if adapter not in scored or not rivals:
        return text
    rival = max(rivals, key=lambda name: scored[name].r2.mean())
    gain, error = scored[adapter].minus(scored[rival])
    verdict = "better than" if gain > 2 * error else "worse than" if gain < -2 * error else "not told apart from"
    return f"{text}; {adapter} is {verdict} the best that needs no adapter, {rival} ({gain:+.3f} ± {error:.3f})"


def _plane(study: Study, mmd: list[dict]) -> str:
    names = [name for name in in_order([row["strategy"] for row in mmd]) if name in ("zero-shot", "scratch")]
    chosen = adapters(study, max(study.sizes, default=0))
    names[1:1] = dict.fromkeys(chosen[label] for label in AXES if label in chosen)
    from_truth = mean_mmd(mmd, TRUE, TRUTH) is not None
    against = TRUTH if from_truth else REFERENCE
    found = {name: value for name in names if (value := mean_mmd(mmd, name, against))}
    text = ", ".join(f"{name} {value:.4f} ± {error:.4f}" for name, (value, error) in found.items())
    n = max(row["n"] for row in mmd if row["strategy"] in names)
    line = f"[alpha/Fe]-[Fe/H] plane of {n} more stars: MMD^2 from the {'true labels' if from_truth else 'reference'} {text}"
    floor = mean_mmd(mmd, TRUE)
    if floor is None:
        return line
    own = ", ".join(f"{name} {value[0]:.4f}" for name in names if (value := mean_mmd(mmd, name)))
    return f"{line}; from the reference {own}, and {floor[0]:.4f} ± {floor[1]:.4f} with perfect labels"
