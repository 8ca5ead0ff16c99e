"""Stars that were born together: clusters of many masses and one composition, and wide pairs."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from astropy.table import Table, vstack

from ...errors import InputError
from .abundances import carbon_depletion
from .dust import disc_reddening
from .isochrones import CLUMP_SHARE, clump, dwarfs, giant_branch_mass, giant_luminosities, giants, metallicity
from .photometry import COEFFICIENTS, absolute_magnitudes
from .population import derived, draw_stars, truth_table
from .population_settings import COMPONENTS, Population
from .sky import PARSEC_SPEED, angles, draw_positions, draw_velocities, unit_vectors

COOLEST, HOTTEST = 4100.0, 6850.0
"""Teff in K between which members and partners lie, so that their spectra are made of the very labels in the truth."""

LEAST_LOGG = (0.7, 3.3e-3)
"""Least log g: 0.7, or 2.6 + 0.0033 (Teff - 6000) dex where that is more, for the same reason."""

CANDIDATES = 6000
"""Stars drawn for a cluster, from which its members are chosen."""

RADIUS = 3.0
"""Standard deviation of the place of members about the centre in pc, along each axis of the sky."""

DISPERSION = {"thin": 0.8, "thick": 2.0, "halo": 4.0}
"""Velocity dispersion of clusters in km/s along each axis."""

SEPARATION = (3.0, 60.0)
"""Least and greatest separation of wide pairs in arcsec, evenly in the logarithm."""

ORBIT = 0.3
"""Scatter in km/s of the velocities of the two stars of a pair."""


@dataclass(frozen=True)
class ClusterKind:
    """What the stars of a cluster share.

    Parameters
    ----------
    component : str
        Of the Galaxy, with whose stars it moves.
    feh, alphafe : float
        dex.
    age_gyr, distance_pc : float
    """

    component: str
    feh: float
    alphafe: float
    age_gyr: float
    distance_pc: float


CLUSTERS = (
    ClusterKind("halo", -2.25, 0.36, 12.8, 8000.0),
    ClusterKind("halo", -1.90, 0.34, 12.5, 9500.0),
    ClusterKind("halo", -1.55, 0.31, 12.2, 7200.0),
    ClusterKind("halo", -1.20, 0.26, 11.8, 6000.0),
    ClusterKind("thick", -0.85, 0.30, 11.5, 4800.0),
    ClusterKind("thick", -0.60, 0.28, 11.0, 4000.0),
    ClusterKind("thin", -0.35, 0.08, 7.0, 3400.0),
    ClusterKind("thin", -0.10, 0.04, 4.0, 2600.0),
    ClusterKind("thin", 0.05, 0.02, 3.0, 1900.0),
    ClusterKind("thin", 0.30, 0.00, 6.5, 2400.0),
)
"""Made up after globular and open clusters at places where a survey down to G = 19.5 sees turn-off and giants, or dwarfs."""


def draw_clusters(number: int, members: int, seed: int, population: Population) -> Table:
    """Draw the members of clusters.

    Parameters
    ----------
    number : int
        Of clusters, in the order of `CLUSTERS`, and again from the first with other places.
    members : int
        Of each.
    seed : int
    population : Population
        Its footprint and its magnitudes.

    Returns
    -------
    Table
        As from `population.draw_stars`, with ``cluster`` (str). Members share age, distance, [Fe/H], [alpha/Fe], [Mg/Fe] and dust
        without scatter, and [C/Fe] but for what evolution changes; they move together but for their dispersion.

    Raises
    ------
    InputError
        If a cluster has too few stars of these magnitudes.
    """
    parts = []
    for place in range(number):
        rng = np.random.default_rng([seed, place])
        table = _cluster(CLUSTERS[place % len(CLUSTERS)], members, population, rng)
        table["cluster"] = np.full(members, f"mock-{place + 1:02d}")
        parts.append(table)
    return vstack(parts, metadata_conflicts="silent")


def _cluster(kind: ClusterKind, members: int, population: Population, rng: np.random.Generator) -> Table:
    ra, dec, _, latitude = (
        float(x[0])
        for x in draw_positions((1,), population.declination, population.min_latitude, rng, population.right_ascension)
    )
    dust = population.extinction * disc_reddening(np.array([kind.distance_pc]), np.array([latitude]))
    out = _isochrone(kind, CANDIDATES, population, rng)
    out["ebv"] = np.full(CANDIDATES, float(dust[0]))
    chosen = np.flatnonzero(_seen(out, kind.distance_pc, population))[:members]
    if len(chosen) < members:
        raise InputError(
            f"a cluster at {kind.distance_pc:g} pc has only {len(chosen)} stars of the survey's magnitudes, not {members}"
        )
    out = {name: values[chosen] for name, values in out.items()}
    width = np.degrees(RADIUS / kind.distance_pc)
    out["ra"], out["dec"] = _beside(np.full(members, ra), np.full(members, dec), *rng.normal(0, width, (2, members)))
    component = np.full(members, COMPONENTS.index(kind.component))
    derived(out, component, _without_scatter(population), rng)
    motion = draw_velocities(kind.component, np.array([ra]), np.array([dec]), np.array([kind.distance_pc]), rng)
    _move(out, [np.full(members, float(value[0])) for value in motion], DISPERSION[kind.component], rng)
    out["component"], out["mg_fe"] = np.full(members, kind.component), out["alphafe"].copy()
    return truth_table(out)


def _isochrone(kind: ClusterKind, n: int, population: Population, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Stars of one age and composition: masses after Kroupa, and on the giant branch by the time spent there."""
    component = COMPONENTS.index(kind.component)
    feh, alphafe, age = np.full(n, kind.feh), np.full(n, kind.alphafe), np.full(n, kind.age_gyr)
    mh = metallicity(feh, alphafe)
    turn_off = giant_branch_mass(age, mh)
    mass = _masses(turn_off, rng)
    columns = [dwarfs(mass, age, feh, alphafe)]
    luminosity, weight = giant_luminosities(turn_off, mh, rng.uniform(size=n))
    drawn = rng.choice(n, n, p=weight / weight.sum())
    columns.append((*giants(turn_off, luminosity[drawn], feh), luminosity[drawn]))
    columns.append(clump(turn_off, feh, rng.standard_normal(n)))
    evolved = rng.uniform(size=n) < population.giants[component]
    phase = np.where(evolved, np.where(rng.uniform(size=n) < CLUMP_SHARE, 2, 1), 0)
    teff, logg, log_l = (np.choose(phase, [one[i] for one in columns]) for i in range(3))
    return {
        "feh": feh,
        "alphafe": alphafe,
        "age_gyr": age,
        "mass": np.where(evolved, turn_off, mass),
        "phase": phase,
        "teff": teff,
        "logg": logg,
        "log_luminosity": log_l,
        "distance_pc": np.full(n, kind.distance_pc),
    }


