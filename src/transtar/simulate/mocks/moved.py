"""Synthetic spectra of stars with one label moved at a time, seen and prepared as a survey's are: the truth to test by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from astropy.table import Table

from ...datasets import preprocess_batch
from ...errors import InputError
from ...preprocess import Preprocessing, require_same
from ...surveys import get_survey
from ..emulator.emulator import Emulator
from ..emulator.grid_range import vmic_relation
from ..emulator.model_spectra import ModelSpectra
from ..instruments.effects import Effects
from ..instruments.instrument import Instrument
from ..instruments.observe import observe
from ..stars.abundances import mean_alpha
from ..stars.truth import spectrum_labels
from .line_correction import LineCorrection
from .twins import average_stars

STEPS = {"feh": 0.1, "teff": 100.0, "logg": 0.2, "alphafe": 0.1}
"""How far each label is moved to either side: dex, K."""

UNITS = {"feh": 1.0, "teff": 100.0, "logg": 1.0, "alphafe": 1.0}
"""In what responses are counted: per dex, per 100 K."""

NEEDED = ("teff", "logg", "feh")
"""Labels that a star must have; without [alpha/Fe] it is given the mean of the Galaxy at its [Fe/H]."""

VMIC_ROOM = (0.8, 1.2)
"""Microturbulence over the grid's usual one is held within, so that it stays in range when Teff and log g move."""

BLOCK = 256


@dataclass(frozen=True)
class MovedSpectra:
    """Prepared noiseless spectra of stars, as they are and with each label moved.

    Parameters
    ----------
    rows : ndarray, shape (n,), int
        Which of the stars given these are.
    left_out : dict of str to int
        How many stars were left out, by reason.
    plain : ndarray, shape (n, n_pixels), float32
    up, down : dict of str to ndarray of the shape of `plain`
        With one label raised or lowered by its step in `STEPS`, all others held, microturbulence and [C/Fe] too.
    """

    rows: np.ndarray
    left_out: dict[str, int]
    plain: np.ndarray
    up: dict[str, np.ndarray]
    down: dict[str, np.ndarray]

    def derivatives(self) -> np.ndarray:
        """Change of the flux with each label, shape (n, n_labels, n_pixels), float64; per unit of `UNITS`."""
        return np.stack(
            [(self.up[name].astype(np.float64) - self.down[name]) / (2 * STEPS[name] / UNITS[name]) for name in STEPS],
            axis=1,
        )


def move_labels(
    labels: Mapping[str, np.ndarray],
    emulator: Emulator,
    instrument: Instrument,
    settings: Preprocessing,
    velocity: np.ndarray | None = None,
    lines: LineCorrection | None = None,
    progress: Callable[[int], object] = lambda n: None,
) -> MovedSpectra:
    """Make spectra of stars with one label moved at a time.

    The line spread is the only effect of the instrument; then the preprocessing is that of real spectra, the survey's sky lines
    included. Stars are left out that lack a label, or that lie or come outside the emulator's range.

    Parameters
    ----------
    labels : mapping of str to ndarray, shape (n_stars,)
        teff (K), logg, feh; alphafe if known, NaN where not.
    emulator : Emulator
    instrument : Instrument
    settings : Preprocessing
    velocity : ndarray, shape (n_stars,), optional
        Radial velocities in km/s, for an instrument in the observed frame; 0 where not given or not finite.
    lines : LineCorrection, optional
        What to do to the synthetic lines. A network that learnt from corrected spectra, or from real ones, answers to plain
        synthetic ones as it does to stars of slightly other physics.
    progress : callable
        Is told the number of spectra made.

    Returns
    -------
    MovedSpectra

    Raises
    ------
    InputError
        If a label is missing as a whole, or no star is left.
    MismatchError
        If the correction was learnt on spectra prepared otherwise.
    """
    if lines is not None:
        require_same(lines.preprocessing, f"line correction {lines.name}", settings, "the spectra")
    absent = [name for name in NEEDED if name not in labels]
    if absent:
        raise InputError(f"the physical test needs the labels {', '.join(NEEDED)}; missing: {', '.join(absent)}")
    known = np.isfinite(np.stack([np.asarray(labels[name], float) for name in NEEDED])).all(axis=0)
    rows = np.flatnonzero(known)
    stars, base = usual_stars({name: np.asarray(values, float)[rows] for name, values in labels.items()}, emulator)
    inside = _stays_inside(base, emulator)
    # Stars near an edge would be moved less than they are said to be.
    left_out = {
        "without Teff, log g or [Fe/H]": int((~known).sum()),
        "outside the emulator's range": int((~inside).sum()),
    }
    rows, stars = rows[inside], stars[inside]
    if not len(rows):
        raise InputError(
            f"the physical test: no star of {len(known)} has its labels and lies within the emulator's range"
        )
    if velocity is not None:
        speed = np.asarray(velocity, float)[rows]
        stars["radial_velocity"] = np.where(np.isfinite(speed), speed, 0.0)
    # What is reported is the truth: an error of velocity would be a response to something else.
    instrument = replace(instrument, velocity_error=0.0)

    def spectra(name: str = "feh", change: float = 0.0) -> np.ndarray:
        table = stars.copy()
        table[name] += change
        parts = []
        for start in range(0, len(table), BLOCK):
            block = table[start : start + BLOCK]
            model = ModelSpectra.from_emulator(emulator, spectrum_labels(block, emulator.label_names))
            seen = observe(instrument, model, block, effects=Effects.only("lsf", "velocity"))
            flux = preprocess_batch(seen, get_survey(instrument.name), settings).flux
            parts.append(flux if lines is None else lines.apply(flux, {key: block[key] for key in NEEDED}))
            progress(len(seen))
        return np.concatenate(parts)

    return MovedSpectra(
        rows,
        {reason: n for reason, n in left_out.items() if n},
        spectra(),
        {name: spectra(name, step) for name, step in STEPS.items()},
        {name: spectra(name, -step) for name, step in STEPS.items()},
    )


def usual_stars(labels: dict[str, np.ndarray], emulator: Emulator) -> tuple[Table, np.ndarray]:
    """Stars to observe, and the labels of their spectra, (n, n_labels)."""
    usual = mean_alpha(labels["feh"])
    known = labels.get("alphafe", usual)
    labels["alphafe"] = np.where(np.isfinite(known), known, usual)
    stars = average_stars(labels)
    typical = vmic_relation(labels["teff"], labels["logg"])
    stars["vmic"] = np.clip(stars["vmic"], VMIC_ROOM[0] * typical, VMIC_ROOM[1] * typical)
    stars["cfe"] = np.clip(stars["cfe"], *emulator.grid_range.cfe)
    return stars, spectrum_labels(stars, emulator.label_names)


def _stays_inside(base: np.ndarray, emulator: Emulator) -> np.ndarray:
    inside = emulator.inside(base)
    for name, step in STEPS.items():
        for change in (step, -step):
            moved = base.copy()
            moved[:, emulator.label_names.index(name)] += change
            inside &= emulator.inside(moved)
    return inside
