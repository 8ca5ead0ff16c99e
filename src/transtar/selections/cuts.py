"""One cut on one column: which rows stay, and how it reads in a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from ..errors import InputError, unknown_text
from ..labels.catalogs import SMALLEST_GAIA_ID
from ..labels.kinds import BITS
from ..schema import Section, Switch, Text, fault, must, real, stands_as
from ..tables import Column, meaning
from ..tables.quantities import FREE

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


_Number = Annotated[float | None, real()]
_Same = Annotated[
    str | float,
    must(
        "text or a number",
        lambda cs: cs.union_schema([
            cs.str_schema(strict=True), cs.bool_schema(strict=True), cs.float_schema(strict=True, allow_inf_nan=False),
        ]),
    ),
]  # fmt: skip
_Bits = Annotated[
    str | list[str],
    must(
        "a name, or a list of names",
        lambda cs: cs.union_schema([name := cs.str_schema(strict=True), cs.list_schema(name)]),
    ),
]
_True = Annotated[
    bool,
    must(
        "true (leave the key out otherwise)",
        lambda cs: cs.chain_schema([cs.bool_schema(strict=True), cs.literal_schema([True])]),
        lambda made: {"const": True},
    ),
]


@dataclass(frozen=True)
class CutEntry(Section):
    """A cut as a selection file has it: a column, and what is asked of it.

    Parameters
    ----------
    column : str
        Native name, with the HDU where there are several: ``RVTAB.RVS_WARN``; of matched rows with the table: ``apogee.SNR``.
    above, at_least, below, at_most : float
        Limits.
    equals, not_equals : str or float
        The value that a row must have, or must not have.
    finite : bool
        Only rows whose value is known.
    true : bool
        Only rows where a logical is true.
    true_or_missing : bool
        Those, and rows where it is unknown.
    gaia_id : bool
        Only rows with an identifier of Gaia.
    no_bits : str or list of str
        Names of bits of a flag, none of which may be set.
    name : str
        How the cut is called in tables; made from the rest if it is not there.
    source : str
        Where the cut comes from.
    optional : bool
        Whether a catalog without the column keeps all rows.
    """

    column: Text
    above: _Number = None
    at_least: _Number = None
    below: _Number = None
    at_most: _Number = None
    equals: _Same = ""
    not_equals: _Same = ""
    finite: _True = True
    true: _True = True
    true_or_missing: _True = True
    gaia_id: _True = True
    no_bits: _Bits = ""
    name: Text = ""
    source: Text = ""
    optional: Switch = False


def _make_cut(entry: Mapping[str, Any]) -> Cut:
    asks = tuple((key, asked) for key, asked in entry.items() if key in OPERATORS)
    if not asks:
        raise fault(f"the cut on {entry['column']} says nothing of {', '.join(OPERATORS)}")
    for names in (asked for key, asked in asks if key == "no_bits"):
        known = _bits_of(entry["column"])
        if unknown := [name for name in ([names] if isinstance(names, str) else names) if name not in known]:
            raise fault(f"no_bits: {unknown_text(unknown, known, 'bit')}")
    return Cut(entry["column"], asks, **{key: entry[key] for key in ("name", "source", "optional") if key in entry})


FromFile = Annotated[Cut, stands_as(CutEntry, _make_cut)]
"""Type of a cut in a selection file."""


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
        keep &= _holds(operator, value, cut, column)
    return keep


def _holds(operator: str, value: Any, cut: Cut, column: Column) -> np.ndarray:
    if operator in ("true", "true_or_missing"):
        return column.truths() | column.missing if operator == "true_or_missing" else column.truths()
    if operator == "gaia_id":
        return column.ids() >= SMALLEST_GAIA_ID
    if operator == "no_bits":
        names = [value] if isinstance(value, str) else value
        mask = sum(1 << _bits_of(cut.column)[name] for name in names)
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


def _bits_of(column: str) -> Mapping[str, int]:
    # On matched rows the name of the table goes before the column's.
    return BITS.get(column) or BITS.get(column.partition(".")[2], {})


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
