"""Model spectra as instruments want them: lines where the emulator knows them, a smooth energy distribution elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...errors import InputError

WINDOW = (3850.0, 5750.0)
"""Angstrom: within, spectra have lines; outside, only the smooth blanketing of `blanketing` and no lines at all."""


@dataclass(frozen=True)
class ModelSpectra:
    """High-resolution spectra of stars in their rest frame.

    Parameters
    ----------
    wave : ndarray, shape (n_pixels,), float64
        Vacuum Angstrom, even in the logarithm.
    flux : ndarray, shape (n_stars, n_pixels)
        Flux over true continuum.
    cont_wave : ndarray, shape (n_points,)
        Vacuum Angstrom, covering `wave`.
    log_continuum : ndarray, shape (n_stars, n_points)
        log10 of the surface continuum flux per Angstrom, in any unit.
    sed_wave : ndarray, shape (n_sed,), optional
        Vacuum Angstrom; a wider range.
    log_sed : ndarray, shape (n_stars, n_sed), optional
        log10 of the continuum with hydrogen lines but without metals, same unit. Without it the continuum is carried on by a
        Planck function of the star's temperature.
    clipped : ndarray, shape (n_stars,), bool, optional
        True where labels lay outside the emulator's range and the spectrum was made at its edge.
    resolution : float
        Resolving power of `flux`.

    Raises
    ------
    InputError
        If shapes do not match or `wave` is not even in the logarithm.
    """

    wave: np.ndarray
    flux: np.ndarray
    cont_wave: np.ndarray
    log_continuum: np.ndarray
    sed_wave: np.ndarray | None = None
    log_sed: np.ndarray | None = None
    clipped: np.ndarray | None = None
    resolution: float = 12_000.0

    def __post_init__(self) -> None:
        n = len(self.flux)
        shapes = [(self.flux.shape, (n, len(self.wave))), (self.log_continuum.shape, (n, len(self.cont_wave)))]
        if self.log_sed is not None and self.sed_wave is not None:
            shapes.append((self.log_sed.shape, (n, len(self.sed_wave))))
        for shape, expected in shapes:
            if shape != expected:
                raise InputError(f"model spectra: shape {shape} where {expected} was expected")
        steps = np.diff(np.log(self.wave))
        if len(steps) < 2 or np.ptp(steps) > 1e-3 * steps.mean():
            raise InputError("model spectra: wavelengths must be even in their logarithm")

    def __len__(self) -> int:
        return len(self.flux)

    def select(self, rows) -> ModelSpectra:
        """The stars at `rows` (slice, index or bool array)."""
        return replace(
            self,
            flux=self.flux[rows],
            log_continuum=self.log_continuum[rows],
            log_sed=None if self.log_sed is None else self.log_sed[rows],
            clipped=None if self.clipped is None else self.clipped[rows],
        )

    @property
    def step(self) -> float:
        """Step of ln(wavelength)."""
        return float(np.log(self.wave[-1] / self.wave[0]) / (len(self.wave) - 1))

    @classmethod
    def from_emulator(cls, emulator: Any, labels: np.ndarray) -> ModelSpectra:
        """Make the spectra of `labels`, shape (n_stars, n_labels), in the order of ``emulator.label_names``.

        Labels outside the emulator's range are moved to its edge, and the stars marked in `clipped`.
        """
        inside = np.asarray(emulator.inside(labels), bool)
        labels = np.where(inside[:, None], labels, emulator.clip(labels))
        return cls(
            np.asarray(emulator.wave), np.asarray(emulator.flux(labels)),
            np.asarray(emulator.continuum_wave), np.asarray(emulator.log_continuum(labels)),
            np.asarray(emulator.sed_wave), np.asarray(emulator.log_sed(labels)), ~inside,
        )  # fmt: skip

    def smooth(self, teff: np.ndarray, feh: np.ndarray, strength: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
        """The energy distribution without lines, blanketed outside `wave`.

        Parameters
        ----------
        teff, feh : ndarray, shape (n_stars,)
            K and dex.
        strength : float
            Factor on the blanketing.

        Returns
        -------
        wave : ndarray, shape (n_sed,)
            Vacuum Angstrom.
        flux : ndarray, shape (n_stars, n_sed), float64
            In the unit of ``10**log_continuum``.
        """
        if self.sed_wave is None or self.log_sed is None:
            wave = np.arange(3040.0, 10_800.0, 20.0)
            held = np.clip(wave, self.cont_wave[0], self.cont_wave[-1])
            index = np.clip(np.searchsorted(self.cont_wave, held) - 1, 0, len(self.cont_wave) - 2)
            share = (held - self.cont_wave[index]) / (self.cont_wave[index + 1] - self.cont_wave[index])
            log_flux = self.log_continuum[:, index] * (1 - share) + self.log_continuum[:, index + 1] * share
            flux = 10.0**log_flux * planck(wave, teff) / planck(held, teff)
        else:
            wave, flux = self.sed_wave, 10.0 ** self.log_sed.astype(np.float64)
        outside = (wave < self.wave[0]) | (wave > self.wave[-1])
        return wave, np.where(outside, flux * blanketing(wave, teff, feh, strength), flux)


def planck(wave: np.ndarray, teff: np.ndarray) -> np.ndarray:
    """Planck function per wavelength in arbitrary units, shape (n_stars, n_wave); Angstrom and K."""
    return wave**-5.0 / np.expm1(1.438777e8 / (wave * np.asarray(teff, float)[:, None]))


def blanketing(wave: np.ndarray, teff: np.ndarray, feh: np.ndarray, strength: float = 1.0) -> np.ndarray:
    """Part of the continuum that the lines of metals leave, as a smooth stand-in where no line is known.

    Set by what the synthetic spectra themselves lose at the two ends of their range, 3850-3950 and 5600-5750 A: in the Sun 0.45
    and 0.05, as the square and the cube of 5772 K / Teff, and as 10 to the power of 0.30 and 0.35 [Fe/H]. Towards the red it
    falls off over 1500 A; it takes 0.8 at the most.

    Parameters
    ----------
    wave : ndarray, shape (n_wave,)
        Angstrom.
    teff, feh : ndarray, shape (n_stars,)
    strength : float
        Factor on the light taken.

    Returns
    -------
    ndarray, shape (n_stars, n_wave)
    """
    heat, feh = 5772 / np.asarray(teff, float)[:, None], np.asarray(feh, float)[:, None]
    blue = 0.45 * heat**2 * 10 ** (0.30 * feh)
    red = 0.05 * heat**3 * 10 ** (0.35 * feh) * np.exp(-np.clip(wave - WINDOW[1], 0, None) / 1500)
    return 1 - np.minimum(strength * np.where(wave < sum(WINDOW) / 2, blue, red), 0.8)
