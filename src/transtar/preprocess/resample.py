"""Linear resampling in log wavelength, with variances, and smoothing to a lower resolution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..grids import LogGrid

NEGLIGIBLE = 1e-5
"""A weight below this is rounding: the grid point sits on a native pixel."""


@dataclass(frozen=True)
class Lookup:
    """Finds the native pixel below any wavelength without a search per pixel.

    Parameters
    ----------
    log_wave : ndarray, shape (n_pixels,), float64
        log10 of the native wavelengths.
    table : ndarray of int32
        Index of the last native pixel at or below the start of each cell of `cell` dex.
    cell : float
        At most the smallest native step, so that a cell holds one pixel at most.
    log_step, step : float or None
        The native step in dex, or in Angstrom, where it is the same everywhere.
    """

    log_wave: np.ndarray
    table: np.ndarray
    cell: float
    log_step: float | None = None
    step: float | None = None

    @classmethod
    def on(cls, wave: np.ndarray) -> Lookup:
        """Prepare for native wavelengths `wave` (Angstrom, increasing)."""
        log_wave = np.log10(wave)
        cell = float(np.diff(log_wave).min()) * 0.999
        starts = log_wave[0] + cell * np.arange(int((log_wave[-1] - log_wave[0]) / cell) + 2)
        table = (np.searchsorted(log_wave, starts, side="right") - 1).astype(np.int32)
        return cls(log_wave, table, cell, _even_step(log_wave), _even_step(wave))

    def find(self, grid: LogGrid, stretch: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Locate the grid, moved by `stretch`, between native pixels.

        Parameters
        ----------
        grid : LogGrid
        stretch : ndarray, shape (n_spectra,), float64
            Observed over rest wavelength.

        Returns
        -------
        below : ndarray, shape (n_spectra, grid.size), int
            Index of the native pixel at or below each grid point, at most n_pixels - 2.
        weight : ndarray, float32
            Weight of the pixel above; that of `below` is one minus it.
        covered : ndarray, bool
            False where the grid reaches beyond the native pixels.
        """
        log_wave = self.log_wave
        if self.log_step is not None and abs(self.log_step / grid.step - 1) < 1e-9:
            return self._find_shifted(grid, stretch)
        if self.step is not None:
            return self._find_linear(grid, stretch)
        target = grid.log_wave[None, :] + np.log10(stretch)[:, None]
        slack = NEGLIGIBLE * self.cell
        covered = (target >= log_wave[0] - slack) & (target <= log_wave[-1] + slack)
        cells = ((target - log_wave[0]) * (1 / self.cell)).astype(np.int32)
        np.clip(cells, 0, len(self.table) - 1, out=cells)
        below = self.table[cells]
        above = np.minimum(below + 1, len(log_wave) - 1)
        below += log_wave[above] <= target
        np.clip(below, 0, len(log_wave) - 2, out=below)
        inverse = np.append(1 / np.diff(log_wave), 0.0)
        weight = ((target - log_wave[below]) * inverse[below]).astype(np.float32)
        return below, _rounded(weight), covered

    def _find_shifted(self, grid, stretch):
        """`find` where grid and native pixels have one step: a single shift per spectrum."""
        shift = (grid.start + np.log10(stretch) - self.log_wave[0]) / grid.step
        whole = np.floor(shift + NEGLIGIBLE)
        part = np.clip(shift - whole, 0, 1)
        part[(part < NEGLIGIBLE) | (part > 1 - NEGLIGIBLE)] = 0
        below = whole.astype(np.int32)[:, None] + np.arange(grid.size, dtype=np.int32)
        last = len(self.log_wave) - 1
        covered = (below >= 0) & (below + (part > 0)[:, None] <= last)
        weight = np.repeat(part.astype(np.float32)[:, None], grid.size, axis=1)
        weight[below == last] = 1
        return np.clip(below, 0, last - 1), weight, covered

    def _find_linear(self, grid, stretch):
        """`find` where native pixels are even in wavelength."""
        assert self.step is not None
        last = len(self.log_wave) - 1
        index = grid.wave * (stretch / self.step)[:, None]
        index -= 10 ** self.log_wave[0] / self.step
        covered = (index >= -NEGLIGIBLE) & (index <= last + NEGLIGIBLE)
        below = np.clip(index.astype(np.int32), 0, last - 1)
        index -= below
        weight = index.astype(np.float32)
        # Linear in log wavelength: log(1 + w d) / log(1 + d) for the relative step d, to second order in d.
        bend = 1 - weight
        bend *= weight
        bend *= (0.5 * self.step / grid.wave).astype(np.float32)
        weight += bend
        return below, _rounded(weight), covered


def _even_step(values: np.ndarray) -> float | None:
    """The common difference of `values`, or None where it varies."""
    step = float(values[-1] - values[0]) / (len(values) - 1)
    even = np.abs(values - values[0] - step * np.arange(len(values))).max() < NEGLIGIBLE * step
    return step if even else None


def _rounded(weight: np.ndarray) -> np.ndarray:
    np.clip(weight, 0, 1, out=weight)
    weight[weight < NEGLIGIBLE] = 0
    weight[weight > 1 - NEGLIGIBLE] = 1
    return weight


def resample(values: np.ndarray, below: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Interpolate linearly between native pixels.

    Parameters
    ----------
    values : ndarray, shape (n_spectra, n_pixels), float32
    below, weight : ndarray, shape (n_spectra, n_grid)
        From `Lookup.find`.

    Returns
    -------
    ndarray, shape (n_spectra, n_grid), float32
    """
    flat, index = _flat(values, below)
    low = flat.take(index)
    index += 1
    high = flat.take(index)
    high -= low
    high *= weight
    high += low
    return high


def resample_variance(variance: np.ndarray, below: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Variance of what `resample` gives: the sum of squared weights times variances; covariance is ignored.

    An infinite variance marks a bad pixel and makes every grid point that draws on it infinite.
    """
    flat, index = _flat(variance, below)
    other = 1 - weight
    low = flat.take(index)
    index += 1
    high = flat.take(index)
    with np.errstate(invalid="ignore"):
        low *= other * other
        high *= weight * weight
    low[other == 0] = 0
    high[weight == 0] = 0
    low += high
    return low


def _flat(values: np.ndarray, below: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows = np.arange(len(values))[:, None] * values.shape[1]
    return np.ascontiguousarray(values).reshape(-1), below + rows


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
