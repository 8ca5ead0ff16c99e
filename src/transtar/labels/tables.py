"""Label tables, splits and velocities: files to columns with canonical names."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..grids import SPEED_OF_LIGHT
from ..surveys.identifiers import to_int64
from .columns import Column, read_columns
from .names import KEY_PARTS, canonical_label, key_columns

SPLITS = ("pool", "test")
_VELOCITY_SPELLINGS = ("velocity", "rv", "vrad", "radial_velocity", "rv_adop")
_REDSHIFTS = ("z", "rr_z")


def read_labels(path: str | os.PathLike, extra: Sequence[str] = (), *, keyless: bool = False) -> dict[str, np.ndarray]:
    """Read a table of stellar labels.

    Parameters
    ----------
    path : path
        CSV, ECSV, FITS or parquet.
    extra : sequence of str
        Further columns that are labels under their own names (``age``, say).
    keyless : bool
        Whether the table may do without a key.

    Returns
    -------
    dict of str to ndarray, each of shape (n_rows,)
        Keys, those that exist: ``id`` (int64, -1 where missing; from id, obsid, TARGETID, miles_id or source_id, the
        first of these), ``file`` (str, base name), ``star`` (str, designation without 'LAMOST'). Labels under canonical
        names and their errors with ``_err`` (float64). Other columns keep name and type; where they have no value
        they hold NaN, -1 or the empty string.

        Labels that cannot be are NaN: not finite; teff not within 0 to 1e6 K; others at or beyond -90
        or 90, which covers -9999, -999 and 99.99; errors that are negative or at or beyond 9999.

    Raises
    ------
    InputError
        If the file cannot be read, has no rows, no key or no label column (the message lists those found), two columns
        for the same label, or identifiers that are not 64-bit integers.
    """
    path = Path(path)
    columns = read_columns(path)
    table, used = ({}, set()) if keyless and not key_columns(list(columns)) else _keys(columns, path)
    sources: dict[str, str] = {}
    for name in columns:
        if name in used:
            continue
        label = name.lower() if name in extra else canonical_label(name)
        if label in sources and label is not None:
            raise InputError(f"{path}: columns {sources[label]} and {name} both mean {label}; drop or rename one")
        if label is not None:
            sources[label] = name
    if not any(not label.endswith("_err") for label in sources):
        raise InputError(f"{path}: no label column (teff, logg, feh, alphafe, mg_fe, ...); {_found(columns)}")
    for label, name in sources.items():
        table[label] = _sensible(columns[name].numbers(f"{path}: column {name}"), label, label in extra)
    for name, column in columns.items():
        if name not in used and name not in sources.values() and name and name not in table:
            table[name] = _as_is(column)
    return table


def read_split(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Read which spectra may be learnt from and which are kept for the test.

    Parameters
    ----------
    path : path
        Table with a key column (file, id or star, as in `read_labels`) and ``split``, each 'pool' or 'test'.

    Returns
    -------
    dict of str to ndarray
        The key columns (``SURVEY``, ``PROGRAM``, ``HEALPIX`` too, if there) and ``split``; `transtar.labels.look_up`
        gives the split of each spectrum.

    Raises
    ------
    InputError
        If a column is missing, or a value is neither 'pool' nor 'test'.
    """
    path = Path(path)
    columns = read_columns(path)
    table, _ = _keys(columns, path)
    table |= _key_parts(columns)
    if "split" not in columns:
        raise InputError(f"{path}: no column split; {_found(columns)}")
    split = columns["split"].text()
    strange = sorted(set(split.tolist()) - set(SPLITS))
    if strange:
        raise InputError(f"{path}: split must be pool or test, found {', '.join(repr(value) for value in strange[:5])}")
    return {**table, "split": split}


