"""The second opinion: whether a spectrum looks like that of a star with the labels that were predicted.

A *twin* is the spectrum that the emulator of `transtar.simulate` makes of labels, as a small network gives it on the grid, with
the line correction that mock stars have. It is brought to the spectrum's resolution and continuum, and what is left over is the
misfit (see `misfit.fit_models`): about 1 where labels are right. Labels that no model has predicted come from a network of the
twin's own, which has seen mock stars alone and shares nothing with any model of labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from ..encoders import Encoder
from ..grids import SPEED_OF_LIGHT, LogGrid
from ..preprocess import Preprocessing
from ..simulate.emulator.grid_range import LABEL_NAMES, GridRange, vmic_relation
from .gate import shipped_witness
from .misfit import COOL_DEPTH, DEGREE, PER_DEPTH, fit_models

STEPS = {"vmic": 1.15, "cfe": 0.25}
"""Microturbulence is moved by this factor, [C/Fe] by so many dex, to see what they do to a spectrum."""

PRIORS = (1.0, 1.0, 0.01, 0.1)
"""Weights by which the fit holds microturbulence and [C/Fe] to one such step, and shift and smoothing to ten and three pixels."""

BLOCK = 128
"""Spectra looked at a time: their models stay in the caches of a processor."""


@dataclass(frozen=True)
class Opinion:
    """What the second opinion says of spectra.

    Parameters
    ----------
    misfit : ndarray, shape (n,), float64
        Mean of the squared difference of spectrum and twin over the pixels, in units of the variance of the noise and of the
        errors of model spectra; without inverse variances, of the latter alone. NaN where the flux is not finite.
    velocity, velocity_err : ndarray, shape (n,), float64
        km/s by which lines are off those of the twin, positive towards the red, and the error of the fit.
    twin : ndarray, shape (n, n_grid), float32, or None
        The fitted twins, where they were asked for.
    """

    misfit: np.ndarray
    velocity: np.ndarray
    velocity_err: np.ndarray
    twin: np.ndarray | None = None


@dataclass(frozen=True)
class SecondOpinion:
    """Compares spectra with those that their labels call for.

    Parameters
    ----------
    encoder : Encoder
        Its network makes standardised labels, in the order of `LABEL_NAMES`, of spectra; its decoder spectra of these. Their
        means and standard deviations are in its provenance.
    grid_range : GridRange
        Of the emulator; labels outside are moved to its edge.
    """

    encoder: Encoder
    grid_range: GridRange

    @property
    def preprocessing(self) -> Preprocessing:
        """How spectra are to be prepared for it."""
        return self.encoder.preprocessing

    def labels(self, flux: np.ndarray) -> np.ndarray:
        """Labels by the second opinion's own network.

        Parameters
        ----------
        flux : ndarray, shape (n, n_grid)

        Returns
        -------
        ndarray, shape (n, 6), float64
            In the order of `LABEL_NAMES`.
        """
        mean, std = self._scalers()
        return self.encoder.encode(flux) * std + mean

    def spectra(self, labels: np.ndarray) -> np.ndarray:
        """Twins as DESI would see them without noise.

        Parameters
        ----------
        labels : ndarray, shape (n, 6)
            Finite, within the emulator's range.

        Returns
        -------
        ndarray, shape (n, n_grid), float64
        """
        mean, std = self._scalers()
        decoder, scale, shift = self.encoder.decoder, self.encoder.target_std, self.encoder.target_mean
        assert decoder is not None
        assert scale is not None
        assert shift is not None
        with torch.inference_mode():
            made = decoder(torch.from_numpy(((labels - mean) / std).astype(np.float32))).numpy()
        spectra = made.astype(np.float64)
        spectra *= scale
        spectra += shift
        return spectra

    def look(
        self, flux: np.ndarray, ivar: np.ndarray | None, labels: Mapping[str, np.ndarray], want_twins: bool = False
    ) -> Opinion:
        """Compare spectra with their twins.

        Parameters
        ----------
        flux : ndarray, shape (n, n_grid)
            Prepared as `preprocessing` says.
        ivar : ndarray, shape (n, n_grid), or None
            Inverse variance, 0 where bad; a spectrum of which it is 0 throughout is looked at as one without.
        labels : mapping of str to ndarray, shape (n,)
            Predicted ones; of teff, logg, feh and alphafe what is missing or NaN is the network's own.
        want_twins : bool

        Returns
        -------
        Opinion
        """
        n, size = flux.shape
        results, twins = np.full((n, 4), np.nan), np.full((n, size), np.nan, np.float32) if want_twins else None
        finite = np.flatnonzero(np.isfinite(flux).all(axis=1))
        for start in range(0, len(finite), BLOCK):
            rows = finite[start : start + BLOCK]
            some = {name: np.asarray(values, np.float64)[rows] for name, values in labels.items()}
            fitted, results[rows] = self._fit(flux[rows], None if ivar is None else ivar[rows], some)
            if twins is not None:
                twins[rows] = fitted
        grid = self.preprocessing.wavelengths
        assert isinstance(grid, LogGrid)
        per_pixel = SPEED_OF_LIGHT * grid.step * np.log(10)
        return Opinion(results[:, 0], results[:, 1] * per_pixel, results[:, 2] * per_pixel, twins)

    def _fit(self, flux, ivar, labels: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        known = self.labels(flux)
        for number, name in enumerate(LABEL_NAMES[:4]):
            given = labels.get(name, known[:, number])
            known[:, number] = np.where(np.isfinite(given), given, known[:, number])
        known[:, 4], known[:, 5] = vmic_relation(known[:, 0], known[:, 1]), 0.0
        known = self.grid_range.clip(known)
        wanted = np.repeat(known[:, None], 3, axis=1)
        for number, name in enumerate(STEPS, start=1):
            column = wanted[:, number, LABEL_NAMES.index(name)]
            column[:] = column * STEPS[name] if name == "vmic" else column + STEPS[name]
        models = self.spectra(wanted.reshape(-1, len(LABEL_NAMES))).reshape(len(flux), 3, -1)
        models[:, 1:] -= models[:, :1]
        per_depth = PER_DEPTH + COOL_DEPTH * np.clip((5000 - known[:, 0]) / 1000, 0, 1)
        basis = np.polynomial.legendre.legvander(np.linspace(-1, 1, flux.shape[1]), DEGREE).T.copy()
        fitted, results = np.empty(flux.shape), np.empty((len(flux), 4))
        fit_models(flux, _variance(flux, ivar), models, per_depth, basis, np.array(PRIORS), fitted, results)
        return fitted, results

    def _scalers(self) -> tuple[np.ndarray, np.ndarray]:
        step = self.encoder.provenance[-1]
        return np.asarray(step["label_mean"], np.float64), np.asarray(step["label_std"], np.float64)


def _variance(flux: np.ndarray, ivar: np.ndarray | None) -> np.ndarray:
    """Of the noise: infinite where a pixel is bad, 0 where nothing is known of it."""
    if ivar is None:
        return np.zeros(flux.shape)
    # No list of places: dividing all and putting infinity where nothing is known takes a third of the time.
    ivar = np.asarray(ivar, np.float64)
    good = ivar > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = np.where(good, 1 / ivar, np.inf)
    variance[~good.any(axis=1)] = 0
    return variance


@lru_cache(maxsize=1)
def load_second_opinion() -> SecondOpinion:
    """The second opinion that ships with transtar.

    Raises
    ------
    InputError
        If its files are damaged.
    """
    twin = shipped_witness("twin")
    return SecondOpinion(twin, GridRange.from_dict(twin.provenance[-1]["range"]))
