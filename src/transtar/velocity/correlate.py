"""The search: which template fits best, and about which velocity.

Spectra and templates are brought to one grid even in log wavelength, divided by a running mean in the same way, and
correlated at every velocity of the search. All templates at all velocities are one matrix, so that a block of spectra costs one
matrix product; that is the cross-correlation of Tonry & Davis (1979, AJ 84, 1511) with weights, at the lags that stars can have.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.ndimage import uniform_filter1d
from scipy.sparse import csr_matrix

from ..grids import SPEED_OF_LIGHT
from .templates import Templates

STEP = 1e-4 * np.log(10)
"""Of ln(wavelength) on the grid of the search: 69 km/s."""

LAGS = 16
"""Steps of the grid searched to either side: 1,105 km/s."""

RANGE = (3905.0, 5695.0)
"""Angstrom, observed frame: what stays within the templates at any lag."""

WIDTH = 151
"""Points of the running mean that spectra and templates are divided by, 10,400 km/s or 170 A; it is taken twice."""

LEAST_POINTS = 150
"""Points of the grid that a spectrum must cover, about 50 A at each of three places or 200 A at one."""

MISMATCH = 0.03
"""Added in quadrature to the relative error of a point: no template is better than that."""

SPIKE = 0.35
"""What rises above the running mean by more than this, and by five times the scatter, is left out: emission, cosmic rays."""


@dataclass(frozen=True, eq=False)
class Search:
    """What the search of all blocks of a batch shares.

    Parameters
    ----------
    start : float
        Of the grid, ln of Angstrom; its step is `STEP`.
    onto : csr_matrix, shape (n_grid, n_used)
        Weights of native pixels at points of the grid.
    shifted : ndarray, shape (n_grid, n_templates * n_lags), float32
        Templates over their running means, minus one, at each lag.
    squared : ndarray, shape (n_grid, n_templates), float32
        Their squares at lag 0.
    roughness : float
        Of noise on the grid: the variance of what a point differs by from the mean of its neighbours, over that of a point.
    """

    start: float
    onto: csr_matrix
    shifted: np.ndarray
    squared: np.ndarray
    roughness: float

    @classmethod
    def on(cls, wave: np.ndarray, templates: Templates) -> Search | None:
        """Prepare for spectra on `wave` (Angstrom); None where they have too few pixels in the range of the templates."""
        first = max(int(np.ceil(np.log(wave[0] / RANGE[0]) / STEP)), 0)
        n = int(np.log(min(RANGE[1], wave[-1]) / RANGE[0]) / STEP) + 1 - first
        if n < LEAST_POINTS:
            return None
        grid = np.log(RANGE[0]) + STEP * np.arange(first, first + n)
        onto = triangles(np.log(wave), grid)
        if np.count_nonzero(np.diff(onto.indptr)) < LEAST_POINTS:
            return None
        return cls(float(grid[0]), onto, *_at_all_lags(templates, first, n), _roughness(onto))

    def run(self, flux: np.ndarray, variance: np.ndarray | None, good: np.ndarray) -> Peaks:
        """Correlate a block of spectra.

        Parameters
        ----------
        flux : ndarray, shape (n, n_used), float32
            0 where not good.
        variance : ndarray of the shape of `flux`, or None
            0 where not good.
        good : ndarray of the shape of `flux`, bool
        """
        values, weight = self.flat(flux, variance, good)
        n = len(values)
        product = ((weight * values) @ self.shifted).reshape(n, -1, 2 * LAGS + 1)
        norm = np.sqrt(weight @ self.squared)
        power = (weight * values**2).sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            correlation = product / (norm * np.sqrt(power)[:, None])[:, :, None]
        correlation[~np.isfinite(correlation)] = -1
        best = correlation.reshape(n, -1).argmax(axis=1)
        template, lag = best // (2 * LAGS + 1), best % (2 * LAGS + 1)
        rows = np.arange(n)
        curve = correlation[rows, template]
        velocity = SPEED_OF_LIGHT * np.expm1(STEP * (lag - LAGS + _vertex(curve, lag)))
        usable = np.count_nonzero(weight, axis=1) >= LEAST_POINTS
        return Peaks(
            template, velocity, curve[rows, lag], lag, curve, usable, _noise(values, weight, power) / self.roughness
        )

    def flat(self, flux, variance, good) -> tuple[np.ndarray, np.ndarray]:
        """Flux over running mean minus one on the grid, and weights; shape (n, n_grid), float32."""
        values, covered, noise = averaged(self.onto, flux, good, variance)
        used = covered.astype(np.float32)
        # Once to find what rises above, and once without it.
        for _ in range(2):
            level = running_mean(values, used)
            relative = np.clip(np.where(used > 0, values / level - 1, 0), -1.5, 3)
            scatter = 1.48 * np.median(np.abs(relative), axis=1, keepdims=True)
            used[relative > np.maximum(SPIKE, 5 * scatter)] = 0
        values = np.where(used > 0, relative, 0)
        if noise is None:
            return values.astype(np.float32), used
        return values.astype(np.float32), (used / (noise / level**2 + MISMATCH**2)).astype(np.float32)


@lru_cache(maxsize=4)
def _at_all_lags(templates: Templates, first: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """`shifted` and `squared` of a `Search` on `n` points from the one numbered `first`.

    They take half a second, the search of a star less than a millisecond, and files of one spectrum each come by the thousand.
    """
    grid = np.log(RANGE[0]) + STEP * np.arange(first, first + n)
    lags = np.arange(-LAGS, LAGS + 1)
    flat = np.empty((len(templates.flux), len(lags), n), np.float32)
    everywhere = np.ones((1, n), np.float32)
    for k, flux in enumerate(templates.flux):
        values = np.interp(grid[None, :] - STEP * lags[:, None], templates.log_wave, flux)
        flat[k] = values / running_mean(values, everywhere) - 1
    return np.ascontiguousarray(flat.reshape(-1, n).T), np.ascontiguousarray(flat[:, LAGS].T) ** 2


@dataclass(frozen=True, eq=False)
class Peaks:
    """Outcome of the search for n spectra.

    Parameters
    ----------
    template, lag : ndarray, shape (n,), int
    velocity : ndarray, shape (n,), float64
        km/s, by a parabola through the peak.
    height : ndarray, shape (n,)
        Correlation coefficient at the peak.
    curve : ndarray, shape (n, 2 * LAGS + 1)
        Correlation coefficients of the best template.
    usable : ndarray, shape (n,), bool
        Whether enough points are good.
    noise : ndarray, shape (n,)
        Share of noise in what the spectra vary by.
    """

    template: np.ndarray
    velocity: np.ndarray
    height: np.ndarray
    lag: np.ndarray
    curve: np.ndarray
    usable: np.ndarray
    noise: np.ndarray


def _noise(values: np.ndarray, weight: np.ndarray, power: np.ndarray) -> np.ndarray:
    """Power of what points differ by from the mean of their neighbours, over that of the spectra, shape (n,)."""
    rough = values[:, 1:-1] - 0.5 * (values[:, :-2] + values[:, 2:])
    whole = weight[:, 1:-1] * (weight[:, :-2] > 0) * (weight[:, 2:] > 0)
    return (whole * rough**2).sum(axis=1) / np.maximum(power, 1e-30)


def averaged(
    onto: csr_matrix, flux: np.ndarray, good: np.ndarray, variance: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Average spectra at the points of a grid.

    Parameters
    ----------
    onto : csr_matrix, shape (n_grid, n_pixels)
        As from `triangles`.
    flux, variance : ndarray, shape (n, n_pixels), float32
        0 where not good; the variance may be None.
    good : ndarray, shape (n, n_pixels), bool

    Returns
    -------
    flux : ndarray, shape (n, n_grid)
        0 where not covered.
    covered : ndarray, shape (n, n_grid), bool
        Where good pixels have more than half of the weight.
    variance : ndarray, shape (n, n_grid), or None
        Of independent pixels.
    """
    share = (onto @ good.astype(np.float32).T).T
    whole = np.asarray(onto.sum(axis=1)).ravel()
    covered = (share > 0.5 * whole) & (whole > 0)
    total = np.where(covered, share, 1)
    values = np.where(covered, (onto @ flux.T).T / total, 0)
    if variance is None:
        return values, covered, None
    return values, covered, (onto.multiply(onto).tocsr() @ variance.T).T / total**2


