"""Spectra in FITS images: HDUs that belong together by their names, or one image whose header counts the wavelengths."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError, printable
from ..tables import Choice, Column, find, once
from .generic_content import Content
from .generic_header import KEYS, note
from .generic_names import assign, role
from .generic_sdss import note_sdss
from .generic_wcs import counted
from .native import text
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
        raise InputError(
            f"{path}: no spectrum in this FITS file: neither a table with fluxes nor an image; {_found(every)}"
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
            raise InputError(f"{path}: which of the images {several} is the flux? --columns flux={printable(names[0])}")
        roles["flux"] = others[0]
    hdu = hdus[by_name[roles["flux"]]]
    rows = 1 if len(hdu.shape) < 2 else int(np.prod(hdu.shape[:-1]))
    if rows > 1 and not ({"wave", "loglam", "ivar", "error", "variance"} & set(roles) and len(hdu.shape) == 2):
        shape = " x ".join(str(length) for length in hdu.shape)
        raise InputError(
            f"{path}: an image of {shape} pixels, and nothing says what its rows are; write one-dimensional images, or HDUs "
            "FLUX, IVAR and WAVELENGTH; is --survey right?"
        )
    content = Content(str(path), {}, how=HOW, vectors=True)
    note_headers(content, every, list(every).index(hdu), chosen)
    for what, name in roles.items():
        # What an image is, its place has told; columns are told by their names.
        column = as_column(hdus[by_name[name]], str(path), True)
        content.columns[what] = Column(column.data, None, column.unit, what, column.where)
    if not {"wave", "loglam"} & set(roles):
        for header in (hdu.header, every[0].header):
            found = counted(header, hdu.shape[-1], content.where)
            if found is not None:
                content.columns["wave"] = counted_column(content, found)
                break
        else:
            raise InputError(
                f"{path}: no wavelengths: neither an HDU WAVELENGTH nor CRVAL1 in the header; {_found(every)}"
            )
    return content


def _found(hdus: Any) -> str:
    return f"HDUs found: {', '.join(called(hdus, number) for number in range(min(len(hdus), 12)))}"


def called(hdus: Any, number: int) -> str:
    """Name of an HDU, its number where it has none."""
    return printable(hdus[number].name or str(number))


def is_table(hdu: Any) -> bool:
    """Whether an HDU is a table, and not an image that is compressed as one."""
    return hdu.header.get("XTENSION", "").strip() in ("BINTABLE", "TABLE", "A3DTABLE") and hasattr(hdu, "columns")


def counted_column(content: Content, found: tuple[np.ndarray, str, str]) -> Column:
    """Wavelengths as from `counted` as a column."""
    values, unit, medium = found
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
        said = {key: text(header, key.upper()) for key in KEYS if key.upper() in header}
        note(content, said, f"HDU {called(hdus, place)}", foreign=True)
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
