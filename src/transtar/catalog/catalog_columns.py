"""Columns of a catalog as Arrow types, with the glossary's units and descriptions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from ..errors import InputError, said
from ..flags import flag_names
from ..glossary import LABELS, Column, describe, is_known
from ..summary import ROWS
from .vo import without_data

METADATA_KEY = b"transtar"
"""Key of a parquet file's schema metadata under which the catalog's own metadata stand, as JSON."""

MOST_SHOWN = 8
"""Columns of labels and errors that a notebook shows side by side."""

ASTROPY_KEY = b"table_meta_yaml"
"""Key under which `astropy.table.Table.read` looks for units and descriptions."""


def first_columns(columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The columns by which a notebook shows a catalog: the spectrum, its labels with their errors, and its flags in words.

    Parameters
    ----------
    columns : mapping of str to ndarray, shape (n,)

    Returns
    -------
    dict of str to ndarray
        Few enough to be seen side by side; `flags` of as many rows as a notebook shows.
    """
    named = [name for name in ("file", "id") if name in columns]
    if "id" in named and not (columns["id"] >= 0).any():
        named.remove("id")
    labels = [name for label in LABELS for name in (label, f"{label}_err") if name in columns]
    shown = {name: columns[name] for name in (*named, *labels[:MOST_SHOWN])}
    return shown | ({"flags": flag_names(columns["flags"][:ROWS])} if "flags" in columns else {})


def column_of(name: str, array: np.ndarray) -> Column:
    """Look up the glossary's entry, or make one for a survey's own column."""
    if is_known(name):
        return describe(name)
    kind = "str" if array.dtype.kind in "UOST" else array.dtype.name
    return Column(name, kind, "", "")


def column_unit(name: str) -> str:
    """Unit of a column of a catalog, as the glossary has it; empty for a survey's own column."""
    return describe(name).unit if is_known(name) else ""


def plain_array(values, unit: str = "") -> np.ndarray:
    """An array without mask and unit, of a column of an astropy table, say.

    Parameters
    ----------
    values : array_like, shape (n,)
        A Quantity, or a column with a unit, is converted to `unit`, if there is one. What is masked becomes NaN, -1, False or ''.
    unit : str

    Returns
    -------
    ndarray, shape (n,)

    Raises
    ------
    InputError
        If the unit of the values cannot be converted.
    """
    given = getattr(values, "unit", None)
    if given is not None and unit and str(given) != unit:
        from astropy import units

        try:
            values = units.Quantity(values).to(unit)
        except (units.UnitsError, TypeError, ValueError) as error:
            raise InputError(f"a column in {given} cannot be one in {unit} ({said(error)})") from None
    mask = getattr(values, "mask", None)
    values = getattr(values, "unmasked", values)
    array = np.asarray(getattr(values, "value", values))
    if mask is None or not np.any(mask):
        return array
    filler = {"f": np.nan, "i": -1, "u": 0, "b": False}.get(array.dtype.kind, "")
    return np.where(mask, filler, array).astype(array.dtype)


def check_columns(columns: Mapping[str, np.ndarray], where: str) -> dict[str, np.ndarray]:
    """Bring columns to the types of the glossary.

    Parameters
    ----------
    columns : mapping of str to array_like, shape (n,)
    where : str
        File, for the message.

    Returns
    -------
    dict of str to ndarray, shape (n,)
        Known columns in the dtype of the glossary, strings as str arrays; others as given.

    Raises
    ------
    InputError
        If there are no columns, lengths differ, a column is not one-dimensional, or ids are not integers.
    """
    if not columns:
        raise InputError(f"{where}: a catalog needs at least one column")
    checked: dict[str, np.ndarray] = {}
    for name, values in columns.items():
        array = plain_array(values, column_unit(name))
        if array.ndim != 1:
            raise InputError(f"{where}: column {name} has shape {array.shape}; catalogs hold one value per row")
        target = column_of(name, array).dtype
        if target == "str":
            array = array.astype(str)
        elif target.startswith("int"):
            array = as_integers(array, target, f"{where}: column {name}")
        else:
            array = array.astype(target)
        checked[name] = array
    lengths = {name: len(array) for name, array in checked.items()}
    if len(set(lengths.values())) > 1:
        raise InputError(f"{where}: columns differ in length: {lengths}")
    return checked


