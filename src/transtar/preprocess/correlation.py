"""How the noise of neighbouring points of the grid hangs together: what linear resampling and smoothing leave behind.

A point of the grid draws on two native pixels, and the next point on one of these again. The inverse variances of the chain hold
the variance of each point alone; the variance of anything summed over points needs their covariance, too. For spectra whose
pixels are as wide as those of the grid, as LAMOST's, the correlation is between 0 and 0.5 and the same all over a spectrum; for
others its mean says as much. One number per spectrum is kept.
"""

from __future__ import annotations

import numpy as np

from .compiled import compiled

PAIRS = 256
"""Neighbouring points, spread over the grid, over which the correlation is averaged."""

USUAL = 0.25
"""Of points that lie anywhere between native pixels as wide as theirs, on the average: E[s(1 - s)] / E[s^2 + (1 - s)^2]."""

SMOOTHED = 2**-0.5
"""Of spectra that `fine` has smoothed by a Gaussian with a FWHM of two points: exp(-1 / (4 sigma^2)), sigma in points."""

MOST_LAG = 3
"""Points further apart than that count as independent."""


def resampled_correlation(log_wave: np.ndarray, grid: np.ndarray, stretch: np.ndarray) -> np.ndarray:
    """Mean correlation of neighbouring points after linear interpolation of pixels with independent noise of one size.

    Parameters
    ----------
    log_wave : ndarray, shape (n_pixels,)
        log10 of native wavelengths.
    grid : ndarray, shape (n_grid,)
        log10 of the wavelengths wanted.
    stretch : ndarray, shape (n_spectra,)
        Observed over wanted wavelength.

    Returns
    -------
    ndarray, shape (n_spectra,), float32
    """
    first = np.unique(np.linspace(0, len(grid) - 2, min(PAIRS, len(grid) - 1)).astype(int))
    means = np.empty(len(stretch), np.float32)
    mean_overlap(log_wave, grid[first], grid[first + 1], np.log10(stretch), means)
    return means


@compiled()
def mean_overlap(log_wave, first, second, shifts, means):
    """Mean correlation of pairs of points, of spectra with each of some shifts.

    Parameters
    ----------
    log_wave : ndarray, shape (n_pixels,)
    first, second : ndarray, shape (n_pairs,)
        log10 of wavelengths, in order.
    shifts : ndarray, shape (n,)
        Added to these.
    means : ndarray, shape (n,), float32
        Receives the means.
    """
    last = len(log_wave) - 2
    for row in range(len(shifts)):
        total, pixel = 0.0, 0
        for pair in range(len(first)):
            target, next_target = first[pair] + shifts[row], second[pair] + shifts[row]
            # Points come in order, so that the pixel below each is that of the one before or a little further on.
            while pixel < last and log_wave[pixel + 1] <= target:
                pixel += 1
            next_pixel = pixel
            while next_pixel < last and log_wave[next_pixel + 1] <= next_target:
                next_pixel += 1
            part = (target - log_wave[pixel]) / (log_wave[pixel + 1] - log_wave[pixel])
            next_part = (next_target - log_wave[next_pixel]) / (log_wave[next_pixel + 1] - log_wave[next_pixel])
            part, next_part = min(max(part, 0.0), 1.0), min(max(next_part, 0.0), 1.0)
            both = 0.0
            if next_pixel == pixel:
                both = (1 - part) * (1 - next_part) + part * next_part
            elif next_pixel == pixel + 1:
                both = part * (1 - next_part)
            sizes = (part**2 + (1 - part) ** 2) * (next_part**2 + (1 - next_part) ** 2)
            total += both / np.sqrt(sizes)
        means[row] = total / len(first)


def smoothed_correlation(smoothing: np.ndarray) -> float:
    """Correlation of neighbouring points in the middle of a grid after smoothing.

    Parameters
    ----------
    smoothing : ndarray, shape (n_grid, n_grid)
        Multiplied by spectra whose neighbouring points are correlated by `USUAL`.

    Returns
    -------
    float
    """
    middle = len(smoothing) // 2
    one, other = np.asarray(smoothing[middle : middle + 2], np.float64)

    def covariance(a: np.ndarray, b: np.ndarray) -> float:
        return float(a @ b + USUAL * (a[1:] @ b[:-1] + a[:-1] @ b[1:]))

    return covariance(one, other) / np.sqrt(covariance(one, one) * covariance(other, other))


def at_lag(correlation: np.ndarray, lag: int) -> np.ndarray:
    """Correlation of points that are `lag` apart, from that of neighbours.

    Parameters
    ----------
    correlation : ndarray, shape (n_spectra,)
    lag : int

    Returns
    -------
    ndarray, shape (n_spectra,)
        Linear interpolation ties neighbours alone, by 0.5 at most. What is more is smoothing, which falls off as a Gaussian.
    """
    if lag == 1:
        return correlation
    return np.where(correlation > 0.5 + 1e-3, correlation ** (lag**2), 0.0)
