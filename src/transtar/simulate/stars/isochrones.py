"""Masses and ages to temperature, gravity and luminosity: a compact stand-in for a library of isochrones.

Published analytic fits where there are any: the zero-age main sequence of Tout et al. (1996, MNRAS 281, 257,
https://doi.org/10.1093/mnras/281.1.257, eqs. 1-4, tables 1-2), lifetimes and luminosity and radius at the end of the main
sequence and at the base of the giant branch of Hurley, Pols & Tout (2000, MNRAS 315, 543,
https://doi.org/10.1046/j.1365-8711.2000.03426.x, eqs. 4-10 and appendix). Between these points luminosity and radius are
interpolated with exponents that carry a one-solar-mass model through the present Sun. The giant branch itself is not theirs
(200 K too cool against interferometry) but a fit of our own to the Gaia FGK benchmark stars v3 (Soubiran et al. 2024, A&A
682, A145) and to giants of APOGEE DR12 (Alam et al. 2015, ApJS 219, 12; as used by Ho et al. 2017, ApJ 836, 5); the red clump
follows Girardi (2016, ARA&A 54, 95).

Left out: hooks at the end of the main sequence, the bump, asymptotic giants, pre-main-sequence stars, binaries and mass loss.
"""

from __future__ import annotations

import numpy as np

SUN_TEFF, SUN_LOGG = 5772.0, 4.438
"""Nominal solar values (IAU 2015 resolution B3)."""

SUN_Z = 0.02
"""Metal mass fraction of [M/H] = 0 in the fits of Tout et al. and Hurley et al., which are calibrated on it."""

MASS_LIMITS = (0.15, 4.0)
"""Solar masses between which stars are made."""

CLUMP_SHARE = 0.17
"""Share of a volume's giants, from the base of the giant branch up, that burn helium: 0.1 Gyr of about 0.6 Gyr."""

POOREST = -1.4
"""[M/H] below which the fits are held. With them, turn-offs would go on to 7000 K; those of halo stars and old clusters stop
near 6450 K (e.g. Ryan et al. 1999, ApJ 523, 654; Melendez et al. 2010, A&A 515, L3)."""

