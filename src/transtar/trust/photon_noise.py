"""The share of a label's error that comes from the noise of the spectrum, to first order.

The variance of a label is ``g C g``, with g its gradient by the flux on the grid, through encoder and network, and C the
covariance of that flux. Its diagonal are the inverse variances of the chain; neighbouring points are correlated by what
resampling has left (see `transtar.preprocess.correlation`), which is a quarter of the result on LAMOST. That noise moves the
continuum, too, changes it by 1 to 2 %, and is left out: noise drawn anew through the whole chain says so (docs/errors.md). So
are velocities.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from ..errors import InputError, MismatchError
from ..grids import XP
from ..models import Estimator, folded
from ..preprocess import GridSpectra
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
            if not set(model.label_names) & set(other.label_names) and _differ_in_the_end(model, other):
                merged[place] = _joined(other, model)
                break
        else:
            merged.append(model)
    return merged


def _differ_in_the_end(one: Estimator, other: Estimator) -> bool:
    networks = one.network, other.network
    if not all(isinstance(network, nn.Sequential) and isinstance(network[-1], nn.Linear) for network in networks):
        return False
    bodies = [network[:-1] for network in networks]  # type: ignore[index]
    weights = [body.state_dict() for body in bodies]
    return (
        str(bodies[0]) == str(bodies[1])
        and weights[0].keys() == weights[1].keys()
        and all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
        and np.array_equal(one.input_mean, other.input_mean)
        and np.array_equal(one.input_std, other.input_std)
    )


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
    good = ivar > 0
    sigma = np.sqrt(np.divide(1.0, ivar, out=np.zeros(ivar.shape), where=good))
    scaled = gradient * sigma[:, None].astype(np.float32)
    variance = np.einsum("ijk,ijk->ij", scaled, scaled, dtype=np.float64)
    neighbours = np.full(len(ivar), USUAL) if correlation is None else np.asarray(correlation, np.float64)
    neighbours = np.where(np.isfinite(neighbours), neighbours, USUAL)
    for lag in range(1, min(MOST_LAG + 1, gradient.shape[2])):
        share = at_lag(neighbours, lag)
        if share.any():
            products = np.einsum("ijk,ijk->ij", scaled[:, :, lag:], scaled[:, :, :-lag], dtype=np.float64)
            variance += 2 * share[:, None] * products
    variance[~good.any(axis=1)] = np.nan
    return np.maximum(variance, 0.0)


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
    if spectra.ivar is None or hang_together(spectra):
        return noise
    # No gradient is taken of spectra that have no errors.
    rows = np.flatnonzero((spectra.ivar > 0).any(axis=1))
    size = block_size(models)
    for start in range(0, len(rows), size):
        block = rows[start : start + size]
        ivar = spectra.ivar[block]
        neighbours = None if spectra.correlation is None else spectra.correlation[block]
        for label, gradient in mean_gradients(models, spectra.flux[block]).items():
            noise[label][block] = np.sqrt(noise_variance(gradient[:, None], ivar, neighbours)[:, 0])
    return noise


def hang_together(spectra: GridSpectra) -> bool:
    """Whether the noise of spectra is correlated in a way that is not known."""
    return spectra.grid is not None and spectra.grid.name == XP.name


def block_size(models: Sequence[Estimator]) -> int:
    """Spectra whose gradients by any of some models fit into memory together."""
    weights = max((sum(one.numel() for one in model.network.parameters()) for model in models), default=1)
    return max(1, min(BLOCK, MOST_WEIGHTS // max(weights, 1)))


def mean_gradients(models: Sequence[Estimator], flux: np.ndarray) -> dict[str, np.ndarray]:
    """Gradient of the mean prediction of each label: errors of all members are those of the one spectrum.

    Parameters
    ----------
    models : sequence of Estimator
        Of the flux.
    flux : ndarray, shape (n, n_grid)

    Returns
    -------
    dict of str to ndarray, shape (n, n_grid), float32
    """
    sums: dict[str, np.ndarray] = {}
    members = Counter(label for model in models for label in model.label_names)
    for model in models:
        gradient = label_gradient(model, flux)
        for number, label in enumerate(model.label_names):
            sums[label] = sums[label] + gradient[:, number] if label in sums else gradient[:, number]
    return {label: total / np.float32(members[label]) for label, total in sums.items()}
