"""The kinds of catalogs that selections draw on, told apart by content."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import MappingProxyType

import numpy as np

from ..errors import InputError, TranstarError
from . import apogee, compilations, lamost, mws
from .catalogs import Catalog, find_files, from_memory, is_fits, join_parts, list_tables, read_small
from .columns import Column

KINDS = MappingProxyType({
    "apogee-dr17": "allStar of APOGEE DR17 (FITS)",
    "desi-edr": "mwsall of the DESI Milky Way Survey, EDR (FITS)",
    "desi-dr1": "mwsall of the DESI Milky Way Survey, DR1 (FITS)",
    "lamost": "LAMOST low-resolution catalog with obsid, designation and gaia_source_id",
    "compilation": "labels from high-resolution spectra, with [Fe/H] and Gaia source_id",
    "selection": "what transtar select wrote, with split and source_id",
    "spectra": "a catalog that transtar predict wrote, with flags",
})  # fmt: skip

_GAIA_ID = {
    "apogee-dr17": apogee.GAIA_ID, "desi-edr": mws.GAIA_ID, "desi-dr1": mws.GAIA_ID, "lamost": lamost.GAIA_ID,
    "compilation": compilations.GAIA_ID, "selection": ("source_id",),
}  # fmt: skip

BITS = MappingProxyType({**apogee.BITS, **mws.BITS})


def gaia_ids(catalog: Catalog) -> np.ndarray:
    """Gaia DR3 source_ids of a catalog, int64, -1 where there is no match (EDR3 has the same identifiers)."""
    return catalog.gaia_ids(*_GAIA_ID[catalog.kind])


def open_catalogs(paths: Iterable[str | Path], kinds: Iterable[str]) -> tuple[dict[str, Catalog], list[str]]:
    """Find the catalogs of some kinds among files and folders.

    Parameters
    ----------
    paths : iterable of path
        Files and folders (see `catalogs.find_files`); ``KIND=FILE`` says of which kind a file is.
    kinds : iterable of str
        Wanted kinds, keys of `KINDS`. Files of another kind are passed over.

    Returns
    -------
    catalogs : dict of str to Catalog
        By kind; several files of one kind are one catalog.
    lines : list of str
        What was not used, each a line to show.

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
    found: dict[str, list[Catalog]] = {}
    lines = []
    for file, named in find_files(plain):
        try:
            catalog = open_catalog(file, told.get(file))
        except TranstarError as error:
            # In a folder there may lie anything; only what the user named must be readable.
            if named:
                raise
            lines.append(f"passed over: {error}")
            continue
        if catalog.kind not in wanted:
            if named:
                lines.append(f"not needed for this selection: {file} ({KINDS[catalog.kind]})")
            continue
        found.setdefault(catalog.kind, []).append(catalog)
    return {kind: join_parts(parts) for kind, parts in found.items()}, lines


def open_catalog(path: Path, kind: str | None = None) -> Catalog:
    """Open one catalog of any kind.

    Raises
    ------
    InputError
        If it is of no known kind, or cannot be used.
    """
    if is_fits(path):
        tables = list_tables(path)
        if mws.recognise(tables):
            return mws.open_catalog(path, tables, kind)
        if apogee.recognise(tables):
            return apogee.open_catalog(path, tables)
        if {"SPTAB", "FIBERMAP"} & set(tables):
            raise InputError(f"{path}: no HDU RVTAB (HDUs: {', '.join(tables)}); use mwsall-*.fits")
    columns = read_small(path)
    names = {name.lower() for name in columns}
    if kind == "lamost" or (kind is None and lamost.recognise(names)):
        return lamost.open_catalog(path, columns)
    if kind == "selection" or (kind is None and {"split", "source_id"} <= names):
        return from_memory("selection", path, columns)
    if kind == "spectra" or (kind is None and {"flags", "id"} <= names):
        return from_memory("spectra", path, columns)
    if kind == "compilation" or (kind is None and compilations.recognise(names)):
        return compilations.open_catalog(path, columns)
    few = ", ".join(list(columns)[:30])
    raise InputError(f"{path}: a catalog of no kind that is known ({'; '.join(KINDS.values())}); columns found: {few}")


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


def keys(catalog: Catalog, by: str) -> np.ndarray:
    """Identifiers to join by, int64, -1 where missing: 'source_id' (Gaia) or 'targetid' (DESI)."""
    if by == "source_id":
        return gaia_ids(catalog)
    return catalog.ids("RVTAB.TARGETID", "targetid", "id")


__all__ = ["BITS", "KINDS", "Column", "gaia_ids", "keys", "labels", "observations", "open_catalog", "open_catalogs"]