# Rows are polynomials in log10(Z / 0.02).
_ZAMS_L = np.array([
    [0.39704170, -0.32913574, 0.34776688, 0.37470851, 0.09011915],
    [8.52762600, -24.41225973, 56.43597107, 37.06152575, 5.45624060],
    [0.00025546, -0.00123461, -0.00023246, 0.00045519, 0.00016176],
    [5.43288900, -8.62157806, 13.44202049, 14.51584135, 3.39793084],
    [5.56357900, -10.32345224, 19.44322980, 18.97361347, 4.16903097],
    [0.78866060, -2.90870942, 6.54713531, 4.05606657, 0.53287322],
    [0.00586685, -0.01704237, 0.03872348, 0.02570041, 0.00383376],
])  # fmt: skip
_ZAMS_R = np.array([
    [1.71535900, 0.62246212, -0.92557761, -1.16996966, -0.30631491],
    [6.59778800, -0.42450044, -12.13339427, -10.73509484, -2.51487077],
    [10.08855000, -7.11727086, -31.67119479, -24.24848322, -5.33608972],
    [1.01249500, 0.32699690, -0.00923418, -0.03876858, -0.00412750],
    [0.07490166, 0.02410413, 0.07233664, 0.03040467, 0.00197741],
    [0.01077422, 0, 0, 0, 0],
    [3.08223400, 0.94472050, -2.15200882, -2.49219496, -0.63848738],
    [17.84778000, -7.45345690, -48.96066856, -40.05386135, -9.09331816],
    [0.00022582, -0.00186899, 0.00388783, 0.00142402, -0.00007671],
])  # fmt: skip
_AGE = np.array([  # a1-a5
    [1.593890e3, 2.053038e3, 1.231226e3, 2.327785e2, 0],
    [2.706708e3, 1.483131e3, 5.772723e2, 7.411230e1, 0],
    [1.466143e2, -1.048442e2, -6.795374e1, -1.391127e1, 0],
    [4.141960e-2, 4.564888e-2, 2.958542e-2, 5.571483e-3, 0],
    [3.426349e-1, 0, 0, 0, 0],
])  # fmt: skip
_END_L = np.array([  # a11', a12', a13-a16
    [1.031538, -2.434480e-1, 7.732821, 6.460705, 1.374484],
    [1.043715, -1.577474, -5.168234, -5.596506, -1.299394],
    [7.859573e2, -8.542048, -2.642511e1, -9.585707, 0],
    [3.858911e3, 2.459681e3, -7.630093e1, -3.486057e2, -4.861703e1],
    [2.888720e2, 2.952979e2, 1.850341e2, 3.797254e1, 0],
    [7.196580, 5.613746e-1, 3.805871e-1, 8.398728e-2, 0],
])  # fmt: skip
_END_R = np.array([  # a18', a19', a20-a26
    [2.187715e-1, -2.154437, -3.768678, -1.975518, -3.021475e-1],
    [1.466440, 1.839725, 6.442199, 4.023635, 6.957529e-1],
    [2.652091e1, 8.178458e1, 1.156058e2, 7.633811e1, 1.950698e1],
    [1.472103, -2.947609, -3.312828, -9.945065e-1, 0],
    [3.071048, -5.679941, -9.745523, -3.594543, 0],
    [2.617890, 1.019135, -3.292551e-2, -7.445123e-2, 0],
    [1.075567e-2, 1.773287e-2, 9.610479e-3, 1.732469e-3, 0],
    [1.476246, 1.899331, 1.195010, 3.035051e-1, 0],
    [5.502535, -6.601663e-2, 9.968707e-2, 3.599801e-2, 0],
])  # fmt: skip
_BASE_L = np.array([  # a27, a28, a29', a30-a32
    [9.511033e1, 6.819618e1, -1.045625e1, -1.474939e1, 0],
    [3.113458e1, 1.012033e1, -4.650511, -2.463185, 0],
    [1.413057, 4.578814e-1, -6.850581e-2, -5.588658e-2, 0],
    [3.910862e1, 5.196646e1, 2.264970e1, 2.873680, 0],
    [4.597479, -2.855179e-1, 2.709724e-1, 0, 0],
    [6.682518, 2.827718e-1, -7.294429e-2, 0, 0],
])  # fmt: skip


def metallicity(feh, alphafe):
    """[M/H] of an alpha-enhanced mixture (Salaris, Chieffi & Straniero 1993, ApJ 414, 580, eq. 3)."""
    return feh + np.log10(0.638 * 10.0 ** np.asarray(alphafe) + 0.362)


def _zeta(mh):
    return np.clip(mh, POOREST, np.log10(0.03 / SUN_Z))


def _rows(table: np.ndarray, zeta) -> np.ndarray:
    """Coefficients at `zeta`, shape (n_rows, ...)."""
    zeta = np.asarray(zeta, float)
    powers = np.ones((5, *zeta.shape))
    for k in range(1, 5):  # far faster than powers by exponents
        powers[k] = powers[k - 1] * zeta
    return np.tensordot(table, powers, axes=1)


def giant_branch_age(mass, mh):
    """Age in Gyr at which a star of `mass` (solar) and `mh` ([M/H]) reaches the giant branch (Hurley et al. eq. 4)."""
    a1, a2, a3, a4, a5 = _rows(_AGE, _zeta(mh))
    mass = np.asarray(mass, float)
    return (a1 + a2 * mass**4 + a3 * mass**5.5 + mass**7) / (a4 * mass**2 + a5 * mass**7) / 1e3


