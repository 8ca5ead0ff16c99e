"""Null models: what a prediction has to beat to have learnt anything."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..errors import TooFew
from ..glossary import COLUMNS, LABELS, plain
from .element import line_of_others
from .regimes import evaluate

MEAN, LINE = "mean", "line in [Fe/H]"
"""Names of the null models."""

Scores = dict[str, dict[str, float]]
"""By regime, as from `evaluate`."""


def is_ratio(label: str) -> bool:
    """Whether a label is an abundance relative to iron or to metals, [X/Fe] or [X/M], which follows [Fe/H] in the Galaxy."""
    return label in LABELS and COLUMNS[label].display.endswith(("/Fe]", "/M]"))


def null_scores(
    label: str,
    truth: Mapping[str, np.ndarray],
    scored: np.ndarray,
    star: np.ndarray,
    masks: Mapping[str, np.ndarray],
    n_boot: int = 1000,
    seed: int = 0,
) -> tuple[dict[str, Scores], list[str]]:
    """Score the null models of a label on the stars that a prediction is scored on.

    `MEAN` gives every star the mean of the reference labels of its regime: R2 is 0 by construction, and sigma what the stars
    scatter by. `LINE`, for abundance ratios, gives each star what a line in the reference [Fe/H] says that is fitted to all
    other stars.

    Parameters
    ----------
    label : str
    truth : mapping of str to ndarray, shape (n,), float64
        Reference labels, NaN where missing: `label`, and `feh` if there is one.
    scored : ndarray, shape (n,), bool
    star : ndarray, shape (n,)
        Rows of equal value are one star.
    masks : mapping of str to ndarray, shape (n,), bool
        As from `regimes`.
    n_boot, seed : int
        As for `evaluate`.

    Returns
    -------
    dict of str to dict
        Scores of each null model, as from `evaluate`; `r2_err` of the mean is NaN.
    list of str
        Why there is no line where one is due, or how many of the stars it is of.
    """
    reference = np.where(scored, truth[label], np.nan)
    means: Scores = {}
    for name, mask in masks.items():
        inside = mask & np.isfinite(reference)
        mean = reference[inside].mean() if inside.any() else np.nan
        means |= evaluate(np.where(inside, mean, np.nan), reference, {name: mask}, n_boot=0)
    scores, notes = {MEAN: means}, []
    if is_ratio(label):
        if "feh" not in truth:
            return scores, [f"{plain(label)}: no line in [Fe/H] to compare with, for the label table has no [Fe/H]"]
        both = np.isfinite(reference) & np.isfinite(truth["feh"])
        line = np.full(len(reference), np.nan)
        try:
            line[both] = line_of_others(truth["feh"][both], reference[both], star[both])
        except TooFew as error:
            return scores, [f"{plain(label)}: no line in [Fe/H] to compare with ({error})"]
        scores[LINE] = evaluate(line, reference, masks, n_boot, seed)
        if both.sum() < scored.sum():
            notes.append(
                f"{plain(label)}: the line in [Fe/H] is of {both.sum()} of {scored.sum()} rows, which have [Fe/H]"
            )
    return scores, notes
