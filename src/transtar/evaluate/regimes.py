"""Kinds of stars that are scored apart, always told apart by their reference labels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..errors import InputError
from ..glossary import POOR_BELOW
from .bootstrap import bootstrap_errors
from .metrics import METRICS, n_clipped

DWARF_FROM = 3.5
"""log g from which a star counts as a dwarf."""
COOL_BELOW = 4500.0
"""Teff in K below which a star is cool."""
MIN_STARS = 10
"""Regimes other than all, poor and rich are scored from this number of stars."""

ALWAYS = ("all", "poor", "rich")
"""Regimes of every table, however few their stars."""


def regimes(reference: Mapping[str, np.ndarray], min_stars: int = MIN_STARS) -> dict[str, np.ndarray]:
    """Sort stars into regimes by their reference labels.

    Parameters
    ----------
    reference : mapping of str to ndarray, shape (n,)
        Reference labels by canonical name; `feh`, `logg` and `teff` are looked at, and each may be missing. A star
        whose label is NaN is in none of the regimes cut on it.
    min_stars : int
        Regimes other than `ALWAYS` with fewer stars are left out.

    Returns
    -------
    dict of str to ndarray, shape (n,), bool
        'all'; with `feh` 'poor' and 'rich'; with `logg` 'dwarf' and 'giant'; with `teff` 'cool' and 'warm'; and the
        poor ones of the last four, as 'poor-dwarf'.

    Raises
    ------
    InputError
        If there are no labels or their lengths differ.
    """
    arrays = {name: np.asarray(values) for name, values in reference.items()}
    lengths = {len(values) for values in arrays.values()}
    if len(lengths) != 1:
        raise InputError(f"reference labels need one common length, got {sorted(lengths) or 'no labels'}")
    masks = {"all": np.ones(lengths.pop(), bool)}
    # Comparisons with NaN are False on both sides of a cut: such a star falls into neither regime.
    if "feh" in arrays:
        masks |= {"poor": arrays["feh"] < POOR_BELOW, "rich": arrays["feh"] >= POOR_BELOW}
    others: dict[str, np.ndarray] = {}
    if "logg" in arrays:
        others |= {"dwarf": arrays["logg"] >= DWARF_FROM, "giant": arrays["logg"] < DWARF_FROM}
    if "teff" in arrays:
        others |= {"cool": arrays["teff"] < COOL_BELOW, "warm": arrays["teff"] >= COOL_BELOW}
    if "poor" in masks:
        others |= {f"poor-{name}": masks["poor"] & mask for name, mask in others.items()}
    return masks | {name: mask for name, mask in others.items() if mask.sum() >= min_stars}


def evaluate(
    predicted: np.ndarray,
    reference: np.ndarray,
    regimes: Mapping[str, np.ndarray],
    n_boot: int = 1000,
    seed: int = 0,
    min_stars: int = MIN_STARS,
) -> dict[str, dict[str, float]]:
    """Score one label in each regime.

    Parameters
    ----------
    predicted, reference : ndarray, shape (n,)
        One label, NaN where missing; such stars are left out.
    regimes : mapping of str to ndarray, shape (n,), bool
        As from `regimes`.
    n_boot : int
        Bootstrap samples for the error of R2; 0 for none (NaN).
    seed : int
    min_stars : int
        Regimes other than `ALWAYS` with fewer stars that have both labels are left out.

    Returns
    -------
    dict of str to dict
        By regime: those of `METRICS`, which are `r2`, and `sigma` and `bias` in the unit of the label; `r2_err` (bootstrap),
        `n` and `n_clipped` (int), the stars that the clip of sigma took.

    Raises
    ------
    InputError
        If the lengths differ.
    """
    predicted, reference = np.asarray(predicted, np.float64), np.asarray(reference, np.float64)
    if predicted.shape != reference.shape:
        raise InputError(f"predicted and reference labels have shapes {predicted.shape} and {reference.shape}")
    usable = np.isfinite(predicted) & np.isfinite(reference)
    scores = {}
    for name, mask in regimes.items():
        if len(mask) != len(usable):
            raise InputError(f"regime '{name}' has {len(mask)} stars, the labels have {len(usable)}")
        stars = usable & mask
        n = int(stars.sum())
        if n < min_stars and name not in ALWAYS:
            continue
        pair = reference[stars], predicted[stars]
        values = {metric: score(*pair) for metric, score in METRICS.items()}
        error = bootstrap_errors(*pair, n_boot=n_boot, seed=seed)["r2"]
        scores[name] = {"r2": values.pop("r2"), "r2_err": error, **values, "n": n, "n_clipped": n_clipped(*pair)}
    return scores