def giant_branch_mass(age, mh):
    """Mass in solar masses that reaches the giant branch at `age` (Gyr): `giant_branch_age` inverted by bisection.

    Between the `MASS_LIMITS`, to 1e-6 in log10 of the mass.
    """
    age, mh = np.broadcast_arrays(np.asarray(age, float), np.asarray(mh, float))
    low, high = (np.full(age.shape, np.log10(limit)) for limit in MASS_LIMITS)
    for _ in range(21):
        middle = (low + high) / 2
        younger = giant_branch_age(10**middle, mh) < age
        low, high = np.where(younger, low, middle), np.where(younger, middle, high)
    return 10 ** ((low + high) / 2)


def giant_teff(logg, feh, mass):
    """Effective temperature in K of the giant branch at `logg`.

    Least squares through 76 Gaia FGK benchmark giants (weight 1) and 1113 APOGEE DR12 giants (weight 0.2, 1.1 solar masses
    taken for all), the clump left out; they scatter about it by 85 and 92 K.
    """
    x = np.asarray(logg) - 2.5
    return 4642 + 469 * x - 93 * x**2 - 202 * feh + 3 * np.square(feh) + 44 * feh * x + 506 * np.log10(mass)


def logg_of(mass, log_luminosity, teff):
    """Surface gravity (log10 of cm/s^2) of a star of `mass` and luminosity in solar units."""
    return SUN_LOGG + np.log10(mass) + 4 * np.log10(np.asarray(teff) / SUN_TEFF) - log_luminosity


def giants(mass, log_luminosity, feh):
    """Temperature (K) and gravity of stars on the giant branch.

    Parameters
    ----------
    mass, log_luminosity, feh : ndarray of one shape
        Solar masses, log10 of solar luminosities, [Fe/H].
    """
    logg = 4.0 - np.asarray(log_luminosity)
    for _ in range(6):  # a fixed point: the temperature depends on gravity only weakly
        logg = logg_of(mass, log_luminosity, giant_teff(np.clip(logg, -0.5, 4.2), feh, mass))
    return np.maximum(giant_teff(np.clip(logg, -0.5, 4.2), feh, mass), 3200.0), logg


def base_luminosity(mass, mh):
    """log10 of the luminosity (solar) at the base of the giant branch (Hurley et al. eq. 10)."""
    a27, a28, a29, a30, a31, a32 = _rows(_BASE_L, _zeta(mh))
    top = a27 * mass**a31 + a28 * mass**9.301992
    return np.log10(top / (a29**a32 + a30 * mass**4.637345 + mass**a32))


def _zero_age(mass, zeta):
    a = _rows(_ZAMS_L, zeta)
    bottom = a[2] + mass**3 + a[3] * mass**5 + a[4] * mass**7 + a[5] * mass**8 + a[6] * mass**9.5
    r = _rows(_ZAMS_R, zeta)
    top = r[0] * mass**2.5 + r[1] * mass**6.5 + r[2] * mass**11 + r[3] * mass**19 + r[4] * mass**19.5
    under = r[5] + r[6] * mass**2 + r[7] * mass**8.5 + mass**18.5 + r[8] * mass**19.5
    return np.log10((a[0] * mass**5.5 + a[1] * mass**11) / bottom), np.log10(top / under)


def _main_sequence_end(mass, zeta):
    a11, a12, a13, a14, a15, a16 = _rows(_END_L, zeta)
    top = a14 * (a11 * mass**3 + a12 * mass**4) + a13 * mass ** (a16 + 1.8)
    log_l = np.log10(top / (a14 + a15 * mass**5 + mass**a16))
    a18, a19, a20, a21, a22, a23, a24, a25, a26 = _rows(_END_R, zeta)
    log_z = zeta + np.log10(SUN_Z)
    upper = np.maximum(0.097, np.minimum(0.1461, 0.1461 + 0.1237 * (log_z + 2)))
    a17 = 10 ** np.maximum(0.097 - 0.1072 * (log_z + 3), upper)

    def light(m):
        return a20 * (a18 + a19 * m**a21) / (a20 + m**a22)

    def heavy(m):
        return (-8.672073e-2 * m**3 + a23 * m**a26 + a24 * m ** (a26 + 1.5)) / (a25 + m**5)

    share = np.clip((mass - a17) / 0.1, 0, 1)
    radius = (1 - share) * light(np.minimum(mass, a17)) + share * heavy(np.maximum(mass, a17 + 0.1))
    return log_l, np.log10(radius)