def _roughness(onto: csr_matrix) -> float:
    whole = np.maximum(np.asarray(onto.sum(axis=1)).ravel(), 1e-30)
    weights = onto.multiply(1 / whole[:, None]).tocsr()
    # Neighbouring points draw on the same pixels.
    zero, one, two = (weights[:-2].multiply(weights[k : k - 2 or None]).sum() for k in (0, 1, 2))
    return float(max((1.5 * zero - 2 * one + 0.5 * two) / zero, 0.05))


def running_mean(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Weighted mean of each spectrum over `WIDTH` points, taken twice, and not below a fiftieth of its overall mean.

    Parameters
    ----------
    values : ndarray, shape (n, n_grid)
    weight : ndarray, shape (n, n_grid) or (1, n_grid)

    Returns
    -------
    ndarray, shape (n, n_grid)
    """

    def twice(array):
        once = uniform_filter1d(array, WIDTH, axis=1, mode="reflect")
        return uniform_filter1d(once, WIDTH, axis=1, mode="reflect")

    share = twice(weight)
    level = twice(weight * values) / np.maximum(share, 1e-3)
    mean = (weight * values).sum(axis=1) / np.maximum(weight.sum(axis=1), 1)
    return np.maximum(level, np.where(mean > 0, 0.02 * mean, 1)[:, None])


def triangles(log_wave: np.ndarray, grid: np.ndarray, least: float = STEP) -> csr_matrix:
    """Weights by which pixels are averaged at the points of a grid.

    Each pixel has a triangle about it whose half width is `least` or the pixel's own width, whichever is more. So coarse
    pixels are interpolated linearly and fine ones averaged, and neither moves a line.

    Parameters
    ----------
    log_wave : ndarray, shape (n_pixels,)
        ln of the wavelength, increasing.
    grid : ndarray, shape (n_grid,)
        Evenly spaced.
    least : float
        The step of the grid, or more.

    Returns
    -------
    csr_matrix, shape (n_grid, n_pixels), float32
    """
    step = np.diff(log_wave)
    width = np.minimum(np.append(step, step[-1]), np.insert(step, 0, step[0]))
    half = np.maximum(width, least)
    first = np.searchsorted(grid, log_wave - half)
    last = np.searchsorted(grid, log_wave + half)
    counts = last - first
    column = np.repeat(np.arange(len(log_wave)), counts)
    row = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(first, counts)
    weight = (1 - np.abs(grid[row] - log_wave[column]) / half[column]) * width[column] / least
    return csr_matrix((weight.astype(np.float32), (row, column)), shape=(len(grid), len(log_wave)))


def _vertex(curve: np.ndarray, peak: np.ndarray) -> np.ndarray:
    """Vertex of the parabola through a peak and its neighbours, in steps from the peak; 0 at the ends of the search."""
    rows, inside = np.arange(len(curve)), np.clip(peak, 1, curve.shape[1] - 2)
    left, middle, right = (curve[rows, inside + k] for k in (-1, 0, 1))
    bend = left - 2 * middle + right
    vertex = np.divide(left - right, 2 * bend, out=np.zeros(len(curve)), where=bend < 0)
    return np.where(inside == peak, np.clip(vertex, -0.5, 0.5), 0)
