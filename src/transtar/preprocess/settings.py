"""Preprocessing: every choice between native pixels and the network, in one hashable, storable place."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from math import isfinite
from typing import Any

from ..errors import MismatchError, SettingsError, check_keys, shown
from ..files import content_hash
from ..grids import GRIDS, XP, Grid, LogGrid, get_grid, points_hash
from ..quality import FORMER, Quality, take_thresholds
from ..spectra import FRAMES
from ..telling import tell

VERSION = 1
"""Raised whenever the same settings would give other fluxes to spectra that a model may have learnt from. Not for those that were
prepared wrongly before: gaps filled with zeros, and pixels much finer than the grid's, which were sampled and not smoothed."""

CONTINUA = ("envelope", "envelope-specclip", "none")
"""Continuum schemes."""

SPECCLIP_WINDOW = (3700.0, 5700.0)
"""In Angstrom, where 'envelope-specclip' is fitted."""

_RANGES = {"median_width": (0.1, 1000.0), "degree": (1, 30), "passes": (1, 1000), "resolution": (10.0, 1e6)}
"""What makes sense, and takes no more time and memory than a spectrum is worth."""


@dataclass(frozen=True)
class Preprocessing:
    """Settings of the steps from native spectra to the wavelength grid.

    Parameters
    ----------
    grid : str
        Name of the wavelength grid.
    frame : {'rest', 'observed'}
        Frame in which the continuum is fitted and the flux is sampled; 'observed' is the paper's.
    continuum : {'envelope', 'envelope-specclip', 'none'}
        'envelope' is the upper envelope polynomial fitted over the window of the grid, 3900-5700 A for 'blue';
        'envelope-specclip' the same over the public 3700-5700 A; 'none' divides by the median flux, which keeps the shape
        of the spectrum.
    median_width : float
        Width in Angstrom, at 4800 A, of the median filter that precedes the fit.
    degree, passes : int
        Degree of the polynomial and number of passes that lift the flux to it.
    resolution : float or None
        Smooth to this resolving power; None keeps the survey's own.
    version : int
        Version of the algorithm.
    grid_hash : str
        Filled in for a grid of another package, '' for transtar's own grids: it protects a model from spectra on a grid with
        the same name but other wavelengths.

    Examples
    --------
    >>> import transtar as ts
    >>> settings = ts.Preprocessing(frame="observed")
    >>> settings.grid, settings.frame, settings.continuum
    ('blue', 'observed', 'envelope')
    """

    grid: str = "blue"
    frame: str = "rest"
    continuum: str = "envelope"
    median_width: float = 8.0
    degree: int = 5
    passes: int = 10
    resolution: float | None = None
    version: int = VERSION
    grid_hash: str = ""

    def __post_init__(self) -> None:
        for name in ("grid", "frame", "continuum", "grid_hash"):
            if not isinstance(getattr(self, name), str):
                raise SettingsError(f"preprocessing: {name} must be a name, not {_said(getattr(self, name))}")
        for name in ("degree", "passes", "version"):
            if type(getattr(self, name)) is not int:
                raise SettingsError(f"preprocessing: {name} must be a whole number, not {_said(getattr(self, name))}")
        for name in ("median_width", "resolution"):
            value = getattr(self, name)
            if value is None and name == "resolution":
                continue
            if type(value) not in (int, float) or not isfinite(value):
                raise SettingsError(f"preprocessing: {name} must be a number, not {_said(value)}")
            # 8 and 8.0 are one setting and must give one hash.
            object.__setattr__(self, name, float(value))
        self._check_grid()
        if self.frame not in FRAMES:
            raise SettingsError(f"preprocessing: frame '{shown(self.frame)}' is not one of {', '.join(FRAMES)}")
        if self.continuum not in CONTINUA:
            raise SettingsError(
                f"preprocessing: continuum '{shown(self.continuum)}' is not one of {', '.join(CONTINUA)}"
            )
        if self.version != VERSION:
            raise SettingsError(
                f"preprocessing: version {shown(self.version)} was made by another transtar; this one makes version {VERSION}"
            )
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise SettingsError(f"preprocessing: {name} must be between {low:g} and {high:g}, not {value:g}")
        self._check_fit()

    def _check_grid(self) -> None:
        actual = "" if self.grid in GRIDS else points_hash(get_grid(self.grid))
        if self.grid_hash not in ("", actual):
            raise SettingsError(
                f"preprocessing: the grid '{self.grid}' has other wavelengths here than where these settings were made; "
                "install the version of the package that had them"
            )
        object.__setattr__(self, "grid_hash", actual)

    def _check_fit(self) -> None:
        """Refuse what makes no sense on this grid."""
        grid = self.wavelengths
        span = f"grid '{self.grid}' ({grid.wave[0]:.0f} to {grid.wave[-1]:.0f} A)"
        if self.continuum == "envelope" and grid.window is None:
            raise SettingsError(f"preprocessing: the {span} has no window for an envelope; write 'continuum: none'")
        if self.continuum == "envelope-specclip" and self.grid != "blue":
            raise SettingsError(
                f"preprocessing: continuum 'envelope-specclip' is for the grid 'blue', not the {span}; "
                f"write 'continuum: {'none' if grid.window is None else 'envelope'}'"
            )
        if self.resolution is not None and not isinstance(grid, LogGrid):
            raise SettingsError(
                f"preprocessing: resolution needs a grid even in log wavelength, which the {span} is not; leave it out"
            )

    @property
    def wavelengths(self) -> Grid:
        """The wavelength grid itself."""
        return get_grid(self.grid)

    @property
    def window(self) -> tuple[float, float]:
        """First and last wavelength of the continuum fit in Angstrom."""
        if self.continuum == "envelope-specclip":
            return SPECCLIP_WINDOW
        grid = self.wavelengths
        return grid.window or (float(grid.wave[0]), float(grid.wave[-1]))

    @property
    def hash(self) -> str:
        """16 hexadecimal digits that change with any setting."""
        # Thresholds were settings once: hashes noted in older models keep their meaning.
        return content_hash({**self.to_dict(), **FORMER})

    def to_dict(self) -> dict:
        """Plain data, as stored with every model and prepared set."""
        content = asdict(self)
        if not self.grid_hash:
            # Models and sets on transtar's own grids are stored as they always were.
            del content["grid_hash"]
        return content

    @classmethod
    def from_dict(cls, content: dict) -> Preprocessing:
        """Build from plain data.

        Raises
        ------
        SettingsError
            On an unknown key or an impossible value.
        """
        if not isinstance(content, dict):
            raise SettingsError(f"preprocessing: expected settings by name, not {_said(content)}")
        _, thresholds = take_thresholds(content)
        if thresholds:
            given = ", ".join(f"{name}: {shown(value)}" for name, value in thresholds.items())
            raise SettingsError(
                f"preprocessing: {', '.join(thresholds)} is a threshold of the run, not of the preprocessing: write "
                f"'quality: {{{given}}}' in a study, --quality on the command line, Quality in Python"
            )
        check_keys(content, (field.name for field in fields(cls)), "preprocessing")
        return cls(**content)

    @classmethod
    def from_stored(cls, content: dict, where: str = "") -> Preprocessing:
        """Build from the output of `to_dict`, also of older versions, whose settings included the thresholds of `Quality`.

        Parameters
        ----------
        content : dict
        where : str
            What the settings are of. If it is given, thresholds that differ from those of the time are told, as nobody will use
            them.

        Raises
        ------
        SettingsError
            On an unknown key or an impossible value.
        """
        if not isinstance(content, dict):
            return cls.from_dict(content)
        settings, thresholds = take_thresholds(content)
        if Quality.from_dict(FORMER | thresholds) != Quality.from_dict(FORMER) and where:
            given = " ".join(f"{name}={value:g}" for name, value in thresholds.items())
            tell(f"{where}: made with thresholds that are settings of a run now; for the same flags: --quality {given}")
        return cls.from_dict(settings)


def _said(value: Any) -> str:
    """A value as the settings have it, for messages."""
    return f"'{shown(value)}'" if isinstance(value, str) else shown(value)


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
    differing = [f"{name} is {one[name]} against {other.get(name)}" for name in one if one[name] != other.get(name)]
    if differing:
        remedy = "prepare the spectra again with the settings of the model (--preprocessing MODEL)"
        if (first.grid == XP.name) != (second.grid == XP.name):
            kinds = [
                f"{name} is for {'Gaia XP spectra' if settings.grid == XP.name else 'spectra'} on the grid '{settings.grid}'"
                for name, settings in ((first_name, first), (second_name, second))
            ]
            remedy = f"{', '.join(kinds)}: other settings do not make one of the other; give both of one kind"
        raise MismatchError(
            f"{first_name} and {second_name} were preprocessed differently: {'; '.join(differing)}; {remedy}"
        )
