"""Which column of a table is which: canonical names of labels and keys, and the spellings they are found under."""

from __future__ import annotations

import re

# fmt: off
ELEMENTS = (
    "li", "be", "c", "n", "o", "f", "na", "mg", "al", "si", "p", "s", "k", "ca", "sc", "ti", "v", "cr", "mn", "co",
    "ni", "cu", "zn", "rb", "sr", "y", "zr", "nb",
    "mo", "ru", "ba", "la", "ce", "pr", "nd", "sm", "eu", "gd", "dy", "er",
    "yb", "pb", "th",
)
# fmt: on

LABELS = ("teff", "logg", "feh", "alphafe", "m_h", "alpha_m", *(f"{element}_fe" for element in ELEMENTS))
"""Canonical label names: K for teff, dex for the others; an element is [X/Fe] and never stands for alphafe."""

_LABEL_SPELLINGS = {
    "t_eff": "teff",
    "log_g": "logg",
    "fe_h": "feh",
    "alpha_fe": "alphafe",
    "mh": "m_h",
    "param_m_h": "m_h",
    "param_alpha_m": "alpha_m",
    **{f"{element}fe": f"{element}_fe" for element in ELEMENTS if len(element) == 2},
}

KEY_PARTS = ("SURVEY", "PROGRAM", "HEALPIX")
"""Columns that with TARGETID make the compound key of a DESI spectrum."""

# In order of preference where a table has several. A survey's identifier of the spectrum goes before that of the star.
_ID_SPELLINGS = ("id", "obsid", "targetid", "miles_id", "source_id", "gaia_source_id", "dr3_source_id", "gaiadr3")
_FILE_SPELLINGS = ("file", "filename", "file_name")
_STAR_SPELLINGS = ("star", "designation", "desig", "lamost_id")

_ERROR = re.compile(
    r"(?:e|err|error|sigma|sig|unc)_(?P<after>.+)|(?P<before>.+)_(?:err|error|e|sigma|sig|unc|uncertainty)"
)


def canonical_label(name: str) -> str | None:
    """Canonical name of a label column or of its error (with ``_err``), or None if it is neither.

    ``TEFF``, ``[Fe/H]``, ``FE_H``, ``__Fe_H_``, ``log_g``, ``e_teff``, ``FE_H_ERR`` and the like are known.
    """
    plain = _plain(name)
    label = _label(plain)
    if label is not None:
        return label
    found = _ERROR.fullmatch(plain)
    label = _label(found["after"] or found["before"]) if found else None
    return None if label is None else f"{label}_err"


def key_columns(names: list[str]) -> dict[str, str]:
    """Columns that identify a spectrum: canonical name ('id', 'file', 'star') to the name in the table."""
    plain: dict[str, str] = {}
    for name in names:
        plain.setdefault(_plain(name), name)
    found = {}
    for canonical, spellings in (("id", _ID_SPELLINGS), ("file", _FILE_SPELLINGS), ("star", _STAR_SPELLINGS)):
        match = next((plain[spelling] for spelling in spellings if spelling in plain), None)
        if match is not None:
            found[canonical] = match
    return found


def _label(plain: str) -> str | None:
    plain = _LABEL_SPELLINGS.get(plain, plain)
    return plain if plain in LABELS else None


def _plain(name: str) -> str:
    # VizieR writes [Fe/H] as __Fe_H_ or _[Fe/H]_ where a format does not have brackets.
    return re.sub("_+", "_", re.sub(r"[\[\]\s]", "", name).replace("/", "_")).strip("_").lower()
