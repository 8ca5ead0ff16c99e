"""Fits with templates whose lines are as wide as those of each star.

The resolving power that a survey is said to have is not that of each fibre, users' files may not say it, and stars turn. So
the first fit tells by how much lines are wider or narrower than those of the template, and where that matters, it is done again
with the templates of another resolving power.
"""

from __future__ import annotations

import numpy as np

from .refine import Fit
from .templates import LEAST, MOST, load_templates

LADDER = LEAST * (MOST / LEAST) ** (np.arange(13) / 12)
"""Resolving powers to choose from, 26 % apart."""

ROUNDS = 2
"""How often the width may be changed: the first guess from far away falls short."""

ENOUGH = 0.12
"""Relative change of the width from which on it matters."""


class Fits:
    """Fits of a batch at any resolving power, prepared as they are asked for.

    Parameters
    ----------
    wave : ndarray, shape (n_pixels,)
        Vacuum Angstrom.
    power : float
        Resolving power of the first fit.
    """

    def __init__(self, wave: np.ndarray, power: float):
        self._wave, self._power = wave, float(np.clip(power, LEAST, MOST))
        self._fits = {self._power: Fit.on(wave, load_templates(self._power))}

    def run(
        self, flux: np.ndarray, weight: np.ndarray, template: np.ndarray, velocity: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Fit a block of spectra; parameters and the first three results are those of `Fit.run`."""
        log_stretch, error, gain, wider = self._at(self._power).run(flux, weight, template, velocity)
        width = np.full(len(flux), self._power**-1.0)
        for _ in range(ROUNDS):
            with np.errstate(invalid="ignore"):
                square = width**2 + 8 * np.log(2) * wider
                wanted = np.clip(np.sqrt(np.clip(square, width**2 / 4, None)), 1 / MOST, 1 / LEAST)
                rows = np.flatnonzero(np.abs(wanted / width - 1) > ENOUGH)
            step = np.abs(np.log(wanted[rows, None] * LADDER)).argmin(axis=1)
            wider = np.zeros(len(flux))
            for power in np.unique(LADDER[step]):
                those = rows[(LADDER[step] == power)]
                those = those[np.abs(width[those] * power - 1) > 1e-6]
                if not len(those):
                    continue
                width[those] = 1 / power
                again = self._at(float(power)).run(flux[those], weight[those], template[those], velocity[those])
                for values, new in zip((log_stretch, error, gain, wider), again, strict=True):
                    values[those] = new
        return log_stretch, error, gain

    def _at(self, power: float) -> Fit:
        if power not in self._fits:
            self._fits[power] = Fit.on(self._wave, load_templates(power))
        return self._fits[power]
