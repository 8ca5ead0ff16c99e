"""Simulated labels of LASP, the pipeline of LAMOST."""

from __future__ import annotations

import numpy as np
from astropy.table import Table

from ...grids import SPEED_OF_LIGHT


def simulate_lasp(stars: Table, snrg: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Simulated labels of the LASP pipeline, for the catalog.

    Errors are those of low-resolution repeats (Luo et al. 2015; Wu et al. 2014, IAU Symp. 306, 340): about 100 K,
    0.15 dex and 0.1 dex at S/N 20, and the known compression below [Fe/H] = -1.5. 'simulated pipeline', not LASP.

    Parameters
    ----------
    stars : Table
        teff, logg, feh, radial_velocity.
    snrg : ndarray, shape (n,)
    seed : int

    Returns
    -------
    dict of str to ndarray, shape (n,)
        teff_lasp, logg_lasp, feh_lasp, their errors (``_err``), and z.
    """
    rng = np.random.default_rng(seed)
    n = len(stars)
    scale = np.sqrt(0.6**2 + (12.0 / np.maximum(snrg, 3)) ** 2)
    feh = np.asarray(stars["feh"], np.float64)
    errors = {"teff": 90.0 * scale, "logg": 0.14 * scale, "feh": 0.09 * scale * (1 + 0.5 * (feh < -1.5))}
    compressed = np.where(feh < -1.5, 0.85 * feh - 0.225, feh)
    truth = {"teff": np.asarray(stars["teff"]), "logg": np.asarray(stars["logg"]), "feh": compressed}
    out: dict[str, np.ndarray] = {}
    for name, error in errors.items():
        out[f"{name}_lasp"] = truth[name] + error * rng.standard_normal(n)
        out[f"{name}_err"] = error
    velocity = np.asarray(stars["radial_velocity"]) + rng.normal(0, 4, n) * scale
    out["z"] = velocity / SPEED_OF_LIGHT
    return out
