"""Where pixels are missing between others: bad pixels are put in their place, lest a straight line counts as a measurement.

Files from which bad pixels or whole detectors were cut out have no other trace of them than a step in wavelength.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..spectra import SpectrumBatch

WIDER = 1.75
"""A step so many times wider than those around it is a gap. Steps of rounded wavelengths differ by less, on the average."""

AROUND = 10
"""Steps on either side with which a step is compared."""

MOST = 4
"""Times as many pixels as there are, or a thousand: beyond that a gap is no gap but the end of what there is."""


def fill_gaps(batch: SpectrumBatch, low: float, high: float) -> SpectrumBatch:
    """Put masked pixels where some are missing.

    Parameters
    ----------
    batch : SpectrumBatch
    low, high : float
        Range in Angstrom that matters.

    Returns
    -------
    SpectrumBatch
        The same if nothing is missing.
    """
    places, counts = find_gaps(batch.wave, low, high)
    if not len(places) or counts.sum() > max(MOST * len(batch.wave), 1000):
        return batch
    log_wave = np.log(batch.wave)
    at = np.repeat(places + 1, counts)
    share = np.concatenate([np.arange(1, n + 1) / (n + 1) for n in counts])
    ends = np.repeat(log_wave[places], counts), np.repeat(log_wave[places + 1], counts)
    return replace(
        batch,
        wave=np.insert(batch.wave, at, np.exp(ends[0] + share * (ends[1] - ends[0]))),
        flux=np.insert(batch.flux, at, np.float32(np.nan), axis=1),
        ivar=None if batch.ivar is None else np.insert(batch.ivar, at, _missing(batch.ivar, len(at)), axis=1),
        mask=np.insert(batch.mask, at, True, axis=1),
    )


def _missing(ivar: np.ndarray, n: int) -> np.ndarray:
    """No weight; NaN in spectra that have no errors at all."""
    return np.repeat(np.where(np.isnan(ivar[:, :1]), np.float32(np.nan), np.float32(0)), n, axis=1)


def find_gaps(wave: np.ndarray, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """Steps that are far wider than those around them.

    Parameters
    ----------
    wave : ndarray, shape (n_pixels,)
    low, high : float

    Returns
    -------
    places : ndarray, shape (n_gaps,), int
        Pixels before the gaps.
    counts : ndarray, shape (n_gaps,), int
        How many pixels are missing in each.
    """
    step = np.diff(np.log(wave))
    nothing = np.empty(0, int)
    # Most spectra have none, which is seen at once.
    if len(step) < 3 or not (step[1:-1] > WIDER * np.minimum(step[:-2], step[2:])).any():
        return nothing, nothing
    total = np.concatenate([[0], np.cumsum(step)])
    index = np.arange(len(step))
    first, last = np.maximum(index - AROUND, 0), np.minimum(index + 1 + AROUND, len(step))
    before = (total[index] - total[first]) / np.maximum(index - first, 1)
    behind = (total[last] - total[index + 1]) / np.maximum(last - index - 1, 1)
    # Where the sampling changes for good, one side is as wide.
    usual = np.maximum(before, behind)
    wide = (step > WIDER * usual) & (usual > 0) & (wave[1:] > low) & (wave[:-1] < high)
    places = np.flatnonzero(wide)
    return places, np.maximum(np.rint(step[places] / usual[places]).astype(int) - 1, 1)
