"""The native pixels that velocities are measured on: those of the templates' range, the bad ones out, very fine ones averaged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from ..grids import SPEED_OF_LIGHT
from ..spectra import SpectrumBatch
from .correlate import averaged, triangles
from .templates import MOST, WINDOW

FINEST = 20.0
"""km/s: finer pixels are averaged with triangles. The templates themselves are no sharper than 60 km/s."""

AVERAGED = 30.0
"""km/s between the points that they become; the half width of the triangles is twice that."""

SHARED = 1.5
"""Factor on the variance of an averaged point: neighbours share pixels, so that they count for fewer than they are."""

PLAIN = 1e4
"""Weight of a good pixel, in units of the median flux, of a spectrum without errors: they come from the residuals."""


@dataclass(frozen=True, eq=False)
class Pixels:
    """What a batch is cut down to.

    Parameters
    ----------
    part : slice
        Of the pixels of the batch.
    onto : csr_matrix, shape (n_used, n_part), or None
        Weights by which fine pixels are averaged.
    wave : ndarray, shape (n_used,), float64
        Vacuum Angstrom, after averaging.
    sky : ndarray, shape (n_part,), bool
        True in the ranges spoilt by the sky.
    """

    part: slice
    onto: csr_matrix | None
    wave: np.ndarray
    sky: np.ndarray

    def take(self, batch: SpectrumBatch, rows: slice) -> tuple[np.ndarray, np.ndarray | None, np.ndarray, np.ndarray]:
        """Flux and errors of a block of spectra.

        Returns
        -------
        flux : ndarray, shape (n, n_used), float32
            Over the median of its good pixels; 0 where bad.
        variance : ndarray of the shape of `flux`, or None
            0 where bad; None for a batch without errors.
        weight : ndarray of the shape of `flux`, float32
            0 where bad.
        positive : ndarray, shape (n,), bool
            Whether the median is.
        """
        flux = np.asarray(batch.flux[rows, self.part], np.float32)
        good = np.isfinite(flux) & (flux != 0) & ~batch.mask[rows, self.part] & ~self.sky
        variance = None
        if batch.ivar is not None:
            ivar = batch.ivar[rows, self.part]
            without = np.isnan(ivar).all(axis=1)
            with np.errstate(invalid="ignore"):
                sound = (ivar > 0) & (ivar < np.inf)
            good &= sound | without[:, None]
            with np.errstate(over="ignore"):
                variance = np.divide(1, ivar, out=np.zeros_like(flux), where=good & sound)
            good &= np.isfinite(variance)
        flux, good, variance = self._average(np.where(good, flux, np.float32(0)), good, variance)
        scale = np.array([np.median(row[keep]) if keep.any() else 0 for row, keep in zip(flux, good, strict=True)])
        positive = (scale > 0) & np.isfinite(scale)
        scale = np.where(positive, scale, 1)[:, None].astype(np.float32)
        flux = flux / scale
        weight = (good * np.float32(PLAIN)).astype(np.float32)
        if variance is not None:
            with np.errstate(over="ignore"):
                variance = variance / scale**2
                np.divide(1, variance, out=weight, where=(variance > 0) & good)
            weight[~np.isfinite(weight)] = 0
        return flux, variance, weight, positive

    def _average(self, flux, good, variance):
        if self.onto is None:
            return flux, good, variance
        flux, covered, variance = averaged(self.onto, flux, good, variance)
        if variance is not None:
            variance = np.where(covered, SHARED * variance, 0).astype(np.float32)
        return flux.astype(np.float32), covered, variance

    def resolving_power(self, resolution: float | None, nominal: float) -> float:
        """What is left of a resolving power after averaging; where it is not known, `nominal` or what the pixels allow."""
        if self.onto is None:
            # In steps of a tenth: templates are kept by resolving power, and each file may have pixels of its own.
            allowed = 1.1 ** np.floor(np.log(0.5 / np.median(np.diff(np.log(self.wave)))) / np.log(1.1))
            return resolution or float(min(nominal, allowed))
        fwhm = 2 * AVERAGED * np.sqrt(8 * np.log(2) / 6) / SPEED_OF_LIGHT
        return float(((resolution or MOST) ** -2.0 + fwhm**2) ** -0.5)


def native(wave: np.ndarray, sky_lines: tuple[tuple[float, float], ...] = ()) -> Pixels | None:
    """Choose the pixels of spectra on `wave` (vacuum Angstrom); None where too few lie in the range of the templates."""
    first, last = np.searchsorted(wave, WINDOW)
    if last - first < 3:
        return None
    step = SPEED_OF_LIGHT * np.median(np.diff(np.log(wave[first:last])))
    inside = np.ascontiguousarray(wave[first:last])
    sky = np.zeros(len(inside), bool)
    for low, high in sky_lines:
        sky |= (inside >= low) & (inside <= high)
    part, onto = slice(int(first), int(last)), None
    if step < FINEST:
        log_wave = np.log(inside)
        grid = np.arange(log_wave[0], log_wave[-1], AVERAGED / SPEED_OF_LIGHT)
        onto = triangles(log_wave, grid, 2 * AVERAGED / SPEED_OF_LIGHT)
        inside = np.exp(grid)
    return Pixels(part, onto, inside, sky)
