"""Columns of the truth table."""

from __future__ import annotations

import numpy as np
from astropy.table import Table

from ...errors import InputError

COLUMNS = {
    "source_id": (
        "",
        "Identifier in the manner of Gaia: level-12 nested HEALPix index times 2**35 plus a running number",
    ),
    "component": ("", "thin, thick or halo"),
    "phase": ("", "dwarf (with subgiants), giant or clump (core helium burning)"),
    "age_gyr": ("Gyr", "Age"),
    "mass": ("solMass", "Mass"),
    "teff": ("K", "Effective temperature"),
    "logg": ("dex(cm/s2)", "Surface gravity"),
    "log_luminosity": ("dex(solLum)", "Luminosity"),
    "feh": ("dex", "[Fe/H]"),
    "alphafe": ("dex", "[alpha/Fe]: O Ne Mg Si S Ar Ca Ti together"),
    "mg_fe": ("dex", "[Mg/Fe]: the truth's own scatter about alphafe, not in the spectra"),
    "cfe": ("dex", "[C/Fe], after dredge-up"),
    "vmic": ("km/s", "Microturbulence"),
    "vsini": ("km/s", "Projected rotation velocity"),
    "ra": ("deg", "Right ascension, ICRS"),
    "dec": ("deg", "Declination, ICRS"),
    "distance_pc": ("pc", "Distance"),
    "parallax": ("mas", "Parallax"),
    "pmra": ("mas/yr", "Proper motion in right ascension times cos(dec)"),
    "pmdec": ("mas/yr", "Proper motion in declination"),
    "radial_velocity": ("km/s", "Heliocentric radial velocity"),
    "ebv": ("mag", "E(B-V)"),
    "g_mag": ("mag", "Gaia G with extinction"),
    "bp_mag": ("mag", "Gaia BP with extinction"),
    "rp_mag": ("mag", "Gaia RP with extinction"),
    "r_mag": ("mag", "r (AB) with extinction"),
    "v_mag": ("mag", "Johnson V with extinction"),
}
"""Name to (unit, description), in the order of the table."""


def spectrum_labels(
    stars: Table, names: tuple[str, ...] = ("teff", "logg", "feh", "alphafe", "vmic", "cfe")
) -> np.ndarray:
    """The labels from which a spectrum is made.

    Parameters
    ----------
    stars : Table
        Of `population.draw_stars`.
    names : tuple of str
        The order wanted.

    Returns
    -------
    ndarray, shape (n_stars, n_names), float64

    Raises
    ------
    InputError
        If a column is missing.
    """
    missing = [name for name in names if name not in stars.colnames]
    if missing:
        raise InputError(f"stars have no column {', '.join(missing)}")
    return np.stack([np.asarray(stars[name], np.float64) for name in names], axis=1)
