"""Catalogs of LAMOST low-resolution spectra: identifiers of Gaia as text, labels of LASP, velocities from redshifts."""

from __future__ import annotations

import numpy as np

from ..grids import SPEED_OF_LIGHT
from .catalogs import Catalog

KIND = "lamost"
GAIA_ID = ("gaia_source_id", "gaia_id", "source_id")

COLUMNS = (
    "obsid", "file", "designation", *GAIA_ID, "ra", "dec", "rv", "z", "snrg",
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
        obsid, file (where the catalog has it), designation, source_id, ra, dec (deg), vrad (km/s: column rv, or the speed
        of light times z), snrg, and LASP's labels as ``teff_lamost`` and so on.
    """
    out = {"obsid": catalog.ids("obsid")[rows]}
    for name in ("file", "designation"):
        if catalog.find(name) is not None:
            out[name] = catalog.column(name).text()[rows]
    out["source_id"] = catalog.gaia_ids(*GAIA_ID)[rows]
    for name in ("ra", "dec"):
        out[name] = catalog.numbers(name)[rows]
    velocity = catalog.numbers("rv") if catalog.find("rv") else catalog.numbers("z") * SPEED_OF_LIGHT
    with np.errstate(invalid="ignore"):
        out["vrad"] = np.where(np.abs(velocity) < 3000, velocity, np.nan)[rows]
    out["snrg"] = catalog.numbers("snrg")[rows]
    for name in ("teff", "logg", "feh", "alpha_m"):
        for suffix in ("", "_err"):
            if catalog.find(name + suffix) is not None:
                values = catalog.numbers(name + suffix)[rows]
                out[f"{name}_lamost{suffix}"] = np.where(values > -9990, values, np.nan)
    return out
