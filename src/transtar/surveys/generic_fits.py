"""Spectra in FITS: a table of pixels or of vectors, images that belong together, or one whose header counts wavelengths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..tables import Choice, Column, once
from .generic_content import Content
from .generic_images import HOW, called, from_images, is_table, note_headers, survey_of, wave_beside
from .generic_names import assign, listed, role
from .native import read_fits
from .stated import PIXEL_ROLES


def parse_fits(path: Path, chosen: Mapping[str, str] | None = None) -> list[Content]:
    """Read the spectra of a FITS file; one `Content` for each number of pixels.

    Raises
    ------
    InputError
        If it holds no spectrum, or several HDUs that could each be it.
    """
    chosen = chosen or {}
    hdus = read_fits(path)
    if "hdu" in chosen:
        return _chosen_hdu(hdus, path, chosen)
    tables = [number for number, hdu in enumerate(hdus) if is_table(hdu) and _holds_spectra(hdu, hdus, chosen)]
    # By the data model of SDSS and LAMOST the exposures stand behind their sum.
    coadds = [number for number in tables if hdus[number].name == "COADD"]
    tables = coadds or tables
    if len(tables) > 1:
        several = ", ".join(called(hdus, number) for number in tables[:6])
        also = f"; {survey_of(hdus)}" if survey_of(hdus) else ""
        raise InputError(f"{path}: spectra in HDUs {several}; say which: --columns hdu={called(hdus, tables[0])}{also}")
    if tables:
        return _from_table(hdus, tables[0], path, chosen)
    return [from_images(hdus, path, chosen)]


def _chosen_hdu(hdus: Any, path: Path, chosen: Mapping[str, str]) -> list[Content]:
    wanted = chosen["hdu"]
    numbers = [n for n, hdu in enumerate(hdus) if wanted == str(n) or (hdu.name and wanted.upper() == hdu.name.upper())]
    if len(numbers) != 1:
        every = ", ".join(called(hdus, number) for number in range(len(hdus)))
        raise InputError(f"{path}: {len(numbers)} HDUs are called {wanted}; HDUs found: {every}")
    if isinstance(chosen, Choice):
        chosen.used.add("hdu")
    if is_table(hdus[numbers[0]]):
        return _from_table(hdus, numbers[0], path, chosen)
    return [from_images([hdus[numbers[0]]], path, chosen, hdus)]


def _names(hdu: Any) -> tuple[str, ...]:
    return once([str(name or "") for name in hdu.columns.names])


def _holds_spectra(hdu: Any, hdus: Any, chosen: Mapping[str, str]) -> bool:
    names = _names(hdu)
    roles = {role(name) for name in names}
    for what, wanted in chosen.items():
        if what in PIXEL_ROLES and wanted.lower() in (name.lower() for name in names):
            roles.add(what)
    roles |= {"flux", "wave"} if _by_utype(hdu) else set()
    beside = {"wave", "loglam"} & ({role(other.name) for other in hdus} | roles)
    return "flux" in roles and bool(beside or {"COEFF0", "CRVAL1"} & set(hdu.header) or "COEFF0" in hdus[0].header)


def _by_utype(hdu: Any) -> dict[str, str]:
    keys = zip(_names(hdu), range(1, len(hdu.columns) + 1), strict=True)
    return {name: str(hdu.header[f"TUTYP{place}"]) for name, place in keys if f"TUTYP{place}" in hdu.header}


def _media(hdu: Any) -> dict[str, str]:
    """What UCDs say of the medium of columns: obs.atmos is what ESO's phase 3 writes of wavelengths in air."""
    ucds = {name: str(hdu.header.get(f"TUCD{place}", "")).lower() for place, name in enumerate(_names(hdu), 1)}
    return {name: "air" for name, ucd in ucds.items() if "obs.atmos" in ucd.split(";")}


