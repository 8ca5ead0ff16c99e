"""Radial velocities measured on spectra that come without one."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.polynomial.legendre import legvander
from threadpoolctl import threadpool_limits

from ..grids import SPEED_OF_LIGHT
from ..spectra import SpectrumBatch
from .correlate import Search
from .refine import refine
from .templates import WINDOW, Templates, load_templates

BLOCK = 128
"""Spectra handled at a time by one thread."""

NOMINAL = 1800.0
"""Resolving power where none is known."""

DEGREE = 9
"""Of the polynomial that multiplies the template in the fit."""

MISMATCH = 0.02

MARGIN = 8.0
"""Angstrom at the ends of the templates that are not used."""


@dataclass(frozen=True, eq=False)
class MeasuredVelocities:
    """Velocities of n spectra.

    Parameters
    ----------
    velocity : ndarray, shape (n,), float64
        Radial velocity in km/s in the frame of the wavelengths, positive away from us; NaN where none could be measured.
    error : ndarray, shape (n,), float64
        1 sigma in km/s, NaN where there is no velocity.
    good : ndarray, shape (n,), bool
        Whether the velocity is to be trusted.
    peak : ndarray, shape (n,), float64
        Correlation coefficient with the best template, 0 to 1; NaN where nothing could be correlated.
    template : ndarray, shape (n,), str
        Name of the best template, empty where nothing could be correlated.
    """

    velocity: np.ndarray
    error: np.ndarray
    good: np.ndarray
    peak: np.ndarray
    template: np.ndarray

    def __len__(self) -> int:
        return len(self.velocity)


def measure_velocities(
    batch: SpectrumBatch,
    *,
    sky_lines: tuple[tuple[float, float], ...] = (),
    resolution: float | None = None,
    threads: int | None = None,
) -> MeasuredVelocities:
    """Measure radial velocities by correlation with templates and a fit at the peak.

    Parameters
    ----------
    batch : SpectrumBatch
        In the observed frame; velocities that it brings along are not looked at.
    sky_lines : tuple of (float, float)
        Ranges in Angstrom (vacuum, observed frame) that are left out.
    resolution : float, optional
        Resolving power of the spectra; 1800 if not given. A wrong one costs accuracy, not truth.
    threads : int, optional
        Number of threads; all processors if not given.

    Returns
    -------
    MeasuredVelocities
        In the order of the batch.
    """
    n = len(batch)
    templates = load_templates(resolution or NOMINAL)
    result = MeasuredVelocities(
        np.full(n, np.nan), np.full(n, np.nan), np.zeros(n, bool), np.full(n, np.nan),
        np.full(n, "", dtype=f"U{max(len(name) for name in templates.names)}"),
    )  # fmt: skip
    search = Search.on(batch.wave, templates)
    if search is None or n == 0:
        return result
    sky = np.zeros(len(batch.wave), bool)
    for low, high in sky_lines:
        sky |= (batch.wave >= low) & (batch.wave <= high)
    fit = _Fit.on(batch.wave[search.pixels], templates)
    blocks = [slice(i, min(i + BLOCK, n)) for i in range(0, n, BLOCK)]

    def run(rows: slice) -> None:
        _measure(batch, rows, sky, search, fit, result)

    with threadpool_limits(1, user_api="blas"):
        count = min(threads or os.cpu_count() or 1, len(blocks))
        if count == 1:
            for rows in blocks:
                run(rows)
        else:
            with ThreadPoolExecutor(count) as pool:
                list(pool.map(run, blocks))
    return result


@dataclass(frozen=True, eq=False)
class _Fit:
    """What the fits of all blocks share."""

    templates: Templates
    log_wave: np.ndarray
    basis: np.ndarray
    neighbours: np.ndarray

    @classmethod
    def on(cls, wave: np.ndarray, templates: Templates) -> _Fit:
        log_wave = np.log(wave)
        x = 2 * (log_wave - log_wave[0]) / (log_wave[-1] - log_wave[0]) - 1
        basis = np.ascontiguousarray(legvander(x, DEGREE).T)
        return cls(templates, log_wave, basis, _neighbours(templates.labels))


def _neighbours(labels: np.ndarray, count: int = 5) -> np.ndarray:
    """The nearest templates of each one in Teff, log g and [Fe/H], shape (n, count), int64."""
    scaled = labels / (400.0, 1.5, 0.8)
    distance = np.linalg.norm(scaled[:, None] - scaled[None], axis=2)
    return np.argsort(distance, axis=1)[:, 1 : count + 1].astype(np.int64)


def _measure(batch: SpectrumBatch, rows: slice, sky: np.ndarray, search: Search, fit: _Fit, result) -> None:
    """Fill `rows` of `result`."""
    flux = np.ascontiguousarray(batch.flux[rows, search.pixels], np.float32)
    good = np.isfinite(flux) & (flux != 0) & ~batch.mask[rows, search.pixels] & ~sky[search.pixels]
    variance = weight = None
    if batch.ivar is not None:
        ivar = batch.ivar[rows, search.pixels]
        without = np.isnan(ivar).all(axis=1)
        with np.errstate(invalid="ignore"):
            sound = (ivar > 0) & (ivar < np.inf)
        good &= sound | without[:, None]
        variance = np.divide(1, ivar, out=np.zeros_like(flux), where=good & sound)
        weight = np.where(good & sound, ivar, 0)
    flux = np.where(good, flux, 0).astype(np.float32)
    scale = np.array([np.median(row[keep]) if keep.any() else 0 for row, keep in zip(flux, good, strict=True)])
    positive = scale > 0
    scale = np.where(positive, scale, 1)[:, None].astype(np.float32)
    flux /= scale
    if variance is not None and weight is not None:
        variance /= scale**2
        weight = weight * scale**2
        weight[without] = good[without] * np.float32(1e4)
    else:
        weight = good * np.float32(1e4)
    seen = search.run(flux, variance, good)
    log_stretch = np.log1p(seen.velocity / SPEED_OF_LIGHT)
    out = np.empty((len(flux), 5))
    refine(
        fit.log_wave, fit.basis, flux, weight.astype(np.float32), fit.templates.start, fit.templates.step,
        fit.templates.flux, fit.neighbours, seen.template, log_stretch, MISMATCH,
        np.log(WINDOW[0] + MARGIN), np.log(WINDOW[1] - MARGIN), out,
    )  # fmt: skip
    velocity = SPEED_OF_LIGHT * np.expm1(log_stretch)
    error = SPEED_OF_LIGHT * np.sqrt(out[:, 0] * np.maximum(out[:, 1], 1))
    clear = positive & seen.usable & np.isfinite(error) & (np.abs(velocity) < 1000) & (seen.height > 0.2)
    result.velocity[rows] = np.where(clear, velocity, np.nan)
    result.error[rows] = np.where(clear, error, np.nan)
    result.good[rows] = clear & (error < 50)
    result.peak[rows] = seen.height
    result.template[rows] = np.array(fit.templates.names)[seen.template]
