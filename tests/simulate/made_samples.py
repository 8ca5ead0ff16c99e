"""A made-up population: broad enough that every class of the paper's cuts has members. It owes nothing to the
population models."""

import numpy as np
from astropy.table import Table

from transtar.spectra import SpectrumBatch


def draw(n, seed):
    rng = np.random.default_rng(seed)
    feh = np.where(rng.uniform(size=n) < 0.75, rng.normal(-0.2, 0.25, n), rng.normal(-1.6, 0.6, n)).clip(-3, 0.5)
    teff = np.where(rng.uniform(size=n) < 0.3, rng.normal(4250, 220, n), rng.normal(5600, 600, n)).clip(3800, 7000)
    g_mag = rng.uniform(12, 19, n)
    return Table({
        "source_id": 2**62 + 1 + rng.integers(0, 2**40, n),
        "ra": rng.uniform(150, 160, n),
        "dec": rng.uniform(30, 34, n),
        "teff": teff,
        "logg": np.where(teff < 5000, rng.uniform(1, 4.7, n), rng.uniform(3.8, 4.6, n)),
        "feh": feh,
        "alphafe": np.clip(-0.2 * feh, 0, 0.3) + rng.normal(0, 0.03, n),
        "mg_fe": np.clip(-0.2 * feh, 0, 0.3) + rng.normal(0, 0.04, n),
        "cfe": rng.normal(0, 0.1, n),
        "radial_velocity": rng.normal(0, 80, n),
        "ebv": rng.uniform(0, 0.1, n),
        "g_mag": g_mag,
        "bp_mag": g_mag + 0.4,
        "rp_mag": g_mag - 0.5,
        "parallax": rng.uniform(0.1, 3, n),
        "pmra": rng.normal(0, 5, n),
        "pmdec": rng.normal(0, 5, n),
        "component": np.where(feh < -1, "halo", "thin"),
    })  # fmt: skip


def batch(wave, ids, survey, seed=0, level=50.0, **more):
    """Noisy flat spectra."""
    rng = np.random.default_rng(seed)
    shape = (len(ids), len(wave))
    flux = (level * (1 + 0.05 * rng.standard_normal(shape))).astype(np.float32)
    ivar = np.full(shape, (20 / level) ** 2, np.float32)
    mask = rng.random(shape) < 0.02
    return SpectrumBatch(wave, flux, ivar, mask, np.asarray(ids, np.int64), survey, **more)
