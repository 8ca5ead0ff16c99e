"""The native pixels that velocities are measured on: those of the templates' range, the bad ones out, very fine ones averaged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..grids import SPEED_OF_LIGHT
from ..spectra import SpectrumBatch
from .templates import WINDOW

FINEST = 15.0
"""km/s: finer pixels are averaged to at most this. The templates themselves are no sharper than 60 km/s."""

PLAIN = 1e4
"""Weight of a good pixel, in units of the median flux, of a spectrum without errors: they come from the residuals."""


@dataclass(frozen=True, eq=False)
class Pixels:
    """What a batch is cut down to.

    Parameters
    ----------
    part : slice
        Of the pixels of the batch.
    together : int
        So many neighbours are averaged.
    wave : ndarray, shape (n_used,), float64
        Vacuum Angstrom, after averaging.
    sky : ndarray, shape (n_part,), bool
        True in the ranges spoilt by the sky.
    """

    part: slice
    together: int
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
        k = self.together
        if k == 1:
            return flux, good, variance
        shape = (len(flux), -1, k)
        flux, good = flux[:, : len(self.wave) * k].reshape(shape), good[:, : len(self.wave) * k].reshape(shape)
        count = good.sum(axis=2)
        enough = 2 * count > k
        total = np.maximum(count, 1)
        flux = np.where(enough, flux.sum(axis=2, dtype=np.float64) / total, 0).astype(np.float32)
        if variance is not None:
            variance = variance[:, : len(self.wave) * k].reshape(shape).sum(axis=2, dtype=np.float64)
            variance = np.where(enough, variance / total**2, 0).astype(np.float32)
        return flux, enough, variance


def native(wave: np.ndarray, sky_lines: tuple[tuple[float, float], ...] = ()) -> Pixels | None:
    """Choose the pixels of spectra on `wave` (vacuum Angstrom); None where too few lie in the range of the templates."""
    first, last = np.searchsorted(wave, WINDOW)
    if last - first < 3:
        return None
    step = SPEED_OF_LIGHT * np.median(np.diff(np.log(wave[first:last])))
    together = max(int(FINEST / step), 1)
    last = first + (last - first) // together * together
    inside = wave[first:last]
    sky = np.zeros(len(inside), bool)
    for low, high in sky_lines:
        sky |= (inside >= low) & (inside <= high)
    averaged = inside.reshape(-1, together).mean(axis=1)
    return Pixels(slice(int(first), int(last)), together, np.ascontiguousarray(averaged), sky)
