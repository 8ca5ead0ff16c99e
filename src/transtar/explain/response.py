"""The physical test: how a predicted label answers to each label of the star."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..models import Estimator, folded
from ..simulate.mocks.minimum_variance import FEWEST, best_weights, pixel_variance
from ..simulate.mocks.moved import STEPS, UNITS, MovedSpectra


@dataclass(frozen=True)
class Response:
    """Answer of one model in one regime to one label.

    Parameters
    ----------
    model, regime : str
    label : str
        The label predicted.
    moved : str
        The label that was moved in the spectra.
    mean, scatter : float
        Over the stars, of the change of the predicted label per unit of the moved one; units as in `UNITS`.
    n_stars : int
    expected : float
        What a perfect estimator gives: 1 if `moved` is `label`, else 0; NaN if the label is none of those moved.
    """

    model: str
    regime: str
    label: str
    moved: str
    mean: float
    scatter: float
    n_stars: int
    expected: float


@dataclass(frozen=True)
class PhysicalTest:
    """What `physical_test` found.

    Parameters
    ----------
    label : str
    responses : tuple of Response
    weights : dict of str to ndarray, shape (n_pixels,), float64
        By regime, as from `best_weights`.
    variance : ndarray, shape (n_pixels,), float64
        Of the noise that the weights allow for, as from `pixel_variance`.
    n_stars : int
    left_out : dict of str to int
        Stars left out, by reason.
    """

    label: str
    responses: tuple[Response, ...]
    weights: dict[str, np.ndarray]
    variance: np.ndarray
    n_stars: int
    left_out: dict[str, int]


def physical_test(
    models: Mapping[str, Estimator],
    label: str,
    spectra: MovedSpectra,
    regimes: Mapping[str, np.ndarray],
    ivar: np.ndarray | None = None,
) -> PhysicalTest:
    """Find the responses of models, and the minimum-variance weights beside them.

    Parameters
    ----------
    models : mapping of str to Estimator
    label : str
    spectra : MovedSpectra
    regimes : mapping of str to ndarray, shape (n_given,), bool
        Of the stars given to `move_labels`.
    ivar : ndarray, shape (n, n_pixels), optional
        Inverse variances of real spectra of the survey on the grid; without them all pixels are equally noisy.

    Returns
    -------
    PhysicalTest
    """
    variance = pixel_variance(ivar, spectra.plain.shape[1])
    results = responses(models, label, spectra, regimes)
    weights = best_weights(label, spectra, regimes, variance)
    return PhysicalTest(label, tuple(results), weights, variance, len(spectra.rows), spectra.left_out)


def respond(estimator: Estimator, label: str, spectra: MovedSpectra) -> np.ndarray:
    """Change of a predicted label per unit of each moved label.

    Parameters
    ----------
    estimator : Estimator
    label : str
    spectra : MovedSpectra

    Returns
    -------
    ndarray, shape (n_stars, n_moved), float64
        Columns as `STEPS`, units as `UNITS`: a perfect estimator has 1 in the column of its label, 0 elsewhere.

    Raises
    ------
    InputError
        If the model does not predict the label.
    """
    one = folded(estimator).only(label)
    columns = [
        (one.predict(spectra.up[name]).astype(np.float64) - one.predict(spectra.down[name]))[:, 0]
        / (2 * STEPS[name] / UNITS[name])
        for name in STEPS
    ]
    return np.stack(columns, axis=1) / UNITS.get(label, 1.0)


def responses(
    models: Mapping[str, Estimator], label: str, spectra: MovedSpectra, regimes: Mapping[str, np.ndarray]
) -> list[Response]:
    """Responses of models by regime.

    Parameters
    ----------
    models : mapping of str to Estimator
    label : str
    spectra : MovedSpectra
    regimes : mapping of str to ndarray, shape (n_given,), bool
        As from `transtar.evaluate.regimes`, of the stars given to `move_labels`; those of fewer than `FEWEST` are left out.

    Returns
    -------
    list of Response
        Model by model, regime by regime.
    """
    results = []
    for model, estimator in models.items():
        answer = respond(estimator, label, spectra)
        for regime, mask in regimes.items():
            chosen = answer[mask[spectra.rows]]
            chosen = chosen[np.isfinite(chosen).all(axis=1)]
            if len(chosen) < FEWEST:
                continue
            for column, moved in enumerate(STEPS):
                mean, scatter = float(chosen[:, column].mean()), float(chosen[:, column].std(ddof=1))
                expected = float(moved == label) if label in STEPS else float("nan")
                results.append(Response(model, regime, label, moved, mean, scatter, len(chosen), expected))
    return results
