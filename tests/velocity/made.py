"""Spectra of known velocity, made of the templates themselves or of smooth lines."""

import numpy as np

from transtar.grids import SPEED_OF_LIGHT
from transtar.spectra import SpectrumBatch
from transtar.velocity.templates import load_templates

LAMOST_WAVE = 10 ** (3.5682 + 1e-4 * np.arange(3909))
DESI_WAVE = 3600 + 0.8 * np.arange(2751)


def observed(rows, velocity, wave=LAMOST_WAVE, snr=100.0, ivar=True, resolution=1800.0, slope=0.0, seed=0):
    """Templates at `rows` seen from stars of `velocity` (km/s), with noise, on a tilted continuum."""
    random = np.random.default_rng(seed)
    templates = load_templates(resolution)
    stretch = np.log1p(np.broadcast_to(velocity, len(rows)) / SPEED_OF_LIGHT)
    flux = np.stack(
        [
            np.interp(np.log(wave) - s, templates.log_wave, templates.flux[row])
            for row, s in zip(rows, stretch, strict=True)
        ]
    )
    flux *= 300 * (1 + slope * (wave - 4800) / 1000 + 0.05 * np.sin(wave / 300))
    flux += random.standard_normal(flux.shape) * 300 / snr
    return batch_of(flux, wave, (snr / 300) ** 2 if ivar else None)


def batch_of(flux, wave=LAMOST_WAVE, ivar=None):
    flux = np.asarray(flux, np.float32)
    weights = None if ivar is None else np.broadcast_to(np.float32(ivar), flux.shape).copy()
    return SpectrumBatch(wave, flux, weights, np.zeros(flux.shape, bool), np.arange(len(flux)), "made")
