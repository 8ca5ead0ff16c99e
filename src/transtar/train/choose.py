"""Choosing a strategy by cross-validation inside the stars given: `--strategy auto`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..errors import SettingsError
from ..models.estimator import Estimator
from .sample import make_sample
from .settings import (
    Full,
    LoRA,
    Recalibrate,
    Residual,
    Strategy,
    TrainSettings,
    ZeroShot,
    plain,
)
from .split import folds
from .strategies import finetune

CANDIDATES: tuple[Strategy, ...] = (ZeroShot(), Recalibrate(), Residual(), LoRA(), Full())
"""What is tried where nothing else is asked for."""


def choose(
    estimator: Estimator,
    flux,
    labels,
    *,
    candidates: Sequence[Strategy] = CANDIDATES,
    n_folds: int = 5,
    stars=None,
    survey="",
    ids=None,
    files=None,
    seed: int = 0,
    weights=None,
    feh=None,
    set_hash: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Estimator, list[dict[str, Any]]]:
    """Fine-tune with the strategy that does best in cross-validation.

    Folds keep repeat visits together and hold the regimes in proportion. In each, a candidate is fine-tuned on the
    other folds (its own validation split inside them) and scored on the fold, which it has not seen in any way.

    Parameters
    ----------
    estimator, flux, labels, stars, survey, ids, files, weights, feh, set_hash
        As in `finetune`.
    candidates : sequence of strategy settings
        Several settings of one strategy are several candidates.
    n_folds : int
    seed : int
        Decides the folds, and is the seed of every fine-tuning.
    progress : callable, optional
        Called after each fit of the cross-validation with its number and the number of all.

    Returns
    -------
    estimator : Estimator
        The best candidate, fine-tuned on all stars; its last provenance step holds the table.
    table : list of dict
        Per candidate ``strategy``, ``settings``, ``score`` (mean over all stars and labels of the squared error, in
        squared standard deviations of the model's label scalers, stars weighted equally), ``score_err`` (standard error
        over stars, which ignores that folds share training stars) and ``chosen``.

    Raises
    ------
    InputError
        If there are fewer stars than folds.
    SettingsError
        If there is no candidate.
    """
    if not candidates:
        raise SettingsError("auto: no strategy to choose from")
    sample = make_sample(
        flux, labels, label_names=estimator.label_names, stars=stars, survey=survey, ids=ids, files=files,
        weights=weights, feh=feh,
    )  # fmt: skip
    fold = folds(sample.stars, sample.feh, n_folds, seed)
    table: list[dict[str, Any]] = []
    for number, strategy in enumerate(candidates):
        squared = np.full(sample.labels.shape, np.nan)
        for held_out in range(n_folds):
            rows = fold == held_out
            part = sample.select(~rows)
            adapted = finetune(
                estimator, part.flux, part.labels, strategy=strategy, stars=part.stars, survey=part.survey, ids=part.ids,
                files=part.files, seed=seed, weights=part.weights, feh=part.feh,
            )  # fmt: skip
            difference = adapted.predict(sample.flux[rows]) - sample.labels[rows]
            squared[rows] = (difference / estimator.label_std) ** 2
            if progress is not None:
                progress(number * n_folds + held_out + 1, len(candidates) * n_folds)
        per_star = np.nanmean(squared, axis=1)
        settings = replace(strategy, seed=seed) if isinstance(strategy, TrainSettings) else strategy
        table.append(
            {
                "strategy": strategy.name,
                "settings": plain(settings),
                "score": float(per_star.mean()),
                "score_err": float(per_star.std(ddof=1) / np.sqrt(len(per_star))),
                "chosen": False,
            }
        )
    # A candidate that diverged has a score of NaN and never wins.
    scores = [row["score"] if np.isfinite(row["score"]) else np.inf for row in table]
    best = int(np.argmin(scores))
    table[best]["chosen"] = True
    chosen = finetune(
        estimator, sample.flux, sample.labels, strategy=candidates[best], stars=sample.stars, survey=sample.survey,
        ids=sample.ids, files=sample.files, seed=seed, weights=sample.weights, feh=sample.feh,
        set_hash=set_hash,
    )  # fmt: skip
    return _remember(chosen, sample, table, n_folds), table


def _remember(chosen: Estimator, sample, table: list[dict[str, Any]], n_folds: int) -> Estimator:
    choice = {"n_folds": n_folds, "table": table}
    if table and next(row for row in table if row["chosen"])["strategy"] == ZeroShot.name:
        # Nothing was fitted, but the stars decided: they were seen in validation.
        step = {
            "step": "choose", "strategy": ZeroShot.name, "survey": "+".join(np.unique(sample.survey).tolist()), "n_train": 0,
            "n_validation": len(sample), "seed": None, "choice": choice,
        }  # fmt: skip
        seen = sample.seen("validation")
        parts = ([chosen.trained_on] if chosen.trained_on else []) + [seen]
        return replace(
            chosen,
            provenance=(*chosen.provenance, step),
            trained_on={name: np.concatenate([part[name] for part in parts]) for name in seen},
        )
    return replace(chosen, provenance=(*chosen.provenance[:-1], chosen.provenance[-1] | {"choice": choice}))
