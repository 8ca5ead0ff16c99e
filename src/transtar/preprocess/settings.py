"""Preprocessing: every choice between native pixels and the network, in one hashable, storable place."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from math import isfinite

from ..errors import MismatchError, SettingsError, check_keys
from ..files import content_hash
from ..grids import LogGrid, get_grid
from ..spectra import FRAMES

VERSION = 1
"""Raised whenever the same settings would give other fluxes."""

CONTINUA = {"envelope": (3900.0, 5700.0), "envelope-specclip": (3700.0, 5700.0), "none": (3900.0, 5700.0)}
"""Continuum schemes and the window in Angstrom on which each is fitted."""


_RANGES = {"median_width": (0.1, 1000.0), "degree": (1, 30), "passes": (1, 1000), "resolution": (10.0, 1e6)}
"""What makes sense, and takes no more time and memory than a spectrum is worth."""


@dataclass(frozen=True)
class Preprocessing:
    """Settings of the chain from native spectra to the wavelength grid.

    Parameters
    ----------
    grid : str
        Name of the wavelength grid.
    frame : {'rest', 'observed'}
        Frame in which the continuum is fitted and the flux is sampled; 'observed' is the paper's.
    continuum : {'envelope', 'envelope-specclip', 'none'}
        'envelope' is the upper envelope polynomial fitted over 3900-5700 A, 'envelope-specclip' the same over the public
        3700-5700 A; 'none' divides by the median flux.
    median_width : float
        Width in Angstrom, at 4800 A, of the median filter that precedes the fit.
    degree, passes : int
        Degree of the polynomial and number of passes that lift the flux to it.
    resolution : float or None
        Smooth to this resolving power; None keeps the survey's own.
    good_fraction, snr : float
        Below these a star gets LOW_GOOD_FRACTION or LOW_SNR.
    version : int
        Version of the algorithm.
    """

    grid: str = "blue"
    frame: str = "rest"
    continuum: str = "envelope"
    median_width: float = 8.0
    degree: int = 5
    passes: int = 10
    resolution: float | None = None
    good_fraction: float = 0.8
    snr: float = 10.0
    version: int = VERSION

    def __post_init__(self) -> None:
        for name in ("grid", "frame", "continuum"):
            if not isinstance(getattr(self, name), str):
                raise SettingsError(f"preprocessing: {name} must be a name, not {getattr(self, name)!r}")
        for name in ("degree", "passes", "version"):
            if type(getattr(self, name)) is not int:
                raise SettingsError(f"preprocessing: {name} must be a whole number, not {getattr(self, name)!r}")
        for name in ("median_width", "resolution", "good_fraction", "snr"):
            value = getattr(self, name)
            if value is None and name == "resolution":
                continue
            if type(value) not in (int, float) or not isfinite(value):
                raise SettingsError(f"preprocessing: {name} must be a number, not {value!r}")
            # 8 and 8.0 are one setting and must give one hash.
            object.__setattr__(self, name, float(value))
        get_grid(self.grid)
        if self.frame not in FRAMES:
            raise SettingsError(f"preprocessing: frame '{self.frame}' is none of {', '.join(FRAMES)}")
        if self.continuum not in CONTINUA:
            raise SettingsError(f"preprocessing: continuum '{self.continuum}' is none of {', '.join(CONTINUA)}")
        if self.version != VERSION:
            raise SettingsError(
                f"preprocessing: version {self.version} was made by another transtar; this one makes version {VERSION}"
            )
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise SettingsError(f"preprocessing: {name} must be between {low:g} and {high:g}, not {value:g}")
        if not 0 <= self.good_fraction <= 1:
            raise SettingsError(f"preprocessing: good_fraction must be between 0 and 1, not {self.good_fraction}")

    @property
    def wavelengths(self) -> LogGrid:
        """The wavelength grid itself."""
        return get_grid(self.grid)

    @property
    def window(self) -> tuple[float, float]:
        """First and last wavelength of the continuum fit in Angstrom."""
        return CONTINUA[self.continuum]

    @property
    def hash(self) -> str:
        """16 hexadecimal digits that change with any setting."""
        return content_hash(self.to_dict())

    def to_dict(self) -> dict:
        """Plain data, as stored with every model and prepared set."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: dict) -> Preprocessing:
        """Build from plain data.

        Raises
        ------
        SettingsError
            On an unknown key or an impossible value.
        """
        if not isinstance(content, dict):
            raise SettingsError(f"preprocessing: expected settings by name, not {content!r}")
        check_keys(content, (field.name for field in fields(cls)), "preprocessing")
        return cls(**content)


def require_same(first: Preprocessing | None, first_name: str, second: Preprocessing | None, second_name: str) -> None:
    """Refuse to go on with two different preprocessings; None is that of inputs which are no prepared spectra.

    Raises
    ------
    MismatchError
        Naming each setting that differs, and its value on both sides.
    """
    if first is None and second is None:
        return
    if first is None or second is None:
        without, name = (first_name, second_name) if first is None else (second_name, first_name)
        raise MismatchError(
            f"{without} has no preprocessing, so its inputs are no prepared spectra; {name} has one: "
            "take a model that was trained on prepared spectra"
        )
    one, other = first.to_dict(), second.to_dict()
    differing = [f"{name} is {one[name]} against {other[name]}" for name in one if one[name] != other[name]]
    if differing:
        raise MismatchError(
            f"{first_name} and {second_name} were preprocessed differently: {'; '.join(differing)}; "
            "prepare the spectra again with the settings of the model (--preprocessing MODEL)"
        )
