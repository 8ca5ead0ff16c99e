"""Strategies compared by cross-validation: the same folds, the same stars, and differences taken star by star."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ..datasets.split import folds
from ..datasets.stars import Stars
from ..errors import TranstarError
from ..models.estimator import Estimator
from ..telling import tell
from .finetuning import begin_finetuning
from .teams import carry_out_all

if TYPE_CHECKING:
    from .strategies import Strategy


def cross_validate(
    model: Estimator,
    stars: Stars,
    candidates: Sequence[Strategy],
    n_folds: int,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
    new_label: bool = False,
) -> np.ndarray:
    """Errors of every candidate for stars that it has not seen in any way.

    Folds keep repeat visits together and hold the regimes in proportion. The candidates of a fold are trained side by side:
    augmented spectra and products with frozen weights are computed once for all of them.

    Parameters
    ----------
    model, stars
        As in `transtar.train.finetune`.
    candidates : sequence of Strategy
    n_folds : int
    seed : int
        Decides the folds.
    progress : callable, optional
        Called with the number of epochs done and the number of all.
    new_label : bool
        As in `transtar.train.finetune`.

    Returns
    -------
    ndarray, shape (n_candidates, n, n_labels), float64
        Prediction minus label, in the units of the labels; NaN where there is no label, and in all of a candidate that could
        not be trained, which is told.

    Raises
    ------
    InputError
        If there are fewer stars than folds.
    """
    errors = np.full((len(candidates), *stars.labels.shape), np.nan)
    fold = folds(stars.names, stars.feh, n_folds, seed)
    left = list(range(len(candidates)))
    for number in range(n_folds):
        judged = fold == number
        known = stars.select(~judged)
        outcomes: dict[int, Estimator | TranstarError] = {}
        carry_out_all(
            [partial(begin_finetuning, model, known, candidates[candidate], new_label=new_label) for candidate in left],
            outcomes.__setitem__,
            None if progress is None else partial(_of_fold, progress, number, n_folds),
        )
        for place, candidate in list(enumerate(left)):
            outcome = outcomes[place]
            if isinstance(outcome, Estimator):
                errors[candidate, judged] = outcome.predict(stars.inputs[judged]) - stars.labels[judged]
            if isinstance(outcome, TranstarError) or _lacks(errors[candidate, judged], stars.labels[judged]):
                why = outcome if isinstance(outcome, TranstarError) else "it predicts no numbers"
                tell(f"{candidates[candidate].name}: left out of the comparison, fold {number + 1} failed ({why})")
                errors[candidate] = np.nan
                left.remove(candidate)
    return errors


def _lacks(errors: np.ndarray, labels: np.ndarray) -> bool:
    return not np.isfinite(errors[np.isfinite(labels)]).all()


def _of_fold(progress: Callable[[int, int], None], fold: int, n_folds: int, done: int, total: int) -> None:
    progress(fold * total + done, n_folds * total)


def error_limits(errors: np.ndarray) -> np.ndarray:
    """Up to which error a star counts in a comparison, label by label: three standard deviations of its best candidate.

    Few stars with errors far beyond those of all others would decide every root mean square, and its standard error would make
    everything a tie. The standard deviation is 1.48 times the median absolute error (which does not see such stars, and counts
    a bias), that of the candidate that has the smallest.

    Parameters
    ----------
    errors : ndarray, shape (n_candidates, n, n_labels)
        As from `cross_validate`.

    Returns
    -------
    ndarray, shape (n_labels,), float64
        In the units of the labels; infinite where there is no label, or most errors are zero.
    """
    limits = np.full(errors.shape[2], np.inf)
    for label in range(errors.shape[2]):
        known = np.isfinite(errors[:, :, label])
        medians = [
            np.median(np.abs(one[rows])) for one, rows in zip(errors[:, :, label], known, strict=True) if rows.any()
        ]
        if medians and min(medians) > 0:
            limits[label] = 3 * 1.4826 * min(medians)
    return limits


def rms_difference(squared: np.ndarray, other: np.ndarray, names: np.ndarray) -> tuple[float, float]:
    """Root mean square of one candidate's errors minus that of another's, with its standard error, paired star by star.

    The mean difference of squared errors and its standard error over stars, both divided by the sum of the two root mean
    squares, which makes the one the difference of them exactly. That folds share stars to learn from is ignored.

    Parameters
    ----------
    squared, other : ndarray, shape (n,), float64
        Squared errors of the same rows.
    names : ndarray, shape (n,)
        Rows of equal name are one star, and count as one.

    Returns
    -------
    difference, error : float
        In the unit of the errors; the error is NaN for a single star.
    """
    both = np.sqrt(squared.mean()) + np.sqrt(other.mean())
    difference = squared - other
    star = np.unique(names, return_inverse=True)[1].ravel()
    sums = np.bincount(star, weights=difference - difference.mean())
    n_stars = len(sums)
    error = np.sqrt((sums**2).sum() * n_stars / (n_stars - 1)) / len(squared) if n_stars > 1 else np.nan
    return (0.0, 0.0) if both == 0 else (float(difference.mean() / both), float(error / both))


def simplest_unbeaten(squared: np.ndarray, names: np.ndarray) -> int:
    """Choose among candidates, which are in order of simplicity: the first that no other beats.

    One beats another if its root mean square is smaller, and the paired difference larger than its own standard error; less is
    a tie. The candidate with the smallest root mean square is beaten by none, so that there
    is always one.

    Parameters
    ----------
    squared : ndarray, shape (n_candidates, n), float64
        Squared errors, simplest candidate first; NaN in all of a candidate that is out.
    names : ndarray, shape (n,)

    Returns
    -------
    int

    Raises
    ------
    TranstarError
        If all are out.
    """
    left = np.flatnonzero(np.isfinite(squared).all(axis=1))
    for number in left:
        differences = [rms_difference(squared[number], squared[other], names) for other in left if other != number]
        if not any(more > error for more, error in differences):
            return int(number)
    raise TranstarError("no strategy could be trained on these stars; see what was said of each above")
