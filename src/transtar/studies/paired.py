"""Strategies compared on the same test stars, so that what moves all of them alike does not count."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import t as student_t

from ..evaluate import bias, bootstrap, r2, regimes, sigma
from ..report import in_order
from .predictions import Predicted

N_BOOT = 1000


@dataclass(frozen=True)
class Scored:
    """One strategy with one number of fine-tuning stars.

    Parameters
    ----------
    r2, sigma, bias : ndarray, shape (n_seeds,)
    draws : ndarray, shape (n_seeds, N_BOOT)
        R2 of bootstrap samples of the test stars, the same samples for all strategies.
    """

    r2: np.ndarray
    sigma: np.ndarray
    bias: np.ndarray
    draws: np.ndarray

    @property
    def error(self) -> float:
        """Standard error of the mean R2 over stars and seeds."""
        return _error(self.draws, self.r2)

    def over_seeds(self, other: Scored) -> bool:
        """Whether the two are told apart by their seeds alone: Student's t of the paired differences, at 95 %."""
        if len(self.r2) != len(other.r2) or len(self.r2) < 2:
            return False
        difference = self.r2 - other.r2
        n, spread = len(difference), difference.std(ddof=1)
        return bool(abs(difference.mean()) > student_t.ppf(0.975, n - 1) * spread / np.sqrt(n))

    def minus(self, other: Scored) -> tuple[float, float]:
        """Difference of mean R2, and its standard error over stars and seeds, both taken pair by pair."""
        # A survey's pipeline has one seed where the networks have more.
        alone = 1 in (len(self.r2), len(other.r2))
        scores, other_scores = np.broadcast_arrays(self.r2, other.r2) if alone else (self.r2, other.r2)
        if len(scores) != len(other_scores):
            return float("nan"), float("nan")
        return float((scores - other_scores).mean()), _error(self.draws - other.draws, scores - other_scores)


def _error(draws: np.ndarray, values: np.ndarray) -> float:
    over_stars = np.nanstd(draws.mean(axis=0), ddof=1)
    over_seeds = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else 0.0
    return float(np.hypot(over_stars, over_seeds))


def score_strategies(predictions: Iterable[Predicted], regime: str = "all") -> dict[str, Scored]:
    """Score the strategies of one label, one target and one number of fine-tuning stars (and 0).

    Parameters
    ----------
    predictions : iterable of Predicted
        Stars without reference or prediction are left out.
    regime : str
        Stars that count, as from `transtar.evaluate.regimes`.

    Returns
    -------
    dict of str to Scored
        In the order of all tables.
    """
    by_strategy: dict[str, list[Predicted]] = {}
    for one in predictions:
        by_strategy.setdefault(one.strategy, []).append(one)
    return {name: score(by_strategy[name], regime) for name in in_order(list(by_strategy))}


def score(predictions: Iterable[Predicted], regime: str = "all") -> Scored:
    """Score the seeds of one strategy.

    Parameters
    ----------
    predictions : iterable of Predicted
        Of one seed each; stars without reference or prediction are left out.
    regime : str
        As of `score_strategies`.

    Returns
    -------
    Scored
    """
    pairs = []
    for one in sorted(predictions, key=lambda one: one.seed):
        reference = one.reference[one.label]
        counts = usable(one) & regimes(one.reference, 0)[regime]
        pairs.append((reference[counts], one.predicted[counts]))
    values = [np.array([metric(*pair) for pair in pairs]) for metric in (r2, sigma, bias)]
    draws = np.array([bootstrap(*pair, ("r2",), N_BOOT, seed=0)["r2"] for pair in pairs])
    return Scored(values[0], values[1], values[2], draws)


def usable(one: Predicted) -> np.ndarray:
    """Stars with reference and prediction; bool, shape (n,)."""
    return np.isfinite(one.reference[one.label]) & np.isfinite(one.predicted)


def on_common_stars(
    several: Iterable[Predicted], others: Iterable[Predicted]
) -> tuple[list[Predicted], list[Predicted]]:
    """Runs of two kinds seed by seed, cut to the stars that both predict, so that their draws are of the same stars.

    Parameters
    ----------
    several, others : iterable of Predicted
        Of one seed each; a seed that only one of them has is left out.

    Returns
    -------
    several, others : list of Predicted
    """
    by_seed = {one.seed: one for one in others}
    pairs = []
    for one in several:
        other = by_seed.get(one.seed)
        if other is not None:
            common = np.intersect1d(one.row[usable(one)], other.row[usable(other)])
            pairs.append((_cut(one, common), _cut(other, common)))
    return [one for one, _ in pairs], [other for _, other in pairs]


def _cut(one: Predicted, rows: np.ndarray) -> Predicted:
    chosen = np.isin(one.row, rows)
    if chosen.all():
        return one
    reference = {name: values[chosen] for name, values in one.reference.items()}
    return replace(one, row=one.row[chosen], predicted=one.predicted[chosen], reference=reference)
