"""Spectra of A and B stars for velocities: hydrogen, the strong lines of helium, magnesium and calcium, in a grey atmosphere.

Local thermodynamic equilibrium, plane-parallel, the temperature that of a grey atmosphere, pressure in hydrostatic balance,
opacity that of hydrogen, H- and free electrons. Such an atmosphere is far too simple for labels. Its lines are where they are in
stars, symmetric, and of about the right width, and that is all a velocity needs.

Sources: opacities of hydrogen and H- after Gray (2005, The Observation and Analysis of Stellar Photospheres, chapter 8) and John
(1988, A&A 193, 189), with Gaunt factors of one; quasi-static Stark profiles after Hubeny, Hummer & Lanz (1994, A&A 282, 151) with
the constants of Griem (1960, ApJ 132, 883) as in Kurucz (1970, SAO Special Report 309); levels and oscillator strengths from the
Atomic Spectra Database of NIST.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import convolve1d, gaussian_filter1d
from scipy.special import expn, wofz

HOT_NODES = (
    *((teff, logg) for teff in (7500.0, 8250.0, 9000.0, 10_000.0, 12_000.0, 15_000.0) for logg in (3.3, 4.2)),
    *((20_000.0, 4.0), (27_000.0, 4.0)),
    *((10_000.0, 8.0), (15_000.0, 8.0), (25_000.0, 8.0)),
)
"""Teff in K and log g; the last are white dwarfs."""

VSINI = 100.0
"""km/s: A and B stars turn fast."""

PLANCK, LIGHT, BOLTZMANN, ELECTRON_VOLT = 6.62607e-27, 2.99792458e10, 1.380649e-16, 1.602177e-12
THOMSON, HYDROGEN_MASS, HELIUM = 6.6524e-25, 1.6735e-24, 0.1
"""Everything in cgs; helium atoms for one of hydrogen."""

CLASSICAL = 0.026540
"""pi e^2 / (m c) in cm2 Hz."""

LOWER = 82_259.117
"""Of the Balmer lines, cm-1, fine structure weighted by the strengths of its components."""

BALMER = {
    4: (102_823.900, 0.1193, 0.01772), 5: (105_291.654, 0.04467, 0.02507), 6: (106_632.166, 0.02209, 0.0345),
    7: (107_440.450, 0.01270, 0.0458), 8: (107_965.057, 0.008036, 0.0588), 9: (108_324.725, 0.005429, 0.0737),
    10: (108_581.995, 0.003851, 0.0903),
}  # fmt: skip
"""Upper level: its energy in cm-1, oscillator strength, and Stark constant in Angstrom per unit of field."""

LINES = (
    # Element, ion, vacuum wavelength in Angstrom, log gf, lower level in eV, log of the Stark width per electron.
    ("He", 0, 4027.33, -0.371, 20.964, -4.2), ("He", 0, 4144.93, -1.196, 21.218, -4.0),
    ("He", 0, 4389.16, -0.887, 21.218, -4.2), ("He", 0, 4472.74, 0.044, 20.964, -4.4),
    ("He", 0, 4923.31, -0.443, 21.218, -4.5), ("He", 0, 5017.08, -0.820, 20.616, -5.0),
    ("Mg", 1, 4482.383, 0.749, 8.864, -4.7), ("Mg", 1, 4482.407, -0.553, 8.864, -4.7),
    ("Mg", 1, 4482.583, 0.594, 8.864, -4.7),
    ("Ca", 1, 3934.777, 0.135, 0.0, -5.6), ("Ca", 1, 3969.591, -0.180, 0.0, -5.6),
)  # fmt: skip

ATOMS = {
    # Number for one of hydrogen, mass in units of hydrogen, ionisation energies in eV, partition functions of three stages.
    "He": (HELIUM, 4.0, (24.587, 54.418), (1.0, 2.0, 1.0)),
    "Mg": (10**-4.4, 24.1, (7.646, 15.035), (1.0, 2.0, 1.0)),
    "Ca": (10**-5.66, 39.8, (6.113, 11.872), (1.2, 2.2, 1.0)),
}


def saha(temperature: np.ndarray, electrons: np.ndarray, energy: float, ratio: float) -> np.ndarray:
    """Ions over atoms: `energy` in eV, `ratio` of the partition functions."""
    return (
        2
        * ratio
        / electrons
        * (2.4146e15 * temperature**1.5)
        * np.exp(-energy * ELECTRON_VOLT / BOLTZMANN / temperature)
    )


def stages(atom: str, temperature: np.ndarray, electrons: np.ndarray) -> np.ndarray:
    """Shares of three stages of ionisation, shape (3, n_layers)."""
    _, _, (first, second), partition = ATOMS[atom]
    one = saha(temperature, electrons, first, partition[1] / partition[0])
    two = one * saha(temperature, electrons, second, partition[2] / partition[1])
    return np.stack([np.ones_like(one), one, two]) / (1 + one + two)


def gas(temperature: np.ndarray, pressure: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Electrons, neutral and all hydrogen per cm3 at a temperature (K) and gas pressure (dyn/cm2)."""
    total = pressure / BOLTZMANN / temperature
    low, high = np.full_like(total, 1e-8), np.full_like(total, 0.7)
    for _ in range(60):
        # Share of electrons among all particles, halved until it is that of the ions that it allows.
        share = np.sqrt(low * high)
        electrons = share * total
        hydrogen = (total - electrons) / (1 + HELIUM)
        ions = saha(temperature, electrons, 13.598, 0.5)
        helium = stages("He", temperature, electrons)
        freed = hydrogen * (ions / (1 + ions) + HELIUM * (helium[1] + 2 * helium[2]))
        low, high = np.where(freed > electrons, share, low), np.where(freed > electrons, high, share)
    return electrons, hydrogen / (1 + ions), hydrogen


