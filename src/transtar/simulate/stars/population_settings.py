"""What each survey selects from the population of stars."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import SettingsError

COMPONENTS = ("thin", "thick", "halo")
"""Of the Galaxy, in the order of all shares."""


@dataclass(frozen=True)
class Population:
    """What a survey selects, and how its stars scatter about the published relations.

    Parameters
    ----------
    magnitude : (float, float)
        Range of Gaia G.
    magnitude_slope : float
        Counts go as 10 to this times the magnitude.
    shares : (float, float, float)
        Of thin disc, thick disc and halo; scaled to a sum of 1.
    giants : (float, float, float)
        Share of stars past the base of the giant branch in each of the three.
    declination, right_ascension : (float, float)
        Ranges in degrees.
    min_latitude : float
        Smallest absolute Galactic latitude in degrees.
    poor_share : float or None
        Share of stars below [Fe/H] = -1, to have more (or fewer) of them than nature gives; None leaves nature alone.
    lowest_teff : float
        Dwarfs cooler than this are too faint or too cool for the survey's pipeline; K.
    alpha_scatter, element_scatter, carbon_scatter : float
        Standard deviation in dex of [alpha/Fe], of single elements about it, and of [C/Fe].
    carbon_rich : float
        Share of stars below [Fe/H] = -2 with [C/Fe] near 1.2 (Placco et al. 2014, ApJ 797, 21: 0.20).
    vmic_scatter : float
        Relative scatter of the microturbulence.
    extinction : float
        Factor on the dust of `dust.disc_reddening`; 0 for none.
    candidates : int
        Number of masses and places from which each star is chosen.

    Raises
    ------
    SettingsError
        If a value is out of range.
    """

    magnitude: tuple[float, float] = (11.0, 17.5)
    magnitude_slope: float = 0.15
    shares: tuple[float, float, float] = (0.70, 0.25, 0.05)
    giants: tuple[float, float, float] = (0.20, 0.20, 0.35)
    declination: tuple[float, float] = (-90.0, 90.0)
    right_ascension: tuple[float, float] = (0.0, 360.0)
    min_latitude: float = 0.0
    poor_share: float | None = None
    lowest_teff: float = 3700.0
    alpha_scatter: float = 0.03
    element_scatter: float = 0.03
    carbon_scatter: float = 0.07
    carbon_rich: float = 0.15
    vmic_scatter: float = 0.05
    extinction: float = 1.0
    candidates: int = 24

    def __post_init__(self) -> None:
        for name in ("magnitude", "declination", "right_ascension"):
            low, high = getattr(self, name)
            if not low < high:
                raise SettingsError(f"population: {name} must be a range (low, high), not ({low}, {high})")
        for name in ("shares", "giants"):
            values = getattr(self, name)
            if len(values) != 3 or min(values) < 0 or sum(values) <= 0 or (name == "giants" and max(values) > 1):
                raise SettingsError(f"population: {name} must be three shares (thin, thick, halo), not {values}")
        if self.poor_share is not None and not 0 <= self.poor_share <= 1:
            raise SettingsError(f"population: poor_share must be from 0 to 1 or null, not {self.poor_share}")
        if self.candidates < 1:
            raise SettingsError(f"population: candidates must be at least 1, not {self.candidates}")


LAMOST_LIKE = Population(
    magnitude=(10.0, 17.0),
    shares=(0.68, 0.26, 0.06),
    giants=(0.18, 0.22, 0.45),
    declination=(-10, 60),
    lowest_teff=3900,
)
"""Zhao et al. 2012, RAA 12, 723; Yan et al. 2022, The Innovation 3, 100224."""

DESI_LIKE = Population(
    magnitude=(15.5, 19.5), magnitude_slope=0.10, shares=(0.42, 0.40, 0.18), giants=(0.05, 0.08, 0.20),
    declination=(-20, 85), min_latitude=20.0, lowest_teff=3900,
)  # fmt: skip
"""The Milky Way Survey: Cooper et al. 2023, ApJ 947, 37."""

MILES_LIKE = Population(
    magnitude=(2.5, 10.5), magnitude_slope=0.2, shares=(0.62, 0.25, 0.13), giants=(0.45, 0.45, 0.55), poor_share=0.22,
    declination=(-30, 90), lowest_teff=3700,
)  # fmt: skip
"""A library: bright stars chosen to cover the labels (Sanchez-Blazquez et al. 2006, MNRAS 371, 703)."""
