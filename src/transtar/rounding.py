"""Numbers with errors as text: both end at the second significant digit of the error."""

from __future__ import annotations

import math

UNDETERMINED, MISSING = "undetermined", "–"

MANY = 10.0
"""An error of so many times the value, and of so many thousands of the last usual digit, leaves nothing of it."""

NONE = 1e-6
"""An error of this part of the value is rounding, as between runs that are the same."""

SMALL = 1e-4
"""Below, value and error share a power of ten."""

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def rounded(value: float, error: float, digits: int = 3) -> tuple[str, str]:
    """Round a value and its error to two significant digits of the error.

    Parameters
    ----------
    value, error : float
        NaN where not known.
    digits : int
        Decimals of a value without an error. A thousand of the last one is the size of what is measured: a value is undetermined
        if its error is `MANY` times both.

    Returns
    -------
    value, error : str
        '–' for a value that is not known; '' for such an error, and for that of an undetermined value.
    """
    if not math.isfinite(value):
        return MISSING, ""
    if not math.isfinite(error):
        return _fixed(value, digits), ""
    if error > MANY * max(abs(value), 1000 * 10.0**-digits):
        return UNDETERMINED, ""
    places = digits if error <= NONE * max(abs(value), 10.0**-digits) else _places(error)
    return _fixed(value, places), _fixed(error, places)


def with_error(
    value: float, error: float, digits: int = 3, *, signed: bool = False, minus: str = "−", tex: bool = False
) -> str:
    """A value and its error as one text.

    Parameters
    ----------
    value, error, digits
        As in `rounded`.
    signed : bool
        Whether a positive value has a plus.
    minus : str
        Sign of a negative one.
    tex : bool
        Whether it is for LaTeX.

    Returns
    -------
    str
    """
    power = _power(value, error)
    first, second = rounded(value / 10.0**power, error / 10.0**power, digits)
    if first in (MISSING, UNDETERMINED):
        return "--" if tex and first == MISSING else first
    plus = "+" if signed and float(first) > 0 else ""
    both = f"{plus}{first}" + (rf" \pm {second}" if tex else f" ± {second}") * bool(second)
    if power:
        both = rf"({both}) \times 10^{{{power}}}" if tex else f"({both}) × 10{str(power).translate(_RAISED)}"
    return f"${both}$" if tex else both.replace("-", minus)


def _power(value: float, error: float) -> int:
    """Power of ten of a value and an error that are both small; 0 of others."""
    largest = max(abs(value), error)
    small = math.isfinite(value) and math.isfinite(error) and 0 < largest < SMALL
    return math.floor(math.log10(largest)) if small else 0


def _places(error: float) -> int:
    """Decimals at which an error has two significant digits; below 0 it is tens, hundreds, ..."""
    places = 1 - math.floor(math.log10(error))
    # 0.0996 is 0.10.
    return places - 1 if round(error, places) >= 10.0 ** (2 - places) * (1 - 1e-12) else places


def _fixed(value: float, places: int) -> str:
    # What rounds to zero has no sign.
    return f"{round(value, places) + 0.0:.{max(places, 0)}f}"
