"""Made-up models and stars for the tests of the instruments; no shared data."""

import numpy as np
from astropy.table import Table

from transtar.simulate.emulator.model_spectra import ModelSpectra

STEP = 1.6e-5
WAVE = 10 ** np.arange(np.log10(3850.0), np.log10(5750.0), STEP)
CONT_WAVE = np.linspace(3850.0, 5750.0, 96)


def model(flux=None, n=1, slope=0.0):
    """Spectra that are flat but for what `flux` has; log continuum linear in wavelength."""
    if flux is None:
        flux = np.ones((n, len(WAVE)))
    log_continuum = np.broadcast_to(6 + slope * (CONT_WAVE - 4800) / 1000, (len(flux), 96)).copy()
    return ModelSpectra(WAVE, flux, CONT_WAVE, log_continuum)


def lined(n, seed=0):
    """Spectra with random Gaussian lines of R = 12,000."""
    rng = np.random.default_rng(seed)
    flux = np.ones((n, len(WAVE)))
    pixels = np.arange(-12, 13)
    line = np.exp(-0.5 * (pixels / 2.3) ** 2)
    for row in flux:
        centres = rng.integers(20, len(WAVE) - 20, 400)
        np.subtract.at(row, centres[:, None] + pixels, rng.uniform(0, 0.3, (400, 1)) * line)
    return model(np.clip(flux, 0.05, 1))


def stars(n, seed=0, **columns):
    rng = np.random.default_rng(seed)
    values = {
        "source_id": 2**62 + 1 + 128 * np.arange(n, dtype=np.int64),
        "teff": rng.uniform(4500, 6500, n),
        "logg": rng.uniform(1, 5, n),
        "feh": rng.uniform(-2, 0.3, n),
        "vsini": rng.uniform(0, 10, n),
        "radial_velocity": rng.normal(0, 150, n),
        "ebv": rng.uniform(0, 0.3, n),
        "g_mag": rng.uniform(12, 17, n),
        "r_mag": rng.uniform(16, 19, n),
        "v_mag": rng.uniform(12, 17, n),
        "ra": rng.uniform(0, 360, n),
        "dec": rng.uniform(-10, 60, n),
    }
    values.update({name: np.broadcast_to(value, n).copy() for name, value in columns.items()})
    return Table(values)
