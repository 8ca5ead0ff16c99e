"""Pixels to which a survey gives no weight, judged by what they hold.

LAMOST sets the inverse variance to 0 over runs of five pixels and more wherever one exposure of several had a bad pixel, and
so takes the weight of up to half of a spectrum. In DR10 nearly all of these fluxes are as good as others: against a fit of
principal components to the rest of each spectrum they scatter 1.1 times as much as their neighbours, and 0.4 per cent are off
by more than five times the error (of ordinary pixels 0.06). What was lost in truth is exactly 0.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..spectra import SpectrumBatch

AROUND = 10
"""Good pixels on either side with which a pixel is compared: two or three lines and what is between them."""

FAR = 100
"""Pixels; if those to compare with are farther away, there is nothing to judge by."""

BEYOND = 4.0
"""Errors by which a flux may lie above the highest of its neighbours but one. Rests of cosmic rays and sky lines lie higher."""

DEEPEST = 0.6
"""Share of the lowest neighbour but one that a flux must reach: a line within a run may be deeper than those around, and to take
just the lines for spoilt would be worse than to lose pixels at random."""

TELLING = 5.0
"""S/N of the neighbours from which on a spoilt flux would show. Below, fluxes near zero pass for good ones, and the survey may
have chosen by the flux itself (DR1 has whole blue ends without weight): the accepted ones were 0.4 errors too faint."""

INFLATED = 1.5
"""Variance of an accepted pixel over the median of its neighbours': scatter of 1.13, and 1.25 with what few spoilt ones pass."""


def judge_unweighted(batch: SpectrumBatch) -> SpectrumBatch:
    """Give a weight to pixels of inverse variance 0 whose flux is like that of the good pixels around.

    Parameters
    ----------
    batch : SpectrumBatch

    Returns
    -------
    SpectrumBatch
        With `ivar` above 0 where a flux was accepted; the same batch if none was. Masked pixels, fluxes that are not finite
        or not above 0, and pixels without enough good ones near them stay bad.
    """
    if batch.ivar is None:
        return batch
    asked = (batch.ivar == 0) & (batch.flux > 0) & np.isfinite(batch.flux) & ~batch.mask
    rows = np.flatnonzero(asked.any(axis=1))
    if not len(rows):
        return batch
    ivar = batch.ivar.copy()
    for row in rows:
        good = (ivar[row] > 0) & np.isfinite(ivar[row]) & np.isfinite(batch.flux[row]) & (batch.flux[row] != 0)
        pixels = np.flatnonzero(asked[row])
        ivar[row, pixels] = _judged(batch.flux[row], ivar[row], np.flatnonzero(good & ~batch.mask[row]), pixels)
    return replace(batch, ivar=ivar)


def _judged(flux: np.ndarray, ivar: np.ndarray, good: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Inverse variances of `pixels` of one spectrum by the pixels `good` around them, 0 for those that are bad; float32."""
    if len(good) < 2 * AROUND:
        return np.zeros(len(pixels), np.float32)
    first = np.clip(np.searchsorted(good, pixels) - AROUND, 0, len(good) - 2 * AROUND)
    near = good[first[:, None] + np.arange(2 * AROUND)]
    around = np.sort(flux[near].astype(np.float64), axis=1)
    weight = np.median(ivar[near].astype(np.float64), axis=1)
    error, value = weight**-0.5, flux[pixels]
    accepted = (
        (value > DEEPEST * around[:, 1])
        & (value < around[:, -2] + BEYOND * error)
        & (np.median(around, axis=1) > TELLING * error)
        & (np.abs(near - pixels[:, None]).max(axis=1) <= FAR)
    )
    return np.where(accepted, weight / INFLATED, 0).astype(np.float32)
