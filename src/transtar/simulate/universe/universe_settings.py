"""What a mock universe is to be: scale, seed and the settings that may be changed."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from astropy.table import Table

from ...checks import MOST_SEED, check_mapping, check_real, check_whole
from ...errors import SettingsError, check_keys, shown
from ..instruments.effects import EFFECTS, Effects
from ..mocks.line_correction import shipped_lines
from ..stars.families import draw_clusters, draw_pairs
from ..stars.population import draw_stars
from ..stars.population_settings import DESI_LIKE, LAMOST_LIKE, MILES_LIKE, Population
from .samples import Draw
from .scales import COUNTS, MOST_COUNT, Scale, get_scale, resized

Range = tuple[float, float]

SMALL_FIELD: dict[str, Range] = {"desi_right_ascension": (150.0, 160.0), "desi_declination": (30.0, 33.0)}
"""At small scale DESI looks at 26 square degrees only, so that a healpix file holds some tens of targets."""


@dataclass(frozen=True)
class UniverseSettings:
    """All that decides the content of a mock universe.

    Parameters
    ----------
    scale : Scale
        Numbers of stars.
    seed : int
        Decides stars, noise and faults.
    effects : Effects
        Of the instruments.
    resolution : bool
        Write the RESOLUTION matrices of DESI, which are four fifths of the bytes then.
    desi_right_ascension, desi_declination : (float, float)
        Where DESI's stars are, in degrees.
    xp_continuous : int
        Greatest number of Gaia XP spectra that are written as coefficients, too (which GaiaXPy must make).
    xp_lamost : bool
        Stars of LAMOST have Gaia XP spectra, too; else those of APOGEE and DESI alone.
    blanketing : float
        Factor on the smooth blanketing where spectra have no lines.
    lines : str or None
        Name of the shipped `LineCorrection` that gives the stars the lines of real ones; None leaves the synthetic ones.

    Raises
    ------
    SettingsError
        If a value cannot be used.
    """

    scale: Scale
    seed: int = 0
    effects: Effects = field(default_factory=Effects)
    resolution: bool = False
    desi_right_ascension: Range = DESI_LIKE.right_ascension
    desi_declination: Range = DESI_LIKE.declination
    xp_continuous: int = 100
    xp_lamost: bool = False
    blanketing: float = 1.0
    lines: str | None = "lamost-dr10"

    def __post_init__(self) -> None:
        check_whole(self.seed, "seed", 0, MOST_SEED)
        check_whole(self.xp_continuous, "xp_continuous", 0, MOST_COUNT)
        for name in ("resolution", "xp_lamost"):
            if not isinstance(getattr(self, name), bool):
                raise SettingsError(f"{name} must be true or false, not {getattr(self, name)}")
        check_real(self.blanketing, "blanketing", 0, 1000)
        if self.lines is not None and self.lines not in shipped_lines():
            raise SettingsError(f"lines must be null or one of {', '.join(shipped_lines())}, not {shown(self.lines)}")
        for name, least, most in (("desi_right_ascension", 0, 360), ("desi_declination", -90, 90)):
            value = getattr(self, name)
            try:
                low, high = (float(x) for x in value)
            except (TypeError, ValueError):
                raise SettingsError(f"{name} must be a range [low, high] in degrees, not {value}") from None
            if not least <= low < high <= most:
                raise SettingsError(f"{name} must be a range within {least} to {most} degrees, not {value}")
            object.__setattr__(self, name, (low, high))

    @property
    def desi(self) -> Population:
        """The population that DESI's stars are drawn from."""
        return replace(DESI_LIKE, declination=self.desi_declination, right_ascension=self.desi_right_ascension)

    def draws(self) -> dict[str, Draw]:
        """How `samples.plan` is to draw the stars of each survey."""
        populations = {"lamost": LAMOST_LIKE, "desi": self.desi, "miles": MILES_LIKE}
        return {
            name: lambda n, seed, population=population: draw_stars(n, seed, population)  # type: ignore[misc]
            for name, population in populations.items()
        }

    def related(self, seed: int) -> dict[str, Table]:
        """Stars that were born together, by role, as `samples.plan` takes them."""
        scale, out = self.scale, {}
        if scale.clusters and scale.cluster_members:
            out["cluster"] = draw_clusters(scale.clusters, scale.cluster_members, seed, self.desi)
        if scale.wide_pairs:
            out["pair"] = draw_pairs(scale.wide_pairs, seed, self.desi)
        return out

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON: settings by the names under which `universe_settings` takes them."""
        values = {name: getattr(self, name) for name in OTHER}
        return {
            "seed": self.seed,
            **{name: getattr(self.scale, name) for name in COUNTS},
            **{name: list(value) if isinstance(value, tuple) else value for name, value in values.items()},
            **{f"effects.{name}": value for name, value in asdict(self.effects).items()},
        }


OTHER = tuple(field.name for field in fields(UniverseSettings) if field.name not in ("scale", "seed", "effects"))
KNOWN = (*COUNTS, *OTHER, *(f"effects.{name}" for name in EFFECTS))
"""Every key that may be set."""


def universe_settings(scale: str = "small", seed: int = 0, changes: dict[str, Any] | None = None) -> UniverseSettings:
    """Settings of a scale, with changes.

    Parameters
    ----------
    scale : {'small', 'medium', 'paper'}
    seed : int
    changes : mapping of str to value, optional
        Keys of `KNOWN`; numbers of stars as `scales.resized` takes them.

    Returns
    -------
    UniverseSettings

    Raises
    ------
    SettingsError
        If the scale, a key or a value is not possible.
    """
    changes = check_mapping(changes or {}, "mock universe: settings")
    base = get_scale(scale)
    check_keys(changes, KNOWN, "mock universe")
    switches = {name.removeprefix("effects."): v for name, v in changes.items() if name.startswith("effects.")}
    for name, value in switches.items():
        if not isinstance(value, bool):
            raise SettingsError(f"effects.{name} must be true or false, not {value}")
    sky = SMALL_FIELD if scale == "small" else {}
    return UniverseSettings(
        scale=resized(base, {name: changes[name] for name in COUNTS if name in changes}),
        seed=seed,
        effects=Effects(**switches),
        **{**sky, **{name: changes[name] for name in OTHER if name in changes}},  # type: ignore[arg-type]
    )
