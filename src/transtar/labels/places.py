"""Positions of the rows of a table of no fixed layout, and the row at the position of each spectrum."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from ..errors import InputError
from ..tables import Column, find
from ..tables.column_names import SPELLINGS, two_columns
from ..telling import tell
from .positions import Positions, match_positions


def named_places(
    columns: Mapping[str, Column], where: str, named: Mapping[str, Any] = MappingProxyType({})
) -> dict[str, np.ndarray]:
    """Positions and motions of a table of no fixed layout.

    Parameters
    ----------
    columns : mapping of str to Column, shape (n,)
    where : str
        File, for messages.
    named : mapping, optional
        Columns that the user names, by what they hold; they go before all spellings.

    Returns
    -------
    dict of str to ndarray, shape (n,), float64
        Those of ra, dec (degrees, from hours or sexagesimal text, too), pmra, pmdec (mas/yr) and epoch (Julian year) that
        `transtar.tables.column_names.SPELLINGS` finds; NaN where unknown.

    Raises
    ------
    InputError
        If text is no angle, a unit cannot be converted, or a column that the user names is not there.
    """
    out = {}
    for name in ("ra", "dec", "pmra", "pmdec", "epoch"):
        given = named.get(name)
        spelt = find(list(columns), *([given] if isinstance(given, str) else SPELLINGS[name]), what=name, where=where)
        if spelt is not None:
            out[name] = columns[spelt].numbers(name)
            if not isinstance(given, str) and name in ("ra", "dec"):
                _same_place(columns, spelt, name, out[name], where)
        elif isinstance(given, str):
            raise InputError(f"{where}: no column {given}, which position names; columns found: {', '.join(columns)}")
    if _may_be_hours(out):
        tell(f"{where}: all right ascensions lie below 24; if they are hours, state the unit of the column")
    return out


def _same_place(columns: Mapping[str, Column], spelt: str, name: str, taken: np.ndarray, where: str) -> None:
    """Refuse a second column of the same meaning that says something else; of another epoch or equinox it is a little off."""
    for other in columns:
        if other != spelt and other.lower() in SPELLINGS[name]:
            try:
                values = columns[other].numbers(name)
            except InputError:
                continue
            with np.errstate(invalid="ignore"):
                apart = np.abs(values - taken)
                if (np.minimum(apart, 360 - apart) > _OTHER_EPOCH).any():
                    raise two_columns(where, spelt, other, name)


def _may_be_hours(places: Mapping[str, np.ndarray]) -> bool:
    """Whether right ascensions all lie below 24 though the stars lie all over the sky."""
    if not {"ra", "dec"} <= places.keys() or np.isfinite(places["ra"]).sum() < _FEW:
        return False
    ra, dec = places["ra"][np.isfinite(places["ra"])], places["dec"][np.isfinite(places["dec"])]
    return bool(len(dec) and ra.min() >= 0 and ra.max() < 24 and ra.max() - ra.min() > 12 and np.ptp(dec) > 45)


_OTHER_EPOCH = 0.1
"""Degrees; the fastest star needs 35 years for them."""
_FEW = 10


def table_positions(columns: Mapping[str, Column], where: str) -> Positions:
    """Positions of the columns of a table, as a `transtar.labels.Keyed` has them; of epoch 2000 unless it has a column.

    Raises
    ------
    InputError
        If it has no ra and dec.
    """
    places = named_places(columns, where)
    if not {"ra", "dec"} <= set(places):
        raise InputError(f"{where}: no columns ra and dec to match by position; columns found: {', '.join(columns)}")
    epochs = places.get("epoch")
    epoch = 2000.0 if epochs is None else np.where(np.isfinite(epochs), epochs, 2000.0)
    return Positions(places["ra"], places["dec"], epoch, places.get("pmra"), places.get("pmdec"))


EPOCHS = MappingProxyType({"desi": 2015.5, "desi-brz": 2015.5, "gaia-xp": 2016.0})
"""Julian year of the positions in spectra of a survey; 2000 of others."""


def match_spectra(
    table_places: Positions, columns: Mapping[str, np.ndarray], survey: str, radius: float, where: str
) -> tuple[np.ndarray, str]:
    """Find the row of a table of labels at the position of each spectrum; spectra of one star share it.

    Parameters
    ----------
    table_places : Positions
        Of the table, as from `table_positions`.
    columns : mapping of str to ndarray, shape (n,)
        ``ra`` and ``dec`` of the spectra, in degrees; NaN where unknown.
    survey : str
        Tells the epoch of the spectra; see `EPOCHS`.
    radius : float
        In arcsec. Spectra with several rows of the table within it get none.
    where : str
        The table, for messages.

    Returns
    -------
    rows : ndarray of int64, shape (n,)
        -1 where there is no row.
    line : str
        What was found, to show.

    Raises
    ------
    InputError
        If the spectra have no positions, or none a match.
    """
    if not {"ra", "dec"} <= set(columns):
        raise InputError(f"spectra of {survey} tell no position, which labels could be matched by")
    ra, dec = (np.asarray(columns[name], float) for name in ("ra", "dec"))
    spectra = Positions(ra, dec, EPOCHS.get(survey, 2000.0))
    rows, report = match_positions(spectra, table_places, radius, one_to_one=False)
    if not report.matched:
        raise InputError(
            f"no spectrum has a row of {where} within {radius:g} arcsec; {report.alone} of {len(spectra)} have none near"
        )
    return rows, f"labels: {report.describe('spectra', where)}"
