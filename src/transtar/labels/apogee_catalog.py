"""The allStar catalog of APOGEE DR17: its bitmasks by name, and its columns under canonical names.

Abdurro'uf et al. 2022, ApJS 259, 35; bits: https://www.sdss4.org/dr17/irspec/apogee-bitmasks/.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np

from ..errors import InputError, SettingsError
from ..tables.fits import FitsTable
from .catalogs import Catalog, from_fits

KIND = "apogee-dr17"
GAIA_ID = ("GAIAEDR3_SOURCE_ID",)

_STARFLAG = {
    0: "BAD_PIXELS", 1: "COMMISSIONING", 2: "BRIGHT_NEIGHBOR", 3: "VERY_BRIGHT_NEIGHBOR", 4: "LOW_SNR",
    9: "PERSIST_HIGH", 10: "PERSIST_MED", 11: "PERSIST_LOW", 12: "PERSIST_JUMP_POS", 13: "PERSIST_JUMP_NEG",
    16: "SUSPECT_RV_COMBINATION", 17: "SUSPECT_BROAD_LINES", 18: "BAD_RV_COMBINATION", 19: "RV_REJECT",
    20: "RV_SUSPECT", 21: "MULTIPLE_SUSPECT", 22: "RV_FAIL", 23: "SUSPECT_ROTATION", 24: "MTPFLUX_LT_75",
    25: "MTPFLUX_LT_50",
}  # fmt: skip
_PARAMETERS = ("TEFF", "LOGG", "VMICRO", "M_H", "ALPHA_M", "C_M", "N_M", "STAR", "CHI2", "COLORTE", "ROTATION", "SN",
               "SPEC_HOLE", "ATMOS_HOLE", "VSINI")  # fmt: skip
_ASPCAPFLAG = {
    **{bit: f"{name}_WARN" for bit, name in enumerate(_PARAMETERS)},
    **{bit: f"{name}_BAD" for bit, name in enumerate(_PARAMETERS, 16)},
    31: "NO_ASPCAP_RESULT",
}
_EXTRATARG = {0: "NOT_MAIN", 1: "COMMISSIONING", 2: "TELLURIC", 3: "APO1M", 4: "DUPLICATE"}

BITS = MappingProxyType({
    column: MappingProxyType({name: bit for bit, name in bits.items()})
    for column, bits in (("STARFLAG", _STARFLAG), ("ASPCAPFLAG", _ASPCAPFLAG), ("EXTRATARG", _EXTRATARG))
})  # fmt: skip
"""Bit numbers by column and name."""

ALPHA_FE = MappingProxyType({
    "aspcap": "ALPHA_M + M_H - FE_H: the alpha elements as ASPCAP varies them together (O, Mg, Si, S, Ca, Ti)",
    "mg-si-ca": "mean of MG_FE, SI_FE and CA_FE",
})  # fmt: skip
"""Definitions of [alpha/Fe], which allStar has no column for. One element alone is `mg_fe` and is always written, too."""


def recognise(tables: Mapping[str, FitsTable]) -> bool:
    """Tell allStar by its columns, of whatever release."""
    return any({"APOGEE_ID", "STARFLAG", "ASPCAPFLAG"} <= set(table.names) for table in tables.values())


def open_catalog(path: Path, tables: Mapping[str, FitsTable]) -> Catalog:
    """Open an allStar file.

    Raises
    ------
    InputError
        If it is of a release before DR17, whose Gaia identifiers are of another data release.
    """
    name = next(name for name in tables if recognise({name: tables[name]}))
    columns = tables[name].names
    if "GAIAEDR3_SOURCE_ID" not in columns:
        older = [column for column in columns if column.startswith("GAIA") and column.endswith("SOURCE_ID")]
        has = f"; {older[0]} is not of Gaia DR3" if older else ""
        raise InputError(
            f"{path}: an allStar of another release than DR17: HDU {name} has no column GAIAEDR3_SOURCE_ID{has}; "
            "fetch allStar-dr17-synspec_rev1.fits"
        )
    return from_fits(KIND, path, {name: tables[name]}, prefix=False)


def alpha_fe(catalog: Catalog, rows: np.ndarray, definition: str) -> tuple[np.ndarray, np.ndarray]:
    """[alpha/Fe] and its error by one of the definitions of `ALPHA_FE`; correlations of the errors are neglected.

    Raises
    ------
    SettingsError
        If there is no such definition.
    """
    if definition not in ALPHA_FE:
        raise SettingsError(f"alphafe: no definition '{definition}'; definitions: {', '.join(ALPHA_FE)}")
    if definition == "aspcap":
        terms, signs, n = ("ALPHA_M", "M_H", "FE_H"), (1, 1, -1), 1
    else:
        terms, signs, n = ("MG_FE", "SI_FE", "CA_FE"), (1, 1, 1), 3
    value = sum(sign * dex(catalog, name, rows) for name, sign in zip(terms, signs, strict=True)) / n
    error = np.sqrt(sum(dex(catalog, f"{name}_ERR", rows) ** 2 for name in terms)) / n
    return np.asarray(value), error


def dex(catalog: Catalog, name: str, rows: np.ndarray) -> np.ndarray:
    """A label at some rows as float64, NaN for the sentinels -9999.99 and the like."""
    return catalog.numbers(name)[rows]


def labels(catalog: Catalog, rows: np.ndarray, alphafe: str = "aspcap") -> dict[str, np.ndarray]:
    """Labels of some rows.

    Parameters
    ----------
    catalog : Catalog
    rows : ndarray of int, shape (n,)
    alphafe : str
        Key of `ALPHA_FE`.

    Returns
    -------
    dict of str to ndarray, shape (n,)
        teff (K), logg, feh, alphafe, mg_fe (dex) and their errors, label_source, apogee_id, snr_apogee.
    """
    out: dict[str, np.ndarray] = {}
    for name, native in (("teff", "TEFF"), ("logg", "LOGG"), ("feh", "FE_H")):
        out[name], out[f"{name}_err"] = dex(catalog, native, rows), dex(catalog, f"{native}_ERR", rows)
    out["alphafe"], out["alphafe_err"] = alpha_fe(catalog, rows, alphafe)
    out["mg_fe"], out["mg_fe_err"] = dex(catalog, "MG_FE", rows), dex(catalog, "MG_FE_ERR", rows)
    out["label_source"] = np.full(len(rows), "apogee")
    out["apogee_id"] = catalog.column("APOGEE_ID").text()[rows]
    out["snr_apogee"] = catalog.numbers("SNR")[rows]
    return out
