"""Which rows of a catalog count in a validation, and which of them are of one star."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ...errors import InputError
from ...flags import BAD, Flag, count, has
from ...glossary import LABELS
from ..catalog import read_flags

NO_VALUE, SEEN, FLAGGED, TWICE = (
    "no value",
    f"seen by a model ({Flag.TRAINED_ON.name})",
    "flagged bad",
    "the same spectrum once more",
)
"""Why a row does not count."""


@dataclass(frozen=True)
class Counted:
    """Rows of a catalog that count, for one label.

    Parameters
    ----------
    values, errors : ndarray, shape (n_rows,), float64
        NaN where a row does not count; errors are NaN where none above zero is stated.
    star : ndarray, shape (n_rows,), int
        Rows of equal value are of one star.
    snr : ndarray, shape (n_rows,), float64
        NaN where not known.
    left_out : dict of str to int
        Rows by reason; each row has one.
    flags : dict of str to int
        Of the rows that were left out as bad.
    """

    values: np.ndarray
    errors: np.ndarray
    star: np.ndarray
    snr: np.ndarray
    left_out: dict[str, int] = field(default_factory=dict)
    flags: dict[str, int] = field(default_factory=dict)

    def best(self) -> np.ndarray:
        """One row of each star that counts: that of the greatest S/N, the first of equals; int64, in the order of the catalog."""
        usable = np.flatnonzero(np.isfinite(self.values))
        snr = np.nan_to_num(self.snr[usable], nan=-np.inf)
        order = usable[np.lexsort((usable, -snr, self.star[usable]))]
        first = np.append(True, self.star[order][1:] != self.star[order][:-1])[: len(order)]
        return np.sort(order[first])


def counted(
    catalog: Mapping[str, np.ndarray], label: str, keep_bad: bool = False, star: np.ndarray | None = None
) -> Counted:
    """Choose the rows of a catalog that count for a label.

    Rows flagged `BAD` do not, unless asked for; rows of stars that a model has learnt from never do, for it may know their label
    by heart; and neither do rows that list the same spectrum again, which are no second opinion.

    Parameters
    ----------
    catalog : mapping of str to ndarray, shape (n_rows,)
    label : str
    keep_bad : bool
    star : ndarray, shape (n_rows,), int, optional
        As from `stars_of`, which gives it if it is not given.

    Returns
    -------
    Counted

    Raises
    ------
    InputError
        If the catalog does not have the label, or its flags are of another origin.
    """
    if label not in catalog:
        raise InputError(f"the catalog has no column '{label}'; it has {', '.join(catalog)}")
    values = np.asarray(catalog[label], np.float64)
    n = len(values)
    star = stars_of(catalog) if star is None else star
    flags, _ = read_flags(catalog, n)
    snr = np.asarray(catalog["snr"], np.float64) if "snr" in catalog else np.full(n, np.nan)
    why = np.full(n, "", dtype=object)
    why[_again(catalog, star, snr)] = TWICE
    if not keep_bad:
        why[has(flags, BAD)] = FLAGGED
    why[has(flags, Flag.TRAINED_ON)] = SEEN
    why[~np.isfinite(values)] = NO_VALUE
    kinds, numbers = np.unique(why[why != ""].astype(str), return_counts=True)
    errors = np.asarray(catalog.get(f"{label}_err", np.full(n, np.nan)), np.float64)
    counts = why == ""
    return Counted(
        np.where(counts, values, np.nan),
        np.where(counts & (errors > 0) & np.isfinite(errors), errors, np.nan),
        star,
        np.where(snr > 0, snr, np.nan),
        dict(zip(kinds.tolist(), numbers.tolist(), strict=True)),
        count(flags[why == FLAGGED] & int(BAD)),
    )


def stars_of(catalog: Mapping[str, np.ndarray]) -> np.ndarray:
    """Number the stars of a catalog.

    Rows are of one star if they share `star` within a survey; where that is empty, if they share `id`. A row with neither is a
    star by itself.

    Parameters
    ----------
    catalog : mapping of str to ndarray, shape (n_rows,)

    Returns
    -------
    ndarray, shape (n_rows,), int64
    """
    n = len(next(iter(catalog.values())))
    survey, star = (
        np.asarray(catalog[name]).astype(str) if name in catalog else np.full(n, "") for name in ("survey", "star")
    )
    ids = np.asarray(catalog["id"]) if "id" in catalog else np.full(n, -1)
    by_star, by_id = star != "", (star == "") & (ids != -1)
    codes = -1 - np.arange(n, dtype=np.int64)
    start = 0
    for rows, names in ((by_star, star), (by_id, ids)):
        if not rows.any():
            continue
        name, place = (np.unique(values[rows], return_inverse=True)[1].ravel() for values in (names, survey))
        pair = np.unique(name * (int(place.max()) + 1) + place, return_inverse=True)[1].ravel()
        codes[rows] = start + pair
        start += int(pair.max()) + 1
    return codes


def has_keys(catalog: Mapping[str, np.ndarray]) -> bool:
    """Whether any row tells which star it is of."""
    named = "star" in catalog and (np.asarray(catalog["star"]).astype(str) != "").any()
    return bool(named or ("id" in catalog and (np.asarray(catalog["id"]) != -1).any()))


def _again(catalog: Mapping[str, np.ndarray], star: np.ndarray, snr: np.ndarray) -> np.ndarray:
    """Rows that repeat an earlier one of the star to the last digit: file, id, S/N, velocity, and every label and error."""
    keys = [star, np.nan_to_num(snr, nan=-1.0)]
    for name in ("id", "file", "velocity", *LABELS, *(f"{label}_err" for label in LABELS)):
        if name in catalog and np.asarray(catalog[name]).ndim == 1:
            keys.append(np.unique(np.asarray(catalog[name]), return_inverse=True)[1].ravel())
    order = np.lexsort(keys[::-1])
    equal = np.ones(max(len(star) - 1, 0), bool)
    for key in keys:
        equal &= key[order][1:] == key[order][:-1]
    repeated = np.zeros(len(star), bool)
    repeated[order[1:][equal]] = True
    return repeated
