"""Catalogs as tables of astropy, with units and descriptions."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..glossary import describe, is_known
from .catalog_columns import column_unit, plain_array
from .readers import read_metadata, read_with_units
from .writers import SUFFIXES

if TYPE_CHECKING:
    from astropy.table import QTable


def read_catalog(path: str | os.PathLike, columns: Mapping[str, str] | None = None) -> QTable:
    """Read a catalog, by transtar or by others, as an astropy table.

    Parameters
    ----------
    path : path
        A table that transtar wrote (parquet, FITS or CSV), or any other that `transtar.tables.open_table` reads.
    columns : mapping of str to str, optional
        Which column is which, if names do not say, or say it twice: ``{"feh": "FE_H"}``.

    Returns
    -------
    astropy.table.QTable
        One row per spectrum; columns are those of `to_table`. ``meta`` says in short how the catalog was made: `models`,
        `steps` (how each was trained) and `quality`; `transtar.catalog.read_metadata` gives everything that a parquet or
        FITS catalog records.

    Raises
    ------
    InputError
        If the file is missing, is not such a table, has a column twice, or its ids are not integers.

    Examples
    --------
    >>> import transtar as ts
    >>> catalog = ts.read_catalog("catalog.parquet")
    >>> catalog["feh"].unit
    Unit("dex")
    """
    values, units = read_with_units(path, columns)
    metadata = read_metadata(path) if Path(path).suffix.lower() in SUFFIXES else {}
    return to_table(values, metadata, units)


def to_table(
    columns: Mapping[str, np.ndarray], metadata: Mapping[str, Any] | None = None, units: Mapping[str, str] | None = None
) -> QTable:
    """Columns of a catalog as a table of astropy.

    Parameters
    ----------
    columns : mapping of str to ndarray, shape (n,) or (n, ...)
        As from `read_columns`, or those of a `Prediction`.
    metadata : mapping, optional
        As from `read_metadata`.
    units : mapping of str to str, optional
        Of columns that the glossary does not have, or has in another unit.

    Returns
    -------
    astropy.table.QTable
        Columns with a unit are Quantities (K, dex, km/s, deg); each that the glossary knows has its description. As in the file,
        a real number that is missing is NaN, an `id` -1, a text empty, and nothing is masked; `id` is int64, exactly.
        `transtar.flag_names` puts `flags` into words.
    """
    from astropy.table import QTable
    from astropy.units import Unit

    table = QTable()
    for name, values in columns.items():
        text = (units or {}).get(name, column_unit(name))
        unit = Unit(text, parse_strict="silent") if text else None
        known = unit is not None and not str(type(unit).__name__).startswith("Unrecognized")
        table[name] = (
            np.asarray(values) * unit if known and np.asarray(values).dtype.kind in "fiu" else np.asarray(values)
        )
        about = describe(name).description if is_known(name) else ""
        table[name].info.description = (
            " ".join(filter(None, [about, f"[{text}]" if text and not known else ""])) or None
        )
        if np.asarray(values).dtype == np.float32:
            # As many digits as it has: 0.18, not 0.18000000715255737.
            table[name].info.format = ".7g"
    table.meta.update(_in_short(metadata or {}))
    return table


def plain_columns(table: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Columns of a table of astropy, or of anything else by name, as functions of transtar calculate with them.

    Parameters
    ----------
    table : astropy.table.Table, or mapping of str to array_like, shape (n,)

    Returns
    -------
    dict of str to ndarray, shape (n,)
        In the units of the glossary; what is masked is NaN, -1, False or ''.

    Raises
    ------
    InputError
        If a column has a unit that cannot be converted.
    """
    return {name: plain_array(values, column_unit(name)) for name, values in table.items()}


def _in_short(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata with a line for each step of a training instead of all its losses and settings."""
    short = {name: value for name, value in metadata.items() if name != "provenance"}
    if isinstance(provenance := metadata.get("provenance"), list):
        short["steps"] = [[_step(step) for step in steps] for steps in provenance if isinstance(steps, list)]
    return short


def _step(step: Any) -> str:
    known = step if isinstance(step, dict) else {}
    return f"{known.get('step')} ({known.get('strategy')}) on {known.get('n_train')} stars of {known.get('survey')}"