def _masses(turn_off: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Masses of dwarfs from 0.4 solar masses to the turn-off, after Kroupa 2001, MNRAS 322, 231, by its slope -2.3."""
    low, high = 0.4**-1.3, turn_off**-1.3
    return (low + (high - low) * rng.uniform(size=turn_off.shape)) ** (-1 / 1.3)


def _seen(out: dict[str, np.ndarray], distance, population: Population) -> np.ndarray:
    """Which stars the survey takes, and the emulator has spectra of."""
    absolute = absolute_magnitudes(out["teff"], out["logg"], out["feh"], out["log_luminosity"])["g_mag"]
    g_mag = absolute + 5 * np.log10(np.asarray(distance) / 10) + COEFFICIENTS["g_mag"] * out["ebv"]
    low, high = population.magnitude
    least = np.maximum(LEAST_LOGG[0], 2.6 + LEAST_LOGG[1] * (out["teff"] - 6000))
    warm = (out["teff"] > max(COOLEST, population.lowest_teff)) & (out["teff"] < HOTTEST)
    return (g_mag >= low) & (g_mag <= high) & warm & (out["logg"] > least) & (out["logg"] < 4.6)


def _without_scatter(population: Population) -> Population:
    return replace(population, carbon_scatter=0.0, carbon_rich=0.0)


def _beside(ra: np.ndarray, dec: np.ndarray, east: np.ndarray, north: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places a little east and north of others, in degrees; by vectors, for at the poles right ascensions mean little."""
    lon, lat = np.radians(ra), np.radians(dec)
    to_east = np.stack([-np.sin(lon), np.cos(lon), np.zeros_like(lon)], axis=1)
    to_north = np.stack([-np.sin(lat) * np.cos(lon), -np.sin(lat) * np.sin(lon), np.cos(lat)], axis=1)
    return angles(unit_vectors(ra, dec) + np.radians(east)[:, None] * to_east + np.radians(north)[:, None] * to_north)


def _move(out: dict[str, np.ndarray], motion, dispersion: float, rng: np.random.Generator) -> None:
    """Give stars a common motion (km/s, mas/yr twice), each with its own bit of it."""
    scatter = rng.normal(0, dispersion, (3, len(motion[0])))
    per_year = 1e3 / (PARSEC_SPEED * out["distance_pc"])
    out["radial_velocity"] = motion[0] + scatter[0]
    out["pmra"], out["pmdec"] = motion[1] + scatter[1] * per_year, motion[2] + scatter[2] * per_year


BLOCK = 512
"""Primaries drawn at a time."""

MOST_BLOCKS = 200

TRIES = 64
"""Masses tried for a partner."""


def draw_pairs(number: int, seed: int, population: Population) -> Table:
    """Draw wide pairs: stars of a population, each with a dwarf of the same birth beside it.

    Parameters
    ----------
    number : int
        Of pairs.
    seed : int
    population : Population

    Returns
    -------
    Table
        As from `population.draw_stars`, two rows a pair, one after the other, with ``pair`` (int64, from 1). The two share age,
        distance, dust and all abundances, but for what evolution does to carbon, and move together.

    Raises
    ------
    InputError
        If the population does not have so many stars with a partner that the survey sees.
    """
    parts: list[Table] = []
    missing = number
    for block in range(MOST_BLOCKS):
        if not missing:
            break
        rng = np.random.default_rng([seed, block])
        primaries = draw_stars(BLOCK, int(rng.integers(2**31)), population)
        table = _with_partners(primaries, population, rng)[: 2 * missing]
        missing -= len(table) // 2
        parts.append(table)
    if missing:
        raise InputError(
            f"the population has too few stars with a partner within the survey's magnitudes: {missing} pairs lack"
        )
    stars = vstack(parts, metadata_conflicts="silent")
    stars["pair"] = np.repeat(np.arange(1, number + 1), 2)
    return stars


def _with_partners(primaries: Table, population: Population, rng: np.random.Generator) -> Table:
    """Primaries and partners, one after the other; those for which no partner is seen are left out."""
    n = len(primaries)
    first = {name: np.asarray(primaries[name]) for name in primaries.colnames}
    shared = {name: np.repeat(first[name][:, None], TRIES, axis=1) for name in ("feh", "alphafe", "age_gyr", "ebv")}
    turn_off = giant_branch_mass(first["age_gyr"], metallicity(first["feh"], first["alphafe"]))
    mass = _masses(np.repeat(turn_off[:, None], TRIES, axis=1), rng)
    teff, logg, log_l = dwarfs(mass, shared["age_gyr"], shared["feh"], shared["alphafe"])
    tried = {**shared, "teff": teff, "logg": logg, "log_luminosity": log_l}
    good = _seen(tried, first["distance_pc"][:, None], population)
    place = good.argmax(axis=1)
    kept = np.flatnonzero(good.any(axis=1) & _seen(first, first["distance_pc"], population))
    out = {name: first[name][kept] for name in ("feh", "alphafe", "age_gyr", "distance_pc", "ebv")}
    for name, values in (("mass", mass), ("teff", teff), ("logg", logg), ("log_luminosity", log_l)):
        out[name] = values[np.arange(n), place][kept]
    out["phase"] = np.zeros(len(kept), np.int64)
    angle = rng.uniform(0, 2 * np.pi, len(kept))
    apart = np.exp(rng.uniform(np.log(SEPARATION[0]), np.log(SEPARATION[1]), len(kept))) / 3600
    out["ra"], out["dec"] = _beside(first["ra"][kept], first["dec"][kept], apart * np.cos(angle), apart * np.sin(angle))
    component = np.array([COMPONENTS.index(name) for name in first["component"][kept].tolist()], np.int64)
    derived(out, component, _without_scatter(population), rng)
    _move(out, [first[name][kept] for name in ("radial_velocity", "pmra", "pmdec")], ORBIT, rng)
    out["component"], out["mg_fe"] = first["component"][kept], first["mg_fe"][kept]
    out["cfe"] = _carbon(first, kept) + carbon_depletion(out["logg"], out["feh"])
    partners = truth_table(out)
    both = vstack([primaries[kept], partners], metadata_conflicts="silent")
    return both[np.arange(2 * len(kept)).reshape(2, -1).T.ravel()]


def _carbon(first: dict[str, np.ndarray], kept: np.ndarray) -> np.ndarray:
    """[C/Fe] with which the primaries were born."""
    logg = np.where(first["phase"] == "clump", np.minimum(first["logg"], 1.6), first["logg"])[kept]
    return first["cfe"][kept] - carbon_depletion(logg, first["feh"][kept])
