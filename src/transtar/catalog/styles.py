"""Names of columns as others have them: DESI's catalogs, and those at VizieR."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import numpy as np

from ..errors import InputError, SettingsError
from ..glossary import COLUMNS, DESI_KEYS, ELEMENTS, LABELS, is_known

STYLES = ("transtar", "desi", "vizier")
"""Whose names the columns of a catalog have; the first is the default."""

_DESI = {
    "id": "TARGETID", "ra": "TARGET_RA", "dec": "TARGET_DEC", "velocity": "VRAD", "velocity_err": "VRAD_ERR",
    **{ours: spelling for spelling, ours in DESI_KEYS.items()},
}  # fmt: skip

# http://vizier.cds.unistra.fr/doc/catstd.htx: e_ is an error, s_ a dispersion. Its bounds, b_ and B_, differ by case only.
_VIZIER = {
    "file": "FileName", "id": "ID", "survey": "Survey", "star": "Star", "ra": "RA_ICRS", "dec": "DE_ICRS",
    "velocity": "HRV", "velocity_err": "e_HRV", "snr": "SNR", "good_fraction": "GoodFrac", "strange": "Strange",
    "misfit": "Misfit", "flags": "Flags", "desi_survey": "DESISurvey", "desi_program": "DESIProgram",
    "desi_healpix": "DESIHealpix", "teff": "Teff", "logg": "logg", "feh": "[Fe/H]", "alphafe": "[a/Fe]", "m_h": "[M/H]",
    "alpha_m": "[a/M]", **{f"{element.lower()}_fe": f"[{element}/Fe]" for element in ELEMENTS},
}  # fmt: skip


def check_style(style: str) -> str:
    """Refuse a style that there is not.

    Raises
    ------
    SettingsError
    """
    if style not in STYLES:
        raise SettingsError(f"style '{style}' is not known; known: {', '.join(STYLES)}")
    return style


def styled_names(names: Iterable[str], style: str, suffix: str = "") -> dict[str, str]:
    """What the columns of a catalog are called in a file.

    Parameters
    ----------
    names : iterable of str
        As transtar has them.
    style : str
        One of `STYLES`.
    suffix : str
        Of the file: FITS has letters, digits and underscores only, so that VizieR writes ``__Fe_H_`` there for ``[Fe/H]``.

    Returns
    -------
    dict of str to str
        By ours; a column that the style does without is left out.
    """
    out = {}
    for name in names:
        if style == "desi" and name == "survey":
            continue
        spelling = {"desi": _desi_name, "vizier": _vizier_name}.get(style, str)(name)
        out[name] = _plain_letters(spelling) if style == "vizier" and suffix == ".fits" else spelling
    return out


def _desi_name(name: str) -> str:
    return _DESI.get(name) or (name.upper() if is_known(name) else name)


def _vizier_name(name: str) -> str:
    if name in _VIZIER:
        return _VIZIER[name]
    for ending, mark in (("_err", "e_"), ("_ens_std", "s_")):
        label = name.removesuffix(ending)
        if name != label and label in LABELS:
            return mark + _VIZIER[label]
    for ending in ("_lo", "_hi", "_noise"):
        label = name.removesuffix(ending)
        if name != label and label in LABELS:
            return _VIZIER[label] + ending
    return name


def _plain_letters(name: str) -> str:
    plain = re.sub(r"[^A-Za-z0-9_]", "_", name)
    return plain if name[0].isalnum() else f"_{plain}"


def our_names(names: Iterable[str], style: str) -> dict[str, str]:
    """Our names of the columns of a file in some style, by those of the file; those that are no other are left out."""
    known = [
        *COLUMNS,
        "velocity_err",
        *(f"{label}{end}" for label in LABELS for end in ("_err", "_lo", "_hi", "_noise", "_ens_std")),
    ]
    ours = {spelling: name for suffix in ("", ".fits") for name, spelling in styled_names(known, style, suffix).items()}
    return {name: ours[name] for name in names if name in ours and ours[name] != name}


def check_desi(columns: Mapping[str, np.ndarray], where: str) -> None:
    """Refuse rows that are not DESI's, for DESI's names would say that they are.

    Raises
    ------
    InputError
    """
    surveys = np.asarray(columns.get("survey", np.array([], str))).astype(str)
    keyed = np.asarray(columns.get("desi_survey", np.full(len(surveys), ""))).astype(str) != ""
    other = ~(np.char.startswith(surveys, "desi") | keyed) if len(surveys) else np.zeros(0, bool)
    if other.any():
        raise InputError(
            f"{where}: style desi is for spectra of DESI, and has no column for others; found: {surveys[other][0]}"
        )


def check_unique(names: Iterable[str], where: str) -> None:
    """Refuse names that differ by case only: FITS, VOTable and databases take them for one.

    Raises
    ------
    InputError
    """
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(name.lower(), name)
        if other != name:
            raise InputError(f"{where}: columns {other} and {name} differ by case only; rename one")
