"""Where stars are and how they move: footprints, coordinates, densities, orbits and identifiers.

Densities are those of Juric et al. (2008, ApJ 673, 864, abstract), lags and the velocity ellipsoids of the discs those of
Bensby, Feltzing & Lundstrom (2003, A&A 410, 527, table 1), the halo's ellipsoid that of Smith et al. (2009, MNRAS 399, 1223).
"""

from __future__ import annotations

import numpy as np

from ...errors import SettingsError
from .healpix import nested_index

SUN_RADIUS, SUN_HEIGHT = 8178.0, 20.8
"""Distance of the Sun from the Galactic centre (GRAVITY 2019, A&A 625, L10) and the plane (Bennett & Bovy 2019), in pc."""

CIRCULAR_SPEED = 229.0
"""km/s at the Sun (Eilers et al. 2019, ApJ 871, 120); taken as the same at all radii."""

SUN_MOTION = (11.10, 12.24, 7.25)
"""U, V, W of the Sun in km/s relative to the local standard of rest (Schonrich, Binney & Dehnen 2010, MNRAS 403, 1829)."""

ELLIPSOIDS = {"thin": (35.0, 20.0, 16.0), "thick": (67.0, 38.0, 35.0), "halo": (143.0, 82.0, 77.0)}
"""Velocity dispersions in km/s towards the centre, along the rotation, and vertically."""

LAGS = {"thin": 15.0, "thick": 46.0, "halo": 220.0}
"""km/s behind the circular speed."""

TO_GALACTIC = np.array([
    [-0.0548755604162154, -0.8734370902348850, -0.4838350155487132],
    [+0.4941094278755837, -0.4448296299600112, +0.7469822444972189],
    [-0.8676661490190047, -0.1980763734312015, +0.4559837761750669],
])  # fmt: skip
"""Rotation from ICRS to Galactic axes (The Hipparcos and Tycho Catalogues, 1997, ESA SP-1200, vol. 1, eq. 1.5.11)."""

PARSEC_SPEED = 4.740470
"""km/s of a star at 1 pc that moves 1 arcsec a year."""

ID_NSIDE = 4096
"""Of the HEALPix index in Gaia's identifiers: level 12."""


def unit_vectors(longitude, latitude) -> np.ndarray:
    """Directions, shape (..., 3), of angles in degrees."""
    lon, lat = np.radians(longitude), np.radians(latitude)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)


def angles(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Longitude in [0, 360) and latitude in degrees of `vectors`, shape (..., 3)."""
    x, y, z = np.moveaxis(vectors, -1, 0)
    return np.degrees(np.arctan2(y, x)) % 360, np.degrees(np.arctan2(z, np.hypot(x, y)))


def draw_positions(
    size: tuple[int, ...],
    declination: tuple[float, float],
    min_latitude: float,
    rng: np.random.Generator,
    right_ascension: tuple[float, float] = (0.0, 360.0),
) -> tuple[np.ndarray, ...]:
    """Draw directions evenly over a footprint.

    Parameters
    ----------
    size : tuple of int
    declination : (float, float)
        Range in degrees.
    min_latitude : float
        Smallest absolute Galactic latitude in degrees.
    rng : Generator
    right_ascension : (float, float)
        Range in degrees.

    Returns
    -------
    ra, dec, longitude, latitude : ndarray of shape `size`
        ICRS and Galactic, in degrees.

    Raises
    ------
    SettingsError
        If the footprint holds next to none of the sky.
    """
    n = int(np.prod(size))
    low, high = np.sin(np.radians(declination))
    drawn: list[np.ndarray] = []
    missing = n
    for _ in range(100):
        dec = np.degrees(np.arcsin(rng.uniform(low, high, 2 * missing)))
        vectors = unit_vectors(rng.uniform(*right_ascension, 2 * missing), dec)
        good = np.abs(vectors @ TO_GALACTIC[2]) >= np.sin(np.radians(min_latitude))
        drawn.append(vectors[good][:missing])
        missing -= len(drawn[-1])
        if not missing:
            vectors = np.concatenate(drawn).reshape(*size, 3)
            return *angles(vectors), *angles(vectors @ TO_GALACTIC.T)
    raise SettingsError("population: declination and min_latitude leave no sky")


def density(component: str, distance, longitude, latitude) -> np.ndarray:
    """Number of stars per volume relative to the Sun's place.

    Parameters
    ----------
    component : {'thin', 'thick', 'halo'}
    distance, longitude, latitude : ndarray
        In pc and degrees (Galactic).
    """
    x, y, z = np.moveaxis(np.asarray(distance)[..., None] * unit_vectors(longitude, latitude), -1, 0)
    radius, height = np.hypot(x - SUN_RADIUS, y), np.abs(z + SUN_HEIGHT)
    if component == "halo":
        return (np.sqrt(radius**2 + (height / 0.64) ** 2) / SUN_RADIUS + 0.05) ** -2.8
    scale_height, scale_length = (300.0, 2600.0) if component == "thin" else (900.0, 3600.0)
    return np.exp(-(height - SUN_HEIGHT) / scale_height - (radius - SUN_RADIUS) / scale_length)


def draw_velocities(component: str, ra, dec, distance, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Draw space velocities and turn them into what is measured.

    Parameters
    ----------
    component : {'thin', 'thick', 'halo'}
    ra, dec, distance : ndarray, shape (n,)
        Degrees and pc.
    rng : Generator

    Returns
    -------
    radial_velocity, pmra, pmdec : ndarray, shape (n,)
        Heliocentric, in km/s and mas/yr; `pmra` includes the cosine of the declination.
    """
    towards = unit_vectors(ra, dec)
    place = distance[:, None] * (towards @ TO_GALACTIC.T) - np.array([SUN_RADIUS, 0, 0])
    outwards = place * (1, 1, 0) / np.hypot(place[:, 0], place[:, 1])[:, None]
    # The Galaxy turns from the centre's far side over the Sun towards l = 90 degrees.
    forwards = np.stack([outwards[:, 1], -outwards[:, 0], np.zeros(len(place))], axis=1)
    u, v, w = rng.standard_normal((3, len(place))) * np.array(ELLIPSOIDS[component])[:, None]
    v = v + CIRCULAR_SPEED - LAGS[component]
    velocity = u[:, None] * outwards + v[:, None] * forwards + w[:, None] * np.array([0.0, 0, 1])
    velocity = (velocity - SUN_MOTION - np.array([0, CIRCULAR_SPEED, 0])) @ TO_GALACTIC
    lon, lat = np.radians(ra), np.radians(dec)
    east = np.stack([-np.sin(lon), np.cos(lon), np.zeros_like(lon)], axis=1)
    north = np.stack([-np.sin(lat) * np.cos(lon), -np.sin(lat) * np.sin(lon), np.cos(lat)], axis=1)
    radial, along, up = ((velocity * axis).sum(axis=1) for axis in (towards, east, north))
    per_year = 1e3 / (PARSEC_SPEED * distance)
    return radial, along * per_year, up * per_year


def source_ids(ra, dec) -> np.ndarray:
    """Identifiers in the manner of Gaia: level-12 HEALPix index times 2**35, plus 128 times a running number from 1.

    See https://gea.esac.esa.int/archive/documentation/GDR3/, column source_id. int64, shape (n,), all different.
    """
    return nested_index(ra, dec, ID_NSIDE) * 2**35 + 128 * np.arange(1, len(ra) + 1, dtype=np.int64)
