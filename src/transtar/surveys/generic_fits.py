"""Spectra in FITS: a table of pixels, a table of vectors, images that belong together, or an image whose header counts wavelengths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError, printable
from ..tables import Choice, Column, find, once
from .generic_content import Content
from .generic_header import KEYS, note
from .generic_names import assign, listed, role
from .generic_sdss import note_sdss
from .generic_wcs import counted
from .native import read_fits, text
from .stated import PIXEL_ROLES

HOW = "set MEDIUM = 'vacuum' (or 'air') in its header"
_IMAGES = {"data": "flux", "sci": "flux", "stat": "variance", "noise": "error"}
"""Names of images beside those that columns have, too: ESO's DATA, STAT and DQ."""


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
    tables = [number for number, hdu in enumerate(hdus) if _is_table(hdu) and _holds_spectra(hdu, hdus, chosen)]
    # By the data model of SDSS and LAMOST the exposures stand behind their sum.
    coadds = [number for number in tables if hdus[number].name == "COADD"]
    tables = coadds or tables
    if len(tables) > 1:
        several = ", ".join(_called(hdus, number) for number in tables[:6])
        raise InputError(f"{path}: spectra in HDUs {several}; say which: --columns hdu={_called(hdus, tables[0])}")
    if tables:
        return _from_table(hdus, tables[0], path, chosen)
    return [_from_images(hdus, path, chosen)]


def _called(hdus: Any, number: int) -> str:
    return printable(hdus[number].name or str(number))


def _chosen_hdu(hdus: Any, path: Path, chosen: Mapping[str, str]) -> list[Content]:
    wanted = chosen["hdu"]
    found = [n for n, hdu in enumerate(hdus) if wanted == str(n) or (hdu.name and wanted.upper() == hdu.name.upper())]
    if len(found) != 1:
        every = ", ".join(_called(hdus, number) for number in range(len(hdus)))
        raise InputError(f"{path}: {len(found)} HDUs are called {wanted}; HDUs found: {every}")
    if isinstance(chosen, Choice):
        chosen.used.add("hdu")
    if _is_table(hdus[found[0]]):
        return _from_table(hdus, found[0], path, chosen)
    return [_from_images([hdus[found[0]]], path, chosen, hdus)]


def _is_table(hdu: Any) -> bool:
    return hdu.header.get("XTENSION", "").strip() in ("BINTABLE", "TABLE", "A3DTABLE") and hasattr(hdu, "columns")


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


def _from_table(hdus: Any, number: int, path: Path, chosen: Mapping[str, str]) -> list[Content]:
    hdu = hdus[number]
    names, utypes = _names(hdu), _by_utype(hdu)
    where = str(path) if number <= 1 else f"{path}: HDU {_called(hdus, number)}"
    roles = assign(names, where, chosen, utypes)
    if "flux" not in roles:
        raise InputError(f"{where}: no column of fluxes; {listed(names)}; say which: --columns flux=NAME")
    if not len(hdu.data):
        raise InputError(f"{where}: a table without rows")
    flux = _column(hdu, names.index(roles["flux"]), names, path)
    about = Content(where, {}, how=HOW, utypes=utypes, vectors=flux.is_vector or flux.data.dtype.kind == "O")
    _note_headers(about, hdus, number, chosen)
    columns = {}
    for place, name in enumerate(names):
        # Other vectors and text of pixels mean nothing, and cost memory.
        known = name in roles.values()
        if known or (about.vectors and _is_plain(hdu, place)):
            columns[name] = _column(hdu, place, names, path)
        else:
            columns[name] = Column(np.empty((0, 0)), None, "", name, where)
    pixel_names = [name for what, name in roles.items() if what in PIXEL_ROLES]
    contents = []
    for content in _by_length(about, columns, pixel_names):
        if not {"wave", "loglam"} & set(roles):
            n = content.columns[roles["flux"]].data.shape[-1]
            content.columns["wave"] = _wave_beside(content, hdus, hdu, n)
        contents.append(content)
    return contents


def _is_plain(hdu: Any, place: int) -> bool:
    return hdu.columns[place].dtype.shape in ((), (1,)) and hdu.columns[place].dtype.kind in "SUfiub"


def _column(hdu: Any, place: int, names: Sequence[str], path: Path) -> Column:
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
    parts = [(slice(None), columns)]
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
            parts.append((rows, part))
    return [Content(about.where, part, about.says, about.how, about.vectors, {}, about.utypes, (), about.left_out) for _, part in parts]