def as_integers(array: np.ndarray, dtype: str, what: str) -> np.ndarray:
    """Convert to integers without changing a digit.

    Parameters
    ----------
    array : ndarray, shape (n,)
        Integers, strings of digits, or floats that are whole and below 2**53; NaN and empty strings become -1.
    dtype : str
    what : str
        Column, for the message.

    Raises
    ------
    InputError
        If a value is not an integer, does not fit, or is a float too large to be exact.
    """
    if array.dtype.kind == "f":
        known = np.where(np.isnan(array), -1.0, array)
        if not ((known == np.floor(known)).all() and (np.abs(known) < 2**53).all()):
            raise InputError(f"{what} holds floating-point numbers that are no exact integers")
        array = known
    elif array.dtype.kind not in "iub":
        try:
            array = np.array([int(text) if str(text).strip() else -1 for text in array.tolist()], dtype=object)
        except (ValueError, TypeError):
            raise InputError(f"{what} must hold integers") from None
    limits = np.iinfo(dtype)
    if len(array) and (array.max() > limits.max or array.min() < limits.min):
        raise InputError(f"{what} holds integers that do not fit into {dtype}")
    return array.astype(dtype)


def columns_of(example: Mapping[str, np.ndarray], names: Mapping[str, str] | None = None) -> list[Column]:
    """What is to be said of each column of a file.

    Parameters
    ----------
    example : mapping of str to ndarray, shape (n,)
        Columns by our names.
    names : mapping of str to str, optional
        What they are called in the file, by ours (see `transtar.catalog.styles`).

    Returns
    -------
    list of Column
        By the names of the file; of a survey's own column nothing but its type is known. `dtype` is that of the values.
    """
    return [
        replace(
            column_of(name, example[name]),
            name=spelling,
            dtype="str" if example[name].dtype.kind == "U" else example[name].dtype.name,
        )
        for name, spelling in (names or {name: name for name in example}).items()
    ]


def arrow_schema(columns: Sequence[Column], metadata: Mapping) -> pa.Schema:
    """Arrow schema with unit, description and UCD in the metadata of each field, and `metadata` as JSON in its own."""
    fields = []
    for column in columns:
        kind = pa.string() if column.dtype == "str" else pa.from_numpy_dtype(np.dtype(column.dtype))
        about = {"unit": column.unit, "description": column.description, "ucd": column.ucd}
        fields.append(pa.field(column.name, kind, metadata={key: text for key, text in about.items() if text}))
    about_all = {METADATA_KEY: json.dumps(dict(metadata)), ASTROPY_KEY: "\n".join(yaml_header(columns))}
    return pa.schema(fields, metadata=about_all | without_data(columns))


def yaml_header(columns: Sequence[Column], meta: Mapping | None = None) -> list[str]:
    """Lines that say names, types, units and descriptions as astropy's readers of parquet and ECSV take them."""
    from astropy.table import Table
    from astropy.table.meta import get_yaml_from_table

    table = Table()
    for column in columns:
        table[column.name] = np.zeros(0, column.dtype)
        info = table[column.name].info
        info.unit, info.description = column.unit or None, column.description or None
        if column.ucd:
            info.meta = {"ucd": column.ucd}
    table.meta.update(meta or {})
    return get_yaml_from_table(table)


def to_arrow(columns: Mapping[str, np.ndarray], schema: pa.Schema, where: str) -> pa.Table:
    """One batch as an Arrow table of a given schema.

    Raises
    ------
    InputError
        If the batch has other columns or types than the schema.
    """
    if set(columns) != set(schema.names):
        odd = sorted(set(columns) ^ set(schema.names))
        raise InputError(f"{where}: batches differ in columns: {', '.join(odd)}")
    try:
        return pa.table([pa.array(columns[f.name], type=f.type, from_pandas=False) for f in schema], schema=schema)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise InputError(f"{where}: batches differ in column types ({error})") from None


def as_numpy(array: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Turn an Arrow column into a NumPy array: str arrays for strings, NaN, -1 or '' for nulls."""
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    kind = array.type
    if pa.types.is_dictionary(kind):
        return as_numpy(array.dictionary_decode())
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return np.array(array.fill_null("").to_pylist(), dtype=str)
    if array.null_count and pa.types.is_integer(kind):
        array = array.fill_null(-1)
    elif array.null_count and pa.types.is_boolean(kind):
        array = array.fill_null(False)
    values = array.to_numpy(zero_copy_only=False)
    return values.copy() if not values.flags.writeable else values
