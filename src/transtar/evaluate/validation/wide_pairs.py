"""Wide binaries: two stars of one birth, whose abundances are the same, beside pairs of strangers like them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ...errors import TooFew
from ..regimes import DWARF_FROM
from .spread import FEWEST, N_BOOT, pulls, spread
from .visits import Scatter

TEFF_EDGES = (0.0, 250.0, 500.0, 1000.0, np.inf)
"""Of the bins in the difference of Teff, in K."""

NEIGHBOURS = 20
"""Nearest stars in Teff and log g, one of which is the stranger in a pair's second place."""

LIKE = {"teff": 100.0, "logg": 0.2}
"""Differences of Teff (K) and log g (dex) that count as equally far."""


@dataclass(frozen=True)
class Pairs:
    """Differences within pairs.

    Parameters
    ----------
    scatter : dict of str to Scatter
        Of the difference over sqrt(2), which is that of one star: 'all', by kind, and by difference of Teff.
    means : dict of str to (float, float)
        Mean difference, hotter minus cooler star, of those within 3 sigma, and its error.
    strangers : Scatter or None
        Of pairs of strangers alike in Teff and log g; None where there are too few stars.
    first, second : ndarray, shape (n,), int
        Rows of the catalog; the first is the hotter one, where Teff is known.
    differences : ndarray, shape (n,), float64
        First minus second.
    null : ndarray, shape (n,), float64
        First minus a star like the second; empty without strangers.
    """

    scatter: dict[str, Scatter]
    means: dict[str, tuple[float, float]]
    strangers: Scatter | None
    first: np.ndarray
    second: np.ndarray
    differences: np.ndarray
    null: np.ndarray


def pairs(
    first: np.ndarray,
    second: np.ndarray,
    values: np.ndarray,
    errors: np.ndarray,
    along: Mapping[str, np.ndarray],
    others: np.ndarray,
    n_boot: int = N_BOOT,
    seed: int = 0,
) -> Pairs:
    """Measure the differences within pairs, and those between strangers.

    Parameters
    ----------
    first, second : ndarray, shape (n_pairs,), int
        Rows of the catalog.
    values, errors : ndarray, shape (n_rows,)
        Label and stated error, NaN where missing.
    along : mapping of str to ndarray, shape (n_rows,)
        ``teff`` and ``logg``, as far as known.
    others : ndarray, int
        Rows among which strangers are sought, each star once.
    n_boot, seed : int
        As for `spread`; the seed chooses strangers, too.

    Returns
    -------
    Pairs

    Raises
    ------
    TooFew
        If fewer than ten pairs have the label on both sides.
    """
    usable = np.isfinite(values[first]) & np.isfinite(values[second])
    first, second = first[usable], second[usable]
    if len(first) < FEWEST:
        raise TooFew(f"{len(first)} pairs have this label on both sides, and {FEWEST} are needed")
    if "teff" in along:
        swapped = along["teff"][first] < along["teff"][second]
        first, second = np.where(swapped, second, first), np.where(swapped, first, second)
    differences = values[first] - values[second]
    carried = np.hypot(errors[first], errors[second])
    each = np.concatenate([errors[first], errors[second]]).reshape(2, -1)
    scatter, means = {}, {}
    for name, mask in _kinds(first, second, along).items():
        if mask.sum() < FEWEST and name != "all":
            continue
        against = pulls(differences[mask], carried[mask], None, each[:, mask].mean(axis=0), n_boot, seed)
        measured = spread(differences[mask] / np.sqrt(2), None, n_boot, seed)
        scatter[name] = Scatter(measured, against)
        inside = np.abs(differences[mask] - np.median(differences[mask])) <= 3 * np.sqrt(2) * measured.sigma
        kept = differences[mask][inside]
        means[name] = float(kept.mean()), float(kept.std(ddof=1) / np.sqrt(len(kept)))
    strangers = like(second, first, along, others[np.isfinite(values[others])], seed)
    null = np.empty(0)
    if strangers is not None:
        null = values[first] - values[strangers]
    measured_null = None if strangers is None else Scatter(spread(null / np.sqrt(2), None, n_boot, seed))
    return Pairs(scatter, means, measured_null, first, second, differences, null)


def _kinds(first: np.ndarray, second: np.ndarray, along: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    masks = {"all": np.ones(len(first), bool)}
    if "logg" in along:
        dwarfs = (along["logg"][first] >= DWARF_FROM) & (along["logg"][second] >= DWARF_FROM)
        known = np.isfinite(along["logg"][first]) & np.isfinite(along["logg"][second])
        masks |= {"dwarf-dwarf": dwarfs, "with a giant": known & ~dwarfs}
    if "teff" in along:
        apart = np.abs(along["teff"][first] - along["teff"][second])
        for low, high in pairwise(TEFF_EDGES):
            name = f"Teff {low:g}-{high:g} K apart" if np.isfinite(high) else f"Teff over {low:g} K apart"
            masks[name] = (apart >= low) & (apart < high)
    return masks


def like(
    rows: np.ndarray, partners: np.ndarray, along: Mapping[str, np.ndarray], others: np.ndarray, seed: int = 0
) -> np.ndarray | None:
    """For each row another star of like Teff and log g that is neither itself nor its partner, drawn from the nearest.

    Parameters
    ----------
    rows, partners : ndarray, shape (n,), int
    along : mapping of str to ndarray, shape (n_rows,)
        ``teff`` and ``logg``; without them any star will do.
    others : ndarray, int
        Rows to draw from.
    seed : int

    Returns
    -------
    ndarray, shape (n,), int, or None
        None if there are too few others.
    """
    from scipy.spatial import cKDTree

    rng = np.random.default_rng(seed)
    names = [name for name in LIKE if name in along]
    axes = np.stack([np.asarray(along[name], np.float64) / LIKE[name] for name in names], axis=1) if names else None
    if axes is not None:
        others = others[np.isfinite(axes[others]).all(axis=1)]
    if len(others) < NEIGHBOURS + 2:
        return None
    if axes is None:
        near = rng.choice(others, (len(rows), NEIGHBOURS + 2))
    else:
        near = others[cKDTree(axes[others]).query(np.nan_to_num(axes[rows]), NEIGHBOURS + 2)[1]]
    strange = (near != rows[:, None]) & (near != partners[:, None])
    # Any of the strange ones with the same chance.
    place = np.where(strange, rng.random(near.shape), -1.0).argmax(axis=1)
    return near[np.arange(len(rows)), place]
