"""The least errors that labels of single stars can have: the Cramer-Rao bound from the emulator's derivatives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from ...datasets import preprocess_batch
from ...errors import InputError
from ...grids import SPEED_OF_LIGHT, get_grid
from ...preprocess import Preprocessing
from ...surveys import get_survey
from ..emulator.emulator import Emulator
from ..emulator.model_spectra import ModelSpectra
from ..instruments.effects import Effects
from ..instruments.instrument import Instrument
from ..instruments.observe import observe
from ..stars.truth import spectrum_labels
from .moved import BLOCK, STEPS, UNITS, move_labels, usual_stars


@dataclass(frozen=True)
class LabelBounds:
    """Least standard deviations of unbiased labels of stars.

    Parameters
    ----------
    rows : ndarray, shape (n,), int
        Which of the stars given these are.
    left_out : dict of str to int
        How many stars were left out, by reason.
    bounds : dict of str to ndarray, shape (n,), float64
        By label (`transtar.simulate.mocks.moved.STEPS`), with all four taken from the spectrum; K and dex. NaN where the spectrum
        does not tell them apart.
    alone : dict of str to ndarray, shape (n,), float64
        The same with the other three known.
    """

    rows: np.ndarray
    left_out: dict[str, int]
    bounds: dict[str, np.ndarray]
    alone: dict[str, np.ndarray]


def label_bounds(
    labels: Mapping[str, np.ndarray],
    snr: np.ndarray,
    emulator: Emulator,
    instrument: Instrument,
    settings: Preprocessing,
    velocity: np.ndarray | None = None,
    progress: Callable[[int], object] = lambda n: None,
) -> LabelBounds:
    """Tell the Cramer-Rao bounds of the labels of stars, given their S/N.

    Parameters
    ----------
    labels : mapping of str to ndarray, shape (n_stars,)
        teff (K), logg, feh; alphafe if known: where derivatives are taken.
    snr : ndarray, shape (n_stars,)
        Median S/N per pixel on the grid, as in the column `snr` of a catalog; NaN where not known.
    emulator, instrument, settings, velocity, progress
        As for `transtar.simulate.mocks.moved.move_labels`.

    Returns
    -------
    LabelBounds

    Raises
    ------
    InputError
        If no star has an S/N; else as `move_labels`.
    """
    snr = np.asarray(snr, np.float64)
    known = np.flatnonzero(np.isfinite(snr) & (snr > 0))
    if not len(known):
        raise InputError(f"the Cramer-Rao bound: none of {len(snr)} stars has an S/N")
    some = {name: np.asarray(values, np.float64)[known] for name, values in labels.items()}
    speed = None if velocity is None else np.asarray(velocity, np.float64)[known]
    moved = move_labels(some, emulator, instrument, settings, speed, None, progress)
    rows = known[moved.rows]
    speed = np.zeros(len(rows)) if speed is None else np.nan_to_num(speed[moved.rows])
    kept = {name: values[moved.rows] for name, values in some.items()}
    variance = noise_density(kept, snr[rows], moved.plain, emulator, instrument, settings, speed)
    information = fisher_information(moved.derivatives(), variance)
    bounds, alone = least_errors(information)
    left_out = {"without S/N": len(snr) - len(known), **moved.left_out}
    units = {name: UNITS[name] for name in STEPS}
    return LabelBounds(
        rows,
        {reason: n for reason, n in left_out.items() if n},
        {name: bounds[:, place] * unit for place, (name, unit) in enumerate(units.items())},
        {name: alone[:, place] * unit for place, (name, unit) in enumerate(units.items())},
    )


def noise_density(
    labels: Mapping[str, np.ndarray],
    snr: np.ndarray,
    plain: np.ndarray,
    emulator: Emulator,
    instrument: Instrument,
    settings: Preprocessing,
    velocity: np.ndarray,
) -> np.ndarray:
    """Variance of the noise in a pixel of the grid, as if pixels were independent.

    Resampling makes noise smaller and ties neighbouring pixels by it, and takes no information away. Spectra know nothing of
    features narrower than the line spread, so that what counts is the noise per wavelength: that of the native pixels, times
    their width over that of the pixel of the grid. The shape over wavelength is the instrument's; its level is such that the
    median S/N on the grid, measured as that of catalogs, is the one given.

    Parameters
    ----------
    labels : mapping of str to ndarray, shape (n,)
    snr : ndarray, shape (n,)
    plain : ndarray, shape (n, n_pixels)
        Prepared spectra of the stars without noise.
    emulator, instrument, settings
        As for `label_bounds`.
    velocity : ndarray, shape (n,)
        km/s.

    Returns
    -------
    ndarray, shape (n, n_pixels), float64
        Of the prepared flux; infinite where there is no information.
    """
    stars, _ = usual_stars({name: np.array(values) for name, values in labels.items()}, emulator)
    stars["radial_velocity"] = velocity
    steady = replace(instrument, velocity_error=0.0)
    grid = get_grid(settings.grid).wave
    out = np.empty(plain.shape)
    for start in range(0, len(stars), BLOCK):
        rows = slice(start, start + BLOCK)
        block = stars[rows]
        model = ModelSpectra.from_emulator(emulator, spectrum_labels(block, emulator.label_names))
        seen = observe(steady, model, block, effects=Effects.only("lsf", "velocity"), snr=snr[rows])
        prepared = preprocess_batch(seen, get_survey(instrument.name), settings)
        if seen.ivar is None or prepared.ivar is None:
            out[rows] = snr[rows, None] ** -2.0
            continue
        scale = (np.asarray(prepared.snr, np.float64) / snr[rows]) ** 2
        for row, place in enumerate(range(*rows.indices(len(stars)))):
            to_rest = 1 + velocity[place] / SPEED_OF_LIGHT if settings.frame == "rest" and seen.frame != "rest" else 1.0
            wave = np.asarray(seen.wave) / to_rest
            native = np.interp(grid, wave, np.asarray(seen.flux[row], np.float64))
            noise = np.interp(grid, wave, 1 / np.maximum(np.asarray(seen.ivar[row], np.float64), 1e-300))
            width = np.interp(grid, wave, np.gradient(wave)) / np.gradient(grid)
            with np.errstate(divide="ignore", invalid="ignore"):
                relative = plain[place] / native
                values = scale[row] * noise * relative**2 * width
            out[place] = np.where(np.isfinite(values) & (prepared.ivar[row] > 0), values, np.inf)
    return out


def fisher_information(derivatives: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Fisher's information of independent Gaussian noise, ``D N^-1 D^T``, of each star.

    Parameters
    ----------
    derivatives : ndarray, shape (n, n_labels, n_pixels)
    variance : ndarray, shape (n, n_pixels)

    Returns
    -------
    ndarray, shape (n, n_labels, n_labels), float64
    """
    change = np.asarray(derivatives, np.float64)
    return np.einsum("nlp,np,nmp->nlm", change, 1 / np.asarray(variance, np.float64), change, optimize=True)


def least_errors(information: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cramer-Rao bounds (Rao 1945, Bull. Calcutta Math. Soc. 37, 81) of each label, the others unknown, and the others known.

    Parameters
    ----------
    information : ndarray, shape (n, n_labels, n_labels)

    Returns
    -------
    bounds, alone : ndarray, shape (n, n_labels), float64
        ``sqrt(diag(F^-1))`` and ``1 / sqrt(diag(F))``; NaN where labels cannot be told apart.
    """
    diagonal = np.diagonal(information, axis1=1, axis2=2)
    with np.errstate(divide="ignore", invalid="ignore"):
        alone = 1 / np.sqrt(diagonal)
        correlated = information * alone[:, :, None] * alone[:, None, :]
    bounds = np.full(diagonal.shape, np.nan)
    for row, matrix in enumerate(correlated):
        if np.isfinite(matrix).all() and np.linalg.cond(matrix) < WORST_CONDITION:
            bounds[row] = np.sqrt(np.diagonal(np.linalg.inv(matrix))) * alone[row]
    return bounds, np.where(np.isfinite(alone), alone, np.nan)


WORST_CONDITION = 1e10
"""Of the correlations of labels; beyond it they change spectra in the same way."""
