"""Simulated labels of ASPCAP, the pipeline of APOGEE.

Formal errors of ASPCAP are much smaller than the true ones, and so they are here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from astropy.table import Table


def simulate_aspcap(stars: Table, snr: np.ndarray, seed: int | Sequence[int]) -> Table:
    """Simulated labels of ASPCAP.

    Parameters
    ----------
    stars : Table
        teff, logg, feh, alphafe, mg_fe: the truth.
    snr : ndarray, shape (n,)
    seed : int or sequence of int

    Returns
    -------
    Table
        ``apogee_teff``, ``_logg``, ``_fe_h``, ``_mg_fe``, ``_alpha_m``, ``_m_h`` and formal errors (``_err``).
        [alpha/M] + [M/H] - [Fe/H] is [alpha/Fe] but for noise.
    """
    rng = np.random.default_rng(seed)
    n = len(stars)
    noise = np.sqrt(1 + (40.0 / np.maximum(snr, 5.0)) ** 2)
    feh = np.asarray(stars["feh"], np.float64)
    weak = 1 + 0.8 * np.clip(-feh - 1, 0, 2)
    true = {
        "teff": (np.asarray(stars["teff"]), 40.0 * noise),
        "logg": (np.asarray(stars["logg"]), 0.06 * noise),
        "fe_h": (feh, 0.025 * noise * weak),
        "mg_fe": (np.asarray(stars["mg_fe"]), 0.025 * noise * weak),
    }
    table = Table()
    for name, (value, sigma) in true.items():
        table[f"apogee_{name}"] = value + sigma * rng.standard_normal(n)
        table[f"apogee_{name}_err"] = 0.4 * sigma
    table["apogee_m_h"] = table["apogee_fe_h"] + 0.01 * noise * rng.standard_normal(n)
    alphafe = np.asarray(stars["alphafe"]) + 0.02 * noise * weak * rng.standard_normal(n)
    table["apogee_alpha_m"] = alphafe - table["apogee_m_h"] + table["apogee_fe_h"]
    table["apogee_m_h_err"], table["apogee_alpha_m_err"] = 0.008 * noise, 0.01 * noise
    return table
