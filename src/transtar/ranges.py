"""Numbers within their limits: one check for options of the command line, for study files and for settings."""

from __future__ import annotations

from math import inf, isfinite
from typing import Any

from .errors import SettingsError, shown

MOST_SEED = 2**32 - 1
"""Largest seed that every generator in use takes."""

MOST_EPOCHS = 1_000_000
MOST_STARS = 1_000_000_000
MOST_WORKERS = 1024


def check_whole(value: Any, what: str, low: int = 1, high: int = MOST_STARS) -> int:
    """Refuse what is no whole number within limits; true, 1.0 and '1' are none.

    Parameters
    ----------
    value : object
    what : str
        What it is, for the message.
    low, high : int
        Limits, both included.

    Returns
    -------
    int
        The value.

    Raises
    ------
    SettingsError
    """
    if type(value) is not int or not low <= value <= high:
        raise SettingsError(f"{what} must be {whole_text(low, high)}, not {shown(repr(value))}")
    return value


def check_real(value: Any, what: str, low: float = -inf, high: float = inf, above: bool = False) -> float:
    """Refuse what is no finite number within limits; true, nan and '1' are none.

    Parameters
    ----------
    value : object
    what : str
        What it is, for the message.
    low, high : float
        Limits, both included.
    above : bool
        `low` itself is excluded.

    Returns
    -------
    float or int
        The value.

    Raises
    ------
    SettingsError
    """
    good = type(value) in (int, float) and abs(value) < 1e300 and isfinite(value)
    if not good or not low <= value <= high or (above and value == low):
        raise SettingsError(f"{what} must be {real_text(low, high, above)}, not {shown(repr(value))}")
    return value


def whole_text(low: int, high: int = MOST_STARS) -> str:
    """'a whole number from 1 to 9', in words for a message."""
    return f"a whole number from {low} to {high}"


def real_text(low: float = -inf, high: float = inf, above: bool = False) -> str:
    """'a number above 0', in words for a message."""
    if low == -inf and high == inf:
        return "a number"
    parts = [f"{'above' if above else 'from'} {low:g}"] if low > -inf else []
    parts += [f"up to {high:g}"] if high < inf else []
    return f"a number {' and '.join(parts)}"
