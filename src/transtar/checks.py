"""Values of the right kind, numbers within their limits: the same checks for options, for settings and for files of a user."""

from __future__ import annotations

from math import inf
from numbers import Integral, Real
from typing import Any

from .errors import InputError, SettingsError, shown

MOST_SEED = 2**32 - 1
"""Largest seed that every generator in use takes."""

_HUGE = 1e300

MOST_EPOCHS = 1_000_000
MOST_STARS = 1_000_000_000
MOST_MOCKS = 10_000_000
MOST_WORKERS = 1024
MOST_PLANES = 1000
MOST_WIDTH = 100_000
MOST_WEIGHTS = 1_000_000_000


DESCRIPTION_FAULTS = (
    SettingsError, KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError, RuntimeError,
)  # fmt: skip
"""What taking apart a description that somebody else may have written can end in."""


def no_description(path: Any, what: str, error: BaseException) -> InputError:
    """The refusal of a file that should describe something.

    Parameters
    ----------
    path : path
    what : str
        Such as 'a model'.
    error : exception
        One of `DESCRIPTION_FAULTS`.

    Returns
    -------
    InputError
        To be raised from `error`.
    """
    why = error if isinstance(error, SettingsError) else shown(repr(error), 200)
    return InputError(f"{path}: not the description of {what} ({why})")


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
    if isinstance(value, bool) or not isinstance(value, Integral) or not low <= int(value) <= high:
        raise SettingsError(f"{what} must be {whole_text(low, high)}, not {shown(repr(value))}")
    return int(value)


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
    float
        The value.

    Raises
    ------
    SettingsError
    """
    # A whole number may be too large for a float, and nan is between no limits.
    known = isinstance(value, Real) and not isinstance(value, bool)
    good = known and bool(-_HUGE < value < _HUGE)  # type: ignore[operator]
    if not good or not low <= value <= high or (above and value == low):
        raise SettingsError(f"{what} must be {real_text(low, high, above)}, not {shown(repr(value))}")
    return float(value)


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


def check_text(value: Any, what: str) -> str:
    """Refuse what is no text.

    Raises
    ------
    SettingsError
    """
    if not isinstance(value, str):
        raise SettingsError(f"{what} must be text, not '{shown(value)}'")
    return value


def check_list(value: Any, what: str, kind: str = "a list") -> list:
    """Refuse what is no list; `kind` says of what.

    Raises
    ------
    SettingsError
    """
    if not isinstance(value, list | tuple):
        raise SettingsError(f"{what} must be {kind}, not '{shown(value)}'")
    return list(value)


def check_mapping(value: Any, what: str) -> dict:
    """Refuse what is not names with something for each.

    Raises
    ------
    SettingsError
    """
    if not isinstance(value, dict):
        raise SettingsError(f"{what} must be names and settings, not '{shown(value)}'")
    return value
