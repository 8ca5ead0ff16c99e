"""Made-up spectra for the tests of the chain."""

import numpy as np

from transtar.grids import SPEED_OF_LIGHT
from transtar.spectra import SpectrumBatch

LAMOST_WAVE = 10 ** (3.5682 + 1e-4 * np.arange(3909))
DESI_WAVE = 3600 + 0.8 * np.arange(2751)
IRREGULAR_WAVE = 3700 + np.cumsum(np.random.default_rng(5).uniform(0.4, 1.4, 2600))
WAVES = {"log": LAMOST_WAVE, "linear": DESI_WAVE, "irregular": IRREGULAR_WAVE}


def star(wave, slope=0.0, depth=0.3):
    """A smooth continuum with Gaussian lines every 23 A; `wave` is the rest wavelength in Angstrom."""
    continuum = 1 + slope * (wave - 4800) / 1000 + 0.1 * np.sin(wave / 400)
    phase = (wave - 4000) % 23 - 11.5
    return continuum * (1 - depth * np.exp(-0.5 * (phase / 2.0) ** 2))


def batch_of(flux, wave=LAMOST_WAVE, ivar=1e4, velocity=0.0, frame="observed", **meta):
    flux = np.atleast_2d(flux).astype(np.float32)
    n = len(flux)
    if ivar is not None:
        ivar = np.broadcast_to(np.asarray(ivar, np.float32), flux.shape).copy()
    columns = {
        "file": np.array([f"{i}.fits" for i in range(n)]),
        "velocity": np.broadcast_to(np.asarray(velocity, float), n).copy(),
        **{name: np.broadcast_to(np.asarray(value), n).copy() for name, value in meta.items()},
    }
    mask = np.zeros(flux.shape, bool)
    return SpectrumBatch(wave, flux, ivar, mask, np.arange(n), "made", frame, meta=columns)


def random_batch(n, wave=LAMOST_WAVE, seed=0, velocity=None):
    """Stars of many slopes and line depths, with noise, bad pixels and velocities."""
    rng = np.random.default_rng(seed)
    if velocity is None:
        velocity = rng.uniform(-300, 300, n)
    stretch = 1 + np.asarray(velocity) / SPEED_OF_LIGHT
    flux = np.stack(
        [star(wave / z, slope, depth) for z, slope, depth in
         zip(stretch, rng.uniform(-0.6, 0.6, n), rng.uniform(0, 0.6, n), strict=True)]
    )  # fmt: skip
    flux = flux * (1 + 0.02 * rng.standard_normal(flux.shape)) * rng.uniform(10, 1e4, (n, 1))
    batch = batch_of(flux, wave, ivar=1e-2, velocity=velocity)
    batch.mask[rng.random(flux.shape) < 0.02] = True
    return batch
