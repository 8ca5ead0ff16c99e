"""Compilations of labels from high-resolution spectra, such as PASTEL and SAGA: one row an author, stars repeat.

Soubiran et al. 2016, A&A 591, A118; Suda et al. 2008, PASJ 60, 1159.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import InputError
from .catalogs import Catalog, from_memory, to_gaia_ids
from .columns import Column
from .names import canonical_label
from .places import named_places

KIND = "compilation"
GAIA_ID = ("source_id",)
GAIA_SPELLINGS = ("gaia_source_id", "source_id", "dr3_source_id", "gaiadr3", "gaia_dr3", "gaiaedr3", "gaia_id", "gaia")
_NAMES = ("id", "name", "object", "star", "main_id", "star_name")
DISAGREEMENT = 0.3
"""Entries of one star that differ by more than this in [Fe/H] are counted; dex."""


def recognise(names: set[str]) -> bool:
    """Tell it by a column of [Fe/H] and none of a survey's keys (lower case)."""
    keys = {"obsid", "targetid", "split", "label_source", "flags"}
    return any(canonical_label(name) == "feh" for name in names) and not keys & names


def open_catalog(path: Path, columns: dict[str, Column]) -> Catalog:
    """One row for each star: the mean of its entries, label by label, and the position of the first.

    Entries with the same Gaia identifier are one star; without a column of identifiers those of the same name, or, if there are
    no names, the same position.

    Raises
    ------
    InputError
        If no column has Gaia identifiers, and none positions.
    """
    lower = {name.lower(): name for name in columns}
    key = next((lower[spelling] for spelling in GAIA_SPELLINGS if spelling in lower), None)
    places = named_places(columns, str(path))
    if key is None and not {"ra", "dec"} <= set(places):
        raise InputError(
            f"{path}: a compilation needs Gaia DR3 identifiers in a column {' or '.join(GAIA_SPELLINGS[:3])}, or ra and dec; "
            f"columns found: {', '.join(columns)}; match it with Gaia first"
        )
    if key is not None:
        ids = to_gaia_ids(columns[key], f"{path}: column {key}")
        known, lacking = ids >= 0, "Gaia identifier"
        stars, first, star = np.unique(ids[known], return_index=True, return_inverse=True)
        out = {"source_id": stars}
    else:
        known, lacking = np.isfinite(places["ra"]) & np.isfinite(places["dec"]), "position"
        name = next((lower[spelling] for spelling in _NAMES if spelling in lower), None)
        place = np.char.add(places["ra"].astype("U32"), np.char.add(" ", places["dec"].astype("U32")))
        called = place if name is None else columns[name].text()
        stars, first, star = np.unique(
            np.where(called == "", place, called)[known], return_index=True, return_inverse=True
        )
        out = {}
    out |= {name: values[known][first] for name, values in places.items()}
    for name, column in columns.items():
        label = canonical_label(name)
        if label is None or label in out:
            continue
        values = column.numbers(f"{path}: column {name}")[known]
        values = np.where(np.abs(values) < (1e6 if label.startswith("teff") else 90), values, np.nan)
        out[label] = _mean(values, star, len(stars))
        if label == "feh":
            spread = _spread(values, star, len(stars))
    if "feh" not in out:
        raise InputError(f"{path}: no column of [Fe/H], which a compilation needs")
    repeated = int((np.bincount(star, minlength=len(stars)) > 1).sum())
    note = (
        f"{path.name}: {len(known)} entries of {len(stars)} stars; {int((~known).sum())} entries have no {lacking}; "
        f"{repeated} stars have several entries, which are averaged ({int((spread > DISAGREEMENT).sum())} of them differ "
        f"by more than {DISAGREEMENT} dex in [Fe/H])"
    )
    table = {name: Column(values, np.zeros(len(values), dtype=bool)) for name, values in out.items()}
    table["label_source"] = Column(np.full(len(stars), path.stem.split(".")[0]), np.zeros(len(stars), dtype=bool))
    return from_memory(KIND, path, table, [note])


def _mean(values: np.ndarray, star: np.ndarray, n: int) -> np.ndarray:
    good = np.isfinite(values)
    number = np.bincount(star[good], minlength=n)
    with np.errstate(invalid="ignore"):
        return np.bincount(star[good], values[good], minlength=n) / number


def _spread(values: np.ndarray, star: np.ndarray, n: int) -> np.ndarray:
    """Largest minus smallest value of each star, 0 where there is none."""
    high, low = np.full(n, -np.inf), np.full(n, np.inf)
    good = np.isfinite(values)
    np.maximum.at(high, star[good], values[good])
    np.minimum.at(low, star[good], values[good])
    return np.where(high >= low, high - low, 0.0)


def labels(catalog: Catalog, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Labels of some rows, teff, logg, feh and elements with errors where the compilation has them, and label_source."""
    names = [name for name in catalog.names if canonical_label(name) is not None]
    out = {name: catalog.numbers(name)[rows] for name in names}
    out["label_source"] = catalog.column("label_source").text()[rows]
    return out
