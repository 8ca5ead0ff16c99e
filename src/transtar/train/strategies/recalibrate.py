"""Recalibration: offset and slope on the predictions of the model, a null model."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch

from ...checks import check_real
from ...errors import SettingsError, shown
from ...networks.outputs import map_outputs
from ..record import finished, provenance_step
from .strategy import Strategy

if TYPE_CHECKING:
    from ...datasets.stars import Stars
    from ...models.estimator import Estimator


@dataclass(frozen=True)
class Recalibrate(Strategy):
    """Fit ``label = offset + slope * prediction (+ coefficient * other prediction)`` by least squares.

    Parameters
    ----------
    shrinkage : float
        Strength with which the slope is drawn to 1 and the coefficient of the term to 0, in stars: with as many stars
        as this, half the way (for one regressor). 0 is plain least squares.
    slope : bool
        False fits the offset alone (and the term).
    term : str or None
        Another label that the model predicts, as a further regressor, such as 'teff'.
    """

    name: ClassVar[str] = "recalibrate"
    colour: ClassVar[str] = "#CC79A7"
    marker: ClassVar[str] = "P"
    null: ClassVar[bool] = True
    candidate: ClassVar[bool] = True
    shrinkage: float = 0.0
    slope: bool = True
    term: str | None = None

    def __post_init__(self) -> None:
        check_real(self.shrinkage, "recalibrate: shrinkage", 0)
        if not isinstance(self.slope, bool):
            raise SettingsError(f"recalibrate: slope must be true or false, not '{shown(self.slope)}'")
        if self.term is not None and not isinstance(self.term, str):
            raise SettingsError(f"recalibrate: term must be the name of a label, not '{shown(self.term)}'")

    def begin(self, model: Estimator, stars: Stars, progress=None, shared=None) -> Estimator:
        """Fit offset and slope, and fold them into the last layer."""
        matrix, offset = fit_recalibration(model.predict(stars.inputs), stars.labels, self, model.label_names)
        # From physical to standardised outputs: z' = (M (m + s z) + o - m) / s.
        mean, std = model.label_mean, model.label_std
        network = copy.deepcopy(model.network)
        map_outputs(
            network,
            torch.from_numpy(matrix * std[None, :] / std[:, None]),
            torch.from_numpy((matrix @ mean + offset - mean) / std),
        )
        nobody = stars.select(np.zeros(len(stars), dtype=bool))
        record = provenance_step("finetune", self.name, self, stars, stars, nobody, None)
        record |= {"matrix": matrix.tolist(), "offset": offset.tolist()}
        return finished(replace(model, network=network, adapter=None), model, stars, nobody, record)


def fit_recalibration(
    predictions: np.ndarray, labels: np.ndarray, settings: Recalibrate, label_names: tuple[str, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Fit offset, slope and perhaps a term in another label, per label, by (shrunken) least squares.

    Minimises ``sum (y - offset - slope x - c t)^2 + shrinkage (var(x) (slope - 1)^2 + var(t) c^2)``.

    Parameters
    ----------
    predictions, labels : ndarray, shape (n, n_labels)
        In physical units; labels are NaN where missing.
    settings : Recalibrate
    label_names : tuple of str

    Returns
    -------
    matrix : ndarray, shape (n_labels, n_labels), float64
    offset : ndarray, shape (n_labels,), float64
        ``labels ~ predictions @ matrix.T + offset``. A label present in fewer stars than the fit has coefficients,
        or with one value in all stars, gets an offset alone, and none if it is present in no star.

    Raises
    ------
    SettingsError
        If the term is not a label of the model.
    """
    if settings.term is not None and settings.term not in label_names:
        raise SettingsError(f"recalibrate: the model does not predict '{settings.term}', only {', '.join(label_names)}")
    x_all, y_all = np.asarray(predictions, dtype=np.float64), np.asarray(labels, dtype=np.float64)
    matrix, offset = np.eye(len(label_names)), np.zeros(len(label_names))
    for index, name in enumerate(label_names):
        rows = np.isfinite(y_all[:, index]) & np.isfinite(x_all).all(axis=1)
        if not rows.any():
            continue
        columns = [index] if settings.slope else []
        if settings.term is not None and settings.term != name:
            columns.append(label_names.index(settings.term))
        # Stars that all have one value, as those of a cluster, tell an offset and no slope.
        if rows.sum() < len(columns) + 1 or not np.ptp(y_all[rows, index]) > 0:
            columns = []
        x, residual = x_all[rows], y_all[rows, index] - x_all[rows, index]
        # Fitting the residual centres the shrinkage on "no change"; standardising makes it the same for all units.
        scale = x[:, columns].std(axis=0)
        columns = [column for column, width in zip(columns, scale, strict=True) if width > 0]
        centre, scale = x[:, columns].mean(axis=0), x[:, columns].std(axis=0)
        design = (x[:, columns] - centre) / scale
        penalty = np.sqrt(settings.shrinkage) * np.eye(len(columns))
        solution = np.linalg.lstsq(
            np.vstack([design, penalty]),
            np.concatenate([residual - residual.mean(), np.zeros(len(columns))]),
            rcond=None,
        )[0]
        matrix[index, columns] += solution / scale
        offset[index] = residual.mean() - (solution / scale * centre).sum()
    return matrix, offset
