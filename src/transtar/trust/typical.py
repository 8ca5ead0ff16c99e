"""Typical spectra on a grid: mock stars of all kinds, prepared as the star that has lost pixels."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ..errors import InputError, MismatchError, SettingsError
from ..preprocess import Preprocessing
from .missing import TypicalSpectra

STARS = 800
"""Mock stars; twelve components of more are the same."""

SEED = 18
"""Of the population they are drawn from."""


@lru_cache(maxsize=8)
def typical_spectra(preprocessing: Preprocessing) -> TypicalSpectra | None:
    """Typical spectra for one preprocessing, made once in a process (about two seconds).

    Parameters
    ----------
    preprocessing : Preprocessing

    Returns
    -------
    TypicalSpectra or None
        None for grids that the emulator's spectra do not reach.
    """
    from ..simulate.emulator.emulator_storage import load_emulator
    from ..simulate.instruments.instrument import LAMOST
    from ..simulate.mocks.mock_sets import corrections, training_stars, within
    from ..simulate.mocks.twins import twins

    emulator = load_emulator()
    wave = preprocessing.wavelengths.wave
    if wave[0] < emulator.wave[0] or wave[-1] > emulator.wave[-1]:
        return None
    labels = within(training_stars(STARS, SEED), emulator)[1]
    columns = {name: labels[:, number] for number, name in enumerate(emulator.label_names)}
    try:
        flux = twins(columns, emulator, LAMOST, preprocessing)
    except (InputError, SettingsError):
        return None
    try:
        lines = corrections("lamost-dr10", preprocessing)
    except MismatchError:
        # Learnt on spectra prepared otherwise; mock lines as they are do nearly as well.
        lines = None
    if lines is not None:
        flux = lines.apply(flux, columns)
    return TypicalSpectra.of(flux[np.isfinite(flux).all(axis=1)])
