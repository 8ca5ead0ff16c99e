"""Synthetic twins of real stars: spectra of the same labels, seen through the same instrument."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from astropy.table import Table

from ...preprocess import Preprocessing, preprocess
from ..emulator.emulator import Emulator
from ..emulator.model_spectra import ModelSpectra
from ..instruments.effects import Effects
from ..instruments.instrument import Instrument
from ..instruments.observe import observe
from ..stars import abundances

BLOCK = 512
"""Stars made at a time."""


def twins(
    labels: Mapping[str, np.ndarray],
    emulator: Emulator,
    instrument: Instrument,
    settings: Preprocessing | None = None,
    snr: np.ndarray | None = None,
    seed: int = 0,
) -> np.ndarray:
    """Synthetic spectra of stars with given labels, observed and prepared.

    What the labels leave open is that of an average star: [alpha/Fe] the mean of the Galaxy at its [Fe/H], [C/Fe],
    microturbulence and dredge-up those of `abundances`, no rotation to speak of.

    Parameters
    ----------
    labels : mapping of str to ndarray, shape (n,)
        teff, logg, feh; alphafe if known. Stars outside the emulator's range are made at its edge.
    emulator : Emulator
    instrument : Instrument
    settings : Preprocessing, optional
    snr : ndarray, shape (n,), optional
        Noise of this S/N per pixel; none if not given.
    seed : int

    Returns
    -------
    ndarray, shape (n, n_grid), float32
    """
    stars = average_stars(labels)
    wanted = emulator.clip(np.stack([np.asarray(stars[name], float) for name in emulator.label_names], axis=1))
    effects = Effects.only("lsf", "noise") if snr is not None else Effects.only("lsf")
    parts = []
    for start in range(0, len(stars), BLOCK):
        rows = slice(start, start + BLOCK)
        model = ModelSpectra.from_emulator(emulator, wanted[rows])
        seen = None if snr is None else np.asarray(snr, float)[rows]
        batch = observe(instrument, model, stars[rows], seed=seed, effects=effects, snr=seen)
        parts.append(preprocess(batch, settings).flux)
    return np.concatenate(parts)


def average_stars(labels: Mapping[str, np.ndarray]) -> Table:
    """Stars of given labels as `observe` wants them; what the labels leave open is that of an average star, see `twins`."""
    teff, logg, feh = (np.asarray(labels[name], float) for name in ("teff", "logg", "feh"))
    n = len(teff)
    alphafe = np.asarray(labels["alphafe"], float) if "alphafe" in labels else abundances.mean_alpha(feh)
    carbon = abundances.birth_carbon(feh, alphafe) + abundances.carbon_depletion(logg, feh)
    constant = {
        "vsini": 3.0,
        "radial_velocity": 0.0,
        "ebv": 0.0,
        "v_mag": 12.0,
        "g_mag": 12.0,
        "r_mag": 12.0,
        "ra": 0.0,
        "dec": 0.0,
    }
    return Table(
        {
            "source_id": np.arange(1, n + 1, dtype=np.int64),
            "teff": teff, "logg": logg, "feh": feh, "alphafe": alphafe, "cfe": carbon,
            "vmic": abundances.microturbulence(teff, logg, feh),
            **{name: np.full(n, value) for name, value in constant.items()},
        }
    )  # fmt: skip
