"""Luminosity and temperature to Gaia and r magnitudes.

Bolometric corrections of Andrae et al. (2018, A&A 616, A8, table 4), colours of Mucciarelli, Bellazzini & Massari (2021, A&A
653, A90, table 1), r of Riello et al. (2021, A&A 649, A3, table C.2), extinction coefficients of Casagrande & VandenBerg (2018,
MNRAS 479, L102, table 2) and, for r, of the DESI Legacy Imaging Surveys (desiutil.dust; after Schlafly & Finkbeiner 2011, ApJ
737, 103). Temperatures are held between 3500 and 8000 K.
"""

from __future__ import annotations

import numpy as np

SUN_BOLOMETRIC = 4.74
"""Absolute bolometric magnitude of the Sun (IAU 2015 resolution B2)."""

COEFFICIENTS = {"g_mag": 2.740, "bp_mag": 3.374, "rp_mag": 2.035, "r_mag": 2.165, "v_mag": 3.1}
"""A(band) / E(B-V)."""

_BC = {"hot": (6.000e-2, 6.731e-5, -6.647e-8, 2.859e-11, -7.197e-15),
       "cool": (1.749, 1.977e-3, 3.737e-7, -8.966e-11, -4.183e-14)}  # fmt: skip
_BP_RP = {"dwarf": (0.4929, 0.5092, -0.0353, 0.0192, -0.0020, -0.0395),
          "giant": (0.5323, 0.4775, -0.0344, -0.0110, -0.0020, -0.0009)}  # fmt: skip
_G_RP = {"dwarf": (0.5050, 0.6532, 0.2284, 0.0260, -0.0011, -0.0726),
         "giant": (0.5472, 0.5914, 0.2347, -0.0119, -0.0012, 0.0060)}  # fmt: skip


def _colour(teff, feh, coefficients) -> np.ndarray:
    """Solve ``5040 / Teff = b0 + b1 C + b2 C^2 + b3 [Fe/H] + b4 [Fe/H]^2 + b5 [Fe/H] C`` for the colour C."""
    b0, b1, b2, b3, b4, b5 = coefficients
    constant = b0 + b3 * feh + b4 * feh**2 - 5040 / teff
    slope = b1 + b5 * feh
    # The form of the root that stays finite as b2 goes to zero, on the branch of rising colour.
    return -2 * constant / (slope + np.sqrt(np.maximum(slope**2 - 4 * b2 * constant, 0)))


def absolute_magnitudes(teff, logg, feh, log_luminosity) -> dict[str, np.ndarray]:
    """Absolute magnitudes without extinction.

    Parameters
    ----------
    teff, logg, feh, log_luminosity : ndarray of one shape
        K, log10 of cm/s^2, dex, log10 of solar luminosities.

    Returns
    -------
    dict of str to ndarray
        g_mag, bp_mag, rp_mag (Gaia DR3, Vega), r_mag (SDSS r taken for DESI's, AB), v_mag (Johnson).
    """
    teff = np.clip(np.asarray(teff, float), 3500, 8000)
    feh = np.clip(np.asarray(feh, float), -3, 0.3)
    x = teff - 5772
    hot, cool = (np.polynomial.polynomial.polyval(x, _BC[name]) for name in ("hot", "cool"))
    g = SUN_BOLOMETRIC - 2.5 * np.asarray(log_luminosity) - np.where(teff > 4000, hot, cool)
    giant = np.asarray(logg) < 3.0
    colours = [
        np.where(giant, _colour(teff, feh, table["giant"]), _colour(teff, feh, table["dwarf"]))
        for table in (_BP_RP, _G_RP)
    ]
    bp_rp, g_rp = np.clip(colours[0], -0.1, 2.8), np.clip(colours[1], -0.05, 1.35)
    rp = g - g_rp
    r = g + 0.09837 - 0.08592 * bp_rp - 0.1907 * bp_rp**2 + 0.1701 * bp_rp**3 - 0.02263 * bp_rp**4
    v = g + 0.02704 - 0.01424 * bp_rp + 0.2156 * bp_rp**2 - 0.01426 * bp_rp**3
    return {"g_mag": g, "bp_mag": rp + bp_rp, "rp_mag": rp, "r_mag": r, "v_mag": v}
