"""Signal-to-noise ratios of spectra on the grid."""

from __future__ import annotations

import numpy as np

from .compiled import compiled


@compiled()
def median_snr(flux, ivar, out):
    """Median of flux over its error, over the pixels of positive `ivar`; NaN where there is none.

    Parameters
    ----------
    flux, ivar : ndarray, shape (n_spectra, n_grid)
    out : ndarray, shape (n_spectra,)
    """
    # Every fourth pixel pins the median of the S/N to a few per cent, at a quarter of the cost.
    ratio = np.empty((flux.shape[1] + 3) // 4)
    for row in range(len(flux)):
        n = 0
        for i in range(0, flux.shape[1], 4):
            if ivar[row, i] > 0:
                ratio[n] = flux[row, i] * np.sqrt(ivar[row, i])
                n += 1
        out[row] = np.median(ratio[:n]) if n else np.nan
