"""Spectra in FITS images: HDUs that belong together by their names, or one image whose header counts the wavelengths."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError, printable
from ..tables import Choice, Column, find, once
from .generic_content import Content
from .generic_header import KEYS, note
from .generic_names import assign, listed, role, two_columns
from .generic_sdss import note_sdss
from .generic_wcs import counted
from .header_cards import text
from .stated import PIXEL_ROLES

HOW = "set MEDIUM = 'vacuum' (or 'air') in its header"
_IMAGES = {"data": "flux", "sci": "flux", "stat": "variance", "noise": "error", "errs": "error"}
"""Names of images beside those that columns have, too: ESO's DATA, STAT and DQ."""


def from_images(hdus: Any, path: Path, chosen: Mapping[str, str], every: Any = None) -> Content:
    """The images of some HDUs as columns of one file; `every` HDU of it may count wavelengths or say something of the star.

    Raises
    ------
    InputError
        If nobody can tell which image is the flux, or what its rows are, or there are no wavelengths.
    """
    every = hdus if every is None else every
    images = {}
    for number, hdu in enumerate(hdus):
        if not is_table(hdu) and len(hdu.shape) > 0 and 0 not in hdu.shape:
            images[number] = hdu.name or str(number)
    names = once(list(images.values()))
    by_name = dict(zip(names, images, strict=True))
    if not names:
        tables = [(called(every, n), _column_names(hdu)) for n, hdu in enumerate(every) if is_table(hdu)]
        told = "".join(f"; HDU {name}: {listed(columns)}" for name, columns in tables[:2])
        remedy = "; if they have other names, say --columns wave=NAME flux=NAME" if tables else ""
        raise InputError(
            f"{path}: no spectrum in this FITS file: neither a table with fluxes nor an image; {_found(every)}{told}{remedy}"
        )
    roles = assign([name for name in names if role(name) in PIXEL_ROLES or name in chosen.values()], str(path), chosen)
    for name in names:
        what = _IMAGES.get(name.lower())
        if what and what not in roles:
            roles[what] = name
    if "flux" not in roles:
        # The first image, without a name that says anything, is the spectrum if it is alone, or beside its errors.
        others = [name for name in names if name not in roles.values()]
        if len(others) != 1:
            several = ", ".join(map(printable, names[:8]))
            remedy = survey_of(every) or f"--columns flux={printable((others or names)[0])}"
            raise InputError(f"{path}: which of the images {several} is the flux? {remedy}")
        roles["flux"] = others[0]
    hdu = hdus[by_name[roles["flux"]]]
    rows = 1 if len(hdu.shape) < 2 else int(np.prod(hdu.shape[:-1]))
    if rows > 1 and not ({"wave", "loglam", "ivar", "error", "variance"} & set(roles) and len(hdu.shape) == 2):
        shape = " x ".join(str(length) for length in hdu.shape)
        raise InputError(
            f"{path}: an image of {shape} pixels, and nothing says what its rows are; write one-dimensional images, or HDUs "
            f"FLUX, IVAR and WAVELENGTH; {survey_of(every) or 'is --survey right?'}"
        )
    content = Content(str(path), {}, how=HOW, vectors=True)
    note_headers(content, every, list(every).index(hdu), chosen)
    for name in roles.values():
        content.columns[name] = replace(as_column(hdus[by_name[name]], str(path), True), name=name)
    if not {"wave", "loglam"} & set(roles):
        wave_role = wave_beside(content, every, hdu, hdu.shape[-1])
        if wave_role is None:
            raise InputError(
                f"{path}: no wavelengths: neither an HDU WAVELENGTH nor CRVAL1 in the header; {_found(every)}"
            )
        roles[wave_role[0]] = wave_role[1]
    content.roles = roles
    return content


def wave_beside(content: Content, hdus: Any, hdu: Any, n: int) -> tuple[str, str] | None:
    """Add the wavelengths that stand beside fluxes: in an HDU of their own, before those that a header counts.

    Returns
    -------
    tuple of (str, str), or None
        What they are, ``wave`` or ``loglam``, and the name of their column; None if there are none.

    Raises
    ------
    InputError
        If two HDUs could be them, or one has not `n` values.
    """
    columns = []
    for other in hdus:
        column = None if other is hdu else _own_wave(other, content)
        # Of a table that is called otherwise, a list of lines perhaps, only the length tells.
        if column is not None and (role(other.name) in ("wave", "loglam") or column.data.shape[-1] == n):
            columns.append(column)
    if len(columns) > 1:
        raise two_columns([column.name for column in columns], "wave", content.where)
    if columns:
        column = columns[0]
        if column.data.shape[-1] != n:
            raise InputError(f"{column.where}: {column.data.shape[-1]} wavelengths for {n} pixels")
        content.columns[column.name] = column
        return role(column.name) or "wave", column.name
    for header in (hdu.header, hdus[0].header):
        by_header = counted(header, n, content.where)
        if by_header is not None:
            content.columns["wave"] = counted_column(content, by_header)
            return "wave", "wave"
    return None


