"""Intervals that hold the true label of so many stars in a hundred: Mondrian normalised conformal prediction.

The score of a calibration star is its error over its own sigma (`transtar.models.error_table`), with the noise of its label
taken out in quadrature. The interval of a new star is sigma times the score that 68 or 95 % of the calibration stars of its
kind do not exceed, the one more of the finite sample included: (n + 1) p of n, Vovk, Gammerman & Shafer 2005, Algorithmic
Learning in a Random World, 4.5 (Mondrian); Papadopoulos, Vovk & Gammerman 2011, J. Artif. Intell. Res. 40, 815 (normalised).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ..errors import InputError
from ..models.error_table import AXES, LEVELS, SNR_EDGES, Cell, ErrorTable, kinds_of, snr_bins

FEWEST = 30
"""Calibration stars below which a kind of stars is put together with others."""

LEAST = 10
"""Calibration stars below which no table is made."""

SHRINK = 10.0
"""Stars' worth of weight that the systematic part of all stars has in that of each kind."""

N_FOLDS = 5

STEPS = 40
"""Bisections of the systematic part."""


def conformal_quantile(scores: np.ndarray, level: float) -> float:
    """The ceil((n + 1) level)-th smallest of n scores; the greatest where there are too few for that."""
    place = int(np.ceil((len(scores) + 1) * level - 1e-9))
    return float(np.sort(scores)[min(max(place, 1), len(scores)) - 1])


