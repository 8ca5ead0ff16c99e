"""Choosing a strategy by cross-validation inside the stars given: what `--strategy auto` does."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..checks import check_whole
from ..datasets.stars import Stars
from ..errors import InputError, SettingsError, shown
from ..models.estimator import Estimator
from .by_number import MODERATE
from .compare import cross_validate, error_limits, rms_difference, simplest_unbeaten
from .finetuning import check_fit, finetune
from .new_label import require_learning
from .settings import TrainSettings, plain
from .strategies import Strategy, strategies

SIMPLEST_FIRST = ("zero-shot", "recalibrate", "full", "lora", "residual")
"""The order of simplicity in which equal strategies are chosen: nothing; two numbers; the weights that are there already; thin
matrices beside them, of a rank to be set, which are merged into them in the end; a second network, which has to be kept. Others
that want to be tried come after these."""


def candidates_of_auto() -> tuple[Strategy, ...]:
    """What is tried where nothing else is asked for: all strategies that say so, with their own settings, simplest first."""
    kinds = [kind for kind in strategies() if kind.candidate]
    place = {name: number for number, name in enumerate(SIMPLEST_FIRST)}
    return tuple(kind() for kind in sorted(kinds, key=lambda kind: place.get(kind.name, len(place))))


def folds_of_auto(n_stars: int) -> int:
    """Number of folds: five, and three where two thirds of the stars are enough to tell what all of them would teach."""
    return 5 if n_stars < MODERATE else 3


def choose(
    model: Estimator,
    stars: Stars,
    *,
    candidates: Sequence[Strategy] | None = None,
    n_folds: int | None = None,
    seed: int = 0,
    device: str = "cpu",
    progress: Callable[[int, int], None] | None = None,
    new_label: bool = False,
) -> tuple[Estimator, list[dict[str, Any]]]:
    """Fine-tune with the simplest of the strategies that are best in cross-validation.

    For each fold, every candidate is fine-tuned on the other folds, with the settings that it has for all the stars, and
    scored on this one. `transtar.train.compare.simplest_unbeaten` describes how candidates are compared, and what counts as
    a tie. For several labels, squared errors are in squared standard deviations of the model's label scalers, averaged over
    the labels of a star.

    Parameters
    ----------
    model, stars
        As in `finetune`.
    candidates : sequence of Strategy, optional
        Simplest first; `candidates_of_auto` if not given. Several settings of one strategy are several candidates.
    n_folds : int, optional
        `folds_of_auto` if not given.
    seed : int
        Decides the folds, and is also the seed of every fine-tuning.
    device : str
        Device on which they are trained.
    progress : callable, optional
        Called with the number of finished epochs of the cross-validation and the number of all.
    new_label : bool
        As in `finetune`. The model itself does not predict such labels, so the unchanged model is not a candidate.

    Returns
    -------
    model : Estimator
        The chosen candidate, fine-tuned on all stars; ``choice`` of its last provenance step holds the table, ``n_folds``,
        ``n_stars``, and for each label ``limits`` and ``rms``, the root mean square of the chosen candidate's
        cross-validated errors.
    table : list of dict
        For each candidate ``strategy``, ``settings`` and ``chosen``; ``limited_rms`` of all labels together in their
        standard deviations, ``minus_chosen`` (the same minus that of the chosen candidate) and its error
        ``minus_chosen_err``; and ``labels``, which has for each label these three in its unit, and ``n`` (rows), ``r2`` and
        ``rms`` of the errors without a limit. None where there is no such number.

    Raises
    ------
    InputError
        If there are fewer stars than folds.
    SettingsError
        If there is no candidate.
    TranstarError
        If no candidate could be trained.

    Examples
    --------
    >>> import transtar as ts
    >>> stars = ts.read_set("sets/miles").stars("feh")
    >>> candidates = [ts.make_strategy("zero-shot"), ts.make_strategy("recalibrate")]
    >>> chosen, scores = ts.choose(ts.Estimator.load("mock-feh"), stars, candidates=candidates, n_folds=3)
    >>> sorted(row["strategy"] for row in scores)
    ['recalibrate', 'zero-shot']
    """
    candidates = (candidates,) if isinstance(candidates, Strategy | str) else candidates
    if candidates is None:
        candidates = tuple(one for one in candidates_of_auto() if one.fits or not new_label)
    candidates = tuple(candidates)
    if not candidates:
        raise SettingsError("auto: no strategy to choose from")
    for candidate in candidates:
        if not isinstance(candidate, Strategy):
            raise SettingsError(
                f"auto: not a fine-tuning strategy: {shown(repr(candidate))}; give settings, as of transtar.make_strategy('full')"
            )
    check_fit(model, stars, new_label)
    for candidate in candidates if new_label else ():
        require_learning(candidate, model, stars)
    n_stars = len(np.unique(stars.names))
    n_folds = folds_of_auto(n_stars) if n_folds is None else check_whole(n_folds, "auto: n_folds", 2)
    if n_stars < n_folds:
        raise InputError(
            f"auto compares strategies on {n_folds} folds of the stars, which needs {n_folds} stars at least, and there are "
            f"{n_stars}; choose a strategy yourself, such as recalibrate"
        )
    candidates = [_settled(candidate, len(stars), seed, device) for candidate in candidates]
    errors = cross_validate(model, stars, candidates, n_folds, seed, progress, new_label)
    # Errors of labels that the model does not know are in units of what the stars have of them.
    scale = np.nanstd(stars.labels, axis=0) if new_label else model.label_std
    known = np.isfinite(stars.labels)
    weights = known / known.sum(axis=1, keepdims=True)
    limits = error_limits(errors)
    limited = np.clip(errors, -limits, limits)
    per_star = (np.where(known, np.square(limited / scale), 0.0) * weights).sum(axis=2)
    chosen = simplest_unbeaten(per_star, stars.names)
    table: list[dict[str, Any]] = [
        {
            "strategy": candidate.name,
            "settings": plain(candidate),
            "chosen": number == chosen,
            **_difference(per_star[number], per_star[chosen], stars.names),
            "labels": {
                label: _scores(errors[number, :, index], stars.labels[:, index])
                | _difference(limited[number, :, index] ** 2, limited[chosen, :, index] ** 2, stars.names)
                for index, label in enumerate(stars.label_names)
            },
        }
        for number, candidate in enumerate(candidates)
    ]
    adapted = finetune(model, stars, strategy=candidates[chosen], new_label=new_label)
    rms = {label: scores["rms"] for label, scores in table[chosen]["labels"].items()}
    of_label = dict(zip(stars.label_names, map(_number, limits.tolist()), strict=True))
    choice = {"n_folds": n_folds, "n_stars": n_stars, "limits": of_label, "rms": rms, "table": table}
    return _remember(adapted, stars, candidates[chosen], choice), table


def _settled(candidate: Strategy, n_stars: int, seed: int, device: str) -> Strategy:
    """A candidate with the settings that it has for all stars, which the folds have fewer of."""
    if not isinstance(candidate, TrainSettings):
        return candidate
    rate = candidate.rate_for(n_stars) if candidate.learning_rate is None else candidate.learning_rate
    return replace(candidate.for_stars(n_stars), learning_rate=rate, seed=seed, device=device)


def _scores(errors: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    known = np.isfinite(labels)
    if not known.any():
        return {"n": 0, "r2": None, "rms": None}
    mean, variance = np.square(errors[known]).mean(), labels[known].var()
    r2 = _number(1 - mean / variance) if np.ptp(labels[known]) > 0 else None
    return {"n": int(known.sum()), "r2": r2, "rms": _number(np.sqrt(mean))}


def _difference(squared: np.ndarray, of_chosen: np.ndarray, names: np.ndarray) -> dict[str, float | None]:
    """Root mean square and its difference from that of the chosen one, of limited errors; rows without label are left out."""
    known = np.isfinite(of_chosen)
    if not known.any():
        return dict.fromkeys(("limited_rms", "minus_chosen", "minus_chosen_err"))
    difference, error = rms_difference(squared[known], of_chosen[known], names[known])
    rms = np.sqrt(squared[known].mean())
    return {"limited_rms": _number(rms), "minus_chosen": _number(difference), "minus_chosen_err": _number(error)}


def _number(value: float) -> float | None:
    # JSON has no NaN.
    return float(value) if math.isfinite(value) else None


def _remember(adapted: Estimator, stars: Stars, candidate: Strategy, choice: dict[str, Any]) -> Estimator:
    if candidate.fits:
        return replace(adapted, provenance=(*adapted.provenance[:-1], adapted.provenance[-1] | {"choice": choice}))
    # Nothing was fitted, but the stars decided: they were seen in validation.
    step = {
        "step": "choose", "strategy": candidate.name, "survey": "+".join(np.unique(stars.survey).tolist()), "n_train": 0,
        "n_validation": len(stars), "seed": None, "choice": choice,
    }  # fmt: skip
    seen = stars.seen("validation")
    parts = ([adapted.trained_on] if adapted.trained_on else []) + [seen]
    return replace(
        adapted,
        provenance=(*adapted.provenance, step),
        trained_on={name: np.concatenate([part[name] for part in parts]) for name in seen},
    )