def _column_names(hdu: Any) -> list[str]:
    return [str(name or "") for name in hdu.columns.names]


def _own_wave(hdu: Any, content: Content) -> Column | None:
    """Wavelengths in an image that is called so, or in a table without fluxes."""
    if not is_table(hdu):
        called_so = role(hdu.name) in ("wave", "loglam") and hdu.data is not None
        return as_column(hdu, content.where, content.vectors) if called_so else None
    names = _column_names(hdu)
    known = [name for name in names if role(name) in ("wave", "loglam")]
    if len(names) == 1 and role(hdu.name) in ("wave", "loglam"):
        known = names
    if len(known) != 1 or any(role(name) == "flux" for name in names):
        return None
    data = np.asarray(hdu.data.field(known[0]))
    if data.dtype.kind not in "fiu":
        return None
    data = data.reshape(1, -1) if len(data) == 1 or data.ndim == 1 or data.shape[1] == 1 else data
    data = data.astype(data.dtype.newbyteorder("="), copy=False)
    name = known[0] if role(known[0]) else hdu.name
    unit = str(hdu.columns[known[0]].unit or "").strip()
    where = f"{content.where}: HDU {hdu.name}, column {known[0]}"
    return Column(data if content.vectors else data.reshape(-1), None, unit, name, where)


def survey_of(hdus: Any) -> str:
    """Which survey's files these are, to say so; '' if nobody knows."""
    names = {hdu.name.upper() for hdu in hdus}
    if "FIBERMAP" in names and any(f"{camera}_FLUX" in names for camera in "BRZ"):
        return "--survey desi reads such files"
    if "LAMOST" in "".join(str(hdus[0].header.get(key, "")) for key in ("ORIGIN", "TELESCOP", "OBSERVAT")).upper():
        return "--survey lamost reads such files"
    return ""


def _found(hdus: Any) -> str:
    return f"HDUs found: {', '.join(called(hdus, number) for number in range(min(len(hdus), 12)))}"


def called(hdus: Any, number: int) -> str:
    """Name of an HDU, its number where it has none."""
    return printable(hdus[number].name or str(number))


def is_table(hdu: Any) -> bool:
    """Whether an HDU is a table, and not an image that is compressed as one."""
    return hdu.header.get("XTENSION", "").strip() in ("BINTABLE", "TABLE", "A3DTABLE") and hasattr(hdu, "columns")


def counted_column(content: Content, axis: tuple[np.ndarray, str, str]) -> Column:
    """Wavelengths as from `counted` as a column."""
    values, unit, medium = axis
    content.say("medium", medium, "CTYPE1 'AWAV'")
    return Column(values[None, :] if content.vectors else values, None, unit, "wave", f"{content.where}: its header")


def as_column(hdu: Any, where: str, vectors: bool) -> Column:
    """An image as a column, of shape (n_spectra, n_pixels) with `vectors`."""
    data = np.asarray(hdu.data)
    data = data.astype(data.dtype.newbyteorder("="), copy=False)
    if data.ndim > 2 and sum(length > 1 for length in data.shape) <= 1:
        data = data.reshape(1, -1)
    data = np.atleast_2d(data) if vectors else data
    unit = str(hdu.header.get("BUNIT", "") or "").strip()
    name = hdu.name or "image"
    return Column(data, None, unit, name, f"{where}: HDU {name}")


def note_headers(content: Content, hdus: Any, number: int, chosen: Mapping[str, str]) -> None:
    """Note what the header of an HDU and that of the first say, cards that the user named, and SDSS's table of the star."""
    headers = dict.fromkeys((number, 0))
    for place in headers:
        header = hdus[place].header
        statements = {key: text(header, key.upper()) for key in KEYS if key.upper() in header}
        unit = re.match(r"\s*\[([^\]]+)\]", str(header.comments["VELOCITY"])) if "velocity" in statements else None
        if unit is not None and statements["velocity"]:
            # As the FITS standard has it (4.0, section 4.3.2).
            statements["velocity"] += f" {unit[1].strip()}"
        note(content, statements, f"HDU {called(hdus, place)}", foreign=True)
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
