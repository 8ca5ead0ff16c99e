"""The two tables of a join: what their rows are known by, their positions, and their columns when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..content import first_bytes
from ..errors import InputError
from ..labels import mws_catalog
from ..labels.catalog_places import PLACES, read_positions
from ..labels.catalogs import to_gaia_ids
from ..labels.places import EPOCHS, named_places
from ..labels.positions import Positions
from ..surveys import get_survey, survey_names
from ..tables import Column, Table, key_column, meaning, open_table
from ..tables.fits import MAGIC, list_tables

GAIA_IDS = ("source_id", "gaia_source_id", "gaiaedr3_source_id", "gaiadr3", "dr3_source_id", "gaia_id")
"""Columns of Gaia DR3's identifiers, in lower case."""

_PARTS = ("SURVEY", "PROGRAM", "HEALPIX")
_GAIA_DR3 = 2016.0


@dataclass(frozen=True)
class Side:
    """One table of a join.

    Parameters
    ----------
    path : Path
    rows : int
    names : tuple of str
        Columns that can be had; those of several HDUs as 'HDU.NAME'.
    usual : tuple of str
        Those of them that are had if no others are asked for.
    read : callable
        Takes names, and gives their columns of all rows, as a dict of str to Column.
    keys : dict of str to callable
        What rows are known by, each when it is asked for: `id`, `source_id` (int64, -1 for none), `star`, `file` (str, '' for
        none), shape (n,).
    spelt : dict of str to str
        The columns of these, and of the parts, as the file calls them.
    parts : dict of str to ndarray, shape (n,)
        What makes a compound key with the id: SURVEY, PROGRAM, HEALPIX of DESI, and `survey`, transtar's own.
    positions : callable
        Takes the epoch that the user states, or None; gives `Positions`, and says of which epoch they are.
    surveys : tuple of str
        Names of the surveys of a catalog of transtar's; empty if it does not tell.
    unusable : dict of str to str
        Keys that two columns could be.
    """

    path: Path
    rows: int
    names: tuple[str, ...]
    usual: tuple[str, ...]
    read: Callable[[Sequence[str]], dict[str, Column]] = field(repr=False)
    keys: dict[str, Callable[[], np.ndarray]]
    spelt: dict[str, str]
    parts: dict[str, np.ndarray]
    positions: Callable[[float | None], tuple[Positions, str]] = field(repr=False)
    surveys: tuple[str, ...] = ()
    unusable: dict[str, str] = field(default_factory=dict)


def open_side(path: Path, choice: Mapping[str, str] | None, survey: str | None = None) -> Side:
    """Open a table of a join.

    Parameters
    ----------
    path : Path
        Any table, or a catalog of the DESI Milky Way Survey, whose HDUs are taken together.
    choice : mapping of str to str, optional
        Which column is which.
    survey : str, optional
        Of the rows that it is joined to, which tells how an identifier of theirs is called; of the catalog itself None.

    Raises
    ------
    InputError
        If it cannot be read, or has no rows.
    """
    if first_bytes(path, len(MAGIC)).startswith(MAGIC):
        tables = list_tables(path)
        if mws_catalog.recognise(tables):
            return _open_mws(path, mws_catalog.open_catalog(path, tables))
    return _open_table(open_table(path, choice), survey)


def _open_table(table: Table, survey: str | None) -> Side:
    by_transtar = {"survey", "flags"} <= set(table.names)
    wanted: dict[str, str] = {}
    unusable: dict[str, str] = {}
    ids = () if by_transtar else get_survey(survey).id_columns if survey in survey_names() else None
    for key in ("id", "star", "file"):
        try:
            name = key_column(key, table.names, ids, table.chosen, str(table.path))
        except InputError as error:
            unusable[key] = str(error)
            continue
        if name is not None:
            wanted[key] = name
    gaia = "source_id" if "source_id" in table.chosen else table.find(*GAIA_IDS)
    if gaia is not None:
        wanted["source_id"] = gaia
    parts = _part_names(table.names, by_transtar)
    columns = table.columns(lambda name: name in parts.values() or name == table.names[0])
    rows = len(next(iter(columns.values())))
    values = {part: columns[name].natural() for part, name in parts.items()}
    values = {part: array if array.dtype.kind in "iuU" else array.astype(str) for part, array in values.items()}
    surveys = tuple(np.unique(values["survey"]).tolist()) if "survey" in values else ()

    def key_of(key: str) -> Callable[[], np.ndarray]:
        # Text of millions of rows is read only if it is asked for.
        return lambda: _key(key, read([wanted[key]])[wanted[key]])

    def read(names: Sequence[str]) -> dict[str, Column]:
        return table.columns(set(names).__contains__)

    def positions(epoch: float | None) -> tuple[Positions, str]:
        return _positions(table, surveys, epoch)

    keys = {key: key_of(key) for key in wanted}
    usual = tuple(name for name in table.names if not name.startswith("#"))
    return Side(table.path, rows, table.names, usual, read, keys, wanted | parts, values, positions, surveys, unusable)


def _key(key: str, column: Column) -> np.ndarray:
    if key == "id":
        return column.ids()
    if key == "source_id":
        return to_gaia_ids(column)
    values = column.text()
    if key == "file":
        return np.array([name.rsplit("/", 1)[-1].removesuffix(".gz") for name in values.tolist()], dtype=str)
    return (
        np.char.strip(np.char.replace(values, "LAMOST ", "")) if np.char.startswith(values, "LAMOST").any() else values
    )


