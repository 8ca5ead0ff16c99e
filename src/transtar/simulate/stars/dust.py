"""Interstellar dust: how it reddens a spectrum, and how much of it lies in front of a star.

The curve is that of Cardelli, Clayton & Mathis (1989, ApJ 345, 245, https://doi.org/10.1086/167900) with the optical
coefficients of O'Donnell (1994, ApJ 422, 158, https://doi.org/10.1086/173713).
"""

from __future__ import annotations

import numpy as np

from ...errors import InputError

R_V = 3.1
"""A(V) / E(B-V) of the diffuse medium."""

WAVE_LIMITS = (3030.0, 33_000.0)
"""Angstrom; the optical and infrared parts of the curve."""

_A = (1.0, 0.104, -0.609, 0.701, 1.137, -1.718, -0.827, 1.647, -0.505)
_B = (0.0, 1.952, 2.908, -3.989, -7.985, 11.102, 5.491, -10.805, 3.347)


def extinction_curve(wave, r_v: float = R_V) -> np.ndarray:
    """A(lambda) / A(V).

    Parameters
    ----------
    wave : ndarray
        Vacuum wavelength in Angstrom, within `WAVE_LIMITS`.
    r_v : float

    Returns
    -------
    ndarray of the shape of `wave`, float64

    Raises
    ------
    InputError
        If a wavelength lies outside the limits.
    """
    wave = np.asarray(wave, np.float64)
    if not ((wave >= WAVE_LIMITS[0]) & (wave <= WAVE_LIMITS[1])).all():
        raise InputError(f"the extinction curve is known from {WAVE_LIMITS[0]:.0f} to {WAVE_LIMITS[1]:.0f} A only")
    x = 1e4 / wave
    y = x - 1.82
    optical = np.polynomial.polynomial.polyval(y, _A) + np.polynomial.polynomial.polyval(y, _B) / r_v
    infrared = (0.574 - 0.527 / r_v) * x**1.61
    return np.where(x >= 1.1, optical, infrared)


def disc_reddening(distance, latitude, scale_height: float = 110.0, density: float = 0.23) -> np.ndarray:
    """E(B-V) in front of a star behind an exponential sheet of dust (Parenago 1940).

    Parameters
    ----------
    distance : ndarray
        In pc.
    latitude : ndarray
        Galactic, in degrees.
    scale_height : float
        Of the dust in pc (103 pc in Li et al. 2018, arXiv:1803.10540; Marshall et al. 2006, A&A 453, 635: 100-130 pc).
    density : float
        E(B-V) per kpc in the plane; 0.7 mag/kpc in V at R_V = 3.1 (Spitzer 1978; Vergely et al. 1998, A&A 340, 543).

    Returns
    -------
    ndarray, float64
    """
    sine = np.maximum(np.abs(np.sin(np.radians(latitude))), 1e-4)
    height = np.asarray(distance, np.float64) * sine
    return density * 1e-3 * scale_height / sine * -np.expm1(-height / scale_height)
