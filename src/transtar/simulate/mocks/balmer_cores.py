"""Balmer cores deeper than those of LTE spectra, by an unknown amount: a training set with them does not trust a core.

Cores of real giants are deeper than synthetic ones of the same labels by 5 to 10 % of the continuum within 3 A, their wings are
not (docs/metal-poor.md); a network that has seen only synthetic ones takes such a core for a hotter star.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...preprocess import Preprocessing
from .line_correction import regressors

CORES = (4102.89, 4341.69, 4862.69)
"""Hdelta, Hgamma and Hbeta in vacuum, Angstrom."""

SIGMAS = (1.2, 3.0)
"""Range of the standard deviation of what is taken away, Angstrom: that of a narrow core seen at R = 600 to 2000."""

UNEVEN = (0.5, 1.5)
"""Range of the factor between one line of a star and another."""


def deepen_cores(
    flux: np.ndarray, labels: Mapping[str, np.ndarray], deepest: float, preprocessing: Preprocessing, seed: list[int]
) -> np.ndarray:
    """Deepen the Balmer cores of giants at random.

    Parameters
    ----------
    flux : ndarray, shape (n, n_grid)
        Continuum-normalised.
    labels : mapping of str to ndarray, shape (n,)
        teff (K), logg and feh (dex). Dwarfs keep their cores; between them and giants the amount rises about log g = 3.5.
    deepest : float
        Each giant draws an amount between 0 and this, in units of the continuum, and each of its lines 0.5 to 1.5 times that.
    preprocessing : Preprocessing
        Its grid is that of `flux`.
    seed : list of int

    Returns
    -------
    ndarray, shape (n, n_grid), float32
    """
    generator, wave = np.random.default_rng(seed), preprocessing.wavelengths.wave
    amount = generator.uniform(0, 1, len(flux)) * deepest * regressors(labels)[0][:, 2]
    changed = np.array(flux, np.float32)
    for line in CORES:
        sigma, depth = generator.uniform(*SIGMAS, len(flux)), amount * generator.uniform(*UNEVEN, len(flux))
        changed -= (depth[:, None] * np.exp(-0.5 * ((wave - line) / sigma[:, None]) ** 2)).astype(np.float32)
    return changed
