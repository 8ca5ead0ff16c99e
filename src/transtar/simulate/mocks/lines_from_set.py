"""A line correction learnt on stars of a prepared set."""

from __future__ import annotations

import numpy as np

from ...datasets import PreparedSet, usable
from ...errors import InputError
from ..emulator.emulator import Emulator
from ..emulator.emulator_storage import load_emulator
from ..instruments.instrument import INSTRUMENTS
from .line_correction import FEWEST, LABELS, LineCorrection, fit_lines, trusted, twins

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
        Stars to use, of which `line_correction.trusted` picks.
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
