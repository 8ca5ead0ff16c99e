"""One spectrum in a CSV, text or ECSV file.

Comma, semicolon, tab or blanks separate the columns. The first line, or the last comment line before the numbers,
names them. Comment lines (or a column, for the medium) state the rest: ``# medium: vacuum``, and optionally
``# frame: rest``, ``# id: 123``, ``# velocity: -12.5`` (km/s), ``# star: NAME``, ``# class: STAR``.
"""

from __future__ import annotations

import csv
import re

import numpy as np

from ..errors import InputError
from .generic import PIXEL_COLUMNS, SCALARS, Content, canonical

_STATED = re.compile(r"\b(medium|frame|id|velocity|star|class|subclass)\s*[:=]\s*['\"]?([^\s,;}'\"]+)", re.IGNORECASE)


def parse_text(content: bytes, where: str) -> Content:
    """Parse one spectrum from delimited text.

    Raises
    ------
    InputError
        If the text has no names for its columns, or a row has the wrong number of values or one that is no number.
    """
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise InputError(f"{where}: neither text, npz nor parquet; is --survey right?") from None
    comments = [line.lstrip("# ").strip() for line in lines if line.startswith("#")]
    rows = _split([line for line in lines if line.strip() and not line.startswith("#")])
    if not rows:
        raise InputError(f"{where}: no data rows")
    if _is_number(rows[0][0]):
        names = _split(comments[-1:])[0] if comments else []
        if len(names) != len(rows[0]):
            raise InputError(f"{where}: columns have no names; begin with a line such as 'wave,flux,ivar'")
    else:
        names, rows = rows[0], rows[1:]
    names = [canonical(name) for name in names]
    for number, row in enumerate(rows, start=1):
        if len(row) != len(names):
            raise InputError(f"{where}: data row {number} has {len(row)} values for {len(names)} columns (truncated?)")
    stated = {found[1].lower(): found[2] for comment in comments for found in _STATED.finditer(comment)}
    parsed = Content(names=names)
    for name, values in zip(names, zip(*rows, strict=True), strict=False):
        if name in PIXEL_COLUMNS:
            parsed.pixels[name] = _numbers(values, name, where)
        elif name in ("medium", "frame", "id", "velocity", "star") and len(set(values)) == 1:
            stated.setdefault(name, values[0])
    parsed.scalars = {name: stated.pop(name) for name in SCALARS if name in stated}
    if "velocity" in stated:
        stated_velocity = stated.pop("velocity")
        parsed.stars["velocity"] = _numbers([stated_velocity], "velocity", where)
    parsed.stars.update({name: np.array([value]) for name, value in stated.items()})
    return parsed


def _split(lines: list[str]) -> list[list[str]]:
    """Split lines at whichever separator the first one holds."""
    if not lines:
        return []
    for separator in (",", ";", "\t"):
        if separator in lines[0]:
            return [[value.strip() for value in row] for row in csv.reader(lines, delimiter=separator)]
    return [line.split() for line in lines]


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def _numbers(values, name: str, where: str) -> np.ndarray:
    words = {"": "nan", "true": "1", "false": "0"} if name == "mask" else {"": "nan"}
    try:
        return np.array([float(words.get(value.lower(), value)) for value in values])
    except ValueError as error:
        raise InputError(f"{where}: column {name}: {error}") from None
