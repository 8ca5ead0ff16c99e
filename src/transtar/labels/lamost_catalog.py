"""Catalogs of LAMOST low-resolution spectra: identifiers of Gaia as text, labels of LASP, velocities from redshifts."""

from __future__ import annotations

import numpy as np

from ..grids import MOST_VELOCITY, SPEED_OF_LIGHT
from .catalogs import Catalog

KIND = "lamost"
GAIA_ID = ("gaia_source_id", "gaia_id", "source_id")

FILE_PARTS = ("lmjd", "planid", "spid", "fiberid")
"""Columns that make the name of a file."""

COLUMNS = (
    "obsid", "file", *FILE_PARTS, "designation", *GAIA_ID, "ra", "dec", "pmra", "pmdec", "rv", "z", "snrg",
    *(name + suffix for name in ("teff", "logg", "feh", "alpha_m") for suffix in ("", "_err")),
)  # fmt: skip
"""Those that are read, where they exist."""


def recognise(names: set[str]) -> bool:
    """Tell it by the columns obsid and designation (lower case); a table that transtar selected has label_source."""
    return {"obsid", "designation"} <= names and "label_source" not in names


def observations(catalog: Catalog, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Keys and the survey's own labels of some rows.

    Returns
    -------
    dict of str to ndarray, shape (n,)
        obsid, file (as the catalog has it, or from lmjd, planid, spid and fiberid), designation, source_id (-1 where there is
        none), ra, dec (deg),
        vrad (km/s: column rv, or the speed of light times z), snrg, and LASP's labels as ``teff_lamost`` and so on.
    """
    out = {"obsid": catalog.ids("obsid")[rows]}
    if catalog.find("file") is not None:
        out["file"] = catalog.column("file").text()[rows]
    elif all(catalog.find(name) is not None for name in FILE_PARTS):
        out["file"] = file_names(*(catalog.column(name).text()[rows] for name in FILE_PARTS))
    if catalog.find("designation") is not None:
        out["designation"] = catalog.column("designation").text()[rows]
    # Older releases have none.
    has_gaia = any(catalog.find(name) for name in GAIA_ID)
    out["source_id"] = catalog.gaia_ids(*GAIA_ID)[rows] if has_gaia else np.full(len(rows), -1)
    for name in ("ra", "dec"):
        out[name] = catalog.numbers(name)[rows]
    velocity = catalog.numbers("rv") if catalog.find("rv") else catalog.numbers("z") * SPEED_OF_LIGHT
    with np.errstate(invalid="ignore"):
        out["vrad"] = np.where(np.abs(velocity) <= MOST_VELOCITY, velocity, np.nan)[rows]
    out["snrg"] = catalog.numbers("snrg")[rows]
    for name in ("teff", "logg", "feh", "alpha_m"):
        for suffix in ("", "_err"):
            if catalog.find(name + suffix) is not None:
                out[f"{name}_lamost{suffix}"] = catalog.numbers(name + suffix)[rows]
    return out


def file_names(lmjd: np.ndarray, planid: np.ndarray, spid: np.ndarray, fiberid: np.ndarray) -> np.ndarray:
    """Names of native files, ``spec-LMJD-PLANID_spNN-FFF.fits``; '' where a part is missing. All are texts of shape (n,)."""
    rows = zip(lmjd.tolist(), planid.tolist(), spid.tolist(), fiberid.tolist(), strict=True)
    return np.array(
        [f"spec-{day}-{plan}_sp{s:0>2}-{f:0>3}.fits" if day and plan and s and f else "" for day, plan, s, f in rows],
        dtype=str,
    )
