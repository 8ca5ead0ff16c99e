"""A new label from an old model: what the network knows of one label is the start from which it learns another."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ..datasets.stars import Stars
from ..errors import InputError, SettingsError
from ..models.estimator import Estimator
from ..networks.outputs import map_outputs
from .fit import Fit
from .loop import History, Progress
from .settings import TrainSettings
from .shared import Shared
from .strategies import Strategy

SHRINKAGE = 2.0
"""Strength with which the slope of the start is drawn to zero, in stars: with as many stars as this, half the way. It keeps a
slope in bounds that a handful of stars would give; of 60 MILES stars with [Mg/Fe] it takes 3 % of it."""

FEWEST = 3
"""Stars that a line needs, so that anything is left to judge it by."""


def check_new_labels(model: Estimator, names: tuple[str, ...]) -> None:
    """Refuse labels that cannot take the places of those of a model.

    Raises
    ------
    InputError
        If there are not as many as the model predicts, or one stands in the place of another of the model's.
    """
    old = model.label_names
    if len(names) != len(old):
        raise InputError(
            f"the model predicts {', '.join(old)}: a new label takes the place of an old one, so give {len(old)}, one for one "
            f"in this order, not {', '.join(names)}"
            + ("; model.only('alphafe') is the model of one of its labels" if len(old) > 1 else "")
        )
    for name, place in zip(names, old, strict=True):
        if name != place and name in old:
            raise InputError(
                f"'{name}' is a label of the model and cannot take the place of '{place}'; the model's own stay where they "
                f"are: {', '.join(old)}"
            )
    if names == old:
        raise InputError(f"the model predicts {', '.join(old)} already, so there is no new label to learn")


def begin_new_label(model: Estimator, stars: Stars) -> tuple[Estimator, dict[str, Any]]:
    """The model with new labels in the place of old ones, from which a fine-tuning can go on.

    For each new label a line is fitted by least squares, ``label = offset + slope * prediction of the old label``, whose slope is
    drawn to zero by `SHRINKAGE`, and folded into the last layer. The outputs are standardised by mean and standard deviation of
    the new label, so that a step of the training means the same for every label.

    Parameters
    ----------
    model : Estimator
    stars : Stars
        Those to train on, with the new labels in the places of the old ones. A label of the model's own stays as it is.

    Returns
    -------
    begun : Estimator
        Has no range and no error of the new labels yet.
    note : dict
        ``from_label`` and ``label`` (list of str), ``offset`` and ``slope`` (list of float, in physical units; None for a label
        that the model has), for the provenance.

    Raises
    ------
    InputError
        If the labels cannot take those places, or fewer than `FEWEST` stars have a new one, or all have the same value.
    """
    check_new_labels(model, stars.label_names)
    predicted = model.predict(stars.inputs).astype(np.float64)
    slope, offset = np.ones(len(stars.label_names)), np.zeros(len(stars.label_names))
    parts = {name: getattr(model, name).copy() for name in ("label_mean", "label_std", "label_min", "label_max")}
    new = [index for index, name in enumerate(stars.label_names) if name != model.label_names[index]]
    weights = np.ones(len(stars)) if stars.weights is None else stars.weights.astype(np.float64)
    for index in new:
        name, values = stars.label_names[index], stars.labels[:, index]
        rows = np.isfinite(values) & np.isfinite(predicted[:, index]) & (weights > 0)
        if rows.sum() < FEWEST or not np.ptp(values[rows]) > 0:
            raise InputError(
                f"the new label '{name}' needs at least {FEWEST} stars that have it, not all with one value; "
                f"got {int(rows.sum())}"
            )
        slope[index], offset[index] = _line(predicted[rows, index], values[rows], weights[rows])
        parts["label_mean"][index], parts["label_std"][index] = values[rows].mean(), values[rows].std()
        # What the model was trained on says nothing about where the new label is at home.
        parts["label_min"][index] = parts["label_max"][index] = np.nan
    network = copy.deepcopy(model.network)
    # From physical to standardised outputs: z' = (slope (m + s z) + offset - m') / s'.
    mean, std = parts["label_mean"], parts["label_std"]
    map_outputs(
        network,
        torch.from_numpy(np.diag(slope * model.label_std / std)),
        torch.from_numpy((slope * model.label_mean + offset - mean) / std),
    )
    note = {
        "label": list(stars.label_names),
        "from_label": list(model.label_names),
        "slope": [float(slope[index]) if index in new else None for index in range(len(slope))],
        "offset": [float(offset[index]) if index in new else None for index in range(len(offset))],
    }
    return replace(
        model, network=network, label_names=stars.label_names, label_error=None, error_tables={}, adapter=None, **parts
    ), note


def begin_with_new_label(
    strategy: Strategy,
    model: Estimator,
    stars: Stars,
    progress: Progress | None = None,
    shared: Shared | None = None,
) -> Fit | Estimator:
    """Do what `Strategy.begin` does, from a model with the new labels in the place of old ones.

    Parameters
    ----------
    strategy : Strategy
        One that uses nothing of the model (scratch, ridge) needs no such start.
    model, stars, progress, shared
        As in `Strategy.begin`; the stars have the new labels.

    Returns
    -------
    Fit or Estimator
        What comes of it has the note of `begin_new_label` in the last step of its provenance.

    Raises
    ------
    InputError
        As `begin_new_label`.
    SettingsError
        If the strategy leaves the model as it is.
    """
    if not strategy.uses_model:
        return strategy.begin(model, stars, progress, shared)
    require_learning(strategy, model, stars)
    known = stars
    if isinstance(strategy, TrainSettings):
        # Stars held out for validation have no say in the start either.
        known = stars.split(strategy.for_stars(len(stars)).validation_fraction or 0.0, strategy.seed)[0]
    begun, note = begin_new_label(model, known)
    return noted(strategy.begin(begun, stars, progress, shared), note)


def require_learning(strategy: Strategy, model: Estimator, stars: Stars) -> None:
    """Refuse a strategy that leaves a model as it is for labels that it does not predict.

    Raises
    ------
    SettingsError
    """
    if not strategy.fits:
        raise SettingsError(
            f"{strategy.name} leaves the model as it is, which predicts {', '.join(model.label_names)} and nothing of "
            f"{', '.join(stars.label_names)}; choose a strategy that learns"
        )


def noted(begun: Fit | Estimator, note: dict[str, Any]) -> Fit | Estimator:
    """The same, with a note in the last step of its provenance.

    Parameters
    ----------
    begun : Fit or Estimator
    note : dict
        Plain data.

    Returns
    -------
    Fit or Estimator
    """
    if isinstance(begun, Estimator):
        return replace(begun, provenance=(*begun.provenance[:-1], begun.provenance[-1] | note))

    def finish(history: History) -> Estimator:
        finished = noted(begun.finish(history), note)
        assert isinstance(finished, Estimator)
        return finished

    return replace(begun, finish=finish)


def _line(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """Slope and offset of a line whose slope is drawn to zero as if `SHRINKAGE` further stars of mean weight knew of none."""
    weights = weights / weights.mean()
    x_mean, y_mean = np.average(x, weights=weights), np.average(y, weights=weights)
    variance = np.average((x - x_mean) ** 2, weights=weights)
    if not variance > 0:
        return 0.0, float(y_mean)
    free = np.average((x - x_mean) * (y - y_mean), weights=weights) / variance
    slope = free * len(x) / (len(x) + SHRINKAGE)
    return float(slope), float(y_mean - slope * x_mean)
