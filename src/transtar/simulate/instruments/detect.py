"""From ideal flux to what a reduced spectrum holds: calibration errors, sky, noise, cosmic rays, lost pixels."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .effects import Effects, Streams
from .instrument import SKY_LINES, Arm, Instrument
from .lsf import FWHM_PER_SIGMA

MODES = 5
"""Cosines in wavelength of which an error of calibration is made."""

DEAD_RUN = 4.0
"""Mean length in pixels of a run of lost pixels."""


@lru_cache(maxsize=32)
def _fixed(arm: Arm) -> tuple[np.ndarray, ...]:
    """What does not change from star to star: throughput, calibration modes, profiles and pixels of the sky lines."""
    pixels = arm.pixels
    throughput = np.interp(pixels, *np.array(arm.throughput).T)
    phase = np.pi * (pixels - pixels[0]) / (pixels[-1] - pixels[0])
    number = np.arange(1, MODES + 1)
    modes = np.cos(number[:, None] * phase) / number[:, None]
    inside = [(wave, strength) for wave, strength in SKY_LINES.items() if pixels[0] < wave < pixels[-1]]
    centre, strength = np.array(inside).reshape(-1, 2).T
    sigma = arm.line_spread.fwhm(centre) / FWHM_PER_SIGMA
    profile = np.exp(-0.5 * ((pixels - centre[:, None]) / sigma[:, None]) ** 2) * strength[:, None]
    profile[profile < 1e-4] = 0
    return throughput, modes, profile


def electrons_for(snr: np.ndarray, background: float) -> np.ndarray:
    """Electrons from the star at which ``n / sqrt(n + background)`` is `snr`."""
    square = np.square(snr)
    return (square + np.sqrt(square**2 + 4 * square * background)) / 2


def detect(
    instrument: Instrument, arm: Arm, ideal: np.ndarray, snr: np.ndarray, streams: Streams, effects: Effects
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Turn ideal spectra into reduced ones.

    Parameters
    ----------
    instrument : Instrument
    arm : Arm
    ideal : ndarray, shape (n, n_pixels), float64
        Flux without errors.
    snr : ndarray, shape (n,)
        Wanted median S/N per pixel in the window of the arm.
    streams : Streams
    effects : Effects

    Returns
    -------
    flux, ivar : ndarray, shape (n, n_pixels), float64
        The inverse variance is the true one, but 0 where the reduction knows the pixel to be bad.
    bits : ndarray, shape (n, n_pixels), int32
    """
    pixels, n = arm.pixels, len(ideal)
    throughput, modes, profile = _fixed(arm)
    flux = ideal.copy()
    if effects.calibration:
        flux *= np.exp(instrument.calibration * (streams.normal("calibration", MODES) @ modes))
    low, high = arm.snr_window or instrument.snr.window
    window = slice(*np.searchsorted(pixels, [low, high]))
    # Noise follows the flux before errors of calibration, which come after the photons.
    counts = ideal * throughput
    level = np.median(counts[:, window], axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = electrons_for(snr, instrument.background) / level
        counts *= gain[:, None]
        # A sky line of strength 1 adds as many electrons as the background has.
        sky = instrument.background * (1 + (profile.sum(axis=0) if effects.sky else 0.0))
        sigma = np.sqrt(np.maximum(counts, 0) + sky) / (gain[:, None] * throughput)
        sigma *= np.divide(flux, ideal, out=np.ones_like(flux), where=ideal > 0)
    bits = np.zeros(ideal.shape, np.int32)
    if effects.noise:
        flux += sigma * streams.normal("noise", len(pixels))
    if effects.sky and instrument.sky_residual and len(profile):
        amplitude = instrument.sky_residual * streams.normal("sky", len(profile))
        flux += sigma * (amplitude @ np.minimum(profile, 3.0))
    for row in range(n):
        if effects.cosmics:
            _cosmic_rays(instrument, flux[row], sigma[row], bits[row], streams.of(row, "cosmics"))
        if effects.dead_pixels:
            _lose_pixels(instrument, flux[row], bits[row], streams.of(row, "dead_pixels"))
        if effects.missing_arms and arm_is_lost(streams, row, instrument.missing_arm_rate):
            flux[row] = 0
            bits[row] |= instrument.bits["missing"]
    ivar = np.where(bits > 0, 0, 1 / sigma**2)
    return flux, ivar, bits


def arm_is_lost(streams: Streams, row: int, rate: float) -> bool:
    """Whether the star at `row` lacks the arm that the streams are of."""
    return bool(streams.of(row, "missing_arms").uniform() < rate)


def _cosmic_rays(instrument: Instrument, flux, sigma, bits, rng: np.random.Generator) -> None:
    """Add hits of one to three pixels, log-normal about 15 sigma; changes `flux` and `bits`."""
    number = rng.poisson(instrument.cosmics * len(flux) / 4000)
    where, width = rng.integers(0, len(flux), number), rng.integers(1, 4, number)
    height, masked = rng.lognormal(np.log(15), 0.8, number), rng.uniform(size=number) < instrument.cosmics_found
    for i in range(number):
        pixels = slice(where[i], where[i] + width[i])
        flux[pixels] += height[i] * sigma[pixels]
        if masked[i]:
            bits[pixels] |= instrument.bits["cosmic"]


def _lose_pixels(instrument: Instrument, flux, bits, rng: np.random.Generator) -> None:
    """Blank runs of pixels; changes `flux` and `bits`."""
    # Fibres differ: most spectra lose few pixels, some many (as real LAMOST ones do).
    number = rng.poisson(rng.lognormal(-0.5, 1.0) * instrument.dead_fraction * len(flux) / DEAD_RUN)
    where, length = rng.integers(0, len(flux), number), rng.geometric(1 / DEAD_RUN, number)
    for i in range(number):
        pixels = slice(where[i], where[i] + length[i])
        flux[pixels] = 0
        bits[pixels] |= instrument.bits["dead"]