def dwarfs(mass, age, feh, alphafe):
    """Main-sequence stars, turn-off stars and subgiants.

    Parameters
    ----------
    mass, age, feh, alphafe : ndarray that broadcast
        Solar masses, Gyr, dex; masses above `giant_branch_mass` are treated as at the base of the giant branch.

    Returns
    -------
    teff, logg, log_luminosity : ndarray
        K, log10 of cm/s^2, log10 of solar luminosities.
    """
    mh = metallicity(feh, alphafe)
    zeta = _zeta(mh)
    end = giant_branch_age(mass, mh)
    start_l, start_r = _zero_age(mass, zeta)
    stop_l, stop_r = _main_sequence_end(mass, zeta)
    # Below half a solar mass the fits cross; nothing evolves there within the age of the Universe.
    stop_l, stop_r = np.maximum(stop_l, start_l), np.maximum(stop_r, start_r)
    main = np.clip(0.95 - 0.03 * (zeta + 0.30103), 0.95, 0.99)  # Hurley et al. eq. 6
    tau = np.clip(age / (main * end), 0, 1)
    # Made to pass through the Sun (tau = 0.42), and to leave old turn-offs as hot as observed: 6200-6300 K at -1.
    log_l = start_l + (stop_l - start_l) * (0.6 * tau + 0.4 * tau**2)
    log_r = start_r + (stop_r - start_r) * (0.42 * tau + 0.58 * tau**6)
    teff = SUN_TEFF * 10 ** ((log_l - 2 * log_r) / 4)
    across = np.clip((age / end - main) / (1 - main), 0, 1)
    base_l = base_luminosity(mass, mh)
    base_teff, _ = giants(mass, base_l, feh)
    log_l = log_l + across * (base_l - log_l)
    teff = teff * (base_teff / teff) ** across
    return teff, logg_of(mass, log_l, teff), log_l


def clump(mass, feh, spread):
    """Core helium burning: the red clump, and the horizontal branch of poor stars.

    Parameters
    ----------
    mass, feh : ndarray
        Solar masses and [Fe/H].
    spread : ndarray
        Standard normal numbers: the scatter along the branch, which is wide and reaches blue below [Fe/H] = -1.

    Returns
    -------
    teff, logg, log_luminosity : ndarray
    """
    red = 4740 - 430 * np.maximum(feh, -1.2) + 200 * (np.clip(mass, 0.7, 2.2) - 1.2) + 35 * spread
    poor = np.clip(-1.0 - np.asarray(feh), 0, 1)
    teff = np.minimum(red * 10 ** (0.16 * poor * np.clip(spread, -0.3, 3) + 0.03 * poor), 10_500)
    log_l = 1.72 + 0.3 * np.clip(np.log10(mass / 1.2), -0.1, 0.25) + 0.02 * spread
    return teff, logg_of(np.maximum(mass * (1 - 0.1 * poor), 0.55), log_l, teff), log_l


def giant_luminosities(mass, mh, u):
    """log10 of luminosities along the giant branch at quantiles `u` in [0, 1), evenly in the logarithm, and their weights.

    A star climbs the branch at a speed that leaves ``dN / dlog L ~ L^-0.85`` (the slope 0.34 per magnitude of the
    luminosity functions of old clusters, e.g. Zoccali & Piotto 2000, A&A 358, 943).

    Returns
    -------
    log_luminosity, weight : ndarray
    """
    base, tip = base_luminosity(mass, mh), 3.3 + 0.08 * np.clip(mh, -2.0, 0.3)
    log_l = base + np.maximum(tip - base, 0.1) * u
    return log_l, 10 ** (-0.85 * (log_l - base))
