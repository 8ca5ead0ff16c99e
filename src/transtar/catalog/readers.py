"""Reading catalogs, transtar's own and others, into plain columns."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import InputError, TranstarError
from ..glossary import DESI_KEYS, describe, is_known
from ..tables import KEY_PARTS, Column, canonical_label, key_column, read_table
from ..tables.column_names import two_columns
from ..telling import tell
from .catalog_columns import METADATA_KEY
from .ecsv_lines import ecsv_metadata
from .fitstable import fits_metadata
from .styles import our_names
from .vo import votable_metadata
from .writers import check_suffix


def read_columns(path: str | os.PathLike, columns: Mapping[str, str] | None = None) -> dict[str, np.ndarray]:
    """Read a table of one row per spectrum.

    Parameters
    ----------
    path : path
        A table that transtar wrote, or any other that `transtar.tables.open_table` reads.
    columns : mapping of str to str, optional
        Which column is which, where names do not tell, or tell it twice: ``{"feh": "FE_H"}``.

    Returns
    -------
    dict of str to ndarray, shape (n,) or (n, ...)
        Columns in the order of the file. Labels have their canonical names, as `transtar.labels.read_labels` gives them, and are
        in K and dex; keys are `id`, `file` and `star`; other names are kept, but for those that are the glossary's when in lower
        case. `id` is int64, exact to the last digit, -1 where missing; strings are str arrays; what is missing is NaN, and of
        `flags` 0.

    Raises
    ------
    InputError
        If the file is missing, is no such table, holds a column twice, or its ids are not integers.
    """
    return read_with_units(path, columns)[0]


def read_with_units(
    path: str | os.PathLike, columns: Mapping[str, str] | None = None
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Do what `read_columns` does, and give the units, of the glossary or as the file states them: dict of str to str."""
    table, table_columns = read_table(path, columns, empty=True)
    # Transtar's own catalogs have an id beside whatever their survey calls it.
    by_transtar = {"survey", "flags"} <= set(table.names)
    if style := _style(path):
        by_transtar = True
        ours = our_names(table.names, style)
        table_columns = {
            ours.get(name, name): replace(one, name=ours.get(name, name)) for name, one in table_columns.items()
        }
    elif by_transtar:
        # The names that an older transtar took over from DESI.
        table_columns = {DESI_KEYS.get(name, name): one for name, one in table_columns.items()}
    names = list(table_columns)
    keys = {}
    for key in ("id", "file", "star"):
        try:
            name = key_column(key, names, () if by_transtar else None, table.chosen, str(path))
        except InputError:
            # Without the key rows may still be told by another one; if not, the join says so.
            continue
        if name in table_columns:
            keys[name] = key
    if len(keys) > 1 and "id" in keys.values():
        name = next(name for name, key in keys.items() if key == "id")
        try:
            table_columns[name].ids()
        except InputError as error:
            # Rows are told by the file or the star as well.
            tell(f"{error}; it is passed over")
            del keys[name]
    out: dict[str, np.ndarray] = {}
    units: dict[str, str] = {}
    for given, column in table_columns.items():
        lower = given.rpartition("#")[0].lower() or given.lower()
        label = canonical_label(lower)
        if lower in table_columns and given != lower and is_known(lower) and given.upper() not in KEY_PARTS:
            raise two_columns(str(path), lower, given, lower)
        # A survey may have SURVEY beside transtar's own survey.
        name = (
            keys.get(given)
            or label
            or (lower if is_known(lower) and (lower not in table_columns or given == lower) else given)
        )
        if name in out:
            first = next(other for other in table_columns if other != given and _means(other, name, keys))
            raise two_columns(str(path), first, given, name)
        out[name] = _values(column, name, label, is_key=given in keys)
        # Labels and angles have been converted; of anything else the file knows best.
        converted = label is not None or name in ("ra", "dec") or not column.unit
        units[name] = describe(name).unit if is_known(name) and converted else column.unit
    return out, units


def _means(given: str, name: str, keys: Mapping[str, str]) -> bool:
    plain = given.rpartition("#")[0].lower() or given.lower()
    return keys.get(given) == name or canonical_label(plain) == name or plain == name


def _values(column: Column, name: str, label: str | None, is_key: bool) -> np.ndarray:
    if column.is_vector:
        return column.values
    if is_key:
        return column.ids() if name == "id" else column.text()
    known = describe(name).dtype if is_known(name) else ""
    if label is not None or known.startswith("float"):
        # A prediction that cannot be is a failure to be scored, not a star to be left out.
        values = column.numbers(label, keep=True)
        # What is text has no type of its own.
        dtype = known if column.is_text or column.untyped else column.data.dtype
        return values.astype(dtype if column.is_text or column.data.dtype.kind == "f" else np.float64)
    if known.startswith("int"):
        whole = column.ids()
        if name == "flags":
            # A row without flags has none that anybody set; -1 would set them all.
            if (negative := int((whole[~column.missing] < 0).sum())) > 0:
                tell(f"{column.where}: {negative} negative values count as no flag set")
            whole = np.maximum(whole, 0)
        return whole.astype(known)
    return column.text() if known == "str" else column.natural()


def read_metadata(path: str | os.PathLike) -> dict:
    """Provenance that transtar put into a parquet, FITS, VOTable or ECSV catalog; empty for other files.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    path = Path(path)
    suffix = check_suffix(path)
    try:
        return _METADATA[suffix](path) if suffix in _METADATA else {}
    except (pa.ArrowException, OSError, ValueError, IndexError) as error:
        raise InputError(f"{path}: cannot be read ({' '.join(str(error).split())})") from None


def _parquet_metadata(path: Path) -> dict:
    return json.loads((pq.read_schema(path).metadata or {}).get(METADATA_KEY, b"{}"))


_METADATA = {
    ".parquet": _parquet_metadata,
    ".fits": fits_metadata,
    ".ecsv": ecsv_metadata,
    ".vot": votable_metadata,
    ".votable": votable_metadata,
}


def _style(path: str | os.PathLike) -> str:
    """In whose style transtar wrote a catalog; empty if it wrote none, or it is not known."""
    try:
        return str(read_metadata(path).get("style", "")) if Path(path).suffix.lower() in _METADATA else ""
    except TranstarError:
        return ""
