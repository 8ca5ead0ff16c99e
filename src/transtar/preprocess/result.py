"""GridSpectra: what the preprocessing gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class GridSpectra:
    """Spectra on the wavelength grid, ready for a network.

    Parameters
    ----------
    flux : ndarray, shape (n_spectra, grid.size), float32
        Flux over continuum; NaN rows where there is no continuum.
    ivar : ndarray of the shape of `flux`, float32, or None
        Inverse variance of `flux`, 0 where bad.
    good_fraction : ndarray, shape (n_spectra,), float32
        Share of grid pixels that draw on good native pixels only.
    snr : ndarray, shape (n_spectra,), float32
        Median S/N per grid pixel over the good ones; NaN without `ivar`.
    flags : ndarray, shape (n_spectra,), int32
        Bits of `transtar.flags.Flag`.
    inputs : mapping of str to ndarray, shape (n_spectra, n), float32
        What a network may take beside the flux, by name; a prepared set brings its own.
    """

    flux: np.ndarray
    ivar: np.ndarray | None
    good_fraction: np.ndarray
    snr: np.ndarray
    flags: np.ndarray
    inputs: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.flux)

    def select(self, rows) -> GridSpectra:
        """Some of the spectra, without further inputs.

        Parameters
        ----------
        rows : slice or ndarray, int or bool

        Returns
        -------
        GridSpectra
        """
        return GridSpectra(
            self.flux[rows],
            None if self.ivar is None else self.ivar[rows],
            self.good_fraction[rows],
            self.snr[rows],
            self.flags[rows],
        )
