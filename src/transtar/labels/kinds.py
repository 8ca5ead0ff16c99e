"""The kinds of catalogs that selections draw on, told apart by content."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from ..content import first_bytes
from ..errors import InputError, TranstarError
from ..flags import Flag
from ..tables import Column, Table, key_column, meaning, open_table
from ..tables.fits import MAGIC, list_tables
from . import apogee_catalog as apogee
from . import compilations
from . import gaia_catalog as gaia
from . import hats_catalog as hats
from . import lamost_catalog as lamost
from . import mws_catalog as mws
from .catalog_places import PLACES, Place
from .catalogs import Catalog, find_files, from_memory, is_hats, join_parts

KINDS = MappingProxyType({
    "apogee-dr17": "allStar of APOGEE DR17 (FITS)",
    "desi-edr": "mwsall of the DESI Milky Way Survey, EDR (FITS)",
    "desi-dr1": "mwsall of the DESI Milky Way Survey, DR1 (FITS)",
    "lamost": "LAMOST low-resolution catalog with obsid, designation and gaia_source_id",
    "compilation": "labels from high-resolution spectra, with [Fe/H] and Gaia source_id or ra and dec",
    "gaia": "stars of Gaia, or any list with ra and dec: a table, or a HATS folder of whatever size",
    "selection": "what transtar select wrote, with split and source_id",
    "spectra": "a set that transtar prepare wrote, or a catalog of transtar predict, with flags",
})  # fmt: skip

_GAIA_ID = {
    "apogee-dr17": apogee.GAIA_ID, "desi-edr": mws.GAIA_ID, "desi-dr1": mws.GAIA_ID, "lamost": lamost.GAIA_ID,
    "compilation": compilations.GAIA_ID, "gaia": gaia.GAIA_ID, "selection": ("source_id",),
}  # fmt: skip

_COLUMNS: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "lamost": lamost.COLUMNS,
    "gaia": gaia.COLUMNS,
    "selection": ("source_id", "split"),
    "spectra": ("id", "targetid", "survey", "program", "flags"),
})  # fmt: skip
"""Columns that are read of tables in memory, beside those of cuts; of a kind that is not named, all."""

BITS: Mapping[str, Mapping[str, int]] = MappingProxyType({
    **apogee.BITS,
    **mws.BITS,
    "flags": MappingProxyType({flag.name: flag.bit_length() - 1 for flag in Flag if flag.name}),
})  # fmt: skip
"""Bit numbers by native column and name."""


def gaia_ids(catalog: Catalog) -> np.ndarray:
    """Gaia DR3 source_ids of a catalog, int64, -1 where there is no match (EDR3 has the same identifiers).

    Raises
    ------
    InputError
        If it has none.
    """
    if catalog.kind == compilations.KIND and catalog.find("source_id") is None:
        raise InputError(
            f"{catalog}: no Gaia identifiers in a column {' or '.join(compilations.GAIA_SPELLINGS[:3])}; match it with Gaia "
            "first, or by position (match: by: position)"
        )
    return catalog.gaia_ids(*_GAIA_ID[catalog.kind])


def gaia_ids_if_any(catalog: Catalog) -> np.ndarray:
    """Like `gaia_ids`, all -1 where the catalog has none."""
    if any(catalog.find(name) is not None for name in _GAIA_ID.get(catalog.kind, ())):
        return gaia_ids(catalog)
    return np.full(catalog.rows, -1, dtype=np.int64)


def open_catalogs(
    paths: Iterable[str | Path],
    kinds: Iterable[str],
    also: Iterable[str] = (),
    columns: Mapping[str, str] | None = None,
    positions: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
) -> tuple[dict[str, Catalog], list[str], list[str]]:
    """Find the catalogs of some kinds among files and folders.

    Parameters
    ----------
    paths : iterable of path
        Files and folders (see `catalogs.find_files`); ``KIND=FILE`` says of which kind a file is.
    kinds : iterable of str
        Wanted kinds, keys of `KINDS`. Files of another kind are passed over.
    also : iterable of str
        Columns that cuts need.
    columns : mapping of str to str, optional
        Which column is which, where names do not tell (see `transtar.tables.open_table`).
    positions : mapping, optional
        By kind, columns of positions that the user names.

    Returns
    -------
    catalogs : dict of str to Catalog
        By kind; several files of one kind are one catalog.
    others : list of str
        Catalogs that are of another kind.
    lines : list of str
        What was not used, and which files were taken together, each a line to show.

    Raises
    ------
    InputError
        If a file that was named is no catalog, or one of the wanted ones cannot be used.
    """
    wanted = set(kinds)
    told, plain = {}, []
    for path in paths:
        kind, equals, name = str(path).partition("=")
        if equals and kind in KINDS and not Path(path).exists():
            told[Path(name)] = kind
            plain.append(name)
        else:
            plain.append(str(path))
    by_kind: dict[str, list[Catalog]] = {}
    others, lines = [], []
    for file, named in find_files(plain):
        try:
            catalog = open_catalog(file, told.get(file), also, columns, positions)
        except TranstarError as error:
            # In a folder there may lie anything; only what the user named must be readable.
            if named:
                raise
            lines.append(f"passed over: {error}")
            continue
        if not named and _needs_naming(file, catalog.kind):
            lines.append(f"passed over: {file} could be {KINDS[catalog.kind]}; name the file itself if it is meant")
            continue
        if catalog.kind not in wanted:
            others.append(f"{file} ({catalog.kind})")
            if named:
                lines.append(f"not needed for this selection: {file} ({KINDS[catalog.kind]})")
            continue
        by_kind.setdefault(catalog.kind, []).append(catalog)
    for kind, parts in by_kind.items():
        if len(parts) > 1 and kind != "compilation":
            lines.append(f"taken as parts of one {kind} catalog: {', '.join(str(part) for part in parts)}")
        if len(parts) > 1 and any(part.around for part in parts):
            raise InputError(f"{', '.join(str(part) for part in parts)}: of {kind} catalogs in HATS give only one")
    return {kind: join_parts(parts) for kind, parts in by_kind.items()}, others, lines


def _needs_naming(file: Path, kind: str) -> bool:
    """Whether a file found in a folder may be something else: any table of stars looks like a compilation of labels."""
    return kind == "spectra" or (kind == "compilation" and file.parent.name != "compilations")


def open_catalog(
    path: Path,
    kind: str | None = None,
    also: Iterable[str] = (),
    columns: Mapping[str, str] | None = None,
    positions: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
) -> Catalog:
    """Open one catalog of any kind.

    Raises
    ------
    InputError
        If it is of no known kind, or cannot be used.
    """
    wanted = {name.lower() for name in also}
    if path.is_dir():
        if not is_hats(path) or kind not in (None, gaia.KIND):
            raise InputError(
                f"{path}: a folder; of a {kind} catalog name the file (a HATS folder is taken as gaia={path})"
            )
        return hats.open_catalog(path, wanted | set(gaia.COLUMNS))
    if first_bytes(path, 9) == MAGIC:
        tables = list_tables(path)
        if mws.recognise(tables):
            return mws.open_catalog(path, tables, kind)
        if apogee.recognise(tables):
            return apogee.open_catalog(path, tables)
        if {"SPTAB", "FIBERMAP"} & set(tables):
            raise InputError(f"{path}: no HDU RVTAB (HDUs: {', '.join(tables)}); use mwsall-*.fits")
    table = open_table(path, columns)
    names = table.names
    if {"role", "component", "in_lamost"} <= set(names):
        raise InputError(f"{path}: the true labels of a mock universe, which no selection may use")
    kind = kind or _recognise({re.sub(r"#\d+$", "", name.lower()) for name in names})
    if kind is None or kind.startswith(("desi", "apogee")):
        few = ", ".join(names[:30])
        raise InputError(
            f"{path}: a catalog of no kind that is known ({'; '.join(KINDS.values())}); columns found: {few}"
        )
    also = frozenset(wanted)
    wanted |= {name.lower() for name in _COLUMNS.get(kind, names)}
    catalog_columns = _read(table, wanted)
    if kind == "compilation":
        return compilations.open_catalog(path, catalog_columns, positions.get(kind, {}), also)
    return from_memory(kind, path, catalog_columns)


def _read(table: Table, wanted: Collection[str]) -> dict[str, Column]:
    """Columns by name in lower case, those with a name that occurs twice (``feh#1``), too."""
    columns = table.columns(lambda name: name.lower() in wanted or name.lower().rpartition("#")[0] in wanted)
    if not columns:
        # Without a column there is no number of rows, either.
        raise InputError(f"{table.path}: none of the columns needed; {table.found}")
    return columns


def _recognise(names: set[str]) -> str | None:
    """Kind of a table by its columns, in lower case."""
    if {"flags", "id"} <= names:
        return "spectra"
    if {"split", "source_id"} <= names:
        return "selection"
    if lamost.recognise(names):
        return lamost.KIND
    if gaia.recognise(names):
        return gaia.KIND
    return compilations.KIND if compilations.recognise(names) else None


def labels(catalog: Catalog, rows: np.ndarray, alphafe: str) -> dict[str, np.ndarray]:
    """Canonical labels of some rows of a catalog that others take labels from."""
    if catalog.kind == "apogee-dr17":
        return apogee.labels(catalog, rows, alphafe)
    if catalog.kind == "compilation":
        return compilations.labels(catalog, rows)
    return {}


def observations(catalog: Catalog, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Keys, velocities and the survey's own labels of some rows."""
    if catalog.kind.startswith("desi"):
        return mws.observations(catalog, rows)
    if catalog.kind == "lamost":
        return lamost.observations(catalog, rows)
    raise InputError(f"{catalog}: a {catalog.kind} catalog has no spectra to select")


def place(kind: str) -> Place:
    """Where catalogs of a kind keep positions.

    Raises
    ------
    InputError
        If they have none.
    """
    if kind not in PLACES:
        raise InputError(f"a catalog of kind {kind} has no positions to match by; kinds that have: {', '.join(PLACES)}")
    return PLACES[kind]


def keys(catalog: Catalog, by: str) -> np.ndarray:
    """Identifiers to join by, -1 or empty where missing.

    Parameters
    ----------
    catalog : Catalog
    by : str
        'source_id' (Gaia, int64), 'targetid' (DESI, int64), or 'spectrum' (DESI's TARGETID, SURVEY and PROGRAM as text).
    """
    if by == "source_id":
        return gaia_ids(catalog)
    ids = catalog.ids("RVTAB.TARGETID", "targetid", "id")
    if by == "targetid":
        return ids
    program = catalog.column("RVTAB.PROGRAM", "PROGRAM", "program").text()
    survey = catalog.column("RVTAB.SURVEY", "SURVEY", "survey").text()
    text = ids.astype("U20")
    for part in (survey, program):
        text = np.char.add(np.char.add(text, " "), np.char.lower(part))
    return np.where(ids >= 0, text, "")


def read_measured(path: Path, columns: Sequence[str], choice: Mapping[str, str] | None = None) -> dict[str, np.ndarray]:
    """Some columns of numbers of any table, with its identifiers.

    Parameters
    ----------
    path : Path
    columns : sequence of str
    choice : mapping of str to str, optional
        Which column is which, where names do not tell (see `transtar.tables.open_table`).

    Returns
    -------
    dict of str to ndarray, shape (n,)
        ``source_id`` (Gaia) and ``id`` (obsid, TARGETID or id; int64, -1 where missing) as far as they exist, and the columns
        (float64); ``split`` (str) where there is one.

    Raises
    ------
    InputError
        If a column, or any identifier, is missing.
    """
    gaia_names = ("source_id", "gaia_source_id")
    table = open_table(path, choice)
    gaia, id_column = table.find(*gaia_names), key_column("id", table.names, None, table.chosen, str(path))
    given = {"source_id": gaia, "id": None if id_column == gaia else id_column}
    keys = {key: name for key, name in given.items() if name is not None}
    if not keys:
        raise InputError(f"{path}: no column source_id, id, obsid, TARGETID, miles_id or specobjid; {table.found}")
    wanted = {name.lower() for name in (*columns, "split", *keys.values())}
    catalog = from_memory("measured", path, _read(table, wanted))
    out = {}
    for name in columns:
        # A survey's own column of a label: feh_desi, feh_desi_rvs.
        label = next((what for end in range(len(name), 0, -1) if (what := meaning(name[:end].rstrip("_")))), None)
        out[name] = catalog.column(name).numbers(label)
    for key, spelt in keys.items():
        out[key] = catalog.gaia_ids(spelt) if key == "source_id" else catalog.ids(spelt)
    if catalog.find("split"):
        out["split"] = catalog.column("split").text()
    return out
