"""A population of stars as a survey would catch them: the truth table of a mock universe.

Component and [Fe/H] of a star are drawn first, from the survey's shares and the component's own distribution, then
abundances, age and magnitude. Mass, phase and place are drawn last, among many candidates weighted by the initial mass function,
the time spent in the phase, and the number of stars in the volume that this magnitude selects (sampling importance
resampling, Rubin 1988): so a bright sample is made of nearby dwarfs and far giants in the right proportion.
"""

from __future__ import annotations

import numpy as np
from astropy.table import Table

from ...errors import SettingsError
from .abundances import (
    FEH_LIMITS,
    MDF,
    alpha_locus,
    birth_carbon,
    carbon_depletion,
    microturbulence,
    plain_microturbulence,
    rotation,
)
from .dust import disc_reddening
from .isochrones import (
    CLUMP_SHARE,
    clump,
    dwarfs,
    giant_branch_mass,
    giant_luminosities,
    giants,
    metallicity,
)
from .photometry import COEFFICIENTS, absolute_magnitudes
from .population_settings import COMPONENTS, Population
from .sky import density, draw_positions, draw_velocities, source_ids
from .truth import COLUMNS

BLOCK = 4096
"""Stars drawn at a time; part of what a seed means."""

AGES = {"thin": (4.5, 2.5, 0.3, 10.0), "thick": (10.5, 1.2, 8.0, 13.0), "halo": (12.0, 0.8, 10.0, 13.5)}
"""Mean, sigma and limits in Gyr (Haywood et al. 2013, A&A 560, A109; Gallart et al. 2019, Nature Astronomy 3, 932)."""