def continuous(
    wave: np.ndarray, temperature: np.ndarray, electrons: np.ndarray, neutral: np.ndarray, protons: np.ndarray
):
    """Continuous opacity in 1/cm, shape (n_layers, n_wave); wavelengths in Angstrom."""
    frequency = LIGHT / (wave * 1e-8)
    temperature, electrons, neutral, protons = (x[:, None] for x in (temperature, electrons, neutral, protons))
    stimulated = 1 - np.exp(-PLANCK * frequency / BOLTZMANN / temperature)
    bound = np.zeros((len(temperature), len(wave)))
    for n in range(2, 9):
        edge = 13.598 * ELECTRON_VOLT / PLANCK / n**2
        level = n**2 * np.exp(-13.598 * (1 - 1 / n**2) * ELECTRON_VOLT / BOLTZMANN / temperature)
        bound += np.where(frequency > edge, 2.815e29 / n**5 / frequency**3 * level, 0)
    free = 3.692e8 * electrons * protons / np.sqrt(temperature) / frequency**3
    # H-: bound-free cross section of John (1988) in its range, and his free-free in the mean over the optical.
    micron = np.minimum(wave * 1e-4, 1.6419)
    root = np.sqrt(np.maximum(1 / micron - 1 / 1.6419, 0))
    terms = (152.519, 49.534, -118.858, 92.536, -34.194, 4.982)
    cross = 1e-18 * micron**3 * root**3 * sum(c * root**k for k, c in enumerate(terms))
    attached = (
        neutral * electrons * 1.0355e-16 * temperature**-1.5 * np.exp(0.7552 * ELECTRON_VOLT / BOLTZMANN / temperature)
    )
    return (neutral * bound + free + attached * np.maximum(cross, 0)) * stimulated + THOMSON * electrons


def stark(beta: np.ndarray) -> np.ndarray:
    """Stark profile of hydrogen at distances from the line in units of the normal field's shift, Hubeny et al. (1994)."""
    beta = np.abs(beta)
    log = np.log(np.clip(beta, 1.14, 11.4))
    inner = 0.07209481 * np.exp((-0.5758228 * log + 0.4796232) * log)
    return np.where(beta < 1.14, 0.08, np.where(beta < 11.4, inner, 3.0 * np.maximum(beta, 11.4) ** -2.5))


def line_opacity(
    wave: np.ndarray, temperature: np.ndarray, electrons: np.ndarray, neutral: np.ndarray, hydrogen: np.ndarray
):
    """Opacity of all lines in 1/cm, shape (n_layers, n_wave)."""
    heat = BOLTZMANN * temperature
    field = 1.25e-9 * electrons ** (2 / 3)
    total = np.zeros((len(temperature), len(wave)))
    second = 4 * neutral * np.exp(-LOWER * PLANCK * LIGHT / heat)
    for energy, strength, constant in BALMER.values():
        center = 1e8 / (energy - LOWER)
        unit = (field * constant)[:, None]
        profile = stark((wave - center) / unit) / unit * (center * 1e-8) ** 2 / LIGHT * 1e8
        stimulated = 1 - np.exp(-PLANCK * LIGHT / (center * 1e-8) / heat)
        total += (CLASSICAL * strength * second * stimulated)[:, None] * profile
    for atom, ion, center, gf, energy, width in LINES:
        number, mass, _, partition = ATOMS[atom]
        lower = (
            hydrogen
            * number
            * stages(atom, temperature, electrons)[ion]
            * np.exp(-energy * ELECTRON_VOLT / heat)
            / partition[ion]
        )
        doppler = np.sqrt(2 * heat / (mass * HYDROGEN_MASS) + (2e5) ** 2) / (center * 1e-8)
        offset = LIGHT / (wave * 1e-8) - LIGHT / (center * 1e-8)
        damping = (2e8 + 10.0**width * electrons) / (4 * np.pi) / doppler
        voigt = wofz(offset / doppler[:, None] + 1j * damping[:, None]).real / (np.sqrt(np.pi) * doppler[:, None])
        stimulated = 1 - np.exp(-PLANCK * LIGHT / (center * 1e-8) / heat)
        total += (CLASSICAL * 10**gf * lower * stimulated)[:, None] * voigt
    return total