def read_velocities(source: str | os.PathLike) -> dict[str, np.ndarray]:
    """Read radial velocities from ``FILE`` or ``FILE:COLUMN``.

    Parameters
    ----------
    source : str or path
        Table with a key column (as in `read_labels`) and a velocity in km/s: the column named, or the first of
        velocity, rv, vrad, radial_velocity, rv_adop (case does not matter), or Z of redrock. Columns z and rr_z
        are redshifts: the velocity is c z, where there are columns SPECTYPE and ZWARN of stars without warning only. In
        FITS files of DESI the column may stand in any table that matches the first row by row (RV_ADOP of SPTAB
        beside RVTAB).

    Returns
    -------
    dict of str to ndarray
        The key columns and ``velocity`` (float64, km/s; NaN where missing or not between -3000 and 3000,
        which covers the sentinels -9999 and the like); ``SURVEY``, ``PROGRAM``, ``HEALPIX`` if there. Rows are sorted
        by ``id``, so that `find_velocities` is quick in large tables.

    Raises
    ------
    InputError
        If the file or a column is missing.
    """
    name, wanted = str(source), None
    if not os.path.exists(name):
        before, colon, after = name.rpartition(":")
        if colon and os.sep not in after and before:
            name, wanted = before, after
    path = Path(name)
    columns = read_columns(path, also=wanted)
    table, _ = _keys(columns, path)
    lower = {column.lower(): column for column in columns}
    if wanted is None:
        # A column z alone may be anything; beside redrock's own it is a redshift.
        redrock = ("z",) if {"zwarn", "spectype"} <= set(lower) else ()
        match = next((lower[spelling] for spelling in (*_VELOCITY_SPELLINGS, *redrock) if spelling in lower), None)
    else:
        match = wanted if wanted in columns else lower.get(wanted.lower())
    if match is None:
        raise InputError(f"{path}: no velocity column {wanted or '(give it as FILE:COLUMN)'}; {_found(columns)}")
    velocity = columns[match].numbers(f"{path}: column {match}")
    if match.lower() in _REDSHIFTS:
        velocity = _of_stars(SPEED_OF_LIGHT * velocity, columns, lower, path)
    table |= _key_parts(columns)
    table["velocity"] = np.where(np.abs(velocity) < 3000, velocity, np.nan)
    if "id" in table:
        order = np.argsort(table["id"], kind="stable")
        table = {name: values[order] for name, values in table.items()}
    return table


def read_stars(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Read which stars, or spectra, are meant.

    Parameters
    ----------
    path : path
        Table with a key column (as in `read_labels`).

    Returns
    -------
    dict of str to ndarray
        The key columns; ``SURVEY``, ``PROGRAM``, ``HEALPIX`` if there. Sorted by ``id``, if there; no row twice.

    Raises
    ------
    InputError
        If the file cannot be read or has no key.
    """
    path = Path(path)
    columns = read_columns(path)
    table, _ = _keys(columns, path)
    table |= _key_parts(columns)
    # Sorted by the first key, which is the id wherever there is one.
    rows = np.unique(np.rec.fromarrays(list(table.values())), return_index=True)[1]
    return {name: values[rows] for name, values in table.items()}


def _of_stars(velocity: np.ndarray, columns: dict[str, Column], lower: dict[str, str], path: Path) -> np.ndarray:
    """NaN where redrock says that it is no star or that its redshift is doubtful."""
    keep = np.isfinite(velocity)
    if "zwarn" in lower:
        keep &= columns[lower["zwarn"]].numbers(f"{path}: column {lower['zwarn']}") == 0
    if "spectype" in lower:
        keep &= columns[lower["spectype"]].text() == "STAR"
    return np.where(keep, velocity, np.nan)


def _key_parts(columns: dict[str, Column]) -> dict[str, np.ndarray]:
    """Columns that with an id make the compound key of a survey."""
    upper: dict[str, Column] = {}
    for name, column in columns.items():
        if name in KEY_PARTS or name.upper() not in columns:
            upper[name.upper()] = column
    return {name: _as_is(upper[name]) for name in KEY_PARTS if name in upper}


def _keys(columns: dict[str, Column], path: Path) -> tuple[dict[str, np.ndarray], set[str]]:
    """Key columns in canonical form, and the names they had in the file."""
    names = key_columns(list(columns))
    if not names:
        raise InputError(
            f"{path}: no column tells which spectrum a row is for (file, id, obsid, TARGETID, miles_id, source_id or "
            f"designation); {_found(columns)}"
        )
    table: dict[str, np.ndarray] = {}
    if "id" in names:
        column = columns[names["id"]]
        table["id"] = to_int64(column.values, f"{path}: column {names['id']}", column.missing)
    if "file" in names:
        table["file"] = np.array([os.path.basename(name) for name in columns[names["file"]].text().tolist()], dtype=str)
    if "star" in names:
        stars = columns[names["star"]].text().tolist()
        table["star"] = np.array([star.removeprefix("LAMOST").strip() for star in stars], dtype=str)
    return table, set(names.values())


def _sensible(values: np.ndarray, label: str, free: bool) -> np.ndarray:
    """NaN for sentinels; a label without known range (`free`) loses only -999, -9999 and what is not finite."""
    with np.errstate(invalid="ignore"):
        if label.endswith("_err"):
            good = (values >= 0) & (values < 9999)
        elif free:
            good = ~np.isin(np.trunc(values), (-999, -9999))
        elif label == "teff":
            good = (values > 0) & (values < 1e6)
        else:
            good = np.abs(values) < 90
    return np.where(good & np.isfinite(values), values, np.nan)


def _as_is(column: Column) -> np.ndarray:
    kind = column.values.dtype.kind
    if kind in "OSU":
        return column.text()
    if kind == "b" or not column.missing.any():
        return column.values
    return np.where(column.missing, column.values.dtype.type(np.nan if kind == "f" else -1), column.values)


def _found(columns: dict[str, Column]) -> str:
    return f"columns found: {', '.join(columns)}"
