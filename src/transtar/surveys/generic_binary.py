"""Many spectra in one npz or parquet file.

npz: ``wave`` (n_pixels,), ``flux`` and optionally ``ivar`` or ``error`` and ``mask`` (n_spectra, n_pixels) or
(n_pixels,); ``medium`` and optionally ``frame`` as strings; any other array of length n_spectra is a column of
the stars.

parquet: either one spectrum, with one row per pixel; or one row per spectrum, with ``flux`` (and ``ivar`` ...) a column
of lists, all of the same length, and ``wave`` a column of identical lists or, in the schema metadata, one JSON list.
The medium and frame are columns or schema metadata.
"""

from __future__ import annotations

import io
import json

import numpy as np

from ..errors import InputError
from .generic import META_PREFIX, PIXEL_COLUMNS, SCALARS, Content, canonical


def parse_npz(content: bytes) -> Content:
    """Parse an npz archive; pickled objects are refused."""
    parsed = Content()
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        arrays = {key if key.startswith(META_PREFIX) else canonical(key): archive[key] for key in archive.files}
    parsed.names = list(arrays)
    parsed.keys = tuple(str(key) for key in arrays.pop("keys", ()))
    for key, array in arrays.items():
        name = key.removeprefix(META_PREFIX)
        if name != key:
            parsed.stars[name] = np.atleast_1d(array)
            continue
        if name in SCALARS:
            parsed.scalars[name] = str(array.reshape(-1)[0]) if array.size else ""
        elif name in PIXEL_COLUMNS:
            parsed.pixels[name] = array
        elif name in ("id", "velocity") or (
            array.ndim == 1 and len(array) == len(np.atleast_2d(arrays.get("flux", [])))
        ):
            parsed.stars[name] = np.atleast_1d(array)
    return parsed


def parse_parquet(content: bytes, where: str) -> Content:
    """Parse a parquet table.

    Raises
    ------
    InputError
        If lists differ in length, or spectra in wavelengths.
    """
    import pyarrow as pa

    from ..tables.parquet import read_bounded

    table = read_bounded(content, where=where)
    metadata = {key.decode(): value.decode(errors="replace") for key, value in (table.schema.metadata or {}).items()}
    parsed = Content(scalars={name: metadata[name] for name in SCALARS if name in metadata}, names=table.column_names)
    columns = {canonical(name): table.column(name).combine_chunks() for name in table.column_names}
    per_spectrum = any(pa.types.is_nested(column.type) for column in columns.values())
    if "wave" in metadata and "wave" not in columns:
        parsed.pixels["wave"] = np.array(json.loads(metadata["wave"]), dtype=np.float64)
    for name, column in columns.items():
        if name in PIXEL_COLUMNS:
            parsed.pixels[name] = _lists(column, name, where) if per_spectrum else _plain(column)
        elif name in SCALARS:
            parsed.scalars[name] = _only(column, name, where)
        elif per_spectrum and not pa.types.is_nested(column.type):
            parsed.stars[name] = _plain(column)
        elif not per_spectrum and len(column.unique()) == 1:
            parsed.stars[name] = _plain(column)[:1]
    return parsed


def _lists(column, name: str, where: str) -> np.ndarray:
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_nested(column.type):
        raise InputError(f"{where}: column {name} must hold lists, like the other columns of pixels")
    lengths = pc.list_value_length(column).unique()
    if len(lengths) != 1 or not lengths[0].is_valid:
        raise InputError(f"{where}: the lists in column {name} differ in length; write one file per length")
    values = _plain(column.flatten()).reshape(len(column), lengths[0].as_py())
    if name not in ("wave", "loglam"):
        return values
    if not (values == values[0]).all():
        raise InputError(f"{where}: the spectra differ in wavelengths; write one file per wavelength array")
    return values[0]


def _plain(column) -> np.ndarray:
    """Arrow column to numpy: NaN, -1 or '' where null."""
    # Nulls are filled before the conversion: numpy has no integer null, and floats would lose digits.
    import pyarrow as pa

    kind = column.type
    if column.null_count:
        if pa.types.is_floating(kind):
            column = column.fill_null(float("nan"))
        elif pa.types.is_integer(kind):
            column = column.fill_null(-1)
        elif pa.types.is_boolean(kind):
            column = column.fill_null(True)
    if pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return column.to_numpy(zero_copy_only=False)
    return np.array(["" if value is None else str(value) for value in column.to_pylist()], dtype=str)


def _only(column, name: str, where: str) -> str:
    values = column.unique().to_pylist()
    if len(values) != 1:
        raise InputError(f"{where}: column {name} must hold one value throughout, found {values[:3]}")
    return str(values[0])
