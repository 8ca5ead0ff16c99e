"""Model spectra seen through an instrument."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from astropy.table import Table

from ...errors import InputError
from ...grids import SPEED_OF_LIGHT
from ...spectra import SpectrumBatch
from ..emulator.model_spectra import ModelSpectra
from ..stars.dust import R_V, WAVE_LIMITS, extinction_curve
from .detect import arm_is_lost, detect
from .effects import Effects, Streams
from .instrument import Arm, Instrument
from .lsf import LIMB_DARKENING, REACH, into_pixels, pixel_edges, rotate, sample

BLOCK = 64
"""Spectra handled at a time; no result depends on it."""

PAD = 240
"""Model pixels of smooth energy distribution added at either end of the lines, so that profiles have something to reach into."""

V_ZERO = 3.63e8
"""Flux density in 1e-17 erg/s/cm2/A at 5500 A of a star of V = 0 (Bessell, Castelli & Plez 1998, A&A 333, 231)."""

V_WAVE = 5500.0
"""Angstrom."""

Change = Callable[[slice, np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""Takes which of the stars (a slice), pixels (n_pixels,) in Angstrom, their spectra (n, n_pixels) and velocities (n,) in km/s,
and gives other spectra (n, n_pixels)."""

REQUIRED = ("source_id", "teff", "feh", "vsini", "radial_velocity", "ebv", "v_mag", "ra", "dec")
"""Columns that stars must have."""


def observe(
    instrument: Instrument,
    model: ModelSpectra,
    stars: Table,
    *,
    seed: int = 0,
    effects: Effects | None = None,
    arm: str | None = None,
    blanketing: float = 1.0,
    snr: np.ndarray | None = None,
    change: Change | None = None,
) -> SpectrumBatch:
    """Observe stars.

    In order: rotation, line spread, velocity and pixels; `change`; extinction; errors of throughput and flux calibration;
    residuals of sky lines; noise to the survey's S/N; cosmic rays, dead pixels, missing arms. Every star has its own random
    streams, so that the result does not depend on which other stars are observed with it.

    Parameters
    ----------
    instrument : Instrument
    model : ModelSpectra
        One spectrum a star.
    stars : Table
        Truth columns; at least those of `REQUIRED` and the band of the instrument's S/N. A column ``visit`` (int) tells repeat
        visits apart.
    seed : int
    effects : Effects, optional
        All on if not given.
    arm : str, optional
        The first if not given.
    blanketing : float
        Factor on the smooth blanketing outside the emulator's range.
    snr : ndarray, shape (n_stars,), optional
        Wanted S/N per pixel instead of draws from the survey's distribution.
    change : Change, optional
        What is to be done to the spectra on their pixels before extinction, errors and noise.

    Returns
    -------
    SpectrumBatch
        Flux in 1e-17 erg/s/cm2/A. Meta columns beside those of a reader: ``mask_bits`` (n, n_pixels) int32, ``snr_survey``
        (the S/N asked for), ``velocity_true``, ``label_clipped``.

    Raises
    ------
    InputError
        If a column is missing, or numbers of stars and spectra differ.
    """
    effects = effects or Effects()
    wanted = (*REQUIRED, instrument.snr.band)
    missing = [name for name in wanted if name not in stars.colnames]
    if missing:
        raise InputError(f"stars have no column {', '.join(missing)}")
    if len(stars) != len(model):
        raise InputError(f"{len(stars)} stars but {len(model)} model spectra")
    columns = {name: np.asarray(stars[name]) for name in wanted}
    n = len(stars)
    ids = columns["source_id"].astype(np.int64)
    visits = np.asarray(stars["visit"], np.int64) if "visit" in stars.colnames else np.zeros(n, np.int64)
    chosen = instrument.arm(arm)
    pixels = chosen.pixels
    shared = Streams(seed, instrument.name, ids, visits)
    streams = Streams(seed, f"{instrument.name}/{chosen.name}", ids, visits)
    error = instrument.velocity_error * shared.normal("velocity") * effects.velocity
    velocity = columns["radial_velocity"] * effects.velocity if instrument.frame == "observed" else error
    if snr is None:
        snr = instrument.snr.draw(columns[instrument.snr.band], shared.normal("snr"))
    flux, ivar = np.empty((2, n, len(pixels)), np.float32)
    bits = np.zeros((n, len(pixels)), np.int32)
    for start in range(0, n, BLOCK):
        rows = slice(start, min(start + BLOCK, n))
        part = {name: column[rows] for name, column in columns.items()}
        ideal = ideal_flux(chosen, model.select(rows), part, velocity[rows], effects, blanketing)
        if change is not None:
            ideal = change(rows, pixels, ideal, velocity[rows])
        if effects.extinction and not instrument.dereddened:
            ideal *= 10 ** (-0.4 * R_V * part["ebv"][:, None] * _reddening(chosen))
        flux[rows], ivar[rows], bits[rows] = detect(
            instrument, chosen, ideal, np.asarray(snr)[rows], streams.select(rows), effects
        )
    reported = columns["radial_velocity"] * effects.velocity + error if instrument.frame == "observed" else np.zeros(n)
    return SpectrumBatch(
        wave=pixels,
        flux=flux,
        ivar=ivar if instrument.gives_ivar else None,
        mask=bits > 0,
        ids=ids,
        survey=instrument.name,
        frame=instrument.frame,
        medium=instrument.medium,
        meta={
            "file": np.array([f"{instrument.name}-{i}-{v}.fits" for i, v in zip(ids, visits, strict=True)], dtype=str),
            "velocity": reported,
            "star": ids.astype(str),
            "class": np.full(n, "STAR"),
            "snr_survey": np.asarray(snr, float),
            "ra": columns["ra"].astype(float),
            "dec": columns["dec"].astype(float),
            "velocity_true": columns["radial_velocity"].astype(float),
            "label_clipped": np.zeros(n, bool) if model.clipped is None else np.asarray(model.clipped),
            "mask_bits": bits,
        },
    )


