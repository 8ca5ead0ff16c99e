"""Where the catalogs of each kind keep positions and proper motions, and of which epoch they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from ..errors import InputError, SettingsError, check_keys
from ..tables import Column, find
from ..tables.names import SPELLINGS, two_columns
from ..telling import tell
from .catalogs import Catalog
from .positions import Positions, match_positions


@dataclass(frozen=True)
class Place:
    """Columns of position and motion, of each the first that exists.

    Parameters
    ----------
    ra, dec : tuple of str
        ICRS, in degrees.
    pmra, pmdec, parallax, radial_velocity : tuple of str
        mas/yr (`pmra` with the factor cos(dec)), mas, km/s; may be absent.
    epoch : float
        Julian year of the positions.
    epoch_column : tuple of str
        Epoch of each row; rows without a sensible one have `epoch`.
    """

    ra: tuple[str, ...] = ("ra",)
    dec: tuple[str, ...] = ("dec",)
    pmra: tuple[str, ...] = ("pmra",)
    pmdec: tuple[str, ...] = ("pmdec",)
    parallax: tuple[str, ...] = ()
    radial_velocity: tuple[str, ...] = ()
    epoch: float = 2000.0
    epoch_column: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.ra, *self.dec, *self.pmra, *self.pmdec, *self.parallax, *self.radial_velocity, *self.epoch_column)


_DESI = Place(
    ("FIBERMAP.TARGET_RA", "RVTAB.TARGET_RA"), ("FIBERMAP.TARGET_DEC", "RVTAB.TARGET_DEC"), ("FIBERMAP.PMRA",),
    ("FIBERMAP.PMDEC",), ("FIBERMAP.PARALLAX",), epoch=2015.5, epoch_column=("FIBERMAP.REF_EPOCH",),
)  # fmt: skip

PLACES: Mapping[str, Place] = MappingProxyType({
    # 2MASS, which observed from June 1997 to February 2001.
    "apogee-dr17": Place(("RA",), ("DEC",), ("GAIAEDR3_PMRA",), ("GAIAEDR3_PMDEC",), ("GAIAEDR3_PARALLAX",), epoch=1999.5),
    # Targets have epochs of their own; those of Gaia DR2 are 2015.5, as are those that have none.
    "desi-edr": _DESI,
    "desi-dr1": _DESI,
    # The epoch of the input catalog is not told; its coordinates are called J2000.
    "lamost": Place(),
    "compilation": Place(),
    "gaia": Place(parallax=("parallax",), radial_velocity=("radial_velocity",), epoch=2016.0, epoch_column=("ref_epoch",)),
})  # fmt: skip
"""By kind of catalog."""


def changed_place(place: Place, changes: Mapping[str, Any], where: str) -> Place:
    """A place with other columns or another epoch, as a selection file names them.

    Parameters
    ----------
    place : Place
    changes : mapping
        ``ra``, ``dec`` and so on: names of columns; ``epoch``: a number, or the name of a column.
    where : str
        For the message.

    Raises
    ------
    SettingsError
        On an unknown key, or a value of the wrong type.
    """
    names = [one.name for one in fields(Place) if one.name != "epoch_column"]
    check_keys(changes, names, where)
    for name, value in changes.items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if name == "epoch" and number and 1800 < value < 2100:
            place = replace(place, epoch=float(value), epoch_column=())
        elif isinstance(value, str):
            place = replace(place, **{"epoch_column" if name == "epoch" else name: (value,)})  # type: ignore[arg-type]
        else:
            what = "a Julian year or the name of a column" if name == "epoch" else "the name of a column"
            raise SettingsError(f"{where}: {name} must be {what}, not '{value}'")
    return place


def read_positions(catalog: Catalog, place: Place, rows: np.ndarray | None = None) -> Positions:
    """Positions of the rows of a catalog.

    Parameters
    ----------
    catalog : Catalog
    place : Place
    rows : ndarray of int, optional
        Only these.

    Raises
    ------
    InputError
        If there is no column of ra or dec.
    """
    every = slice(None) if rows is None else rows

    def column(names: tuple[str, ...], what: str) -> np.ndarray | None:
        found = next((name for name in names if catalog.find(name) is not None), None)
        return None if found is None else catalog.column(found).numbers(what)[every]

    ra, dec = (catalog.column(*names).numbers(what)[every] for names, what in ((place.ra, "ra"), (place.dec, "dec")))
    epochs = column(place.epoch_column, "epoch")
    epoch = place.epoch if epochs is None else np.where(np.isfinite(epochs), epochs, place.epoch)
    motion = {name: column(getattr(place, name), name) for name in ("pmra", "pmdec", "parallax")}
    return Positions(ra, dec, epoch, **motion, radial_velocity=column(place.radial_velocity, "velocity"))


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
        Columns that the user names, as in `changed_place`; they go before all spellings.

    Returns
    -------
    dict of str to ndarray, shape (n,), float64
        Those of ra, dec (degrees, from hours or sexagesimal text, too), pmra, pmdec (mas/yr) and epoch (Julian year) that
        `transtar.tables.names.SPELLINGS` finds; NaN where unknown.

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
    found = named_places(columns, where)
    if not {"ra", "dec"} <= set(found):
        raise InputError(f"{where}: no columns ra and dec to match by position; columns found: {', '.join(columns)}")
    epochs = found.get("epoch")
    epoch = 2000.0 if epochs is None else np.where(np.isfinite(epochs), epochs, 2000.0)
    return Positions(found["ra"], found["dec"], epoch, found.get("pmra"), found.get("pmdec"))


EPOCHS = MappingProxyType({"desi": 2015.5, "desi-brz": 2015.5, "gaia-xp": 2016.0})
"""Julian year of the positions in spectra of a survey; 2000 of others."""


def match_spectra(
    theirs: Positions, columns: Mapping[str, np.ndarray], survey: str, radius: float, where: str
) -> tuple[np.ndarray, str]:
    """Find the row of a table of labels at the position of each spectrum; spectra of one star share it.

    Parameters
    ----------
    theirs : Positions
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
    ours = Positions(ra, dec, EPOCHS.get(survey, 2000.0))
    rows, report = match_positions(ours, theirs, radius, one_to_one=False)
    if not report.matched:
        raise InputError(
            f"no spectrum has a row of {where} within {radius:g} arcsec; {report.alone} of {len(ours)} have none near"
        )
    return rows, f"labels: {report.describe('spectra', where)}"
