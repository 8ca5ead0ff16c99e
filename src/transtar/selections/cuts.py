"""One cut on one column: which rows stay, and how it reads in a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np

from ..checks import check_list, check_switch, check_text
from ..errors import InputError, SettingsError, check_keys, shown
from ..tables import Column, meaning
from ..tables.quantities import FREE
from .catalogs import SMALLEST_GAIA_ID
from .kinds import BITS

_LIMITS = {"above": (">", np.greater), "at_least": (">=", np.greater_equal),
           "below": ("<", np.less), "at_most": ("<=", np.less_equal)}  # fmt: skip
OPERATORS = (*_LIMITS, "equals", "not_equals", "finite", "true", "true_or_missing", "gaia_id", "no_bits")
"""What a cut may ask of a column: ``finite``, ``true``, ``true_or_missing`` and ``gaia_id`` take `true`."""


@dataclass(frozen=True)
class Cut:
    """One cut.

    Parameters
    ----------
    column : str
        Native name, with the HDU where there are several: ``RVTAB.RVS_WARN``.
    asks : tuple of (str, value)
        Operators of `OPERATORS`; several must all hold.
    name : str
        How the cut is called in tables; made from the rest if empty.
    source : str
        Where it comes from.
    optional : bool
        Whether a catalog without the column keeps all rows.
    """

    column: str
    asks: tuple[tuple[str, Any], ...]
    name: str = ""
    source: str = ""
    optional: bool = False

    def __str__(self) -> str:
        return self.name or "; ".join(_describe(self.column, operator, value) for operator, value in self.asks)


def parse_cut(entry: Mapping[str, Any], where: str) -> Cut:
    """Make a cut of an entry of a selection file.

    Raises
    ------
    SettingsError
        If a key is unknown, or there is no column or no operator, or a bit has an unknown name.
    """
    if not isinstance(entry, Mapping) or "column" not in entry:
        raise SettingsError(f"{where}: a cut needs a column and one of {', '.join(OPERATORS)}, not {shown(entry)}")
    check_text(entry["column"], f"{where}: column of a cut")
    check_keys(entry, ("column", "name", "source", "optional", *OPERATORS), f"{where}: cut on {entry['column']}")
    asks = tuple((key, entry[key]) for key in entry if key in OPERATORS)
    if not asks:
        raise SettingsError(f"{where}: cut on {entry['column']} says nothing of {', '.join(OPERATORS)}")
    for operator, value in asks:
        if operator == "no_bits":
            _bits(str(entry["column"]), value, where)
        elif operator in _LIMITS:
            if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
                raise SettingsError(
                    f"{where}: cut on {entry['column']}: {operator} needs a number, not '{shown(value)}'"
                )
        elif operator in ("equals", "not_equals"):
            if not isinstance(value, str | int | float) or value != value:
                raise SettingsError(
                    f"{where}: cut on {entry['column']}: {operator} needs text or a number, not '{shown(value)}'"
                )
        elif value is not True:
            # Anything else would be taken for true.
            raise SettingsError(f"{where}: cut on {entry['column']}: {operator} takes true alone, not '{shown(value)}'")
    for key in ("name", "source"):
        check_text(entry.get(key, ""), f"{where}: cut on {entry['column']}: {key}")
    check_switch(entry.get("optional", False), f"{where}: cut on {entry['column']}: optional")
    more = {key: entry[key] for key in ("name", "source", "optional") if key in entry}
    return Cut(str(entry["column"]), asks, **more)


def passes(cut: Cut, column: Column, where: str) -> np.ndarray:
    """Rows that a cut keeps.

    Parameters
    ----------
    cut : Cut
    column : Column, shape (n,)
    where : str
        File, for the message.

    Returns
    -------
    ndarray of bool, shape (n,)
        NaN and missing values pass none but ``true_or_missing`` and ``not_equals``.
    """
    if column.is_vector:
        raise InputError(
            f"{where}: column {cut.column} holds {column.values.shape[1:]} values in a row; a cut needs one"
        )
    keep = np.ones(len(column), dtype=bool)
    for operator, value in cut.asks:
        keep &= _holds(operator, value, cut, column, f"{where}: column {cut.column}")
    return keep


def _holds(operator: str, value: Any, cut: Cut, column: Column, where: str) -> np.ndarray:
    if operator in ("true", "true_or_missing"):
        return column.truths() | column.missing if operator == "true_or_missing" else column.truths()
    if operator == "gaia_id":
        return column.ids() >= SMALLEST_GAIA_ID
    if operator == "no_bits":
        mask = sum(1 << bit for bit in _bits(cut.column, value, where))
        # A row whose bits nobody knows is not known to be without them.
        return ((column.ids() & mask) == 0) & ~column.missing
    if operator in ("equals", "not_equals"):
        same = column.text() == value if isinstance(value, str) else _compare(np.equal, column, value)
        return same if operator == "equals" else ~same
    if operator == "finite":
        return np.isfinite(_numbers(column))
    return _compare(_LIMITS[operator][1], column, value)


def _compare(what: Callable[..., np.ndarray], column: Column, value: float) -> np.ndarray:
    if meaning(column.name) is None and isinstance(value, int) and abs(value) >= 2**53:
        natural = column.natural()
        if natural.dtype.kind in "iu":
            # Identifiers have neighbours of the same value in floating point.
            return what(natural, value) & ~column.missing
    with np.errstate(invalid="ignore"):
        return what(_numbers(column), value)


def _numbers(column: Column) -> np.ndarray:
    """Numbers of a column, NaN for -9999 and the like whatever it is: no cut lets through what is missing."""
    return column.numbers() if meaning(column.name) else column.numbers(FREE)


def _bits(column: str, names: Any, where: str) -> list[int]:
    # On matched rows the name of the table goes before the column's.
    known: Mapping[str, int] = BITS.get(column) or BITS.get(column.partition(".")[2], {})
    names = check_list([names] if isinstance(names, str) else names, f"{where}: bits of {column}")
    check_keys(names, known, f"{where}: bits of {column}")
    return [known[name] for name in names]


def _describe(column: str, operator: str, value: Any) -> str:
    if operator in _LIMITS:
        return f"{column} {_LIMITS[operator][0]} {value if isinstance(value, int) else format(value, 'g')}"
    if operator == "no_bits":
        return f"{column} without {value if isinstance(value, str) else ', '.join(value)}"
    endings = {
        "equals": f"= {value}",
        "not_equals": f"is not {value}",
        "finite": "known",
        "true": "is true",
        "true_or_missing": "is true or missing",
        "gaia_id": "known",
    }
    return f"{column} {endings[operator]}"
