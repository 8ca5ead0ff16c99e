"""Right ascension and declination from text: hours or degrees as the column's unit or each row's own text says."""

from __future__ import annotations

import re

import numpy as np

from ..errors import InputError, shown

_DECIMAL = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][+-]?\d+)?")
_PACKED = re.compile(r"[+-]?0\d{5,6}(?:\.\d*)?")
_PARTS = re.compile(
    r"(?P<sign>[+-]?)\s*(?P<first>\d{1,3})\s*(?P<mark>[:hHdD°\s])\s*(?P<minute>\d{1,2})\s*(?:[:mM'′\s]\s*"
    r"(?P<second>\d{1,2}(?:\.\d*)?)?\s*(?:[s\"″]|'')?)?"
)


def to_degrees(text: np.ndarray, hours: bool, unit: str, where: str) -> np.ndarray:
    """Angles in degrees, from decimal or sexagesimal text, each row on its own.

    Parameters
    ----------
    text : ndarray of str, shape (n,)
        Empty where missing.
    hours : bool
        Whether sexagesimal text without a mark of its own (12:34:56.7, not 12h or 188d) is in hours where no unit is stated, as
        it is for right ascension.
    unit : str
        What the file states; 'deg', 'hourangle' or '' for nothing.
    where : str
        File and column, for the message.

    Returns
    -------
    ndarray, shape (n,), float64
        NaN where missing.

    Raises
    ------
    InputError
        If text is no angle, or does not fit hours.
    """
    out = np.full(len(text), np.nan)
    for row, entry in enumerate(text.tolist()):
        if entry:
            out[row] = _angle(entry, hours, unit, where)
    return out


def _angle(entry: str, hours: bool, unit: str, where: str) -> float:
    if _PACKED.fullmatch(entry):
        raise InputError(
            f"{where}: '{shown(entry, 40)}' may be hours, minutes and seconds in one number; write 12:34:56.7"
        )
    if _DECIMAL.fullmatch(entry):
        # No mark says hours: a bare number is in degrees unless the unit says otherwise.
        return float(entry.lower().replace("d", "e")) * (15 if unit == "hourangle" else 1)
    parts = _PARTS.fullmatch(entry)
    if parts is None or not (int(parts["minute"]) < 60 and float(parts["second"] or 0) <= 60):
        raise InputError(
            f"{where}: '{shown(entry, 40)}' is no angle; write degrees, or hours as 12:34:56.7 or 12h34m56.7s"
        )
    mark = parts["mark"].lower()
    in_hours = mark == "h" or (mark not in "d°" and (unit == "hourangle" or (not unit and hours)))
    size = int(parts["first"]) + int(parts["minute"]) / 60 + float(parts["second"] or 0) / 3600
    if in_hours and size > 24:
        raise InputError(
            f"{where}: '{shown(entry, 40)}' is beyond 24 hours; state the unit of the column, or write 188d44m10s"
        )
    return (-size if parts["sign"] == "-" else size) * (15 if in_hours else 1)
