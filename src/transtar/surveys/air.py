"""Air and vacuum wavelengths.

The refractive index of standard dry air is that of Ciddor (1996, Applied Optics 35, 1566,
https://doi.org/10.1364/AO.35.001566), the one SDSS uses (https://www.sdss4.org/dr17/spectro/caveats/).
"""

from __future__ import annotations

import numpy as np

MEDIA = ("vacuum", "air")


def refractive_index(wave: np.ndarray) -> np.ndarray:
    """Refractive index of standard air at vacuum wavelengths `wave` (Angstrom), from 2300 to 16900 A."""
    wavenumber_squared = (1e4 / np.asarray(wave, dtype=np.float64)) ** 2
    return 1.0 + 0.05792105 / (238.0185 - wavenumber_squared) + 0.00167917 / (57.362 - wavenumber_squared)


def vacuum_to_air(wave: np.ndarray) -> np.ndarray:
    """Convert vacuum to air wavelengths.

    Parameters
    ----------
    wave : ndarray
        Vacuum wavelength in Angstrom.

    Returns
    -------
    ndarray of the shape of `wave`, float64
        Air wavelength in Angstrom.
    """
    return np.asarray(wave, dtype=np.float64) / refractive_index(wave)


def air_to_vacuum(wave: np.ndarray) -> np.ndarray:
    """Convert air to vacuum wavelengths; the inverse of `vacuum_to_air` to rounding.

    Parameters
    ----------
    wave : ndarray
        Air wavelength in Angstrom.

    Returns
    -------
    ndarray of the shape of `wave`, float64
        Vacuum wavelength in Angstrom.
    """
    air = np.asarray(wave, dtype=np.float64)
    vacuum = air
    # The index changes by 1e-9 per Angstrom or so, hence each round gains about six digits.
    for _ in range(4):
        vacuum = air * refractive_index(vacuum)
    return vacuum
