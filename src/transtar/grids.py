"""Named wavelength grids: the fixed vacuum wavelengths on which networks see spectra."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .errors import SettingsError

SPEED_OF_LIGHT = 299_792.458
"""Speed of light in km/s (exact by definition of the metre)."""


@dataclass(frozen=True)
class LogGrid:
    """Wavelengths spaced evenly in log10: ``log10(wave / Angstrom) = start + step * i``.

    Parameters
    ----------
    name : str
    start : float
        log10 of the first wavelength in Angstrom (vacuum).
    step : float
        Step in dex.
    size : int
        Number of pixels.
    """

    name: str
    start: float
    step: float
    size: int

    @property
    def log_wave(self) -> np.ndarray:
        """log10 of the vacuum wavelength in Angstrom, shape (size,), float64."""
        return self.start + self.step * np.arange(self.size)

    @property
    def wave(self) -> np.ndarray:
        """Vacuum wavelength in Angstrom, shape (size,), float64."""
        return 10.0**self.log_wave


BLUE = LogGrid("blue", 3.602, 1e-4, 1462)
"""The 1462 bins between 4000 and 5600 A of the paper: the native LAMOST pixels 338 to 1799."""

GRIDS = {grid.name: grid for grid in (BLUE,)}


def get_grid(name: str) -> LogGrid:
    """Look a grid up by name.

    Raises
    ------
    SettingsError
        If there is no grid of that name.
    """
    try:
        return GRIDS[name]
    except KeyError:
        raise SettingsError(f"no wavelength grid '{name}'; known grids: {', '.join(sorted(GRIDS))}") from None
