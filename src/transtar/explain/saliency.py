"""Saliency: how the predicted label changes with the flux in each pixel (Simonyan et al. 2013, arXiv:1312.6034)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from ..errors import InputError
from ..models import Estimator, folded

ONE_SIGMA = (50.0, 16.0, 84.0)
"""Percentiles of a `Band`."""


@dataclass(frozen=True)
class Band:
    """Median and 16th and 84th percentile over stars, pixel by pixel.

    Parameters
    ----------
    median, lower, upper : ndarray, shape (n_pixels,), float64
    """

    median: np.ndarray
    lower: np.ndarray
    upper: np.ndarray

    @property
    def spread(self) -> np.ndarray:
        """Half the distance between the percentiles: 1 sigma of a Gaussian."""
        return (self.upper - self.lower) / 2


@dataclass(frozen=True)
class Gradients:
    """Gradients of one model over some stars, in the unit of the label per unit of continuum-normalised flux.

    Parameters
    ----------
    signed, absolute : Band
        Of the gradients, and of their absolute values.
    mean : ndarray, shape (n_pixels,), float64
        Of the gradients.
    """

    signed: Band
    absolute: Band
    mean: np.ndarray


@dataclass(frozen=True)
class Saliency:
    """Gradients of several models over the same stars.

    Parameters
    ----------
    label : str
        Canonical name.
    wave : ndarray, shape (n_pixels,), float64
        Vacuum wavelength in Angstrom.
    spectra : Band
        Of the continuum-normalised flux.
    models : dict of str to Gradients
    n_stars : int
    stars : str
        Which stars these are, for figures.
    """

    label: str
    wave: np.ndarray
    spectra: Band
    models: dict[str, Gradients]
    n_stars: int
    stars: str = "all"


def gradients(estimator: Estimator, flux: np.ndarray, label: str, batch_size: int = 1024) -> np.ndarray:
    """Differentiate a predicted label by every pixel, star by star.

    Parameters
    ----------
    estimator : Estimator
        Any network: outputs of one star depend on the inputs of that star only. One that takes embeddings is differentiated
        through its encoders (`transtar.models.folded`).
    flux : ndarray, shape (n, n_pixels)
        Spectra prepared with the model's own preprocessing.
    label : str
    batch_size : int
        Stars differentiated together.

    Returns
    -------
    ndarray, shape (n, n_pixels), float32
        Unit of the label per unit flux, scalers of inputs and label included; NaN in rows with a flux that is not finite.

    Raises
    ------
    InputError
        If the model does not predict the label, takes what is not made of the flux, or `flux` has another number of pixels.
    """
    if label not in estimator.label_names:
        raise InputError(f"the model predicts {', '.join(estimator.label_names)}, not {label}")
    estimator = folded(estimator)
    output = estimator.label_names.index(label)
    scale = (estimator.label_std[output] / estimator.input_std.astype(np.float64)).astype(np.float32)
    flux = np.asarray(flux)
    result = np.empty(flux.shape, dtype=np.float32)
    for start in range(0, len(flux), batch_size):
        rows = slice(start, start + batch_size)
        with torch.enable_grad():
            inputs = estimator.standardise(flux[rows]).requires_grad_()
            # Stars do not mix, so that the gradient of the sum holds the gradient of each.
            (gradient,) = torch.autograd.grad(estimator.network(inputs)[:, output].sum(), inputs)
        result[rows] = gradient.numpy() * scale
    result[~np.isfinite(flux).all(axis=1)] = np.nan
    return result


def band(values: np.ndarray) -> Band:
    """Median and 1-sigma percentiles over the stars of `values`, shape (n_stars, n_pixels)."""
    return Band(*np.percentile(np.asarray(values, np.float64), ONE_SIGMA, axis=0))


def saliency(
    models: Mapping[str, Estimator],
    flux: np.ndarray,
    wave: np.ndarray,
    label: str,
    stars: str = "all",
    batch_size: int = 1024,
) -> Saliency:
    """Differentiate several models on the same stars.

    Parameters
    ----------
    models : mapping of str to Estimator
        By the name under which they are to be shown.
    flux : ndarray, shape (n, n_pixels)
        Continuum-normalised, as the models want it; stars with a flux that is not finite are left out.
    wave : ndarray, shape (n_pixels,)
        Vacuum wavelength in Angstrom.
    label : str
    stars : str
        Which stars these are, for figures.
    batch_size : int

    Returns
    -------
    Saliency

    Raises
    ------
    InputError
        If no star is left, shapes do not fit, or a model does not predict the label.
    """
    flux = np.asarray(flux)
    if flux.ndim != 2 or flux.shape[1] != len(wave):
        raise InputError(f"saliency: flux of shape {flux.shape} on {len(wave)} wavelengths")
    flux = flux[np.isfinite(flux).all(axis=1)]
    if not len(flux):
        raise InputError("saliency: no star with a spectrum is left")
    by_model = {}
    for name, estimator in models.items():
        try:
            gradient = gradients(estimator, flux, label, batch_size)
        except InputError as error:
            raise InputError(f"{name}: {error}") from None
        by_model[name] = Gradients(band(gradient), band(np.abs(gradient)), gradient.mean(axis=0, dtype=np.float64))
    return Saliency(label, np.asarray(wave, np.float64), band(flux), by_model, len(flux), stars)
