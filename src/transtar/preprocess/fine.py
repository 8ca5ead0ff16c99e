"""Spectra sampled much finer than the grid: smoothed to what the grid can hold, and brought to its points.

Drawing one pixel of 0.01 A where the grid has one of 1 A would throw away 99 of 100 photons, and lines that the grid cannot
hold would come out by chance. So flux is averaged with a Gaussian in the coordinate in which the points of the grid are 0, 1,
2, ...; its FWHM is two of them, what a grid can hold at best. For the grid 'blue' that is even in log wavelength, R = 2171.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..grids import Grid
from ..spectra import SpectrumBatch
from .compiled import compiled
from .kernels import find_good

FINER = 2.0
"""Native pixels for each point of the grid from which on a spectrum is smoothed. Those of LAMOST, SDSS, MILES and DESI are 1 to
1.6 on 'blue' and stay as they are."""

FWHM = 2.0
"""Of the Gaussian, in points of the grid."""

SIGMA = FWHM / (2 * np.sqrt(2 * np.log(2)))

REACH = 4 * SIGMA
"""Pixels further away have no weight."""

MARGIN = 64
"""Points beyond the window of the continuum that are made, for the median filter."""


def is_finer(wave: np.ndarray, grid: Grid) -> bool:
    """Whether pixels are so much finer than a grid that they must be smoothed.

    Parameters
    ----------
    wave : ndarray, shape (n_pixels,)
        Of the spectra, in Angstrom.
    grid : LogGrid or WaveGrid
    """
    points = grid.wave
    pixels = int(np.count_nonzero((wave >= points[0]) & (wave <= points[-1])))
    covered = int(np.count_nonzero((points >= wave[0]) & (points <= wave[-1])))
    return pixels >= FINER * max(covered, 2)


def resolving_power(grid: Grid) -> float:
    """Lambda / FWHM of what a grid can hold, in its middle."""
    middle = grid.size // 2
    return 1 / (FWHM * np.log(10) * (grid.log_wave[middle] - grid.log_wave[middle - 1]))


def describe(wave: np.ndarray, grid: Grid) -> str:
    """Say what is done: 'pixels of 0.01 A are finer than ...'."""
    inside = wave[(wave >= grid.wave[0]) & (wave <= grid.wave[-1])]
    return (
        f"pixels of {(inside[-1] - inside[0]) / (len(inside) - 1):.2g} A are much finer than those of the grid "
        f"'{grid.name}'; smoothed to R = {float(f'{resolving_power(grid):.3g}'):g}"
    )


def smooth(
    batch: SpectrumBatch, grid: Grid, window: tuple[float, float], stretch: float, sky_lines: np.ndarray
) -> SpectrumBatch:
    """Smooth spectra of one velocity, and bring them to the points of the grid in the frame of the fit.

    Bad pixels have no weight. The variance of a mean is the sum of squared weights times variances; the covariance between
    neighbouring points of the result is ignored, as everywhere in the chain. A point is bad if half its weight is.

    Parameters
    ----------
    batch : SpectrumBatch
    grid : LogGrid or WaveGrid
    window : (float, float)
        Range in Angstrom that is needed, in the frame of the fit; the points go on beyond the ends of the grid.
    stretch : float
        Wavelength over wavelength in the frame of the fit, 1 + z.
    sky_lines : ndarray, shape (n, 2)
        Ranges in Angstrom spoilt by the sky, in the frame of the batch: they are bad.

    Returns
    -------
    SpectrumBatch
        Its wavelengths are those of the grid, in the frame of the fit.
    """
    place_of, wave_at = _coordinates(grid)
    low, high = place_of(np.log10(np.array(window)))
    ends = place_of(np.log10(batch.wave[[0, -1]] / stretch))
    points = np.arange(
        max(int(np.floor(low)) - MARGIN, int(np.ceil(ends[0]))),
        min(int(np.ceil(high)) + MARGIN, int(np.floor(ends[1]))) + 1,
    )
    needed = slice(
        *np.searchsorted(batch.wave, wave_at(np.array([points[0] - REACH - 1, points[-1] + REACH + 1])) * stretch)
    )
    wave = batch.wave[needed]
    place = place_of(np.log10(wave / stretch))
    # Half the distance between both neighbours is the width of a pixel; at a gap it is that to the nearer one.
    step = np.diff(place)
    width = np.minimum(np.append(step, step[-1]), np.insert(step, 0, step[0]))
    sky = np.searchsorted(wave, np.reshape(sky_lines, (-1, 2)))
    good = np.empty((len(batch), len(wave)), bool)
    nothing = np.empty(0, np.float32)
    for row, mark in enumerate(good):
        ivar = nothing if batch.ivar is None else batch.ivar[row, needed]
        find_good(batch.flux[row, needed], ivar, batch.mask[row, needed], sky, mark)
    shape = (len(batch), len(points))
    flux, variance, bad = np.zeros(shape), np.zeros(shape), np.ones(shape, bool)
    first, last = (np.searchsorted(place, points + reach) for reach in (-REACH, REACH))
    weights = batch.flux[:, :0] if batch.ivar is None else batch.ivar[:, needed]
    average(place, width, points, first, last, batch.flux[:, needed], weights, good, flux, variance, bad)
    return SpectrumBatch(
        wave_at(points),
        flux,
        None if batch.ivar is None else np.divide(1, variance, out=np.zeros(shape), where=~bad),
        bad,
        batch.ids,
        batch.survey,
        frame="rest",
        medium=batch.medium,
        meta=batch.meta,
    )


def _coordinates(grid: Grid) -> tuple[Callable, Callable]:
    """From log10 of wavelengths to places on the grid, and from places to wavelengths; both go on beyond its ends."""
    log_wave, last = grid.log_wave, grid.size - 1
    index = np.arange(grid.size)
    blue, red = log_wave[1] - log_wave[0], log_wave[-1] - log_wave[-2]

    def place_of(wanted: np.ndarray) -> np.ndarray:
        inside = np.interp(wanted, log_wave, index)
        return inside + np.minimum(wanted - log_wave[0], 0) / blue + np.maximum(wanted - log_wave[-1], 0) / red

    def wave_at(place: np.ndarray) -> np.ndarray:
        inside = np.interp(place, index, log_wave)
        return 10.0 ** (inside + np.minimum(place, 0) * blue + np.maximum(place - last, 0) * red)

    return place_of, wave_at


@compiled()
def average(place, width, points, first, last, flux, ivar, good, out, variance, bad):
    """Weighted means of fluxes about each point, and their variances.

    Parameters
    ----------
    place, width : ndarray, shape (n_pixels,)
        Of the pixels, in points of the grid.
    points, first, last : ndarray, shape (n_points,), int
        Pixels ``[first, last)`` are within reach of a point.
    flux, good : ndarray, shape (n_spectra, n_pixels)
    ivar : ndarray of the shape of `flux`, or of shape (n_spectra, 0)
    out, variance, bad : ndarray, shape (n_spectra, n_points)
        `out` and `variance` hold zeros, `bad` True.
    """
    weight = np.empty(len(place))
    enough = 0.5 * SIGMA * np.sqrt(2 * np.pi)
    with_ivar = ivar.shape[1] > 0
    for p in range(len(points)):
        start, stop = first[p], last[p]
        for i in range(start, stop):
            weight[i] = width[i] * np.exp(-0.5 * ((place[i] - points[p]) / SIGMA) ** 2)
        for row in range(len(flux)):
            total = mean = spread = 0.0
            for i in range(start, stop):
                if good[row, i]:
                    total += weight[i]
                    mean += weight[i] * flux[row, i]
                    if with_ivar:
                        spread += weight[i] * weight[i] / ivar[row, i]
            if total >= enough:
                out[row, p] = mean / total
                variance[row, p] = spread / total**2
                bad[row, p] = False