def hot_spectrum(teff: float, logg: float, wave: np.ndarray, resolution: float, vsini: float = VSINI) -> np.ndarray:
    """Flux over continuum of a hot star.

    Parameters
    ----------
    teff, logg : float
        K, and log10 of cm/s2.
    wave : ndarray, shape (n_wave,)
        Vacuum wavelength in Angstrom, even in the logarithm.
    resolution : float
        lambda / FWHM.
    vsini : float
        Rotation in km/s.

    Returns
    -------
    ndarray, shape (n_wave,), float64
    """
    depth = np.logspace(-6, 2, 70)
    temperature = teff * (0.75 * (depth + 0.7104 - 0.1331 * np.exp(-3.4488 * depth))) ** 0.25
    middle = np.array([5000.0])
    pressure = np.empty_like(depth)
    opacity = np.empty_like(depth)
    value = 10**logg * depth[0] / 0.5
    for i, hot in enumerate(temperature):
        # Pressure grows by gravity over opacity per mass; that of the layer is found together with its own opacity.
        for _ in range(20):
            layer = np.array([hot]), np.array([value])
            electrons, neutral, hydrogen = gas(*layer)
            density = hydrogen * HYDROGEN_MASS * (1 + 4 * HELIUM)
            opacity[i] = (continuous(middle, layer[0], electrons, neutral, hydrogen - neutral)[0, 0] / density).item()
            if i == 0:
                value = 10**logg * depth[0] / opacity[0]
            else:
                value = pressure[i - 1] + 10**logg * (depth[i] - depth[i - 1]) * 0.5 * (
                    1 / opacity[i] + 1 / opacity[i - 1]
                )
        pressure[i] = value
    electrons, neutral, hydrogen = gas(temperature, pressure)
    density = hydrogen * HYDROGEN_MASS * (1 + 4 * HELIUM)
    smooth = continuous(wave, temperature, electrons, neutral, hydrogen - neutral)
    lines = line_opacity(wave, temperature, electrons, neutral, hydrogen)
    source = 1 / np.expm1(PLANCK * LIGHT / (wave * 1e-8) / BOLTZMANN / temperature[:, None])
    mass = np.cumsum(np.append(depth[0] / opacity[0], np.diff(depth) * 2 / (opacity[1:] + opacity[:-1])))

    def emergent(per_length: np.ndarray) -> np.ndarray:
        per_mass = per_length / density[:, None]
        optical = np.empty_like(per_mass)
        optical[0] = per_mass[0] * mass[0]
        # Opacities change by much from layer to layer: their logarithms are what is even.
        mean = np.sqrt(per_mass[1:] * per_mass[:-1])
        optical[1:] = optical[0] + np.cumsum(mean * np.diff(mass)[:, None], axis=0)
        escape = expn(3, optical)
        edges = 0.5 * (source[1:] + source[:-1])
        return (
            source[0] * (0.5 - escape[0]) + (edges * (escape[:-1] - escape[1:])).sum(axis=0) + source[-1] * escape[-1]
        )

    flux = emergent(smooth + lines) / emergent(smooth)
    step = 2.99792458e5 * np.log(wave[-1] / wave[0]) / (len(wave) - 1)
    return gaussian_filter1d(
        convolve1d(flux, rotation(vsini / step), mode="nearest"), 2.99792458e5 / resolution / 2.3548 / step
    )


def rotation(half: float) -> np.ndarray:
    """Kernel of rotation with a limb darkening of 0.6, `half` its half width in pixels; sums to one."""
    x = np.arange(-int(half) - 1, int(half) + 2) / half
    inside = np.clip(1 - x**2, 0, None)
    kernel = 2 * 0.4 * np.sqrt(inside) / np.pi + 0.3 * inside
    return kernel / kernel.sum()