def _part_names(names: Sequence[str], by_transtar: bool) -> dict[str, str]:
    """Columns of the parts of a compound key; DESI's survey is none of transtar's."""
    parts = {}
    for part in _PARTS:
        lower = [part.lower()] if part != "SURVEY" or not by_transtar else []
        name = next((name for name in (part, f"desi_{part.lower()}", *lower) if name in names), None)
        if name is not None:
            parts[part] = name
    return parts | ({"survey": "survey"} if by_transtar else {})


def _positions(table: Table, surveys: Sequence[str], epoch: float | None) -> tuple[Positions, str]:
    names = {"ra", "dec", "pmra", "pmdec"} | (set() if surveys else {"epoch"})
    lower = {name.lower() for name in table.names}
    columns = table.columns(lambda name: name in names or meaning(name) in names)
    places = named_places(columns, str(table.path))
    if not {"ra", "dec"} <= set(places):
        raise InputError(f"{table.path}: no columns ra and dec to match by position; {table.found}")
    known: float | np.ndarray
    if epoch is not None:
        known, said = epoch, f"epoch {epoch:g} as stated"
    elif surveys:
        # What was joined to a catalog may have brought an epoch, which is that of other positions.
        of_survey = {EPOCHS.get(survey, 2000.0) for survey in surveys}
        if len(of_survey) > 1:
            raise InputError(
                f"{table.path}: positions of {', '.join(surveys)} are of several epochs; state one, or join each alone"
            )
        known = of_survey.pop()
        said = f"epoch {known:g}, that of {', '.join(surveys)}"
    elif "epoch" in places:
        missing = ~np.isfinite(places["epoch"])
        known = np.where(missing, 2000.0, places["epoch"])
        said = "epochs by its own column" + (f", {int(missing.sum())} taken to be 2000" if missing.any() else "")
    elif {"source_id", "ra_icrs"} & lower and "pmra" in places:
        known, said = _GAIA_DR3, f"epoch {_GAIA_DR3:g}, that of Gaia DR3"
    else:
        known, said = 2000.0, "epoch 2000, for it states none"
    return Positions(places["ra"], places["dec"], known, places.get("pmra"), places.get("pmdec")), said


def _open_mws(path: Path, catalog: Any) -> Side:
    keys: dict[str, Callable[[], np.ndarray]] = {"id": lambda: catalog.ids("RVTAB.TARGETID")}
    spelt = {"id": "RVTAB.TARGETID"}
    parts: dict[str, np.ndarray] = {}
    for part in _PARTS:
        if catalog.find(f"RVTAB.{part}") is not None:
            spelt[part] = f"RVTAB.{part}"
            column = catalog.column(spelt[part])
            parts[part] = column.ids() if part == "HEALPIX" else column.text()
    if catalog.find(*mws_catalog.GAIA_ID) is not None:
        keys["source_id"] = lambda: catalog.gaia_ids(*mws_catalog.GAIA_ID)
        spelt["source_id"] = mws_catalog.GAIA_ID[0]
    usual = [name for name in MWS_COLUMNS if not name.endswith("_desi_err") or catalog.find("SPTAB.COVAR") is not None]

    def read(names: Sequence[str]) -> dict[str, Column]:
        given = {name for name in names if name in usual}
        made = mws_catalog.observations(catalog, np.arange(catalog.rows)) if given else {}
        return {
            name: Column(made[name], name=name, unit=MWS_UNITS.get(name, ""), where=f"{path}: column {name}")
            if name in given
            else catalog.column(name)
            for name in names
        }

    def positions(epoch: float | None) -> tuple[Positions, str]:
        places = read_positions(catalog, PLACES[catalog.kind])
        if epoch is None:
            return places, "epochs by its own column, else 2015.5"
        return Positions(places.ra, places.dec, epoch, places.pmra, places.pmdec), f"epoch {epoch:g} as stated"

    return Side(path, catalog.rows, (*usual, *catalog.names), tuple(usual), read, keys, spelt, parts, positions)


_MWS_LABELS = ("teff", "logg", "feh", "alphafe")

MWS_COLUMNS = (
    "source_id", "vrad", "vrad_err", "rv_adop", "snr_b",
    *(f"{label}_desi{end}" for label in _MWS_LABELS for end in ("", "_rvs", "_err")),
)  # fmt: skip
"""What a catalog of the Milky Way Survey gives if nothing else is asked for; see `transtar.labels.mws_catalog.observations`."""

MWS_UNITS = {
    "vrad": "km/s", "vrad_err": "km/s", "rv_adop": "km/s",
    **{name: "K" if name.startswith("teff") else "dex" for name in MWS_COLUMNS if "_desi" in name},
}  # fmt: skip


def comparable_ids(catalog: Side, table: Side) -> str:
    """Why identifiers of the two tables cannot be compared; '' if they can."""
    if len(catalog.surveys) > 1 and "survey" not in table.parts:
        return f"rows of several surveys ({', '.join(catalog.surveys)}), each with identifiers of its own"
    column = table.spelt["id"].rpartition(".")[2].lower()
    name = catalog.surveys[0] if len(catalog.surveys) == 1 else None
    ids = get_survey(name).id_columns if name in survey_names() else ()
    if not ids and not catalog.surveys:
        ids = (catalog.spelt["id"].lower(),)
    if ids and "id" not in ids and column != "id" and column not in ids:
        return f"{table.spelt['id']} of the table, {' or '.join(ids)} of the catalog"
    return ""
