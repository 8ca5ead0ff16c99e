"""Smoothing to a lower resolving power."""

from __future__ import annotations

import numpy as np

from ..grids import LogGrid


def smoothing_matrix(grid: LogGrid, native: float, wanted: float) -> np.ndarray | None:
    """Gaussian that lowers the resolving power from `native` to `wanted` on a log grid.

    Parameters
    ----------
    grid : LogGrid
    native, wanted : float
        Resolving powers lambda / FWHM.

    Returns
    -------
    ndarray, shape (grid.size, grid.size), float32, or None
        Rows sum to one, also at the ends; multiply fluxes (n_spectra, grid.size) by its transpose. None if the native
        resolution is no higher than the one wanted.
    """
    if not native > wanted:
        return None
    fwhm = np.sqrt(wanted**-2.0 - native**-2.0)
    pixels = fwhm / (2 * np.sqrt(2 * np.log(2))) / (grid.step * np.log(10))
    index = np.arange(grid.size)
    matrix = np.exp(-0.5 * ((index[:, None] - index[None, :]) / pixels) ** 2)
    return (matrix / matrix.sum(axis=1, keepdims=True)).astype(np.float32)
