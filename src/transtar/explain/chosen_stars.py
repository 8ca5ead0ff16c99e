"""Which stars of a prepared set models are looked at by: those of one part and kind that no model has seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from ..catalog.trained import trained_on
from ..datasets import PreparedSet, usable
from ..errors import InputError
from ..evaluate import regimes
from ..models import Estimator

Say = Callable[[str], None]


class Trained(Protocol):
    """What remembers the stars that it has seen in training, as models and encoders do."""

    @property
    def trained_on(self) -> dict[str, np.ndarray]:
        """As that of `Estimator`."""


def unseen_stars(
    prepared: PreparedSet, models: Sequence[Trained], split: str, where: str, say: Say
) -> tuple[PreparedSet, dict[str, np.ndarray]]:
    """The usable stars of a part of a set that no model has seen, with the regimes that they belong to.

    Parameters
    ----------
    prepared, models, split, where, say
        As in `unseen_rows`.

    Returns
    -------
    stars : PreparedSet
    by_regime : dict of str to ndarray of bool, shape (n_stars,)

    Raises
    ------
    InputError
        If none is left.
    """
    stars = prepared.select(unseen_rows(prepared, models, split, where, say))
    return stars, regimes(labels_of(stars) or {"": np.zeros(len(stars))})


def unseen_rows(prepared: PreparedSet, models: Sequence[Trained], split: str, where: str, say: Say) -> np.ndarray:
    """The rows of the usable stars of a part of a set that no model has seen.

    Parameters
    ----------
    prepared : PreparedSet
    models : sequence of Estimator or Encoder
    split : {'test', 'pool', 'all'}
    where : str
        The set, for messages.
    say : callable
        Takes a line on how many were left out, and why.

    Returns
    -------
    ndarray, shape (n_stars,), int64

    Raises
    ------
    InputError
        If none is left.
    """
    inside = np.ones(len(prepared), bool) if split == "all" else prepared.columns["split"] == split
    good = usable(prepared)
    seen = trained_on(prepared.columns, [model.trained_on for model in models])
    rows = np.flatnonzero(inside & good & ~seen)
    say(
        f"{len(rows)} stars; left out: {int((~inside).sum())} of another split, {int((inside & ~good).sum())} flagged bad, "
        f"{int((inside & good & seen).sum())} seen by a model in training"
    )
    if not len(rows):
        raise InputError(f"{where}: no star of split '{split}' is left; choose another --split")
    return rows


def labels_of(prepared: PreparedSet) -> dict[str, np.ndarray]:
    """The labels of a set, each of shape (n_spectra,), float64, NaN where missing."""
    return {name: prepared.columns[name].astype(np.float64) for name in prepared.labels}


def labelled_stars(
    prepared: PreparedSet, models: Sequence[Estimator], label: str, split: str, regime: str, where: str, say: Say
) -> PreparedSet:
    """The usable stars of one part and one regime of a set that have a label and that no model has seen.

    Parameters
    ----------
    prepared, models, where, say
        As in `unseen_stars`.
    label : str
    split : {'test', 'pool', 'all'}
    regime : {'poor', 'rich', 'all'}

    Returns
    -------
    PreparedSet

    Raises
    ------
    InputError
        If none is left, or the set has no [Fe/H] to tell the regimes apart.
    """
    targets = prepared.targets([label])[:, 0]
    reasons = {} if split == "all" else {f"of another split than '{split}'": prepared.columns["split"] != split}
    if regime != "all":
        if "feh" not in prepared.labels:
            raise InputError(f"{where}: has no label 'feh', which tells the regimes apart; take --regime all")
        inside = regimes({"feh": prepared.columns["feh"].astype(np.float64)})[regime]
        reasons[f"not of the regime '{regime}'"] = ~inside
    reasons["flagged bad"] = ~usable(prepared)
    reasons["without label"] = ~np.isfinite(targets)
    reasons["seen by a model in training (TRAINED_ON)"] = trained_on(
        prepared.columns, [model.trained_on for model in models]
    )
    keep = np.ones(len(prepared), bool)
    counts = []
    for reason, out in reasons.items():
        counts.append(f"{int((keep & out).sum())} {reason}")
        keep &= ~out
    line = f"{int(keep.sum())} spectra of {len(prepared)}; left out: {', '.join(counts)}"
    if not keep.any():
        raise InputError(f"{where}: no star to compute the loss on, {line}; see --split and --regime")
    say(line)
    return prepared.select(keep)