def systematic_part(residual: np.ndarray, noise: np.ndarray, label_noise: float) -> float:
    """What must be added in quadrature to the errors that are known for 68 % of the residuals to be within them.

    Stars are weighted by one over their variance, by which they say how large it is: of a star whose own noise is far larger
    nothing is learnt, but whether that noise is right.

    Parameters
    ----------
    residual, noise : ndarray, shape (n,), float64
    label_noise : float
        1 sigma of the labels.

    Returns
    -------
    float
        0 where nothing is missing.
    """
    squared, known = residual**2, noise**2 + label_noise**2

    def too_small(added: float) -> bool:
        variance = np.maximum(known + added, np.finfo(np.float64).tiny)
        weight = variance.min() / variance
        return bool(np.sum(weight * (squared <= variance)) < LEVELS[0] * np.sum(weight))

    low, high = 0.0, float(squared.max(initial=0.0))
    if not too_small(low):
        return 0.0
    for _ in range(STEPS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if too_small(middle) else (low, middle)
    return float(np.sqrt(high))


def fit_error_table(
    residual: np.ndarray,
    noise: np.ndarray,
    told: Mapping[str, np.ndarray],
    snr: np.ndarray,
    *,
    told_by: str,
    stars: str,
    label_noise: tuple[float, float] = (0.0, 0.0),
    survey: str = "",
    moved: np.ndarray | None = None,
    seed: int = 0,
) -> ErrorTable:
    """Fill the table of errors of one label.

    Parameters
    ----------
    residual : ndarray, shape (n,), float64
        Label minus prediction of stars that the model has not seen; rows with NaN are left out.
    noise : ndarray, shape (n,), float64
        What is known of each star's own error; NaN counts as none.
    told : mapping of str to ndarray, shape (n,)
        Predicted labels; the axes of the table are those of `AXES` among them.
    snr : ndarray, shape (n,)
        NaN where it is not known.
    told_by, stars, label_noise, survey
        As in `ErrorTable`.
    moved : ndarray, shape (n,), optional
        How far the label of each star might be moved if its spectrum were of another survey; 0 if not given.
    seed : int
        Decides the folds in which coverage is judged.

    Returns
    -------
    ErrorTable
        Its coverage is that of stars whose fold took no part in the table they were judged with.

    Raises
    ------
    InputError
        If fewer than `LEAST` stars are left.
    """
    residual, noise = np.asarray(residual, np.float64), np.nan_to_num(np.asarray(noise, np.float64))
    known = np.isfinite(residual)
    if known.sum() < LEAST:
        raise InputError(f"errors need {LEAST} stars at least that the model has not seen, and there are {known.sum()}")
    axes = tuple((label, limit) for label, limit in AXES if label in told)
    data = [residual[known], noise[known], kinds_of(told, axes, len(known))[known], snr_bins(snr)[known]]
    cells = _cells(data[0], data[1], data[2], data[3], len(axes), label_noise)
    if moved is not None:
        squares = np.asarray(moved, np.float64)[known] ** 2
        added = [_shrunk(squares[data[2] == kind], squares.mean()) for kind in range(2 ** len(axes))]
        cells = tuple(replace(cell, elsewhere=added[cell.kind]) for cell in cells)
    table = ErrorTable(cells, axes, told_by, stars, int(known.sum()), label_noise, survey=survey)
    fold = np.random.default_rng(seed).permutation(len(data[0])) % N_FOLDS
    halves = np.empty((len(fold), len(LEVELS)))
    for number in range(N_FOLDS):
        out = fold == number
        left = [column[~out] for column in data]
        cells = _cells(left[0], left[1], left[2], left[3], len(axes), label_noise)
        chosen = {name: np.asarray(column)[known][out] for name, column in told.items()}
        halves[out] = replace(table, cells=cells).intervals(data[1][out], chosen, np.asarray(snr)[known][out])[0]
    chosen = {name: np.asarray(column)[known] for name, column in told.items()}
    return replace(table, coverage={f"{stars}, cross-validated": coverage_rows(data[0], halves, label_noise, chosen)})


def _shrunk(squares: np.ndarray, overall: float) -> float:
    """Root of the mean over a kind; few stars say little of theirs, so that `SHRINK` stars of all kinds are among them."""
    return float(np.sqrt((squares.sum() + SHRINK * overall) / (len(squares) + SHRINK)))


def _cells(residual, noise, kinds, bins, n_axes: int, label_noise: tuple[float, float]) -> tuple[Cell, ...]:
    overall = systematic_part(residual, noise, label_noise[0])
    systematic = {}
    for kind in range(2**n_axes):
        rows = kinds == kind
        part = systematic_part(residual[rows], noise[rows], label_noise[0]) if rows.any() else 0.0
        systematic[kind] = _shrunk(np.full(rows.sum(), part**2), overall**2)
    sigma = np.sqrt(noise**2 + np.array([systematic[kind] for kind in kinds.tolist()]) ** 2)
    # A label that is exact, from a spectrum without noise: the interval has no width.
    sigma = np.maximum(sigma, np.finfo(np.float64).tiny)
    scores = [np.sqrt(np.maximum(residual**2 - one**2, 0.0)) / sigma for one in label_noise]
    cells = []
    for kind in range(2**n_axes):
        for snr in range(-1, len(SNR_EDGES) + 1):
            rows, pooled = _calibrators(kinds, bins, kind, snr, n_axes)
            quantiles = [conformal_quantile(one[rows], level) for one, level in zip(scores, LEVELS, strict=True)]
            cells.append(Cell(kind, snr, systematic[kind], quantiles[0], quantiles[1], int(rows.sum()), pooled))
    return tuple(cells)


def _calibrators(kinds, bins, kind: int, snr: int, n_axes: int) -> tuple[np.ndarray, bool]:
    """The stars that a cell is calibrated on, and whether they are of other kinds, too: axes are given up from the last one."""
    if snr >= 0 and np.count_nonzero(rows := (kinds == kind) & (bins == snr)) >= FEWEST:
        return rows, False
    for left in range(n_axes, 0, -1):
        mask = (1 << left) - 1
        if np.count_nonzero(rows := (kinds & mask) == (kind & mask)) >= FEWEST:
            return rows, left < n_axes
    return np.ones(len(kinds), bool), n_axes > 0 or len(kinds) < FEWEST


def bins_of(told: Mapping[str, np.ndarray], n: int) -> dict[str, np.ndarray]:
    """The bins in which coverage is told, by the labels that are known: 'all', 'poor', 'rich', 'dwarf', ...; bool, shape (n,)."""
    below = {label: np.asarray(told[label]) < limit for label, limit in AXES if label in told}
    named = {"feh": ("poor", "rich"), "logg": ("giant", "dwarf"), "teff": ("cool", "warm")}
    bins = {"all": np.ones(n, bool)}
    for label, one in below.items():
        bins |= {named[label][0]: one, named[label][1]: ~one}
    if {"feh", "logg"} <= below.keys():
        bins["poor giant"] = below["feh"] & below["logg"]
    return bins


def covered(residual: np.ndarray, halves: np.ndarray, label_noise: tuple[float, float]) -> np.ndarray:
    """Whether labels lie within intervals of the truth, widened in quadrature by the labels' own noise; bool, shape (n, 2)."""
    return np.abs(residual)[:, None] <= np.sqrt(halves**2 + np.square(label_noise)) * (1 + 1e-12)


def coverage_rows(
    residual: np.ndarray, halves: np.ndarray, label_noise: tuple[float, float], told: Mapping[str, np.ndarray]
) -> list[dict[str, Any]]:
    """Shares of stars within their intervals, by bins.

    Parameters
    ----------
    residual : ndarray, shape (n,)
        Label minus prediction.
    halves : ndarray, shape (n, 2)
        Half widths of the intervals.
    label_noise : (float, float)
        Noise of the labels, that 68 and 95 % are within.
    told : mapping of str to ndarray, shape (n,)
        Labels that tell the bins.

    Returns
    -------
    list of dict
        As in `ErrorTable.coverage`; bins without stars are left out.
    """
    usable = np.isfinite(residual) & np.isfinite(halves).all(axis=1)
    within = covered(residual, halves, label_noise)
    rows = []
    for name, mask in bins_of(told, len(residual)).items():
        chosen = mask & usable
        if chosen.any():
            shares = within[chosen].mean(axis=0)
            rows.append({
                "bin": name, "n": int(chosen.sum()), "within_68": float(shares[0]), "within_95": float(shares[1]),
                "width": float(halves[chosen, 0].mean()),
            })  # fmt: skip
    return rows
