"""Columns that a join brings from a table: their values, their types in a catalog, and the names that they get."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import InputError, SettingsError
from ..glossary import DESI_KEYS, describe, is_known
from ..tables import Column, canonical_label, meaning
from ..tables.quantities import quantity
from ..telling import tell
from .join_sides import GAIA_IDS, Side

_IDS = (*GAIA_IDS, "id", "obsid", "targetid", "miles_id", "specobjid", "specid")
_AT_ONCE = 32
"""Columns read in one pass over a file that has them apart."""
_WIDER = {
    "int8": "int16",
    "uint8": "int16",
    "uint16": "int32",
    "uint32": "int64",
    "float16": "float32",
    "float128": "float64",
}
"""Types that not every format of catalogs has, or whose integers have no -1."""


@dataclass(frozen=True)
class Brought:
    """A column of a table, of the rows that are of use.

    Parameters
    ----------
    column : str
        Its name in the file.
    values : ndarray, shape (n_used,)
    unit : str
    """

    column: str
    values: np.ndarray
    unit: str

    def at(self, places: np.ndarray) -> np.ndarray:
        """Values at some places of the rows that are of use; NaN, -1 or '' at place -1."""
        fill: Any = {"f": np.nan, "i": -1}.get(self.values.dtype.kind, "")
        if not len(self.values):
            return np.full(len(places), fill, self.values.dtype)
        return np.where(places >= 0, self.values[places], np.array(fill).astype(self.values.dtype))


def bring(table: Side, names: Sequence[str], rows: np.ndarray, wanted: bool) -> dict[str, Brought]:
    """Read columns of a table.

    Parameters
    ----------
    table : Side
    names : sequence of str
    rows : ndarray of int, shape (n_used,)
        Those that are of use.
    wanted : bool
        Whether the user named the columns; one that cannot be brought is an error then, and is told otherwise.

    Returns
    -------
    dict of str to Brought
        By their names in the file.

    Raises
    ------
    InputError
        If a column that the user named holds several values in a row, or identifiers that have lost digits.
    """
    apart = table.path.suffix.lower() in (".parquet", ".fits")
    size = _AT_ONCE if apart else max(len(names), 1)
    out: dict[str, Brought] = {}
    for start in range(0, len(names), size):
        for name, column in table.read(names[start : start + size]).items():
            try:
                values, unit = _plain(column, rows)
            except InputError as error:
                if wanted:
                    raise
                tell(f"{error}; the column is not added")
                continue
            out[name] = Brought(name, values, unit)
    return out


def _plain(column: Column, rows: np.ndarray) -> tuple[np.ndarray, str]:
    """Values and unit of some rows of a column, in a type that every catalog has."""
    if column.is_vector:
        raise InputError(f"{column.where} holds several values in a row, and a catalog one")
    bare = column.name.rpartition(".")[2].lower()
    known = quantity(column.chosen or meaning(column.name))
    if known is not None:
        try:
            values = column.numbers()
        except InputError:
            # What is called like a quantity and is none stays as it is.
            return storable(_some(column, rows)), column.unit
        single = isinstance(column.data, np.ndarray) and column.data.dtype == np.float32
        return values[rows].astype(np.float32 if single else np.float64), known.unit
    if bare in _IDS or column.chosen in ("id", "source_id"):
        return column.ids()[rows], ""
    return storable(_some(column, rows)), column.unit


def _some(column: Column, rows: np.ndarray) -> np.ndarray:
    if column.untyped:
        # Of text without types the whole column decides what it is.
        return column.natural()[rows]
    some = part(column, rows)
    values = some.natural()
    return np.where(some.missing, -1, values.astype(np.int16)) if values.dtype.kind == "b" else values


def part(column: Column, rows: np.ndarray | slice) -> Column:
    """Some rows of a column; text stays with Arrow, which needs little memory."""
    gone = None if column.gone is None else np.asarray(column.gone)[rows]
    if isinstance(column.data, np.ndarray):
        return replace(column, data=column.data[rows], gone=gone)
    if isinstance(rows, slice):
        return replace(column, data=column.data.slice(rows.start, rows.stop - rows.start), gone=gone)
    import pyarrow as pa

    whole = column.data.combine_chunks()
    whole = whole if isinstance(whole, pa.ChunkedArray) else pa.chunked_array([whole])
    return replace(column, data=whole.take(pa.array(rows)), gone=gone)


def storable(values: np.ndarray) -> np.ndarray:
    """Values in a type that every format of catalogs has.

    Raises
    ------
    InputError
        If unsigned integers do not fit into int64.
    """
    kind = values.dtype.kind
    if kind == "b":
        return values.astype(np.int16)
    if values.dtype == np.uint64:
        if len(values) and values.max() > np.uint64(2**63 - 1):
            raise InputError("an unsigned integer does not fit into int64")
        return values.astype(np.int64)
    if kind not in "iufU":
        return values.astype(str)
    return values.astype(_WIDER.get(values.dtype.name, values.dtype))


def new_names(names: Iterable[str], existing: Iterable[str], suffix: str, in_hdus: bool = False) -> dict[str, str]:
    """Names that columns of a table get in a catalog.

    Labels get their canonical names, all others keep theirs (without the HDU). The suffix is added where the catalog has such a
    column, whatever its case, and to every name that means something in catalogs of transtar: what a table says is never
    taken for what models predict.

    Parameters
    ----------
    names, existing : iterable of str
        Of the table, and of the catalog.
    suffix : str
    in_hdus : bool
        Whether names of the table may be 'HDU.NAME'.

    Returns
    -------
    dict of str to str

    Raises
    ------
    SettingsError
        If a name would come twice, or mean something, with the suffix, too.
    """
    taken = {name.lower() for name in existing}
    new: dict[str, str] = {}
    for name in names:
        bare = name.rpartition(".")[2] if in_hdus else name
        short = canonical_label(bare) or bare
        if short.lower() in taken and bare != name:
            # Of several HDUs of one file.
            short = name.replace(".", "_")
        if short.lower() in taken or is_known(short.lower()):
            short += suffix
        if short.lower() in taken or is_known(short.lower()) or canonical_label(short) is not None:
            raise SettingsError(
                f"the column {name} of the table would be called {short}, which is taken or means something else; choose "
                "another --suffix, or columns with --take"
            )
        taken.add(short.lower())
        new[name] = short
    return new


def slices(
    columns: Mapping[str, np.ndarray | Column], rows: int, size: int
) -> Iterator[tuple[slice, dict[str, np.ndarray]]]:
    """The columns of a catalog part by part."""
    for start in range(0, max(rows, 1), size):
        these = slice(start, min(start + size, rows))
        yield (
            these,
            {
                name: part(column, these).text() if isinstance(column, Column) else column[these]
                for name, column in columns.items()
            },
        )


def as_they_are(table: Side) -> dict[str, np.ndarray | Column]:
    """All columns of a catalog, with their names and types; text as a `Column`, which `slices` reads part by part.

    Raises
    ------
    InputError
        If a column holds several values in a row.
    """
    out: dict[str, np.ndarray | Column] = {}
    for name, column in table.read(table.names).items():
        if column.is_vector:
            raise InputError(f"{column.where} holds several values in a row, and a catalog one; leave it out")
        if column.is_text and not column.untyped:
            out[name] = column
        elif is_known(name) and column.unit not in ("", describe(name).unit) and quantity(name) is not None:
            # The unit that a name of the glossary has is the glossary's.
            values = column.numbers(name, keep=True)
            out[name] = values.astype(column.data.dtype if column.data.dtype.kind == "f" else values.dtype)
        else:
            values = column.natural()
            if name == "flags" and values.dtype.kind == "i":
                # Where there are none, nobody set any; -1 would be all.
                values = np.where(column.missing, 0, values)
            out[name] = values if values.dtype.kind == "b" else storable(values)
    # Catalogs of older versions have DESI's own names beside our survey.
    older = {"survey", "flags"} <= set(out)
    return {DESI_KEYS.get(name, name) if older else name: values for name, values in out.items()}