def draw_stars(n: int, seed: int = 0, settings: Population | None = None) -> Table:
    """Draw the true properties of stars.

    Parameters
    ----------
    n : int
    seed : int
        One seed, one table, bit for bit.
    settings : Population, optional

    Returns
    -------
    Table
        One row a star; columns, units and descriptions as in `truth.COLUMNS`. Stars may lie outside the range of labels for
        which spectra can be made.

    Raises
    ------
    SettingsError
        If the settings cannot be met.
    """
    settings = settings or Population()
    blocks = -(-n // BLOCK)
    seeds = np.random.SeedSequence(seed).spawn(blocks)
    parts = [
        _block(min(BLOCK, n - i * BLOCK), settings, np.random.default_rng(part)) for i, part in enumerate(seeds)
    ] or [_block(0, settings, np.random.default_rng(seed))]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    table = truth_table(columns)
    table.meta = {"seed": seed}
    return table


def truth_table(columns: dict[str, np.ndarray]) -> Table:
    """The table of stars whose columns are given, all but their identifiers, with units and descriptions."""
    columns = {**columns, "source_id": source_ids(columns["ra"], columns["dec"])}
    table = Table({name: columns[name] for name in COLUMNS})
    for name, (unit, description) in COLUMNS.items():
        table[name].unit, table[name].description = unit or None, description
    return table


def _block(n: int, settings: Population, rng: np.random.Generator) -> dict[str, np.ndarray]:
    component, feh, accreted = _kinds(n, settings, rng)
    out = {"component": np.array(COMPONENTS)[component], "feh": feh}
    sequence = np.array(["low", "high", "insitu", "accreted"])[component + (accreted & (component == 2))]
    out["alphafe"] = rng.normal(0, settings.alpha_scatter, n)
    for name in np.unique(sequence):
        out["alphafe"][sequence == name] += alpha_locus(feh[sequence == name], str(name))
    out["mg_fe"] = out["alphafe"] + rng.normal(0, settings.element_scatter, n)
    mean, sigma, low, high = np.array([AGES[name] for name in COMPONENTS])[component].T
    age = mean + sigma * rng.standard_normal(n)
    out["age_gyr"] = np.where((age < low) | (age > high), rng.uniform(low, high), age)
    low, high = settings.magnitude
    slope = settings.magnitude_slope * np.log(10) * (high - low)
    u = rng.uniform(size=n)
    out["g_mag"] = low + (high - low) * (np.log1p(u * np.expm1(slope)) / slope if abs(slope) > 1e-9 else u)
    giant = rng.uniform(size=n) < np.array(settings.giants)[component]
    _place(out, component, giant, settings, rng)
    derived(out, component, settings, rng)
    return out


def _kinds(n: int, settings: Population, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Component (index), [Fe/H], and whether the star was accreted."""
    shares = np.array(settings.shares) / sum(settings.shares)
    wanted = (
        [n] if settings.poor_share is None else list(rng.multinomial(n, [settings.poor_share, 1 - settings.poor_share]))
    )
    chosen: list[list[np.ndarray]] = [[] for _ in wanted]
    for _ in range(200):
        component = rng.choice(3, max(4 * n, 64), p=shares)
        feh, first = np.empty(len(component)), np.empty(len(component), bool)
        for index, name in enumerate(COMPONENTS):
            rows = component == index
            share, mean, sigma = np.array(MDF[name]).T
            part = rng.choice(len(share), rows.sum(), p=share)
            feh[rows], first[rows] = mean[part] + sigma[part] * rng.standard_normal(rows.sum()), part == 0
        inside = (feh > FEH_LIMITS[0]) & (feh < FEH_LIMITS[1])
        for kind, keep in enumerate([inside] if len(wanted) == 1 else [inside & (feh < -1), inside & (feh >= -1)]):
            missing = wanted[kind] - sum(len(rows) for rows in chosen[kind])
            chosen[kind].append(np.stack([component, feh, first])[:, keep][:, :missing].T)
        if all(sum(len(rows) for rows in part) == number for part, number in zip(chosen, wanted, strict=True)):
            every = rng.permutation(np.concatenate([rows for part in chosen for rows in part]))
            return every[:, 0].astype(np.int64), every[:, 1], every[:, 2] > 0
    raise SettingsError(
        f"population: poor_share {settings.poor_share} cannot be had from these shares of the components"
    )


def _place(out: dict, component: np.ndarray, giant: np.ndarray, settings: Population, rng: np.random.Generator) -> None:
    """Choose mass, phase, position and distance; adds them to `out`."""
    n, k = len(component), settings.candidates
    feh, alphafe, age = (np.repeat(out[name][:, None], k, axis=1) for name in ("feh", "alphafe", "age_gyr"))
    mh = metallicity(feh, alphafe)
    turn_off = np.repeat(giant_branch_mass(out["age_gyr"], mh[:, 0])[:, None], k, axis=1)
    u, helium, spread = rng.uniform(size=(n, k)), rng.uniform(size=(n, k)) < CLUMP_SHARE, rng.standard_normal((n, k))
    mass = 0.35 + (turn_off - 0.35) * np.sqrt(u)
    teff, logg, log_l = dwarfs(mass, age, feh, alphafe)
    # Kroupa 2001, MNRAS 322, 231, over the density with which masses were drawn.
    weight = np.where(mass < 0.5, 2 * mass**-1.3, mass**-2.3) / (mass - 0.35 + 1e-3)
    weight *= teff > settings.lowest_teff
    climb_l, climb_weight = giant_luminosities(turn_off, mh, u)
    climb = (*giants(turn_off, climb_l, feh), climb_l)
    burn = clump(turn_off, feh, spread)
    total = climb_weight.mean(axis=1, keepdims=True)
    evolved = giant[:, None]
    for target, up, red in zip((teff, logg, log_l), climb, burn, strict=True):
        target[:] = np.where(evolved, np.where(helium, red, up), target)
    weight = np.where(evolved, np.where(helium, 1.0, climb_weight / total), weight)
    mass = np.where(evolved, turn_off, mass)
    phase = np.where(evolved, np.where(helium, 2, 1), 0)
    ra, dec, lon, lat = draw_positions(
        (n, k), settings.declination, settings.min_latitude, rng, settings.right_ascension
    )
    absolute = absolute_magnitudes(teff, logg, feh, log_l)["g_mag"]
    clouds = settings.extinction * rng.lognormal(0, 0.2, (n, 1))
    distance, reddening = _distances(out["g_mag"][:, None] - absolute, lat, clouds)
    for index, name in enumerate(COMPONENTS):
        rows = component == index
        weight[rows] *= density(name, distance[rows], lon[rows], lat[rows]) * distance[rows] ** 3
    ladder = np.cumsum(weight, axis=1)
    # A row without any weight keeps its last candidate.
    chosen = (ladder < rng.uniform(size=(n, 1)) * ladder[:, -1:]).sum(axis=1)[:, None].clip(0, k - 1)
    values = {"teff": teff, "logg": logg, "log_luminosity": log_l, "mass": mass, "phase": phase, "ra": ra, "dec": dec,
              "distance_pc": distance, "ebv": reddening}  # fmt: skip
    out.update({name: np.take_along_axis(value, chosen, axis=1)[:, 0] for name, value in values.items()})


def _distances(modulus: np.ndarray, latitude: np.ndarray, dust: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance in pc at which light is dimmed by `modulus` magnitudes in G, and E(B-V); Newton's method in log distance."""
    log_d = (modulus + 5) / 5
    for _ in range(6):
        dimming = COEFFICIENTS["g_mag"] * dust * disc_reddening(10**log_d, latitude)
        further = COEFFICIENTS["g_mag"] * dust * disc_reddening(10 ** (log_d + 0.01), latitude)
        excess = 5 * log_d - 5 + dimming - modulus
        log_d = log_d - np.clip(excess / (5 + (further - dimming) / 0.01), -1, 1)
    distance = 10**log_d
    return distance, dust * disc_reddening(distance, latitude)


def derived(out: dict, component: np.ndarray, settings: Population, rng: np.random.Generator) -> None:
    """Add to `out` what follows from labels, place and component (index of `COMPONENTS`): carbon, motion, magnitudes, ..."""
    n = len(component)
    teff, logg, feh = out["teff"], out["logg"], out["feh"]
    out["phase"] = np.array(["dwarf", "giant", "clump"])[out["phase"]]
    carbon = birth_carbon(feh, out["alphafe"]) + settings.carbon_scatter * rng.standard_normal(n)
    rich = (feh < -2) & (rng.uniform(size=n) < settings.carbon_rich)
    carbon += np.where(rich, 1.2 + 0.4 * rng.standard_normal(n), 0)
    # Clump stars have been to the tip of the giant branch and back, whatever gravity they have now.
    out["cfe"] = carbon + carbon_depletion(np.where(out["phase"] == "clump", np.minimum(logg, 1.6), logg), feh)
    factor = 1 + settings.vmic_scatter * np.clip(rng.standard_normal(n), -3, 3)
    # Held in the range for which spectra are known, 0.75 to 1.25 times a plain quadratic: no star is odd by this alone.
    held = plain_microturbulence(teff, logg) * np.array([[0.76], [1.24]])
    out["vmic"] = np.clip(microturbulence(teff, logg, feh) * factor, *held)
    speed = rotation(teff, logg, out["mass"], out["age_gyr"]) * np.exp(0.35 * rng.standard_normal(n))
    out["vsini"] = speed * np.sqrt(1 - rng.uniform(size=n) ** 2)  # axes point anywhere
    absolute = absolute_magnitudes(teff, logg, feh, out["log_luminosity"])
    modulus = 5 * np.log10(out["distance_pc"] / 10)
    for name, value in absolute.items():
        out[name] = value + modulus + COEFFICIENTS[name] * out["ebv"]
    out["parallax"] = 1e3 / out["distance_pc"]
    for name in ("radial_velocity", "pmra", "pmdec"):
        out[name] = np.empty(n)
    for index, name in enumerate(COMPONENTS):
        rows = component == index
        motion = draw_velocities(name, out["ra"][rows], out["dec"][rows], out["distance_pc"][rows], rng)
        for column, value in zip(("radial_velocity", "pmra", "pmdec"), motion, strict=True):
            out[column][rows] = value