def lost_arms(instrument: Instrument, arm: str, ids: np.ndarray, visits: np.ndarray, seed: int = 0) -> np.ndarray:
    """Which stars will lack an arm in `observe` with the same seed, (n,) bool; no spectrum is made for that."""
    streams = Streams(seed, f"{instrument.name}/{arm}", np.asarray(ids, np.int64), np.asarray(visits, np.int64))
    rate = instrument.missing_arm_rate
    return np.array([arm_is_lost(streams, row, rate) for row in range(len(streams))], bool)


@lru_cache(maxsize=32)
def _reddening(arm: Arm) -> np.ndarray:
    """A(lambda) / A(V) relative to that at 5500 A, for the V magnitudes of the stars include it."""
    return extinction_curve(np.clip(arm.pixels, *WAVE_LIMITS)) - extinction_curve(V_WAVE)


def ideal_flux(
    arm: Arm,
    model: ModelSpectra,
    columns: dict[str, np.ndarray],
    velocity: np.ndarray,
    effects: Effects,
    blanketing: float,
) -> np.ndarray:
    """Spectra on the pixels of an arm without extinction, errors or noise.

    Parameters
    ----------
    arm : Arm
    model : ModelSpectra
    columns : dict of str to ndarray, shape (n,)
        teff, feh, vsini, v_mag.
    velocity : ndarray, shape (n,)
        Shift in km/s.
    effects : Effects
        Of which rotation and line spread matter here.
    blanketing : float

    Returns
    -------
    ndarray, shape (n, n_pixels), float64
        1e-17 erg/s/cm2/A.
    """
    pixels, step = arm.pixels, model.step
    edges = pixel_edges(pixels)
    start = np.log(model.wave[0]) - PAD * step
    wave = np.exp(start + step * np.arange(len(model.wave) + 2 * PAD))
    sed_wave, sed = model.smooth(columns["teff"], columns["feh"], blanketing)
    stretch = 1 + velocity / SPEED_OF_LIGHT
    out, lines = np.empty((len(model), len(pixels))), np.empty((len(model), len(wave)))
    sample(sed_wave, sed, pixels, stretch, out)
    sample(sed_wave, sed, wave, np.ones(len(model)), lines)
    continuum = np.empty((len(model), len(model.wave)))
    log_continuum = model.log_continuum.astype(np.float64)
    sample(model.cont_wave, 10.0**log_continuum, model.wave, np.ones(len(model)), continuum)
    lines[:, PAD:-PAD] = continuum * model.flux
    if effects.rotation:
        rotate(lines, columns["vsini"].astype(float) / SPEED_OF_LIGHT, step, LIMB_DARKENING)
    sigma = arm.line_spread.applied(edges, model.resolution) if effects.lsf else np.zeros(len(edges))
    into_pixels(lines, start, step, np.log(edges), sigma, np.log(stretch), REACH, out)
    at_v = np.empty((len(model), 1))
    sample(model.cont_wave, 10.0**log_continuum, np.array([V_WAVE]), np.ones(len(model)), at_v)
    return out * (V_ZERO * 10 ** (-0.4 * columns["v_mag"].astype(float)))[:, None] / at_v
