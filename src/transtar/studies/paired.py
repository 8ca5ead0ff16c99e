"""Strategies compared on the same test stars, so that what moves all of them alike does not count."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

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
    scored = {}
    for name in in_order(list(by_strategy)):
        pairs = []
        for one in sorted(by_strategy[name], key=lambda one: one.seed):
            reference = one.reference[one.label]
            usable = np.isfinite(reference) & np.isfinite(one.predicted) & regimes(one.reference, 0)[regime]
            pairs.append((reference[usable], one.predicted[usable]))
        values = [np.array([score(*pair) for pair in pairs]) for score in (r2, sigma, bias)]
        draws = np.array([bootstrap(*pair, ("r2",), N_BOOT, seed=0)["r2"] for pair in pairs])
        scored[name] = Scored(values[0], values[1], values[2], draws)
    return scored
