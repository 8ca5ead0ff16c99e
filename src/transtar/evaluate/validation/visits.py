"""Repeats: how far the labels of one star scatter from visit to visit, by S/N, and against the stated errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ...errors import TooFew
from .spread import FEWEST, N_BOOT, Pulls, Spread, pulls, spread

EDGES = (0.0, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, np.inf)
"""Of the bins in S/N."""


@dataclass(frozen=True)
class Scatter:
    """Scatter of one kind of values.

    Parameters
    ----------
    spread : Spread
        In the unit of the label, of one value (differences are brought to it).
    pulls : Pulls or None
        None where too few have stated errors.
    snr : float
        Median S/N; NaN if not known.
    """

    spread: Spread
    pulls: Pulls | None = None
    snr: float = float("nan")


@dataclass(frozen=True)
class Visits:
    """Visits of stars that have several, each against the other visits of its star.

    Parameters
    ----------
    rows : ndarray, shape (n,), int
        Of the catalog.
    star : ndarray, shape (n,), int
    residuals : ndarray, shape (n,), float64
        Visit minus mean of the star's other visits, times sqrt((k - 1) / k) of k visits: of independent visits of one noise they
        scatter by that noise.
    snr : ndarray, shape (n,), float64
        S/N of equal visits that would have the same residual: the noise of the others is in it, too; NaN if not known.
    """

    rows: np.ndarray
    star: np.ndarray
    residuals: np.ndarray
    snr: np.ndarray

    def errors(self, errors: np.ndarray) -> np.ndarray:
        """Errors of the residuals, (n,), from those of the single visits, (n,), taken to be independent."""
        return np.sqrt(_carried(np.asarray(errors, np.float64) ** 2, self.star))


def visits(values: np.ndarray, star: np.ndarray, snr: np.ndarray | None = None) -> Visits:
    """Pick the stars with several visits, and set each visit against the others of its star.

    Parameters
    ----------
    values : ndarray, shape (n_rows,)
        One label; rows that do not count are NaN.
    star : ndarray, shape (n_rows,), int
        Rows of equal value are of one star.
    snr : ndarray, shape (n_rows,), optional

    Returns
    -------
    Visits

    Raises
    ------
    TooFew
        If fewer than ten visits are of stars with several.
    """
    values = np.asarray(values, np.float64)
    usable = np.flatnonzero(np.isfinite(values))
    numbers, counts = np.unique(star[usable], return_inverse=True, return_counts=True)[1:]
    rows = usable[counts[numbers.ravel()] > 1]
    if len(rows) < FEWEST:
        several = int((counts > 1).sum())
        told = f"{several} of {len(counts)} stars have several visits with this label, {len(rows)} in all"
        raise TooFew(
            f"{told}, and {FEWEST} visits are needed" if several else f"none of {len(counts)} stars has two visits"
        )
    k = counts[numbers.ravel()][counts[numbers.ravel()] > 1]
    code = np.unique(star[rows], return_inverse=True)[1].ravel()
    mean = np.bincount(code, values[rows])[code] / k
    residuals = (values[rows] - mean) * np.sqrt(k / (k - 1))
    known = np.full(len(rows), np.nan)
    if snr is not None:
        with np.errstate(divide="ignore", invalid="ignore"):
            noise = np.where(np.asarray(snr)[rows] > 0, np.asarray(snr, np.float64)[rows] ** -2, np.nan)
            known = _carried(noise, code) ** -0.5
    return Visits(rows, code, residuals, known)


def _carried(variance: np.ndarray, star: np.ndarray) -> np.ndarray:
    """Variance of the residuals: (k - 1) / k of (one's own, and that of the mean of the k - 1 others)."""
    k = np.bincount(star)[star]
    others = np.bincount(star, variance)[star] - variance
    return (k - 1) / k * (variance + others / (k - 1) ** 2)


def repeats(
    known: Visits,
    errors: np.ndarray | None = None,
    kinds: Mapping[str, np.ndarray] | None = None,
    n_boot: int = N_BOOT,
    seed: int = 0,
) -> dict[str, Scatter]:
    """Measure the scatter of visits: of all, by kind of star, and by S/N.

    Parameters
    ----------
    known : Visits
    errors : ndarray, shape (n_rows,), optional
        Stated errors of the rows of the catalog.
    kinds : mapping of str to ndarray, shape (n_rows,), bool, optional
        Which rows are of what kind.
    n_boot, seed : int
        As for `spread`.

    Returns
    -------
    dict of str to Scatter
        'all' first; kinds and bins of fewer than ten visits are left out.
    """
    stated = None if errors is None else np.asarray(errors, np.float64)[known.rows]
    masks = {"all": np.ones(len(known.rows), bool)}
    masks |= {name: mask[known.rows] for name, mask in (kinds or {}).items() if name != "all"}
    masks |= {name_of(low, high): (known.snr >= low) & (known.snr < high) for low, high in bins()}
    out = {}
    for name, mask in masks.items():
        # A kind that all are of says nothing more.
        if name != "all" and (mask.sum() < FEWEST or mask.all()):
            continue
        against = None
        if stated is not None:
            carried = known.errors(stated)
            against = pulls(known.residuals[mask], carried[mask], known.star[mask], stated[mask], n_boot, seed)
        snr = known.snr[mask]
        middle = float(np.nanmedian(snr)) if np.isfinite(snr).any() else float("nan")
        out[name] = Scatter(spread(known.residuals[mask], known.star[mask], n_boot, seed), against, middle)
    return out


def bins() -> list[tuple[float, float]]:
    """Lower and upper end of each bin in S/N."""
    return list(pairwise(EDGES))


def name_of(low: float, high: float) -> str:
    """What a bin in S/N is called."""
    return f"S/N above {low:g}" if not np.isfinite(high) else f"S/N {low:g}-{high:g}"
