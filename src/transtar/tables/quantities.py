"""What numbers of a column can be: units, physical ranges, and numbers that stand for 'missing'."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType

import numpy as np

from ..errors import InputError, shown
from ..glossary import COLUMNS, LABELS
from ..grids import MOST_VELOCITY
from ..telling import tell

_SENTINELS = np.array(sorted(
    {float("9" * n + "." + "9" * m) for n in range(1, 7) for m in range(5) if 2 <= n + m <= 6}
))  # fmt: skip
"""99, 999, 9999, 99.99 and the like, with either sign, stand for 'missing' in catalogs."""

_FILLERS = (-32768.0, -2147483648.0, 2147483647.0, -9223372036854775808.0, -9.0, -8888.0, -88.0)
_HUGE = 1e19
"""Nothing in a table of stars is as large; 1e20 and 1e30 are fillers, infinity is no number."""


@dataclass(frozen=True)
class Quantity:
    """What a column of numbers holds.

    Parameters
    ----------
    name : str
    unit : str
        Ours, as astropy spells it; 'dex' for logarithms.
    usual : (float, float)
        Within it a number that looks like a sentinel (-999, 9999, 99.99) is a value; outside it is 'missing'.
    possible : (float, float)
        A number outside is no value of this quantity, whatever it looks like.
    zero : bool
        Whether zero stands for 'missing'.
    """

    name: str
    unit: str
    usual: tuple[float, float]
    possible: tuple[float, float]
    zero: bool = False


_DEX = Quantity("", "dex", (-5.9, 5.9), (-6, 6))
_OTHER = Quantity("", "", (-98, 998), (-_HUGE, _HUGE))
"""Labels in another unit, of which nothing more is known."""

QUANTITIES: Mapping[str, Quantity] = MappingProxyType({
    one.name: one
    for one in (
        Quantity("teff", "K", (500, 9998), (200, 1e6), zero=True),
        Quantity("teff_err", "K", (0, 998), (0, 1e5)),
        # The poorest star known has less than -7.
        Quantity("feh", "dex", (-8.5, 2), (-8.5, 3)),
        Quantity("m_h", "dex", (-8.5, 2), (-8.5, 3)),
        Quantity("alphafe", "dex", (-2.9, 2.9), (-3, 3)),
        Quantity("alpha_m", "dex", (-2.9, 2.9), (-3, 3)),
        # White dwarfs reach 9.5.
        Quantity("logg", "dex", (-3, 9.8), (-5, 9.8)),
        Quantity("velocity", "km/s", (-998, 998), (-MOST_VELOCITY, MOST_VELOCITY)),
        Quantity("redshift", "", (-0.9, 20), (-1, 20)),
        Quantity("ra", "deg", (0, 360), (-360, 360)),
        Quantity("dec", "deg", (-90, 90), (-90, 90)),
        # The fastest star moves by 10.4 arcsec a year.
        Quantity("pmra", "mas/yr", (-998, 998), (-20000, 20000)),
        Quantity("pmdec", "mas/yr", (-998, 998), (-20000, 20000)),
        # Spurious ones of Gaia are large and negative, too.
        Quantity("parallax", "mas", (-98, 998), (-2000, 2000)),
        Quantity("epoch", "yr", (1800, 2100), (1800, 2100), zero=True),
    )
})  # fmt: skip
"""By meaning (see `transtar.tables.column_names.meaning`); other labels are abundances if the glossary has them in dex."""


FREE = "free"
"""Stands for a number of which nothing is known but that it is one: -999, -9999, -32768 and 1e20 are missing all the same."""


def quantity(meaning: str | None) -> Quantity | None:
    """What a column of that meaning holds; None if nothing is known of it."""
    if meaning is None:
        return None
    if meaning in QUANTITIES:
        return QUANTITIES[meaning]
    label = meaning.removesuffix("_err")
    if label not in LABELS:
        return None
    unit = COLUMNS[label].unit
    if unit != "dex":
        return replace(_OTHER, name=meaning, unit=unit)
    return replace(_DEX, name=meaning) if meaning == label else Quantity(meaning, unit, (0, 9.8), (0, 90))


def clean_free(values: np.ndarray, where: str) -> np.ndarray:
    """Numbers of which nothing is known, NaN where they stand for 'missing' beyond doubt, which is told."""
    with np.errstate(invalid="ignore"):
        blank = (is_sentinel(values) & (values <= -998)) | (np.abs(values) >= _HUGE)
    if blank.any():
        tell(f"{where}: {int(blank.sum())} values count as missing; the first: {values[np.argmax(blank)]:g}")
    return np.where(blank, np.nan, values)


def clean(values: np.ndarray, what: Quantity, unit: str, where: str, *, keep: bool = False) -> np.ndarray:
    """Numbers in our unit, NaN where they stand for 'missing' or cannot be.

    Parameters
    ----------
    values : ndarray, shape (n,), float64
        As in the file; NaN where missing.
    what : Quantity
    unit : str
        As the file states it; none is ours.
    where : str
        File and column, for messages.
    keep : bool
        Whether what cannot be stays, as in a catalog that is to be judged: only what stands for 'missing' is NaN.

    Returns
    -------
    ndarray, shape (n,), float64

    Raises
    ------
    InputError
        If the unit is none of this quantity, or no value at all can be one.
    """
    scale, offset = conversion(unit, what, where)
    converted = (scale, offset) != (1, 0)
    with np.errstate(invalid="ignore", over="ignore"):
        scaled = values * scale + offset if converted else values.astype(np.float64, copy=True)
        outside = np.flatnonzero(np.isfinite(values) & ~((scaled >= what.usual[0]) & (scaled <= what.usual[1])))
        blank = ~np.isfinite(values)
        blank[outside] = is_sentinel(values[outside]) | ((values[outside] == 0) & what.zero)
        impossible = ~blank & ~((scaled >= what.possible[0]) & (scaled <= what.possible[1]))
    number, known = int(impossible.sum()), int((~blank).sum())
    if number:
        name, shown = what.name or "value", f" {what.unit}" if what.unit else ""
        limits = f"{what.possible[0]:g} and {what.possible[1]:g}{shown}"
        first = f"{values[np.argmax(impossible)]:g}"
        if number == known and number > 2 and not name.endswith("_err"):
            raise InputError(
                f"{where}: none of {known} values is a {name} between {limits}, the first is {first}; is it in another unit?"
            )
        then = "are taken as they are, though not" if keep else "count as missing, as they are not"
        tell(f"{where}: {number} of {known} values {then} between {limits}; the first: {first}")
    if converted:
        tell(f"{where}: converted from {unit} to {what.unit}")
        odd = ~blank & ~impossible & is_sentinel(values) & (np.abs(values) > 998)
        if odd.any():
            first = f"{values[np.argmax(odd)]:g}"
            tell(f"{where}: {int(odd.sum())} values look like 'missing' ({first} {unit}) and are taken as they are")
    return np.where(blank if keep else blank | impossible, np.nan, scaled)


def is_sentinel(values: np.ndarray) -> np.ndarray:
    """Numbers that stand for 'missing' in catalogs, single precision allowed for."""
    size = np.abs(values)
    place = np.clip(np.searchsorted(_SENTINELS, size * (1 - 2e-7)), 0, len(_SENTINELS) - 1)
    with np.errstate(invalid="ignore"):
        nines = np.abs(size - _SENTINELS[place]) <= 2e-7 * size
        return nines | (size >= _HUGE) | np.isin(values, _FILLERS)


def conversion(unit: str, what: Quantity, where: str) -> tuple[float, float]:
    """Factor and summand from a file's unit to ours.

    Raises
    ------
    InputError
        If the unit is no unit of this quantity.
    """
    scaling = _conversion(" ".join(unit.split()), what.unit, what.name)
    if scaling is None:
        target_unit = what.unit or "no unit"
        raise InputError(
            f"{where}: the unit '{shown(unit)}' cannot be converted to {target_unit}; correct the unit in the file, or "
            "name another column with --columns"
        )
    return scaling


# What writers of tables mean by other spellings than astropy's.
_SPELLINGS = {
    "kelvin": "K", "degk": "K", "deg k": "K", "[k]": "", "km/sec": "km/s", "kms": "km/s", "kms-1": "km/s", "km/s/": "km/s",
    "degree": "deg", "degrees": "deg", "deg.": "deg", "radian": "rad", "radians": "rad", "arcseconds": "arcsec",
    "mas/year": "mas/yr", "mas/a": "mas/yr", "mas year-1": "mas/yr", "mas/julianyear": "mas/yr", "marcsec/yr": "mas/yr",
    "milliarcsec/year": "mas/yr", '"/yr': "arcsec/yr", "arcsec/year": "arcsec/yr", "arcsec/a": "arcsec/yr",
    "marcsec": "mas", "milliarcsec": "mas", "julian years": "yr", "time[julian years]": "yr", "jyear": "yr", "year": "yr",
    "years": "yr", "h": "hourangle", "hr": "hourangle", "hour": "hourangle", "hours": "hourangle", "hms": "hourangle",
    '"h:m:s"': "hourangle", "h:m:s": "hourangle", '"d:m:s"': "deg", "d:m:s": "deg", "dms": "deg",
}  # fmt: skip
_NO_UNIT = frozenset(("", "-", "--", "---", "none", "unitless", "dimensionless", "1", "n/a", "null", "[-]", "unknown"))
_DEX_SPELLINGS = frozenset(("dex", "[sun]", "sun", "solar", "dex(1)", "[dex]", "log", "log10", "[solar]"))
_SOLAR = frozenset(("[sun]", "sun", "solar", "[solar]"))
"""Relative to the Sun: so are abundances; log g is not."""
_GRAVITY = re.compile(
    r"(?:log10|log|lg|dex)?\s*[\[(]?\s*(?:(?P<length>cm|m)\s*[./*\s]?\s*s(?:ec)?\s*(?:\*\*|\^)?\s*[({]?-?2[)}]?|cgs)\s*[\])]?"
)


@lru_cache(maxsize=1024)
def _conversion(unit: str, target_unit: str, name: str) -> tuple[float, float] | None:
    lower = unit.lower()
    if lower in _NO_UNIT:
        return 1.0, 0.0
    if target_unit == "dex":
        if lower in _DEX_SPELLINGS and not (name == "logg" and lower in _SOLAR):
            return 1.0, 0.0
        gravity = _GRAVITY.fullmatch(lower) if name.startswith("logg") else None
        if gravity is None:
            return None
        # log g in m/s2 is smaller by 2 than in cm/s2.
        return 1.0, 2.0 if gravity["length"] == "m" and not name.endswith("_err") else 0.0
    from astropy import units as u

    for dialect in (None, "cds", "vounit", "fits"):
        try:
            parsed = u.Unit(_SPELLINGS.get(lower, unit), format=dialect, parse_strict="raise")
            if isinstance(parsed, u.function.FunctionUnitBase):
                # Logarithms and magnitudes are not converted by a factor.
                return None
            return float(parsed.to(u.Unit(target_unit))), 0.0
        except (u.UnitConversionError, TypeError, ValueError):
            continue
    return None


def is_unit(text: str, what: Quantity) -> bool:
    """Whether a text is a unit of this quantity, and not something else in brackets."""
    return bool(text.strip()) and _conversion(" ".join(text.split()), what.unit, what.name) is not None
