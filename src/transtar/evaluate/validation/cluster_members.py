"""Members of star clusters: one abundance and many temperatures, so that what scatters or drifts among them is error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...errors import TooFew
from .spread import FEWEST, N_BOOT, Pulls, Spread, pulls, spread
from .visits import Scatter

FEWEST_MEMBERS = 3
"""Members below which a cluster says nothing."""

TREND_UNITS = {"teff": 1000.0, "logg": 1.0}
"""Change along the sequence per which a trend is told: 1000 K, and 1 dex of log g."""

FEWEST_ON_LINE = 5
"""Stars from which a line is fitted."""


@dataclass(frozen=True)
class Cluster:
    """What the members of one cluster say.

    Parameters
    ----------
    name : str
    spread : Spread
        Of its members.
    mean, mean_err : float
        Of the members within the clip, and sigma / sqrt(n).
    pulls : Pulls or None
        Differences from the mean over the stated errors.
    beyond, beyond_err : float
        Scatter that the stated errors leave unexplained, sqrt(sigma^2 - mean of their squares), and its error; NaN where they
        explain it all (`beyond_variance` is negative), or none are stated.
    beyond_variance : float
    trends : dict of str to (float, float)
        Slope along Teff (per 1000 K) and log g (per dex), and its error.
    literature : float
        Value that the table of members gives for the cluster, the median of its rows; NaN if none.
    """

    name: str
    spread: Spread
    mean: float
    mean_err: float
    pulls: Pulls | None
    beyond: float
    beyond_err: float
    beyond_variance: float
    trends: dict[str, tuple[float, float]]
    literature: float = float("nan")


@dataclass(frozen=True)
class Clusters:
    """All clusters, and their members together.

    Parameters
    ----------
    each : list of Cluster
    pooled : Scatter
        Members about the mean of their cluster.
    beyond, beyond_err, beyond_variance : float
        As in `Cluster`, of the pooled scatter.
    trends : dict of str to (float, float)
        Slopes within clusters, all together.
    offset, offset_err : float
        Mean of cluster means minus literature, and its error from their scatter; NaN with fewer than two.
    n_literature : int
        Clusters that have a value of the literature.
    too_small : int
        Clusters left out for having fewer than three members.
    rows, number : ndarray, shape (n,), int
        Rows of the catalog that are members, and which of `each` they belong to.
    residuals : ndarray, shape (n,), float64
        Member minus mean of its cluster.
    """

    each: list[Cluster]
    pooled: Scatter
    beyond: float
    beyond_err: float
    beyond_variance: float
    trends: dict[str, tuple[float, float]]
    offset: float
    offset_err: float
    n_literature: int
    too_small: int
    rows: np.ndarray
    number: np.ndarray
    residuals: np.ndarray


def clusters(
    names: Sequence[str] | np.ndarray,
    values: np.ndarray,
    errors: np.ndarray,
    along: Mapping[str, np.ndarray],
    literature: np.ndarray | None = None,
    n_boot: int = N_BOOT,
    seed: int = 0,
) -> Clusters:
    """Measure the scatter and the trends of members of clusters.

    Parameters
    ----------
    names : array_like of str, shape (n_rows,)
        Cluster of each row, '' for none; each star once.
    values, errors : ndarray, shape (n_rows,)
        Label and stated error, NaN where missing; rows without a value do not count.
    along : mapping of str to ndarray, shape (n_rows,)
        Those of `TREND_UNITS` that are known.
    literature : ndarray, shape (n_rows,), optional
        What the table of members says of this label.
    n_boot, seed : int
        As for `spread`.

    Returns
    -------
    Clusters

    Raises
    ------
    TooFew
        If no cluster has three members.
    """
    names, values = np.asarray(names).astype(str), np.asarray(values, np.float64)
    member = (names != "") & np.isfinite(values)
    every, counts = np.unique(names[member], return_counts=True)
    chosen = every[counts >= FEWEST_MEMBERS]
    if not len(chosen):
        raise TooFew(f"none of {len(every)} clusters has {FEWEST_MEMBERS} members with this label")
    each, parts = [], []
    for name in chosen.tolist():
        rows = np.flatnonzero(member & (names == name))
        known = None if literature is None else literature[rows]
        cluster = _one(name, values[rows], errors[rows], {k: v[rows] for k, v in along.items()}, known, n_boot, seed)
        each.append(cluster)
        parts.append(rows)
    rows = np.concatenate(parts)
    number = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    means = np.array([cluster.mean for cluster in each])
    residuals = values[rows] - means[number]
    # A mean of n members takes 1 / n of the variance with it.
    n = np.array([cluster.spread.n - cluster.spread.n_clipped for cluster in each])[number]
    scaled = residuals * np.sqrt(n / np.maximum(n - 1, 1))
    pooled = spread(scaled, rows, n_boot, seed)
    kept = _within(scaled, pooled)
    beyond = _beyond(pooled, errors[rows][kept])
    offsets = np.array([cluster.mean - cluster.literature for cluster in each])
    offsets = offsets[np.isfinite(offsets)]
    several = len(offsets) > 1
    return Clusters(
        each,
        Scatter(pooled, pulls(scaled, errors[rows], rows, None, n_boot, seed)),
        *beyond,
        _trends({k: v[rows] for k, v in along.items()}, residuals, kept, number),
        float(offsets.mean()) if several else float("nan"),
        float(offsets.std(ddof=1) / np.sqrt(len(offsets))) if several else float("nan"),
        len(offsets),
        int((counts < FEWEST_MEMBERS).sum()),
        rows,
        number,
        residuals,
    )


def _one(name, values, errors, along, literature, n_boot: int, seed: int) -> Cluster:
    measured = spread(values, None, n_boot, seed)
    kept = _within(values, measured, np.median(values))
    mean = float(values[kept].mean())
    n = int(kept.sum())
    known = np.array([]) if literature is None else literature[np.isfinite(literature)]
    scale = np.sqrt(n / max(n - 1, 1))
    return Cluster(
        name,
        measured,
        mean,
        measured.sigma * scale / np.sqrt(n),
        pulls((values - mean) * scale, errors, None, None, n_boot, seed) if len(values) >= FEWEST else None,
        *_beyond(measured, errors[kept], scale),
        _trends(along, values - mean, kept, np.zeros(len(values), np.int64)),
        float(np.median(known)) if len(known) else float("nan"),
    )


def _within(values: np.ndarray, measured: Spread, middle: float | None = None) -> np.ndarray:
    """What the clip has kept: the values nearest to the middle, as many as it kept."""
    away = np.abs(values - (np.median(values) if middle is None else middle))
    kept = np.zeros(len(values), bool)
    kept[np.argsort(away, kind="stable")[: measured.n - measured.n_clipped]] = True
    return kept


def _beyond(measured: Spread, errors: np.ndarray, scale: float = 1.0) -> tuple[float, float, float]:
    """Scatter beyond the stated errors, its error, and its variance, which may be negative."""
    if not np.isfinite(errors).any():
        return float("nan"), float("nan"), float("nan")
    sigma = measured.sigma * scale
    variance = float(sigma**2 - np.nanmean(errors**2))
    beyond = float(np.sqrt(variance)) if variance > 0 else float("nan")
    return beyond, sigma * measured.sigma_err * scale / beyond if variance > 0 else float("nan"), variance


def _trends(
    along: Mapping[str, np.ndarray], residuals: np.ndarray, kept: np.ndarray, number: np.ndarray
) -> dict[str, tuple[float, float]]:
    """Slopes of residuals along Teff and log g within clusters, by least squares on what the clip has kept.

    Teff and residuals are taken relative to the mean of their cluster, so that offsets between clusters do not matter.
    """
    slopes = {}
    for name, unit in TREND_UNITS.items():
        if name not in along:
            continue
        usable = kept & np.isfinite(along[name])
        groups, code = np.unique(number[usable], return_inverse=True)
        freedom = int(usable.sum()) - len(groups) - 1
        if freedom < FEWEST_ON_LINE - 2:
            continue
        x, y = (_centred(values[usable], code.ravel()) for values in (along[name] / unit, residuals))
        squares = np.sum(x**2)
        if not squares > 0:
            continue
        slope = float(np.sum(x * y) / squares)
        slopes[name] = slope, float(np.sqrt(np.sum((y - slope * x) ** 2) / freedom / squares))
    return slopes


def _centred(values: np.ndarray, code: np.ndarray) -> np.ndarray:
    return values - (np.bincount(code, values) / np.bincount(code))[code]
