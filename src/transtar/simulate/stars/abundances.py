"""Metallicities, [alpha/Fe], carbon, microturbulence and rotation of the stars of the Galaxy.

Every relation is a line or a few points read off published data; the scatter stands in `population.Population`.
"""

from __future__ import annotations

import numpy as np

MDF = {
    "thin": ((0.82, -0.04, 0.17), (0.18, -0.35, 0.18)),
    "thick": ((0.90, -0.50, 0.22), (0.10, -1.00, 0.30)),
    "halo": ((0.60, -1.25, 0.32), (0.40, -1.80, 0.50)),
}
"""Per component: (share, mean, sigma) of Gaussians in [Fe/H].

Thin disc: Casagrande et al. 2011, A&A 530, A138, with the poor tail of its outer parts (Hayden et al. 2015). Thick disc: Bensby
et al. 2014, A&A 562, A71, with a metal-weak tail (Carollo et al. 2010, ApJ 712, 692). Halo: Gaia-Enceladus, between the -1.17
(sigma 0.34) of Feuillet et al. (2020, MNRAS 497, 109) and the 0.1 to 0.3 dex less that they say others find, and the rest
(Youakim et al. 2020, MNRAS 492, 4986).
"""

FEH_LIMITS = (-4.0, 0.55)
"""No star is made outside."""

_LOCUS = {
    # Low sequence: Hayden et al. 2015, ApJ 808, 132, fig. 4; Adibekyan et al. 2012, A&A 545, A32.
    "low": ((-1.2, -0.9, -0.7, -0.5, -0.3, -0.1, 0.1, 0.3), (0.15, 0.13, 0.12, 0.10, 0.07, 0.04, 0.01, 0.00)),
    # High sequence with its knee: Bensby et al. 2014, fig. 15; Fuhrmann 2011, MNRAS 414, 2893.
    "high": ((-1.5, -0.9, -0.6, -0.4, -0.2, 0.0, 0.2), (0.33, 0.31, 0.29, 0.25, 0.19, 0.12, 0.06)),
    # Accreted halo, low alpha above its knee: Nissen & Schuster 2010, A&A 511, L10; Mackereth et al. 2019, MNRAS 482, 3426.
    "accreted": ((-2.0, -1.5, -1.2, -0.9, -0.6, -0.3), (0.36, 0.31, 0.25, 0.17, 0.10, 0.04)),
    # Halo born here: Nissen & Schuster 2010, the high-alpha stars.
    "insitu": ((-2.0, -1.0, -0.6, -0.3, 0.0), (0.36, 0.32, 0.29, 0.22, 0.12)),
}


def alpha_locus(feh, sequence: str) -> np.ndarray:
    """Mean [alpha/Fe] at `feh` on the sequence 'low', 'high', 'accreted' or 'insitu'."""
    return np.interp(feh, *_LOCUS[sequence])


def mean_alpha(feh) -> np.ndarray:
    """Mean [alpha/Fe] of the stars of the Galaxy at `feh`, both sequences together (Hayden et al. 2015, as above)."""
    return np.interp(feh, (-2.0, -1.5, -1.0, -0.6, -0.3, 0.0, 0.3), (0.36, 0.33, 0.27, 0.18, 0.09, 0.03, 0.0))


def birth_carbon(feh, alphafe) -> np.ndarray:
    """Mean [C/Fe] of unevolved stars: it follows the alpha elements at half their pace.

    -0.03 at solar, +0.12 on the high sequence at -0.6, less on the accreted one (Nissen et al. 2014, A&A 568, A25, fig. 12),
    and a rise below [Fe/H] = -2 (Yong et al. 2013, ApJ 762, 26).
    """
    feh = np.asarray(feh, float)
    bend = 0.12 * np.clip(-2.0 - feh, 0, 1) - 0.12 * np.clip(-0.8 - feh, 0, 0.6)
    return -0.03 + 0.45 * np.asarray(alphafe) - 0.05 * feh + bend


def carbon_depletion(logg, feh) -> np.ndarray:
    """Change of [C/Fe] by evolution, not positive.

    The first dredge-up takes 0.15 dex near log g 3.3 (Salaris et al. 2015, A&A 583, A87). Above the bump, near log g 2.2,
    further mixing goes on to the tip and takes 0.05 dex at solar [Fe/H], 0.6 at -2 (Gratton et al. 2000, A&A 354, 169;
    Placco et al. 2014, ApJ 797, 21, fig. 9; Shetrone et al. 2019, ApJ 872, 137).
    """
    logg, feh = np.asarray(logg, float), np.asarray(feh, float)
    dredge_up = 0.15 / (1 + np.exp((logg - 3.3) / 0.08))
    amount = np.interp(feh, (-2.5, -2.0, -1.0, -0.5, 0.0), (0.65, 0.60, 0.35, 0.15, 0.05))
    climbed = np.clip((2.2 - logg) / 1.2, 0, 1)
    return -(dredge_up + amount * climbed * (2 - climbed))


def plain_microturbulence(teff, logg) -> np.ndarray:
    """The main-sequence branch of the Gaia-ESO relation at solar [Fe/H] for all stars, in km/s; no limits."""
    x, y = np.asarray(teff, float) - 5500, np.asarray(logg, float) - 4.0
    return 1.05 + 2.51e-4 * x + 1.5e-7 * x**2 - 0.14 * y - 0.005 * y**2


def microturbulence(teff, logg, feh) -> np.ndarray:
    """Microturbulence in km/s: the relation of the Gaia-ESO survey (M. Bergemann; Jofre et al. 2014, A&A 564, A133).

    Its step of 0.2 km/s between dwarfs and giants at log g 3.5 is spread over 0.4 dex, and temperatures are held between
    3800 and 7500 K, beyond which it was not made.
    """
    logg, feh = np.asarray(logg, float), np.asarray(feh, float)
    x, y = np.clip(np.asarray(teff, float), 3800, 7500) - 5500, logg - 4.0
    common = -0.14 * y - 0.005 * y**2 + 0.05 * feh + 0.01 * feh**2
    hot = np.maximum(x, -500)  # dwarfs below 5000 K have the value at 5000 K
    dwarf = 1.05 + 2.51e-4 * hot + 1.5e-7 * hot**2 + common
    giant = 1.25 + 4.01e-4 * x + 3.1e-7 * x**2 + common
    share = np.clip((3.7 - logg) / 0.4, 0, 1)
    return dwarf + share * (giant - dwarf)


def rotation(teff, logg, mass, age) -> np.ndarray:
    """Median equatorial velocity in km/s.

    Stars below the Kraft break spin down with the square root of age from 2.0 km/s of the Sun (Skumanich 1972, ApJ 171, 565);
    above 6250 K and 1.1 solar masses they keep their spin (Kraft 1967, ApJ 150, 551; Royer et al. 2007, A&A 463, 671); giants
    turn at 2-4 km/s (de Medeiros et al. 1996, A&A 314, 499).
    """
    slow = 2.0 * np.sqrt(4.57 / np.maximum(age, 0.1))
    fast = np.interp(teff, (6250, 6500, 7000, 7500, 9000), (0, 12, 45, 90, 140))
    dwarf = slow + np.where(np.asarray(mass) > 1.1, fast, 0)
    return np.where(np.asarray(logg) < 3.5, 2.5 + 1.5 * (np.asarray(mass) > 2), dwarf)
