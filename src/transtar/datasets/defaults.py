"""What a survey is prepared with unless told otherwise, whether that fits, and what is said of refused velocities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import SettingsError
from ..grids import MOST_VELOCITY, Grid, get_grid
from ..preprocess import Preprocessing
from ..quality import Quality, take_thresholds
from ..surveys import Stated, Survey, get_survey
from ..telling import tell
from .velocity_source import MEASURE


def default_settings(survey: Survey | str, changes: Mapping[str, Any] | None = None) -> Preprocessing:
    """The preprocessing of a survey where nobody wants another: the defaults, with what the survey itself names.

    Parameters
    ----------
    survey : Survey or str
    changes : mapping of str to value, optional
        Settings that go before the survey's.

    Returns
    -------
    Preprocessing

    Raises
    ------
    SettingsError
        On an unknown key or an impossible value.
    """
    settings, _ = take_thresholds(get_survey(survey).preprocessing)
    return Preprocessing.from_dict({**settings, **(changes or {})})


def default_quality(survey: Survey | str) -> Quality:
    """The thresholds of a survey where nobody wants others: the defaults, but for those among its own settings."""
    return Quality.from_dict(take_thresholds(get_survey(survey).preprocessing)[1])


def require_fit(survey: Survey, settings: Preprocessing) -> None:
    """Refuse, before anything is read, spectra that are known to be too coarse for a grid.

    Raises
    ------
    SettingsError
        If the survey is prepared on a grid of its own, whose points are much further apart than those of the one asked for.
    """
    if "grid" not in survey.preprocessing:
        return
    survey_grid, wanted = get_grid(default_settings(survey).grid), settings.wavelengths
    points, needed = (_points_within(one, other) for one, other in ((survey_grid, wanted), (wanted, survey_grid)))
    if points < needed / 4:
        raise SettingsError(
            f"{survey.name}: its spectra are too coarse for the grid '{wanted.name}' ({points} points for {needed}); "
            f"they are prepared on the grid '{survey_grid.name}', without --preprocessing, and need models that learnt on that"
        )


def require_moving(stated: Stated, velocities: Any) -> None:
    """Refuse velocities for spectra that are said to be at rest: one of the two is a mistake.

    Raises
    ------
    SettingsError
    """
    if stated.frame == "rest" and velocities is not None:
        raise SettingsError(
            "frame 'rest' says that the wavelengths are at rest already, so that velocities do not apply; leave out --frame "
            "(they are then observed ones) or --velocities"
        )


def _points_within(grid: Grid, other: Grid) -> int:
    return int(np.count_nonzero((grid.wave >= other.wave[0]) & (grid.wave <= other.wave[-1])))


def fast_line(n: int) -> list[str]:
    """What is to be said of so many spectra whose velocities are refused, in one line or none."""
    if not n:
        return []
    return [
        f"velocities: {n} spectra have one beyond {MOST_VELOCITY:g} km/s, which no star of the Galaxy has; it counts as "
        "unknown (flag NO_VELOCITY)"
    ]


def tell_no_velocities(
    survey: Survey, flags: Mapping[str, int], n: int, velocities: str | None, in_memory: bool = False
) -> None:
    """Tell what to do where none of `n` spectra has a velocity, by the counts of flags and what was said of velocities.

    Of spectra `in_memory` it is said as Python has it, otherwise as the command line has it.
    """
    if n and flags.get("NO_VELOCITY", 0) == n:
        if in_memory:
            measured = "" if velocities == MEASURE else ", or have them measured: velocities='measure'"
            tell(
                f"no spectrum has a velocity, which the rest frame needs: give velocity=[...]{measured}; "
                "if the wavelengths are at rest, frame='rest'"
            )
            return
        rest = "; if the wavelengths are at rest, say --frame rest" if survey.read_stated is not None else ""
        measured = "" if velocities == MEASURE else ", or have them measured: --velocities measure"
        tell(f"no spectrum has a velocity, which the rest frame needs: give --velocities FILE:COLUMN{measured}{rest}")
