"""The one way into transtar for every tabular file."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from ..errors import InputError, TranstarError, said
from ..glossary import LABELS
from .choice import Choice
from .column import Column
from .column_names import error_of, meaning, plain
from .formats import open_file
from .quantities import is_unit, quantity
from .table import Table, find, once, renamed

FORMATS = "CSV, ECSV, FITS, VOTable or parquet"


def open_table(path: str | os.PathLike, choice: Mapping[str, str] | None = None, also: str | None = None) -> Table:
    """Open a table; its format is told by content, not by name.

    Parameters
    ----------
    path : path
        Text with commas, semicolons, bars, tabs or blanks (CSV; comments begin with #; VizieR's asu-tsv), ECSV, FITS (the first
        table with rows), VOTable, parquet, or what astropy reads as CDS, MRT or IPAC; compressed or not.
    choice : mapping of str to str, optional
        Meaning and column: ``{"feh": "FE_H"}``. The column is then called by its meaning, and others of the same meaning are
        passed over.
    also : str, optional
        A column (case does not matter) that may stand in another table of a FITS file, if that matches the first row
        by row (DESI: RVTAB, SPTAB, FIBERMAP, GAIA): the same number of rows and, where it has one, the same TARGETID.

    Returns
    -------
    Table

    Raises
    ------
    InputError
        If it is no table, with what it seems to be and what to do.
    """
    path = Path(path)
    try:
        table = open_file(path, also)
    except (TranstarError, MemoryError):
        raise
    except Exception as error:
        # Three libraries, each with exceptions of its own for a damaged table.
        raise InputError(f"{path}: cannot be read as a {FORMATS} table ({said(error)})") from error
    return _chosen(_without_units(_without_prefix(table)), choice)


def _without_prefix(table: Table) -> Table:
    """The columns of LAMOST's queries (``combined_obsid``) by the names that its catalogs have."""
    short = {
        name: name[len("combined_") :]
        for name in table.names
        if name.lower().startswith("combined_") and len(name) > len("combined_")
    }
    if not short or set(short.values()) & set(table.names):
        return table
    return renamed(table, short)


def _without_units(table: Table) -> Table:
    """The columns that have a unit in their names (Teff (K), rv [km/s]) without it."""
    short: dict[str, str] = {}
    all_names = set(table.names)
    for name in table.names:
        match = re.fullmatch(r"(.+?)\s*[\[(]([^\[\]()]+)[\])]", name)
        what = quantity(meaning(match[1])) if match else None
        if match and what is not None and is_unit(match[2], what) and match[1] not in all_names:
            short[name] = match[1]
    units = {name: name[len(bare) :].strip(" []()") for name, bare in short.items()}
    # Of two units of one thing both stay, as names that occur twice do.
    new = dict(zip(short, once(list(short.values())), strict=True))
    return renamed(table, new, units=units) if new else table


def _bare(name: str) -> str:
    return re.sub(r"\s*[\[(][^\[\]()]+[\])]$", "", name)


def _chosen(table: Table, choice: Mapping[str, str] | None) -> Table:
    """The table as the user says what its columns are."""
    new: dict[str, str] = {}
    hidden: set[str] = set()
    for name, column in (choice or {}).items():
        where = str(table.path)
        # As the file has it, or without the unit that stood in its name.
        given = find(table.names, column, where=where, exact=True) or find(
            table.names, _bare(column), where=where, exact=True
        )
        if given is None:
            continue
        if isinstance(choice, Choice):
            choice.used.add(name)
        new[given] = name
        hidden |= {other for other in table.names if other != given and (other == name or meaning(other) == name)}
        if name in LABELS and f"{name}_err" not in (choice or {}):
            # Of errors that of the column chosen: another one's would be wrong without a word.
            errors = [other for other in table.names if meaning(other) == f"{name}_err"]
            hidden |= {other for other in errors if error_of(other) != plain(given)}
    hidden -= set(new)
    if not new:
        return table
    return renamed(table, new, hidden, chosen=True)


def read_table(
    path: str | os.PathLike,
    choice: Mapping[str, str] | None = None,
    also: str | None = None,
    wanted: Callable[[str], bool] | None = None,
    *,
    empty: bool = False,
) -> tuple[Table, dict[str, Column]]:
    """Open a table and read its columns, or some of them; what is wrong with either is one clear line.

    Parameters and errors are those of `open_table` and `Table.columns`.
    """
    table = open_table(path, choice, also)
    try:
        return table, table.columns(wanted, empty=empty)
    except (TranstarError, MemoryError):
        raise
    except Exception as error:
        raise InputError(f"{path}: cannot be read as a {FORMATS} table ({said(error)})") from error