def _from_table(hdus: Any, number: int, path: Path, chosen: Mapping[str, str]) -> list[Content]:
    hdu = hdus[number]
    names, utypes = _names(hdu), _by_utype(hdu)
    where = str(path) if number <= 1 else f"{path}: HDU {called(hdus, number)}"
    roles = assign(names, where, chosen, utypes)
    if "flux" not in roles:
        raise InputError(f"{where}: no column of fluxes; {listed(names)}; say which: --columns flux=NAME")
    if not len(hdu.data):
        raise InputError(f"{where}: a table without rows")
    flux = read_column(hdu, names.index(roles["flux"]), names, path)
    about = Content(
        where, {}, how=HOW, utypes=utypes, media=_media(hdu), vectors=flux.is_vector or flux.data.dtype.kind == "O"
    )
    note_headers(about, hdus, number, chosen)
    columns = {}
    for place, name in enumerate(names):
        # Other vectors and text of pixels mean nothing, and cost memory.
        known = name in roles.values()
        if known or (about.vectors and _is_plain(hdu, place)):
            columns[name] = read_column(hdu, place, names, path)
        else:
            columns[name] = Column(np.empty((0, 0)), None, "", name, where)
    pixel_names = [name for what, name in roles.items() if what in PIXEL_ROLES]
    axis = [name for what, name in roles.items() if what in ("wave", "loglam")]
    if (
        about.vectors
        and axis
        and not any(columns[name].is_vector or columns[name].data.dtype.kind == "O" for name in axis)
    ):
        # A row for each pixel with the fluxes of several spectra, as specutils writes them.
        columns = {name: _turned(columns[name]) for name in pixel_names}
    contents = []
    for content in _by_length(about, columns, pixel_names):
        if not {"wave", "loglam"} & set(roles):
            wave_role = wave_beside(content, hdus, hdu, content.columns[roles["flux"]].data.shape[-1])
            if wave_role is None:
                raise InputError(f"{content.where}: no wavelengths; {listed(list(content.columns))}")
            content.roles = {**roles, wave_role[0]: wave_role[1]}
        contents.append(content)
    return contents


def _turned(column: Column) -> Column:
    gone = None if column.gone is None else np.atleast_2d(np.asarray(column.gone).T)
    return replace(column, data=np.atleast_2d(column.data.T), gone=gone)


def _is_plain(hdu: Any, place: int) -> bool:
    return hdu.columns[place].dtype.shape in ((), (1,)) and hdu.columns[place].dtype.kind in "SUfiub"


def read_column(hdu: Any, place: int, names: Sequence[str], path: Path) -> Column:
    """One column as numbers or text, without what equals TNULL in the file."""
    about = hdu.columns[place]
    data = np.asarray(hdu.data.field(place))
    gone = None
    if about.null is not None and data.dtype.kind in "iuf" and data.dtype.names is None:
        # Of the stored integers, not of the scaled values.
        raw = np.asarray(hdu.data.view(np.ndarray)[hdu.data.dtype.names[place]])
        if raw.dtype.kind in "iu":
            gone = (raw == int(about.null)).reshape(data.shape)
    if data.ndim > 2 and data.shape[0] == len(hdu.data):
        # (1, n_pixels) in a row is a vector.
        shape = tuple(length for length in data.shape[1:] if length != 1)
        if len(shape) == 1:
            data, gone = data.reshape(len(data), -1), None if gone is None else gone.reshape(len(data), -1)
    if data.ndim == 2 and data.shape[1] == 1:
        data, gone = data[:, 0], None if gone is None else gone[:, 0]
    if data.dtype.kind in "fiu":
        data = data.astype(data.dtype.newbyteorder("="), copy=False)
    return Column(data, gone, str(about.unit or "").strip(), names[place], f"{path}: column {names[place]}")


def _by_length(about: Content, columns: dict[str, Column], names: Sequence[str]) -> list[Content]:
    """Split a table by the number of pixels, which may differ from row to row (TFORM P and Q)."""
    parts = [columns]
    ragged = [name for name in names if columns[name].data.dtype.kind == "O"]
    if ragged:
        lengths = np.array([len(values) for values in columns[ragged[0]].data])
        parts = []
        for length in dict.fromkeys(lengths.tolist()):
            rows = np.flatnonzero(lengths == length)
            part = {}
            for name, column in columns.items():
                if name in ragged and any(len(values) != length for values in column.data[rows]):
                    raise InputError(f"{column.where}: differs in length from {ragged[0]}")
                if name in ragged:
                    data = np.array([np.asarray(values) for values in column.data[rows]]).reshape(len(rows), -1)
                    part[name] = Column(data, None, column.unit, name, column.where)
                else:
                    part[name] = column.take(rows) if len(column) == len(lengths) else column
            parts.append(part)
    return [replace(about, columns=part) for part in parts]
