"""Many spectra in one npz or parquet file.

npz: ``wave`` and ``flux``, and optionally ``ivar`` or ``error`` and ``mask``, each (n_spectra, n_pixels) or (n_pixels,);
``medium`` and optionally ``frame`` and ``unit`` as strings; any other array of length n_spectra is a column of the stars.

parquet: either one spectrum, with one row per pixel; or one row per spectrum, with ``flux`` (and ``ivar`` ...) columns of lists,
and ``wave`` such a column or, in the schema metadata, one JSON list. Spectra may differ in length and in wavelengths. The medium
and frame are columns or schema metadata; units those of the columns.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..content import check_expansion, what_else
from ..errors import InputError, shown
from ..regular import open_regular
from ..tables import Column, once, parquet
from .generic_content import Content
from .generic_header import note
from .generic_names import assign, listed
from .stated import PIXEL_ROLES

META_PREFIX = "meta_"
"""Marks columns of stars in an npz file, lest one is named like a plane, or like an argument of numpy (``file``)."""
_SAID = ("medium", "airorvac", "vacuum", "frame", "specsys", "native_medium", "unit", "wave_unit")
"""Arrays of one value that say something of all spectra of an npz file."""


def parse_npz(path: Path, chosen: Mapping[str, str] | None = None) -> Content:
    """Read an npz archive; pickled objects are refused.

    Raises
    ------
    InputError
        If a member is no array, or claims to be larger than it is.
    """
    arrays = dict(_members(path))
    content = Content(str(path), {}, how="save it with medium='vacuum' (or 'air')", vectors=True)
    content.keys = tuple(str(key) for key in arrays.pop("keys", ()))
    plain = {name: array for name, array in arrays.items() if not name.startswith(META_PREFIX)}
    content.stars = {
        name.removeprefix(META_PREFIX): np.atleast_1d(array)
        for name, array in arrays.items()
        if name.startswith(META_PREFIX)
    }
    for name in [name for name, array in plain.items() if name.lower() in _SAID and array.size == 1]:
        # Case matters nowhere else, so it must not here.
        value, what = plain.pop(name).reshape(-1)[0], name.lower().replace("wave_unit", "unit")
        note(
            content, {what: value.decode(errors="replace") if isinstance(value, bytes) else value}, f"the array {name}"
        )
    roles = assign([name for name in plain if name.lower() not in ("medium", "frame")], str(path), chosen)
    for name, array in plain.items():
        where = f"{path}: {name}"
        if array.dtype.kind not in "fiubSU":
            raise InputError(f"{where}: holds neither numbers nor text ({array.dtype})")
        what = next((what for what, given in roles.items() if given == name), "")
        array = np.atleast_2d(array) if what in PIXEL_ROLES else np.atleast_1d(array)
        if what in PIXEL_ROLES and array.ndim != 2:
            raise InputError(f"{where}: has {array.ndim} dimensions; expected (n_pixels,) or (n_spectra, n_pixels)")
        content.columns[name] = Column(array, None, "", name, where)
    return content


def _members(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    with open_regular(path) as file, zipfile.ZipFile(file) as archive:
        check_expansion(path, sum(one.file_size for one in archive.infolist()))
        if not all(one.filename.endswith(".npy") for one in archive.infolist()):
            raise InputError(f"{path}: no npz file; it seems to be {what_else(b'PK' + bytes((3, 4)))}")
        seen = set()
        for one in archive.infolist():
            name = one.filename.removesuffix(".npy")
            if name in seen:
                raise InputError(f"{path}: holds two arrays called {shown(name)}; save it again")
            seen.add(name)
            # What a header claims is compared with what is there before any memory is taken.
            with archive.open(one) as member:
                raw = member.read(one.file_size + 1)
            stream = io.BytesIO(raw)
            version = np.lib.format.read_magic(stream)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, fortran, kind = read(stream)
            if kind.hasobject:
                raise InputError(f"{path}: {name} holds Python objects, which may carry code; save numbers or text")
            size = kind.itemsize
            for length in shape:
                size *= length
            if size != len(raw) - stream.tell():
                raise InputError(
                    f"{path}: {name} claims {size} bytes and has {len(raw) - stream.tell()}; fetch it again"
                )
            array = np.frombuffer(raw, kind, offset=stream.tell()) if size else np.empty(0, kind)
            yield name, array.reshape(shape[::-1]).T if fortran else array.reshape(shape)


def parse_parquet(path: Path, chosen: Mapping[str, str] | None = None) -> list[Content]:
    """Read a parquet table; one `Content` for each number of pixels.

    Raises
    ------
    InputError
        If a column of pixels does not hold lists where others do, or the lists of a spectrum differ in length.
    """
    import pyarrow as pa

    given, units, _ = parquet.open_parquet(path)
    table = parquet.read_bounded(path)
    names = once(given)
    metadata = {
        key.decode(errors="replace"): value.decode(errors="replace")
        for key, value in (table.schema.metadata or {}).items()
    }
    roles = assign(names, str(path), chosen)
    columns = {name: table.column(place).combine_chunks() for place, name in enumerate(names)}
    unit = {name: units.get(place, "") for place, name in enumerate(names)}
    pixel_names = [name for what, name in roles.items() if what in PIXEL_ROLES]
    per_spectrum = any(_is_list(column.type) for column in columns.values())
    about = Content(
        str(path), {}, how="add a column or schema metadata 'medium' of vacuum (or air)", vectors=per_spectrum
    )
    note(about, metadata, "the schema metadata")
    if not per_spectrum:
        about.columns = {name: _plain(column, name, unit[name], path) for name, column in columns.items()}
        return [about]
    for name in pixel_names:
        if not _is_list(columns[name].type):
            raise InputError(f"{path}: column {name} must hold lists, like the other columns of pixels")
    stars = {name: column for name, column in columns.items() if not pa.types.is_nested(column.type)}
    if "flux" not in roles:
        raise InputError(f"{path}: needs wave (or loglam) and flux; {listed(names)}")
    shared = None
    if "wave" in metadata and not {"wave", "loglam"} & set(roles):
        shared = np.array(json.loads(metadata["wave"]), dtype=np.float64)[None, :]
    out: list[Content] = []
    groups, empty = _by_length(columns, pixel_names, path)
    for rows in groups:
        content = Content(about.where, {}, about.says, about.how, True, empty=empty if not out else 0)
        for name in pixel_names:
            content.columns[name] = _lists(columns[name].take(rows), name, unit[name], path)
        if shared is not None:
            content.columns["wave"] = Column(shared, None, "", "wave", f"{path}: wave of the schema metadata")
        for name, column in stars.items():
            content.columns[name] = _plain(column.take(rows), name, unit[name], path)
        out.append(content)
    return out


def _is_list(kind: Any) -> bool:
    import pyarrow as pa

    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def _by_length(columns: Mapping[str, Any], names: list[str], path: Path) -> tuple[list[Any], int]:
    """Rows of spectra that have equally many pixels, and how many rows lack values, which are none of them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    lengths = {name: pc.list_value_length(columns[name]) for name in names}
    whole = np.ones(len(columns[names[0]]), dtype=bool)
    for length in lengths.values():
        whole &= length.is_valid().to_numpy(zero_copy_only=False)
    numbers = {name: length.fill_null(-1).to_numpy(zero_copy_only=False) for name, length in lengths.items()}
    first = numbers[names[0]]
    for name, number in numbers.items():
        differ = whole & (number != first)
        if differ.any():
            row = int(np.argmax(differ))
            raise InputError(
                f"{path}: the lists in row {row + 1} differ in length: {names[0]} has {first[row]} values, {name} {number[row]}"
            )
    if len(whole) and not whole.any():
        raise InputError(f"{path}: no row has a list of values in each of {', '.join(names)}")
    # Damage makes lengths of its own, and a group for each costs as much as a file.
    groups = [pa.array(np.flatnonzero(whole & (first == length))) for length in dict.fromkeys(first[whole].tolist())]
    return groups, int((~whole).sum())


def _lists(column: Any, name: str, unit: str, path: Path) -> Column:
    flat = _plain(column.flatten(), name, unit, path)
    n = len(column)
    if flat.is_text:
        raise InputError(f"{path}: column {name} holds lists of {shown(column.type, 40)}, not of numbers")
    gone = None if flat.gone is None or not flat.gone.any() else flat.gone.reshape(n, -1)
    return Column(flat.data.reshape(n, -1), gone, unit, name, flat.where)


def _plain(column: Any, name: str, unit: str, path: Path) -> Column:
    data, gone = parquet.to_numpy(column)
    return Column(data, gone, unit, name, f"{path}: column {name}")
