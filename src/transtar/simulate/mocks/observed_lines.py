"""A line correction on spectra as an instrument sees them, before extinction and noise.

A correction speaks of continuum-normalised flux on a grid, where it was learnt. So the spectra of an instrument are taken
there, and what the correction changes is brought back to their pixels as a factor: whoever prepares them finds the lines that
real stars of these labels have. Nothing is known outside the grid, and nothing is changed there.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...grids import SPEED_OF_LIGHT
from ...preprocess import preprocess
from ...spectra import SpectrumBatch
from ..instruments.lsf import sample
from ..instruments.observe import Change
from .line_correction import LineCorrection

FADE = 10.0
"""Angstrom over which the factor fades to 1 at either end of the grid; a step there would look like a line."""

LEAST = 1e-3
"""Normalised flux that is taken for the least of a line's core; that of the deepest ones is 0.01."""


def real_lines(lines: LineCorrection, labels: Mapping[str, np.ndarray]) -> Change:
    """What `observe` is to do to spectra of stars with given labels so that their lines are those of real stars.

    Parameters
    ----------
    lines : LineCorrection
    labels : mapping of str to ndarray, shape (n_stars,)
        teff (K), logg and feh (dex) from which the spectra are made.

    Returns
    -------
    callable
        See `transtar.simulate.instruments.observe.Change`. An arm redward of the grid is left alone.
    """
    grid = lines.preprocessing.wavelengths.wave
    padded = np.concatenate([[grid[0] - FADE], grid, [grid[-1] + FADE]])

    def change(rows: slice, pixels: np.ndarray, flux: np.ndarray, velocity: np.ndarray) -> np.ndarray:
        stretch = 1 + velocity / SPEED_OF_LIGHT
        if pixels[0] > (grid[-1] + FADE) * stretch.max(initial=1):
            return flux
        batch = SpectrumBatch(
            pixels, flux.astype(np.float32), None, np.zeros(flux.shape, bool), np.arange(len(flux)), "mock"
        )
        synthetic = preprocess(batch, lines.preprocessing, velocity=velocity, threads=1).flux
        real = lines.apply(synthetic, {name: column[rows] for name, column in labels.items()})
        factor, on_pixels = np.ones((len(flux), len(padded))), np.empty(flux.shape)
        factor[:, 1:-1] = np.maximum(real, 0) / np.maximum(synthetic, LEAST)
        sample(padded, factor, pixels, stretch, on_pixels)
        return flux * on_pixels

    return change
