"""The share of a label's error that comes from the noise of the spectrum, to first order.

The variance of a label is ``g C g``, with g its gradient by the flux on the grid, through encoder and network, and C the
covariance of that flux. Its diagonal are the inverse variances of the chain; neighbouring points are correlated by what
resampling has left (see `transtar.preprocess.correlation`), which is a quarter of the result on LAMOST. That noise moves the
continuum, too, changes it by 1 to 2 %, and is left out: noise drawn anew through the whole chain says so (docs/errors.md). So
are velocities.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from ..errors import InputError, MismatchError
from ..grids import XP
from ..models import Estimator, folded
from ..models.trunks import Passes, Trunks, same_trunk
from ..preprocess import GridSpectra
from ..preprocess.compiled import compiled
from ..preprocess.correlation import MOST_LAG, USUAL, at_lag

BLOCK = 256
"""Spectra whose gradients are in memory at a time, at most."""

MOST_WEIGHTS = 2**29
"""Spectra at a time, times weights of the network: what a transformer remembers of each spectrum for its gradient takes a
thousand times more memory than the spectrum."""


def flux_model(estimator: Estimator) -> Estimator | None:
    """The model as one of the flux, which can be differentiated by it; None where that is not to be had.

    Parameters
    ----------
    estimator : Estimator

    Returns
    -------
    Estimator or None
        None for inputs that no network of transtar's makes of the flux, or whose encoder is missing.
    """
    if not isinstance(estimator, Estimator):
        return None
    try:
        return folded(estimator)
    except (InputError, MismatchError):
        return None


def with_common_parts(models: Sequence[Estimator]) -> list[Estimator]:
    """Models that differ in their last layer alone as one of all their labels, whose gradients have most in common.

    The shipped models are such: outputs of one network.

    Parameters
    ----------
    models : sequence of Estimator
        Of the flux.

    Returns
    -------
    list of Estimator
    """
    merged: list[Estimator] = []
    for model in models:
        for place, other in enumerate(merged):
            if not set(model.label_names) & set(other.label_names) and same_trunk(model, other):
                merged[place] = _joined(other, model)
                break
        else:
            merged.append(model)
    return merged


def _joined(one: Estimator, other: Estimator) -> Estimator:
    """A model of the labels of two that differ in the last layer alone; its gradients are theirs."""
    ends = [model.network[-1] for model in (one, other)]  # type: ignore[index]
    end = nn.Linear(ends[0].in_features, ends[0].out_features + ends[1].out_features)
    end.weight = nn.Parameter(torch.cat([each.weight.detach() for each in ends]))
    end.bias = nn.Parameter(torch.cat([each.bias.detach() for each in ends]))
    parts: dict[str, Any] = {
        name: np.concatenate([getattr(model, name) for model in (one, other)])
        for name in ("label_mean", "label_std", "label_min", "label_max")
    }
    names = one.label_names + other.label_names
    body = one.network[:-1]  # type: ignore[index]
    network = nn.Sequential(*body, end)
    return replace(one, network=network, label_names=names, label_error=None, error_tables={}, adapter=None, **parts)


def label_gradient(estimator: Estimator, flux: np.ndarray) -> np.ndarray:
    """Derivatives of labels by the flux on the grid.

    Parameters
    ----------
    estimator : Estimator
        Of the flux.
    flux : ndarray, shape (n, n_grid)

    Returns
    -------
    ndarray, shape (n, n_labels, n_grid), float32
        In the units of the labels.
    """
    inputs = estimator.standardise(flux).requires_grad_()
    scale = torch.from_numpy(estimator.label_std).float()
    with torch.enable_grad():
        labels = estimator.network(inputs) * scale
        rows = [
            torch.autograd.grad(labels[:, number].sum(), inputs, retain_graph=number + 1 < labels.shape[1])[0]
            for number in range(labels.shape[1])
        ]
    return (torch.stack(rows, dim=1) / torch.from_numpy(estimator.input_std)).numpy()


def noise_variance(gradient: np.ndarray, ivar: np.ndarray, correlation: np.ndarray | None = None) -> np.ndarray:
    """Variance of labels from the noise of the flux.

    Parameters
    ----------
    gradient : ndarray, shape (n, n_labels, n_grid)
    ivar : ndarray, shape (n, n_grid)
        Inverse variances, 0 where bad: such points add nothing here.
    correlation : ndarray, shape (n,), optional
        Of neighbouring points; the usual one where it is NaN or not given.

    Returns
    -------
    ndarray, shape (n, n_labels), float64
        NaN for spectra without any error.
    """
    gradient, ivar = np.asarray(gradient, np.float32), np.asarray(ivar)
    neighbours = np.full(len(ivar), USUAL) if correlation is None else np.asarray(correlation, np.float64)
    neighbours = np.where(np.isfinite(neighbours), neighbours, USUAL)
    shares = np.stack([np.ones(len(ivar)), *(2 * at_lag(neighbours, lag) for lag in range(1, MOST_LAG + 1))], axis=1)
    variance = np.empty(gradient.shape[:2])
    sum_products(gradient, ivar, shares, variance)
    return variance


@compiled(sums_in_any_order=True)
def sum_products(gradient, ivar, shares, variance):
    """Sum products of gradients at points near each other, in units of the noise.

    Parameters
    ----------
    gradient : ndarray, shape (n, n_labels, n_grid), float32
    ivar : ndarray, shape (n, n_grid)
    shares : ndarray, shape (n, n_lags), float64
        Weights of points that are 0, 1, 2, ... apart.
    variance : ndarray, shape (n, n_labels), float64
        Receives the sums, NaN where no `ivar` is positive.
    """
    n, n_labels, n_grid = gradient.shape
    sigma, scaled = np.empty(n_grid, np.float32), np.empty(n_grid, np.float32)
    for row in range(n):
        known = 0
        for i in range(n_grid):
            good = ivar[row, i] > 0
            known += good
            sigma[i] = np.sqrt(1 / ivar[row, i]) if good else 0.0
        for label in range(n_labels):
            for i in range(n_grid):
                scaled[i] = gradient[row, label, i] * sigma[i]
            total = 0.0
            for lag in range(min(shares.shape[1], n_grid)):
                if shares[row, lag] != 0:
                    products = 0.0
                    for i in range(n_grid - lag):
                        products += np.float64(scaled[i]) * np.float64(scaled[i + lag])
                    total += shares[row, lag] * products
            variance[row, label] = max(total, 0.0) if known else np.nan


def photon_noise(models: Sequence[Estimator], spectra: GridSpectra) -> dict[str, np.ndarray]:
    """1 sigma of labels from the noise of spectra; of several models of a label, of their mean.

    Parameters
    ----------
    models : sequence of Estimator
        Of the flux (see `flux_model`).
    spectra : GridSpectra
        Of finite flux.

    Returns
    -------
    dict of str to ndarray, shape (n_spectra,), float64
        In the units of the labels; NaN for spectra without errors, and for those of Gaia XP, whose points come from a few
        coefficients: their noise hangs together over the whole spectrum, in a way that the grid does not know.
    """
    noise = {label: np.full(len(spectra), np.nan) for model in models for label in model.label_names}
    trunks = Trunks(models)
    for start in range(0, len(spectra), BLOCK):
        block = slice(start, start + BLOCK)
        some = spectra.select(block)
        for rows, gradients in block_gradients(models, some, trunks.over(some.flux)):
            for label, values in noise_of(gradients, some.select(rows)).items():
                noise[label][block][rows] = values
    return noise


def block_gradients(
    models: Sequence[Estimator], spectra: GridSpectra, passes: Passes
) -> Iterator[tuple[slice, dict[str, np.ndarray]]]:
    """Gradients of the mean predictions of spectra that have errors, as many at a time as fit into memory.

    Parameters
    ----------
    models : sequence of Estimator
        Of the flux.
    spectra : GridSpectra
    passes : Passes
        Over the flux of these spectra.

    Yields
    ------
    rows : slice
    gradients : dict of str to ndarray, shape (n_rows, n_grid), float32
    """
    # No gradient is taken of spectra that have no errors.
    if not models or spectra.ivar is None or hang_together(spectra) or not (spectra.ivar > 0).any():
        return
    if all(passes.know(model) for model in models):
        yield slice(0, len(spectra)), mean_gradients(models, spectra.flux, passes)
        return
    size = block_size(models)
    for start in range(0, len(spectra), size):
        rows = slice(start, min(start + size, len(spectra)))
        yield rows, mean_gradients(models, spectra.flux[rows])


def noise_of(gradients: Mapping[str, np.ndarray], spectra: GridSpectra) -> dict[str, np.ndarray]:
    """1 sigma of each label from the noise of spectra that have errors.

    Parameters
    ----------
    gradients : mapping of str to ndarray, shape (n, n_grid)
    spectra : GridSpectra

    Returns
    -------
    dict of str to ndarray, shape (n,), float64
        NaN for spectra without any error.
    """
    assert spectra.ivar is not None
    return {
        label: np.sqrt(noise_variance(gradient[:, None], spectra.ivar, spectra.correlation)[:, 0])
        for label, gradient in gradients.items()
    }


def hang_together(spectra: GridSpectra) -> bool:
    """Whether the noise of spectra is correlated in a way that is not known."""
    return spectra.grid is not None and spectra.grid.name == XP.name


def block_size(models: Sequence[Estimator]) -> int:
    """Spectra whose gradients by any of some models fit into memory together."""
    weights = max((sum(one.numel() for one in model.network.parameters()) for model in models), default=1)
    return max(1, min(BLOCK, MOST_WEIGHTS // max(weights, 1)))


def mean_gradients(
    models: Sequence[Estimator], flux: np.ndarray, passes: Passes | None = None
) -> dict[str, np.ndarray]:
    """Gradient of the mean prediction of each label: errors of all members are those of the one spectrum.

    Parameters
    ----------
    models : sequence of Estimator
        Of the flux.
    flux : ndarray, shape (n, n_grid)
    passes : Passes, optional
        Over that flux; they know all of the models.

    Returns
    -------
    dict of str to ndarray, shape (n, n_grid), float32
    """
    sums: dict[str, np.ndarray] = {}
    members = Counter(label for model in models for label in model.label_names)
    for model in models:
        gradient = label_gradient(model, flux) if passes is None else passes.gradient(model)
        for number, label in enumerate(model.label_names):
            sums[label] = sums[label] + gradient[:, number] if label in sums else gradient[:, number]
    return {label: total / np.float32(n) if (n := members[label]) > 1 else total for label, total in sums.items()}
