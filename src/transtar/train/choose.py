"""Choosing a strategy by cross-validation inside the stars given: `--strategy auto`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..datasets.split import folds
from ..datasets.stars import Stars
from ..errors import SettingsError
from ..models.estimator import Estimator
from .finetuning import check_fit, finetune
from .settings import TrainSettings, plain
from .strategies import Strategy, ZeroShot, strategies


def candidates_of_auto() -> tuple[Strategy, ...]:
    """What is tried where nothing else is asked for: all strategies that say so, with their own settings."""
    return tuple(kind() for kind in strategies() if kind.candidate)


def choose(
    model: Estimator,
    stars: Stars,
    *,
    candidates: Sequence[Strategy] | None = None,
    n_folds: int = 5,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
    new_label: bool = False,
) -> tuple[Estimator, list[dict[str, Any]]]:
    """Fine-tune with the strategy that does best in cross-validation.

    Folds keep repeat visits together and hold the regimes in proportion. In each, a candidate is fine-tuned on the
    other folds (its own validation split inside them) and scored on the fold, which it has not seen in any way.

    Parameters
    ----------
    model, stars
        As in `finetune`.
    candidates : sequence of Strategy, optional
        `candidates_of_auto` if not given. Several settings of one strategy are several candidates.
    n_folds : int
    seed : int
        Decides the folds, and is the seed of every fine-tuning.
    progress : callable, optional
        Called after each fit of the cross-validation with its number and the number of all.
    new_label : bool
        As in `finetune`. The model itself does not predict such labels, so that leaving it as it is is no candidate.

    Returns
    -------
    model : Estimator
        The best candidate, fine-tuned on all stars; its last provenance step holds the table.
    table : list of dict
        Per candidate ``strategy``, ``settings``, ``score`` (mean over all stars and labels of the squared error, in
        squared standard deviations of the model's label scalers, or of the stars for a new label; stars weighted equally),
        ``score_err`` (standard error over stars, which ignores that folds share training stars) and ``chosen``.

    Raises
    ------
    InputError
        If there are fewer stars than folds.
    SettingsError
        If there is no candidate.
    """
    candidates = (candidates,) if isinstance(candidates, Strategy) else candidates
    if candidates is None:
        candidates = tuple(one for one in candidates_of_auto() if one.fits or not new_label)
    candidates = tuple(candidates)
    if not candidates:
        raise SettingsError("auto: no strategy to choose from")
    check_fit(model, stars, new_label)
    # Errors of labels that the model does not know are in units of what the stars have of them.
    scale = np.nanstd(stars.labels, axis=0) if new_label else model.label_std
    fold = folds(stars.names, stars.feh, n_folds, seed)
    table: list[dict[str, Any]] = []
    for number, strategy in enumerate(candidates):
        squared = np.full(stars.labels.shape, np.nan)
        for held_out in range(n_folds):
            rows = fold == held_out
            adapted = finetune(model, stars.select(~rows), strategy=strategy, seed=seed, new_label=new_label)
            difference = adapted.predict(stars.inputs[rows]) - stars.labels[rows]
            squared[rows] = (difference / scale) ** 2
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
    chosen = finetune(model, stars, strategy=candidates[best], seed=seed, new_label=new_label)
    return _remember(chosen, stars, table, n_folds), table


def _remember(chosen: Estimator, stars: Stars, table: list[dict[str, Any]], n_folds: int) -> Estimator:
    choice = {"n_folds": n_folds, "table": table}
    if table and next(row for row in table if row["chosen"])["strategy"] == ZeroShot.name:
        # Nothing was fitted, but the stars decided: they were seen in validation.
        step = {
            "step": "choose", "strategy": ZeroShot.name, "survey": "+".join(np.unique(stars.survey).tolist()), "n_train": 0,
            "n_validation": len(stars), "seed": None, "choice": choice,
        }  # fmt: skip
        seen = stars.seen("validation")
        parts = ([chosen.trained_on] if chosen.trained_on else []) + [seen]
        return replace(
            chosen,
            provenance=(*chosen.provenance, step),
            trained_on={name: np.concatenate([part[name] for part in parts]) for name in seen},
        )
    return replace(chosen, provenance=(*chosen.provenance[:-1], chosen.provenance[-1] | {"choice": choice}))
