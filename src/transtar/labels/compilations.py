"""Compilations of labels from high-resolution spectra, such as PASTEL and SAGA: one row an author, stars repeat.

Soubiran et al. 2016, A&A 591, A118; Suda et al. 2008, PASJ 60, 1159.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from ..errors import InputError
from ..tables import Column, canonical_label, find
from ..tables.column_names import two_columns
from .catalogs import Catalog, from_memory, to_gaia_ids
from .label_tables import blank_stars
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


def open_catalog(
    path: Path,
    columns: dict[str, Column],
    position: Mapping[str, Any] = MappingProxyType({}),
    also: Collection[str] = (),
) -> Catalog:
    """One row for each star: the mean of its entries, label by label, and the position of the first.

    Entries with the same Gaia identifier are one star; without a column of identifiers those of the same name, or, if there are
    no names, the same position.

    Parameters
    ----------
    path : Path
    columns : dict of str to Column
        Of the file.
    position : mapping, optional
        Columns of positions that the user names (see `transtar.labels.catalog_places.changed_place`).
    also : collection of str
        Further columns, in lower case, that are kept: the value of the first entry of each star.

    Raises
    ------
    InputError
        If no column has Gaia identifiers, and none positions.
    """
    key = _gaia_column(columns, str(path))
    places = named_places(columns, str(path), position)
    if key is None and not {"ra", "dec"} <= set(places):
        raise InputError(
            f"{path}: a compilation needs Gaia DR3 identifiers in a column {' or '.join(GAIA_SPELLINGS[:3])}, or ra and dec; "
            f"columns found: {', '.join(columns)}; match it with Gaia first"
        )
    if key is not None:
        ids = to_gaia_ids(columns[key])
        known, lacking = ids >= 0, "Gaia identifier"
        stars, first, star = np.unique(ids[known], return_index=True, return_inverse=True)
        out = {"source_id": stars}
    else:
        known, lacking = np.isfinite(places["ra"]) & np.isfinite(places["dec"]), "position"
        name = find(list(columns), *_NAMES, where=str(path))
        place = np.char.add(places["ra"].astype("U32"), np.char.add(" ", places["dec"].astype("U32")))
        called = place if name is None else columns[name].text()
        stars, first, star = np.unique(
            np.where(called == "", place, called)[known], return_index=True, return_inverse=True
        )
        out = {}
    kept = {
        column: _first(values[known], star, len(stars))
        for name, values in places.items()
        for column in {name, str(position.get(name, name))}
    }
    sources: dict[str, str] = {}
    entries: dict[str, np.ndarray] = {}
    for name, column in columns.items():
        label = canonical_label(name.rpartition("#")[0] or name)
        if label is None or column.is_vector:
            continue
        if label in sources:
            raise two_columns(str(path), sources[label], name, label)
        sources[label] = name
        entries[label] = column.numbers(label)
    if "teff" in sources:
        blank_stars(entries, columns[sources["teff"]], sources)
    out |= {label: _mean(values[known], star, len(stars)) for label, values in entries.items()}
    if "feh" not in out:
        raise InputError(f"{path}: no column of [Fe/H], which a compilation needs")
    spread = _spread(entries["feh"][known], star, len(stars))
    repeated = int((np.bincount(star, minlength=len(stars)) > 1).sum())
    note = (
        f"{path.name}: {len(known)} entries of {len(stars)} stars; {int((~known).sum())} entries have no {lacking}; "
        f"{repeated} stars have several entries, which are averaged ({int((spread > DISAGREEMENT).sum())} of them differ "
        f"by more than {DISAGREEMENT} dex in [Fe/H])"
    )
    out["label_source"] = np.full(len(stars), path.stem.split(".")[0])
    out = {**kept, **out}
    rows = np.flatnonzero(known)[first]
    asked = {name: column.take(rows) for name, column in columns.items() if name.lower() in also and name not in out}
    table = {name: Column(values, name=name, where=f"{path}: column {name}") for name, values in out.items()}
    return from_memory(KIND, path, asked | table, [note])


def _gaia_column(columns: Mapping[str, Column], where: str) -> str | None:
    """The column of Gaia identifiers; of two of them both must say the same."""
    gaia_columns = [
        name for name in (find(list(columns), one, where=where) for one in GAIA_SPELLINGS) if name is not None
    ]
    for other in gaia_columns[1:]:
        try:
            same = np.array_equal(to_gaia_ids(columns[gaia_columns[0]]), to_gaia_ids(columns[other]))
        except InputError:
            continue
        if not same:
            raise two_columns(where, gaia_columns[0], other, "source_id")
    return gaia_columns[0] if gaia_columns else None


def _first(values: np.ndarray, star: np.ndarray, n: int) -> np.ndarray:
    """The first finite value of each star, NaN where there is none."""
    out = np.full(n, np.nan)
    rows = np.flatnonzero(np.isfinite(values))[::-1]
    out[star[rows]] = values[rows]
    return out


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
