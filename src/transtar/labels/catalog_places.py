"""Where the catalogs of each kind keep positions and proper motions, and of which epoch they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from ..errors import SettingsError
from .catalogs import Catalog
from .positions import Positions


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


PLACE_COLUMNS = tuple(one.name for one in fields(Place) if one.name != "epoch_column")
"""What a selection file may name of a place: columns, and the epoch."""

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
        On a number that is no epoch.
    """
    for name, change in changes.items():
        if isinstance(change, str):
            place = replace(place, **{"epoch_column" if name == "epoch" else name: (change,)})  # type: ignore[arg-type]
        elif name == "epoch":
            place = replace(place, epoch=float(change), epoch_column=())
        else:
            raise SettingsError(f"{where}.{name}: must be the name of a column, not {change!r}")
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
        column_name = next((name for name in names if catalog.find(name) is not None), None)
        return None if column_name is None else catalog.column(column_name).numbers(what)[every]

    ra, dec = (catalog.column(*names).numbers(what)[every] for names, what in ((place.ra, "ra"), (place.dec, "dec")))
    epochs = column(place.epoch_column, "epoch")
    epoch = place.epoch if epochs is None else np.where(np.isfinite(epochs), epochs, place.epoch)
    motion = {name: column(getattr(place, name), name) for name in ("pmra", "pmdec", "parallax")}
    return Positions(ra, dec, epoch, **motion, radial_velocity=column(place.radial_velocity, "velocity"))
