"""Learning a line correction: on real spectra and their synthetic twins, or on stars of a prepared set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...datasets import PreparedSet, usable
from ...errors import InputError
from ...preprocess import Preprocessing
from ..emulator.emulator import Emulator
from ..emulator.emulator_storage import load_emulator
from ..instruments.instrument import INSTRUMENTS
from .line_correction import LABELS, TEFF_RANGE, LineCorrection, regressors
from .twins import twins

DEPTH_PRIOR, ADDED_PRIOR = 0.2, 0.02
"""Standard deviation of the coefficients that the ridge regression takes for granted: relative depth, and flux."""

MODEL_ERROR = 0.01
"""What is left of the differences at infinite S/N; it keeps a few bright stars from deciding."""

FEWEST = 30
"""Stars that a correction is learnt on at least."""

KEPT = {"survey": str, "id": np.int64, "file": str, "star": str}
"""What is remembered of the stars."""

MILES_SNR = 150.0
"""Taken for spectra without inverse variance."""


def lines_from_set(
    prepared: PreparedSet, rows: np.ndarray, name: str, emulator: Emulator | None = None
) -> LineCorrection:
    """Learn a line correction on stars of a prepared set.

    Parameters
    ----------
    prepared : PreparedSet
        Of a survey whose instrument is simulated, with labels teff, logg and feh.
    rows : ndarray of int
        Stars to use, of which `trusted` picks.
    name : str
    emulator : Emulator, optional

    Returns
    -------
    LineCorrection

    Raises
    ------
    InputError
        If the survey's instrument is not known, or there are too few stars.
    """
    if prepared.survey not in INSTRUMENTS:
        raise InputError(
            f"line correction: no simulated instrument for '{prepared.survey}'; {', '.join(INSTRUMENTS)} have one"
        )
    columns = prepared.columns
    given = {key: values[rows] for key, values in zip(LABELS, prepared.targets(LABELS).T, strict=True)}
    snr = np.nan_to_num(np.asarray(columns["snr"], float)[rows], nan=MILES_SNR)
    chosen = usable(prepared)[rows] & trusted(given, snr)
    if chosen.sum() < FEWEST:
        raise InputError(
            f"line correction '{name}': {chosen.sum()} usable stars of {prepared.survey}, needs at least {FEWEST}"
        )
    rows, snr = rows[chosen], snr[chosen]
    labels = {key: values[chosen] for key, values in given.items()}
    instrument, settings = INSTRUMENTS[prepared.survey], prepared.preprocessing
    emulator = emulator or load_emulator()
    return fit_lines(
        prepared.flux[rows], twins(labels, emulator, instrument, settings),
        twins(labels, emulator, instrument, settings, snr=snr), labels, snr,
        name=name, preprocessing=settings, info={"survey": prepared.survey, "set": prepared.hash},
        stars={key: np.asarray(columns[key])[rows].astype(kind) for key, kind in KEPT.items()},
    )  # fmt: skip


def fit_lines(
    real: np.ndarray,
    clean: np.ndarray,
    noisy: np.ndarray,
    labels: Mapping[str, np.ndarray],
    snr: np.ndarray,
    *,
    name: str,
    preprocessing: Preprocessing,
    info: dict[str, Any] | None = None,
    stars: Mapping[str, np.ndarray] | None = None,
) -> LineCorrection:
    """Learn a correction.

    Parameters
    ----------
    real : ndarray, shape (n, n_grid)
        Prepared spectra of real stars.
    clean, noisy : ndarray, shape (n, n_grid)
        Their `twins`, without noise and with that of `snr`.
    labels : mapping of str to ndarray, shape (n,)
    snr : ndarray, shape (n,)
        Per pixel.
    name : str
    preprocessing : Preprocessing
    info : dict, optional
    stars : mapping of str to ndarray, shape (n,), optional
        Identifiers to keep.

    Returns
    -------
    LineCorrection

    Raises
    ------
    InputError
        If fewer than 30 stars are usable.
    """
    finite = np.isfinite(real).all(axis=1) & np.isfinite(noisy).all(axis=1) & np.isfinite(clean).all(axis=1)
    if finite.sum() < FEWEST:
        raise InputError(f"line correction '{name}': {finite.sum()} usable stars, needs at least {FEWEST}")
    labels = {key: np.asarray(labels[key], float)[finite] for key in LABELS}
    steps, fading = regressors(labels)
    depth = (1 - clean[finite]).astype(np.float64)
    missing = (noisy[finite] - real[finite]).astype(np.float64)
    weight = 1 / (MODEL_ERROR**2 + 1 / np.asarray(snr, float)[finite] ** 2)
    prior = np.diag(np.repeat([DEPTH_PRIOR**-2.0, ADDED_PRIOR**-2.0], 3))
    added = fading[:, None] * steps
    solution = np.empty((real.shape[1], 6))
    for pixel in range(real.shape[1]):
        design = np.concatenate([depth[:, pixel, None] * steps, added], axis=1)
        weighted = design * weight[:, None]
        solution[pixel] = np.linalg.solve(weighted.T @ design + prior, weighted.T @ missing[:, pixel])
    halves = solution.T.astype(np.float32)
    info = {"stars": int(finite.sum()), **(info or {})}
    kept = {key: np.asarray(column)[finite] for key, column in (stars or {}).items()}
    return LineCorrection(name, halves[:3], halves[3:], preprocessing, info, kept)


def trusted(labels: Mapping[str, np.ndarray], snr: np.ndarray) -> np.ndarray:
    """Stars to learn a correction on: labels a survey's pipeline gets right, S/N above 25; bool, shape (n,).

    Below [Fe/H] = -1 there is little to learn and pipelines err.
    """
    teff = np.asarray(labels["teff"], float)
    inside = (teff > TEFF_RANGE[0]) & (teff < TEFF_RANGE[1]) & np.isfinite(labels["logg"])
    return inside & (np.asarray(labels["feh"], float) > -1) & (np.asarray(snr, float) > 25)
