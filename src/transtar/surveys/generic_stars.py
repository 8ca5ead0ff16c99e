"""What a file says of its stars: identifier, name, velocity, class, and columns that mean nothing here."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ..errors import InputError, shown
from ..tables.ids import NO_ID, to_int64
from ..telling import tell
from .generic_content import Content


def find_stars(
    content: Content, roles: dict[str, str], n: int, path: Path, frame: str, chosen: bool = False
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Columns of the stars, file and velocity among them, and the identifiers.

    What is called an identifier and is a name is the star's, if it has no other, unless the user has `chosen` it.
    """
    meta: dict[str, np.ndarray] = {}
    ids = np.full(n, NO_ID, dtype=np.int64)
    velocity = np.full(n, 0.0 if frame == "rest" else np.nan)
    named: np.ndarray | None = None
    for name, column in content.columns.items():
        what = next((role for role, given in roles.items() if given == name), None)
        if not content.vectors:
            if what not in ("id", "velocity", "star", "class", "subclass"):
                continue
            # One value for all pixels; more of them are those of several spectra.
            if len(set(column.text().tolist())) > 1:
                raise InputError(
                    f"{content.where}: column {name} differs from row to row: several spectra below each other; write one file "
                    "per spectrum, or one row per spectrum in parquet, npz or FITS"
                )
            column = column.take(np.arange(1))
        if len(column) != n:
            if not column.is_vector and what in ("id", "velocity", "star", "class", "subclass"):
                raise InputError(f"{content.where}: {name} has {len(column)} values for {n} spectra")
            continue
        if column.is_vector:
            continue
        if what == "id" and column.is_text and not chosen and any(map(_is_name, column.text().tolist())):
            named = column.text()
        elif what == "id":
            ids = column.ids()
        elif what == "velocity":
            given = column.numbers("velocity")
            velocity = given if frame == "observed" else np.where(np.isnan(given), velocity, given)
        elif what in (None, "star", "class", "subclass"):
            meta[what or name] = column.text() if what else column.natural()
    for what in ("star", "class", "subclass"):
        if what not in meta and content.said(what):
            meta[what] = np.full(n, content.said(what))
    for what in ("ra", "dec"):
        if what not in meta and content.said(what):
            number = _number(content.said(what), what, content.where)
            meta[what] = np.full(n, number)
    if content.said("id") and "id" not in roles and not chosen and _is_name(content.said("id")):
        named = np.full(n, content.said("id"))
    elif content.said("id") and "id" not in roles:
        ids = np.repeat(to_int64(np.array([content.said("id")]), f"{content.where}: id", unsigned=True), n)
    if content.said("velocity") and "velocity" not in roles:
        velocity = np.full(n, _velocity(content.said("velocity"), content.where))
    if named is not None:
        if "star" not in meta and "star" not in content.stars:
            meta["star"] = named
            tell("generic: an id that is a name, not a whole number, is taken for the name of the star")
        else:
            tell("generic: an id that is a name, not a whole number, is not used: the stars have names")
    if "velocity" in content.stars:
        velocity = content.stars["velocity"].astype(np.float64)
    for name, array in content.stars.items():
        if len(array) != n:
            raise InputError(f"{content.where}: {name} has {len(array)} values for {n} spectra")
        meta[name] = array
    file = meta.pop("file", np.full(n, path.name)).astype(str)
    return {"file": file, "velocity": velocity, **{k: v for k, v in meta.items() if k != "velocity"}}, ids


def _velocity(text: str, where: str) -> float:
    """Velocity in km/s, with its unit or without one."""
    match = re.fullmatch(r"(.*?)\s*(k?)m\s*(?:/\s*s|\s?s(?:\^|\*\*)?-1)", text)
    if match is None or match[2]:
        return _number(match[1] if match else text, "velocity", where)
    tell("generic: velocities in m/s are converted to km/s")
    return _number(match[1], "velocity", where) / 1000


def _is_name(text: str) -> bool:
    """Whether a text has letters that no number has."""
    return re.search(r"[^\W\d_]", text) is not None and not re.fullmatch(_NUMBER, text, re.IGNORECASE)


_NUMBER = r"\s*[+-]?(\d+\.?\d*|\.\d+)([eEdD][+-]?\d+)?\s*|nan"


def _number(text: str, what: str, where: str) -> float:
    if not re.fullmatch(_NUMBER, text, re.IGNORECASE):
        raise InputError(f"{where}: {what} '{shown(text)}' is no number")
    return float(text.upper().replace("D", "E") if text.strip().lower() != "nan" else "nan")