def _wave_beside(content: Content, hdus: Any, hdu: Any, n: int) -> Column:
    """Wavelengths that a table of fluxes lacks: an image or a column of another HDU, or counted by a header."""
    for other in hdus:
        if other is not hdu and not _is_table(other) and role(other.name) == "wave" and other.data is not None:
            return _image(other, content.where, content.vectors)
    for header in (hdu.header, hdus[0].header):
        found = counted(header, n, content.where)
        if found is not None:
            return _counted_column(content, found)
    raise InputError(f"{content.where}: no wavelengths; {listed(list(content.columns))}")


def _counted_column(content: Content, found: tuple[np.ndarray, str, str]) -> Column:
    values, unit, medium = found
    content.say("medium", medium, "CTYPE1 'AWAV'")
    return Column(values[None, :] if content.vectors else values, None, unit, "wave", f"{content.where}: its header")


def _image(hdu: Any, where: str, vectors: bool) -> Column:
    data = np.asarray(hdu.data)
    data = data.astype(data.dtype.newbyteorder("="), copy=False)
    if data.ndim > 2 and sum(length > 1 for length in data.shape) <= 1:
        data = data.reshape(1, -1)
    data = np.atleast_2d(data) if vectors else data
    unit = str(hdu.header.get("BUNIT", "") or "").strip()
    name = hdu.name or "image"
    return Column(data, None, unit, name, f"{where}: HDU {name}")


def _from_images(hdus: Any, path: Path, chosen: Mapping[str, str], every: Any = None) -> Content:
    every = every if every is not None else hdus
    images = {}
    for number, hdu in enumerate(hdus):
        if not _is_table(hdu) and len(hdu.shape) > 0 and 0 not in hdu.shape:
            images[number] = hdu.name or str(number)
    names = once(list(images.values()))
    by_name = dict(zip(names, images, strict=True))
    if not names:
        raise InputError(f"{path}: no spectrum in this FITS file: neither a table with fluxes nor an image; {_found(every)}")
    roles = assign([name for name in names if role(name) in PIXEL_ROLES or name in chosen.values()], str(path), chosen)
    for name in names:
        what = _IMAGES.get(name.lower())
        if what and what not in roles:
            roles[what] = name
    if "flux" not in roles:
        # The first image, without a name that says anything, is the spectrum if it is alone, or beside its errors.
        others = [name for name in names if name not in roles.values()]
        if len(others) != 1:
            raise InputError(f"{path}: which of the images {', '.join(map(printable, names[:8]))} is the flux? --columns flux={names[0]}")
        roles["flux"] = others[0]
    hdu = hdus[by_name[roles["flux"]]]
    rows = 1 if len(hdu.shape) < 2 else int(np.prod(hdu.shape[:-1]))
    if rows > 1 and not ({"wave", "loglam", "ivar", "error", "variance"} & set(roles) and len(hdu.shape) == 2):
        shape = " x ".join(str(length) for length in hdu.shape)
        raise InputError(
            f"{path}: an image of {shape} pixels, and nothing says what its rows are; write one-dimensional images, or HDUs FLUX, IVAR and "
            "WAVELENGTH; is --survey right?"
        )
    content = Content(str(path), {}, how=HOW, vectors=True)
    _note_headers(content, every, list(every).index(hdu), chosen)
    for what, name in roles.items():
        # What an image is, its place has told; columns are told by their names.
        column = _image(hdus[by_name[name]], str(path), True)
        content.columns[what] = Column(column.data, None, column.unit, what, column.where)
    if not {"wave", "loglam"} & set(roles):
        for header in (hdu.header, every[0].header):
            found = counted(header, hdu.shape[-1], content.where)
            if found is not None:
                content.columns["wave"] = _counted_column(content, found)
                break
        else:
            raise InputError(f"{path}: no wavelengths: neither an HDU called WAVELENGTH nor CRVAL1 in the header; {_found(every)}")
    return content


def _found(hdus: Any) -> str:
    return f"HDUs found: {', '.join(_called(hdus, number) for number in range(min(len(hdus), 12)))}"


def _note_headers(content: Content, hdus: Any, number: int, chosen: Mapping[str, str]) -> None:
    headers = dict.fromkeys((number, 0))
    for place in headers:
        header = hdus[place].header
        said = {key: text(header, key.upper()) for key in KEYS if key.upper() in header}
        note(content, said, f"HDU {_called(hdus, place)}", foreign=True)
    for what in ("id", "star"):
        if what in chosen and what not in content.columns:
            for place in headers:
                key = find(list(hdus[place].header), chosen[what])
                if key is not None:
                    content.says[what] = [(text(hdus[place].header, key), key)]
                    if isinstance(chosen, Choice):
                        chosen.used.add(what)
                    break
    note_sdss(content, hdus)
