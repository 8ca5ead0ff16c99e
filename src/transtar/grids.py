"""Named wavelength grids: the fixed vacuum wavelengths on which networks see spectra.

Another package adds a grid of its own by `register_grid`, or by an entry point of the group ``transtar.grids``.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .errors import InputError, SettingsError
from .plugins import load_offered, offered
from .spectra import check_wave

SPEED_OF_LIGHT = 299_792.458
"""Speed of light in km/s (exact by definition of the metre)."""

MOST_VELOCITY = 3000.0
"""In km/s. The fastest stars known move at 1,000 km/s or so; what is faster than this is a galaxy, or a mistake."""

ENTRY_POINT_GROUP = "transtar.grids"

MOST_POINTS = 100_000


@dataclass(frozen=True)
class LogGrid:
    """Wavelengths spaced evenly in log10: ``log10(wave / Angstrom) = start + step * i``.

    Parameters
    ----------
    name : str
    start : float
        log10 of the first wavelength in Angstrom (vacuum).
    step : float
        Step in dex.
    size : int
        Number of pixels.
    window : (float, float), optional
        Range in Angstrom, around the grid, over which an envelope continuum is fitted; None where none makes sense.
    """

    name: str
    start: float
    step: float
    size: int
    window: tuple[float, float] | None = None

    @property
    def log_wave(self) -> np.ndarray:
        """log10 of the vacuum wavelength in Angstrom, shape (size,), float64."""
        return self.start + self.step * np.arange(self.size)

    @property
    def wave(self) -> np.ndarray:
        """Vacuum wavelength in Angstrom, shape (size,), float64."""
        return 10.0**self.log_wave


@dataclass(frozen=True, eq=False)
class WaveGrid:
    """Wavelengths one by one, in whatever steps.

    Parameters
    ----------
    name : str
    wave : ndarray, shape (size,), float64
        Vacuum wavelength in Angstrom, strictly increasing.
    window : (float, float), optional
        As of `LogGrid`.
    """

    name: str
    wave: np.ndarray
    window: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        wave = np.array(self.wave, dtype=np.float64)
        wave.setflags(write=False)
        object.__setattr__(self, "wave", wave)

    @property
    def size(self) -> int:
        """Number of pixels."""
        return len(self.wave)

    @cached_property
    def log_wave(self) -> np.ndarray:
        """log10 of the vacuum wavelength in Angstrom, shape (size,), float64."""
        return np.log10(self.wave)


Grid = LogGrid | WaveGrid

BLUE = LogGrid("blue", 3.602, 1e-4, 1462, window=(3900.0, 5700.0))
"""The 1462 bins between 4000 and 5600 A of the paper: the native LAMOST pixels 338 to 1799."""

XP = WaveGrid("xp", 10.0 * np.arange(336.0, 1021.0, 2.0))
"""The 343 points, 336 to 1020 nm in steps of 2 nm, at which the Gaia archive samples BP and RP spectra (De Angeli et al. 2023,
A&A 674, A2)."""

GRIDS: dict[str, Grid] = {grid.name: grid for grid in (BLUE, XP)}
"""The grids that transtar brings along."""

_REGISTERED: dict[str, Grid] = dict(GRIDS)


def register_grid(grid: Grid) -> Grid:
    """Make a grid known by its name for the rest of the process.

    A package that wants its grid known wherever it is installed declares an entry point instead::

        [project.entry-points."transtar.grids"]
        red = "mypackage.grid:RED"

    Parameters
    ----------
    grid : LogGrid or WaveGrid

    Returns
    -------
    LogGrid or WaveGrid
        The same.

    Raises
    ------
    SettingsError
        If another grid has that name, or its wavelengths are none in Angstrom.
    """
    if grid.name not in _REGISTERED:
        _check(grid)
    known = _REGISTERED.setdefault(grid.name, grid)
    if known is not grid and points_hash(known) != points_hash(grid):
        raise SettingsError(f"a grid named '{grid.name}' is registered already; choose another name")
    return known


def grid_names() -> list[str]:
    """Names of all grids, registered or offered by an installed package; sorted. Loads no package."""
    return sorted({*_REGISTERED, *offered(ENTRY_POINT_GROUP)})


def get_grid(name: str) -> Grid:
    """Look a grid up by name, loading the package that offers it if need be.

    Raises
    ------
    SettingsError
        If there is no grid of that name, or the package that offers it is broken.
    """
    if name in _REGISTERED:
        return _REGISTERED[name]
    grid = load_offered(ENTRY_POINT_GROUP, name, "grid", (LogGrid, WaveGrid))
    if grid is None:
        raise SettingsError(
            f"no wavelength grid '{name}'; known grids: {', '.join(grid_names())}; is the package installed that adds it?"
        )
    return register_grid(grid)


def points_hash(grid: Grid) -> str:
    """16 hexadecimal digits that change with a wavelength (by 1e-6 A) or the window of a grid."""
    window = np.array(grid.window or (0, 0), dtype=np.float64)
    return hashlib.sha256(np.round(grid.wave / 1e-6).tobytes() + window.tobytes()).hexdigest()[:16]


def _check(grid: Grid) -> None:
    where = f"grid '{grid.name}'"
    if not 10 <= grid.size <= MOST_POINTS:
        raise SettingsError(f"{where}: must have 10 to {MOST_POINTS} points, not {grid.size}")
    try:
        check_wave(grid.wave, where)
    except InputError as error:
        raise SettingsError(str(error)) from None
    if grid.window is not None and not 0 < grid.window[0] <= grid.wave[0] < grid.wave[-1] <= grid.window[1]:
        raise SettingsError(f"{where}: the window of the continuum, {grid.window}, must hold the whole grid")
