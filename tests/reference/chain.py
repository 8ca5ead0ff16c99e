"""The path of one spectrum from native pixels to the grid, written plainly."""

import numpy as np
from scipy.ndimage import median_filter

from .continuum import envelope, peaks_blue


def good_pixels(wave, flux, ivar, mask, sky_lines=()):
    good = np.isfinite(flux) & (flux != 0) & ~mask
    if ivar is not None:
        good &= (ivar > 0) & np.isfinite(ivar)
    for low, high in sky_lines:
        good &= ~((wave >= low) & (wave < high))
    return good


def normalised(wave, flux, ivar, mask, stretch, width, grid_wave, sky_lines=(), window=(3900.0, 5700.0)):
    """Flux over continuum on the grid, the share of good grid pixels, and whether the Balmer lines were bridged."""
    flux = np.asarray(flux, dtype=np.float64)
    good = good_pixels(wave, flux, ivar, mask, sky_lines)
    filled = np.interp(wave, wave[good], flux[good])
    rest = wave / stretch
    x, continuum = envelope(rest, filled, width, window)
    inside = np.isin(rest, x)
    on_grid = np.interp(np.log(grid_wave), np.log(x), filled[inside] / continuum)
    hot = peaks_blue(x, median_filter(filled, width)[inside])
    return on_grid, good_on_grid(rest, good, grid_wave).mean(), hot


def good_on_grid(wave, good, grid_wave):
    """Whether each grid point draws on good native pixels only."""
    position = np.interp(np.log(grid_wave), np.log(wave), np.arange(len(wave)), left=np.nan, right=np.nan)
    nearest = np.rint(position)
    position = np.where(np.abs(position - nearest) < 1e-5, nearest, position)
    covered = np.isfinite(position)
    low, high = (rounded(np.where(covered, position, 0)).astype(int) for rounded in (np.floor, np.ceil))
    return covered & good[low] & good[high]
