"""Mock stars as a training set: drawn, emulated, observed and prepared in memory, batch by batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from astropy.table import Table, vstack

from ..preprocess import Preprocessing, preprocess
from .effects import Effects
from .emulator import Emulator
from .instruments import LAMOST, Instrument
from .models import ModelSpectra
from .observe import observe
from .population import draw_stars
from .selection import LAMOST_LIKE, MILES_LIKE, Population
from .truth import spectrum_labels

BATCH = 1024
"""Stars made at a time."""

FAR = {"teff": 300.0, "logg": 0.3, "feh": 0.2}
"""A star whose labels lie further than this (K, dex) outside the range of the emulator does not serve for training."""

FIELD = replace(LAMOST_LIKE, poor_share=0.2, giants=(0.35, 0.4, 0.5))
"""What LAMOST sees, with more giants and more metal-poor stars than nature gives."""

LIBRARY = replace(MILES_LIKE, magnitude=(6.0, 14.0))
"""Bright stars that cover the labels, as spectral libraries have them."""

SMOOTH = Effects(noise=False, sky=False, cosmics=False, dead_pixels=False)
"""No noise and no defects: a training draws its noise anew in every epoch."""


@dataclass(frozen=True)
class MockSet:
    """Mock spectra ready for a network.

    Parameters
    ----------
    flux : ndarray, shape (n_stars, n_grid), float32
    labels : ndarray, shape (n_stars, 6), float64
        Those from which the spectra were made, in the order of `names`.
    names : tuple of str
    ids : ndarray, shape (n_stars,), int64
    """

    flux: np.ndarray
    labels: np.ndarray
    names: tuple[str, ...]
    ids: np.ndarray


def training_stars(n: int, seed: int = 0, share: float = 0.6) -> Table:
    """Draw stars to learn from: `share` of them from `FIELD`, the others from `LIBRARY`."""
    n_field = round(n * share)
    parts: list[tuple[int, Population]] = [(n_field, FIELD), (n - n_field, LIBRARY)]
    tables = [draw_stars(number, seed + i, population) for i, (number, population) in enumerate(parts)]
    return vstack(tables, metadata_conflicts="silent")


def mock_set(
    stars: Table,
    emulator: Emulator,
    settings: Preprocessing | None = None,
    *,
    instrument: Instrument = LAMOST,
    effects: Effects = SMOOTH,
    seed: int = 0,
    progress: Callable[[int], object] = lambda n: None,
) -> MockSet:
    """Make, observe and prepare spectra of stars; those far outside the emulator's range are left out.

    Parameters
    ----------
    stars : Table
        Of `draw_stars` or `training_stars`.
    emulator : Emulator
    settings : Preprocessing, optional
    instrument : Instrument
    effects : Effects
    seed : int
    progress : callable
        Told how many stars were done, after each batch.

    Returns
    -------
    MockSet
    """
    wanted = spectrum_labels(stars, emulator.label_names)
    labels = emulator.clip(wanted)
    moved = np.abs(wanted - labels)
    kept = np.ones(len(stars), bool)
    for name, limit in FAR.items():
        kept &= moved[:, emulator.label_names.index(name)] <= limit
    stars, labels = stars[kept], labels[kept]
    fluxes = []
    for start in range(0, len(stars), BATCH):
        rows = slice(start, min(start + BATCH, len(stars)))
        batch = observe(
            instrument, ModelSpectra.from_emulator(emulator, labels[rows]), stars[rows], seed=seed, effects=effects
        )
        fluxes.append(preprocess(batch, settings).flux)
        progress(rows.stop - rows.start)
    flux = np.concatenate(fluxes)
    usable = np.isfinite(flux).all(axis=1)
    ids = np.asarray(stars["source_id"], np.int64)
    return MockSet(flux[usable], labels[usable], tuple(emulator.label_names), ids[usable])
