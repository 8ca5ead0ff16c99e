"""Catalogs of the DESI Milky Way Survey, EDR and DR1: HDUs that match row by row, a row an observation, not a star.

Koposov et al. 2024, MNRAS 533, 1012 (EDR); Koposov et al. 2025, arXiv:2505.14787 (DR1);
https://desi-mws-edr-datamodel.readthedocs.io, https://desi-mws-dr1-datamodel.readthedocs.io.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np

from ..errors import InputError
from ..tables.fits import FitsTable
from .catalogs import Catalog, from_fits

HDUS = ("RVTAB", "SPTAB", "FIBERMAP", "SCORES", "GAIA")
GAIA_ID = ("GAIA.SOURCE_ID",)
# RVTAB.REF_ID is of Gaia DR2, whose source_ids differ.

BITS = MappingProxyType({
    "RVTAB.RVS_WARN": MappingProxyType({"CHISQ_WARN": 0, "RV_WARN": 1, "RVERR_WARN": 2, "PARAM_WARN": 3, "VSINI_WARN": 4}),
})  # fmt: skip

_COVARIANCE = {"feh": 0, "alphafe": 6, "teff": 18, "logg": 24}
"""Places on the diagonal of SPTAB's COVAR, 25 numbers in EDR and 5 x 5 in DR1: [Fe/H], [alpha/Fe], xi, Teff, log g."""


def recognise(tables: Mapping[str, FitsTable]) -> bool:
    """Tell a catalog of the survey by its HDU RVTAB."""
    return "RVTAB" in tables


def open_catalog(path: Path, tables: Mapping[str, FitsTable], kind: str | None = None) -> Catalog:
    """Open mwsall-*.fits or rvpix-*.fits.

    The release is DR1 if any row is of survey 'main', which EDR has none of; a part without one is told by 'iron' or
    'dr1' in its name.

    Raises
    ------
    InputError
        If HDUs differ in length or do not match row by row.
    """
    catalog = from_fits("desi", path, {name: tables[name] for name in HDUS if name in tables}, prefix=True)
    check_rows(catalog)
    if kind is None:
        kind = "desi-dr1" if _is_dr1(catalog) else "desi-edr"
    return Catalog(kind, catalog.paths, catalog.rows, catalog.names, catalog.read)


def _is_dr1(catalog: Catalog) -> bool:
    name = catalog.paths[0].name.lower()
    by_name = "iron" in name or "dr1" in name
    if catalog.find("RVTAB.SURVEY") is None:
        return by_name
    return by_name or bool((catalog.column("RVTAB.SURVEY").text() == "main").any())


def check_rows(catalog: Catalog) -> None:
    """Check that all HDUs that have TARGETID have the same in every row.

    Raises
    ------
    InputError
        If they do not: joined row by row they would mix stars.
    """
    ids = catalog.ids("RVTAB.TARGETID")
    for hdu in HDUS[1:]:
        if catalog.find(f"{hdu}.TARGETID") is not None:
            differs = np.flatnonzero(catalog.ids(f"{hdu}.TARGETID") != ids)
            if len(differs):
                raise InputError(
                    f"{catalog}: rows of HDU {hdu} are not those of RVTAB: TARGETID differs in {len(differs)} rows, "
                    f"first in row {differs[0] + 1}; fetch it again"
                )


def observations(catalog: Catalog, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Keys and the survey's own labels of some rows.

    Parameters
    ----------
    catalog : Catalog
    rows : ndarray of int, shape (n,)

    Returns
    -------
    dict of str to ndarray, shape (n,)
        targetid, survey, program, healpix, source_id (Gaia DR3, -1 without a match), ra, dec (deg), vrad, vrad_err (of
        RVSpecFit) and rv_adop (of FERRE; km/s), snr_b; ``teff_desi``, ``logg_desi``, ``feh_desi``, ``alphafe_desi`` and
        errors of the SP branch (FERRE), and ``feh_desi_rvs`` and so on of the RVS branch (RVSpecFit).
    """
    out = {
        "targetid": catalog.ids("RVTAB.TARGETID")[rows],
        "survey": catalog.column("RVTAB.SURVEY").text()[rows],
        "program": catalog.column("RVTAB.PROGRAM").text()[rows],
        "healpix": catalog.ids("RVTAB.HEALPIX")[rows],
        "source_id": catalog.gaia_ids(*GAIA_ID)[rows],
        "ra": catalog.numbers("RVTAB.TARGET_RA")[rows],
        "dec": catalog.numbers("RVTAB.TARGET_DEC")[rows],
        "vrad": catalog.numbers("RVTAB.VRAD")[rows],
        "vrad_err": catalog.numbers("RVTAB.VRAD_ERR")[rows],
        "rv_adop": catalog.numbers("SPTAB.RV_ADOP")[rows],
        "snr_b": catalog.numbers("SCORES.MEDIAN_COADD_SNR_B", "RVTAB.SN_B")[rows],
    }
    for name in ("teff", "logg", "feh", "alphafe"):
        out[f"{name}_desi"] = catalog.numbers(f"SPTAB.{name}")[rows]
        out[f"{name}_desi_rvs"] = catalog.numbers(f"RVTAB.{name}")[rows]
    if catalog.find("SPTAB.COVAR") is not None:
        covariance = catalog.column("SPTAB.COVAR").values[rows].reshape(len(rows), -1).astype(np.float64)
        for name, place in _COVARIANCE.items():
            with np.errstate(invalid="ignore"):
                out[f"{name}_desi_err"] = np.sqrt(covariance[:, place])
    return out
