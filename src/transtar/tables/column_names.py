"""Which column of a table is which: canonical names of labels, keys and positions, and the spellings they are found under."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType

from ..errors import InputError
from ..glossary import DESI_KEYS, ELEMENTS, LABELS
from .ids import UNSIGNED

_LABEL_SPELLINGS = {
    "t_eff": "teff",
    "log_g": "logg",
    "log(g)": "logg",
    "fe_h": "feh",
    "alpha_fe": "alphafe",
    "a_fe": "alphafe",
    "afe": "alphafe",
    "a_m": "alpha_m",
    "mh": "m_h",
    "param_m_h": "m_h",
    "param_alpha_m": "alpha_m",
    **{f"{element.lower()}fe": f"{element.lower()}_fe" for element in ELEMENTS if len(element) == 2},
}

KEY_PARTS = ("SURVEY", "PROGRAM", "HEALPIX")
"""Columns that with TARGETID make the compound key of a DESI spectrum, as DESI calls them; see `key_parts`."""

# Identifiers of a spectrum, each a survey's own; then a bare id, which may be a running number; then those of a star.
_SPECTRUM_IDS = ("obsid", "targetid", "miles_id", "specobjid", "specid")
_STAR_IDS = ("source_id", "gaia_source_id", "dr3_source_id", "gaiadr3")
_FILE_SPELLINGS = ("file", "filename", "file_name")
_STAR_SPELLINGS = ("star", "designation", "desig", "lamost_id")

SPELLINGS: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "ra": ("ra", "_ra", "ra_icrs", "_ra.icrs", "_raj2000", "raj2000", "radeg", "ra_deg", "target_ra"),
    "dec": ("dec", "_de", "de", "decl", "de_icrs", "_de.icrs", "_dej2000", "dej2000", "dedeg", "decdeg", "dec_deg",
            "target_dec"),
    "pmra": ("pmra", "pm_ra"),
    "pmdec": ("pmdec", "pmde", "pm_dec", "pm_de"),
    "parallax": ("parallax", "plx"),
    "epoch": ("ref_epoch", "epoch"),
    "velocity": ("velocity", "rv", "vrad", "radial_velocity", "rv_adop", "hrv", "vhelio", "vhelio_avg", "rv_helio"),
    "redshift": ("z", "rr_z", "redshift"),
})  # fmt: skip
"""Columns of positions and velocities, in lower case, the preferred first: those of surveys, VizieR, SIMBAD and SAGA."""

_MEANINGS = {spelling: meaning for meaning, spellings in SPELLINGS.items() for spelling in spellings}

_ERROR = re.compile(
    r"(?:e|err|error|sigma|sig|unc)_(?P<after>.+)|(?P<before>.+)_(?:err|error|e|sigma|sig|unc|uncertainty)"
)


@lru_cache(1 << 16)
def canonical_label(name: str) -> str | None:
    """Canonical name of a label column or of its error (with ``_err``), or None if it is neither.

    ``TEFF``, ``[Fe/H]``, ``FE_H``, ``__Fe_H_``, ``log_g``, ``e_teff``, ``FE_H_ERR`` and the like are known.
    """
    if re.fullmatch(r"[a-z]_\[?Fe(/H\])?", name.strip()) and name.strip()[0] != "e":
        # VizieR's n_Fe, o_Fe, q_[Fe/H]: notes, numbers, marks of a column, not [N/Fe] and [O/Fe].
        return None
    bare = plain(name)
    label = _label(bare)
    if label is not None:
        return label
    match = _ERROR.fullmatch(bare)
    label = _label(match["after"] or match["before"]) if match else None
    return None if label is None else f"{label}_err"


@lru_cache(1 << 16)
def meaning(name: str) -> str | None:
    """What a column is, by its name: a label, its error, or a key of `SPELLINGS`; None if it is none of them.

    The name of a table before a dot (``RVTAB.VRAD``) does not matter, and neither does the number of a name that occurs twice.
    """
    name = re.sub(r"#\d+$", "", name)
    return _MEANINGS.get(name.lower()) or canonical_label(name) or (
        meaning(name.partition(".")[2]) if "." in name else None
    )  # fmt: skip


def key_column(
    key: str,
    names: Sequence[str],
    survey_ids: Sequence[str] | None = None,
    chosen: Collection[str] = (),
    where: str = "the table",
) -> str | None:
    """The column that identifies a spectrum; None if there is none.

    Parameters
    ----------
    key : {'id', 'file', 'star'}
    names : sequence of str
        Columns of the table.
    survey_ids : sequence of str, optional
        Identifiers of the survey whose spectra are at hand (`transtar.surveys.Survey.id_columns`), which go before all
        others; None if the survey is not known.
    chosen : collection of str
        Names that the user chose a column for; they go before any spelling.
    where : str
        File, for the message.

    Raises
    ------
    InputError
        If two columns could be it.
    """
    if key in chosen:
        return key
    spelt: dict[str, list[str]] = {}
    for name in names:
        spelt.setdefault(plain(re.sub(r"#\d+$", "", name)), []).append(name)
    spellings = {"file": _FILE_SPELLINGS, "star": _STAR_SPELLINGS}.get(key) or _ids(spelt, survey_ids, where)
    columns = next((spelt[spelling] for spelling in spellings if spelling in spelt), None)
    if columns is not None and len(columns) > 1:
        raise two_columns(where, columns[0], columns[1], key)
    return None if columns is None else columns[0]


def _ids(spelt: Mapping[str, list[str]], survey_ids: Sequence[str] | None, where: str) -> tuple[str, ...]:
    if survey_ids is not None:
        return (*survey_ids, "id", *_SPECTRUM_IDS, *_STAR_IDS)
    rivals = [spelling for spelling in _SPECTRUM_IDS if spelling in spelt]
    if len(rivals) > 1 and not set(rivals) <= set(UNSIGNED):
        raise two_columns(where, spelt[rivals[0]][0], spelt[rivals[1]][0], "id")
    return (*_SPECTRUM_IDS, "id", *_STAR_IDS)


def key_columns(
    names: Sequence[str],
    survey_ids: Sequence[str] | None = None,
    chosen: Collection[str] = (),
    where: str = "the table",
) -> dict[str, str]:
    """All that `key_column` finds: canonical name ('id', 'file', 'star') to the name in the table."""
    columns = {key: key_column(key, names, survey_ids, chosen, where) for key in ("id", "file", "star")}
    return {key: name for key, name in columns.items() if name is not None}


def key_parts(names: Iterable[str]) -> dict[str, str]:
    """Which columns make a compound key with an identifier, by DESI's names of them (`KEY_PARTS`).

    Ours (``desi_survey``) go before DESI's own (``SURVEY``), and these before other spellings (``survey``). A catalog of
    transtar has columns `survey` and `flags`, and the first is no part of a key.
    """
    known = list(names)
    if {"survey", "flags"} <= set(known):
        known.remove("survey")
    out = {}
    for part in KEY_PARTS:
        same = [name for name in known if name.upper() == part]
        spelt = [name for name in (DESI_KEYS[part], DESI_KEYS[part].upper(), part) if name in known] + same
        if spelt:
            out[part] = spelt[0]
    return out


def two_columns(where: str, first: str, second: str, what: str) -> InputError:
    """The error for two columns that mean one thing; it says how to choose."""
    same = first.partition("#")[0]
    twice = same and same == second.partition("#")[0]
    both = (
        f"column {same} occurs twice ({first}, {second})" if twice else f"columns {first} and {second} both mean {what}"
    )
    return InputError(f"{where}: {both}; choose one, as with --columns {what}={first}")


def error_of(name: str) -> str | None:
    """The column that this one is the error of, in plain spelling (`plain`); None if it is no error."""
    match = _ERROR.fullmatch(plain(name))
    return (match["after"] or match["before"]) if match else None


def _label(bare: str) -> str | None:
    bare = _LABEL_SPELLINGS.get(bare, bare)
    return bare if bare in LABELS else None


def plain(name: str) -> str:
    """A name without brackets, blanks and case: ``[Fe/H]`` and ``__Fe_H_`` are ``fe_h``."""
    # VizieR writes [Fe/H] as __Fe_H_ or _[Fe/H]_ where a format does not have brackets.
    return re.sub("_+", "_", re.sub(r"[\[\]\s]", "", name).replace("/", "_")).strip("_").lower()
