"""The envelope continuum: what all spectra on one wavelength array share.

The algorithm is the public one of SpecCLIP (https://github.com/Xiaosheng-Zhao/SpecCLIP, utils/normalization.py), its blue
branch at S/N of 50 or more: a median filter, then a polynomial lifted pass by pass to the upper envelope of the flux, after
the Balmer lines of hot stars have been bridged. Windows are found by wavelength, in the frame of the fit. The fit of each
spectrum is in `kernels.envelope`.

Why it is fast: all spectra of a batch share their pixels, and a polynomial in the observed wavelength is a polynomial in the
rest wavelength, so that every fit of every star needs the sums of the flux times powers of one mapped wavelength, and nothing
else; stars differ in the few pixels by which a velocity moves the window, and those enter through a 6 x 6 matrix per star.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SIX = 6
"""Terms of a polynomial of fifth degree, which `kernels` handle in one sweep over the pixels. Fits of a lower degree have as
many, the highest of them zero."""


def median_pixels(wave: np.ndarray, width: float, at: float = 4800.0) -> int:
    """Odd number of pixels nearest to `width` Angstrom at wavelength `at`; of two equally near, the smaller.

    Parameters
    ----------
    wave : ndarray, shape (n_pixels,)
    width, at : float
        In Angstrom.
    """
    middle = int(np.clip(np.searchsorted(wave, at), 1, len(wave) - 1))
    pixels = width / (wave[middle] - wave[middle - 1])
    return max(2 * int(np.ceil(pixels / 2 - 1e-9)) - 1, 1)


@dataclass(frozen=True)
class Envelope:
    """Wavelengths to fit polynomials in, and sums of their powers.

    Parameters
    ----------
    x : ndarray, shape (n_pixels,), float64
        Wavelengths mapped to -1 to 1, where powers up to the eleventh are told apart well enough in double precision.
    moments : ndarray, shape (n_pixels + 1, 2 * degree + 1), float64
        Running sums of the powers of `x`; no columns for no polynomial at all.
    """

    x: np.ndarray
    moments: np.ndarray

    @classmethod
    def on(cls, wave: np.ndarray, degree: int = 5) -> Envelope:
        """Prepare for spectra on `wave` (Angstrom), no wider than the window and its shifts."""
        x = 2 * (wave - wave[0]) / (wave[-1] - wave[0]) - 1
        moments = np.zeros((len(wave) + 1, 2 * degree + 1))
        np.cumsum(np.vander(x, 2 * degree + 1, increasing=True), axis=0, out=moments[1:])
        return cls(x, moments)

    @classmethod
    def none(cls, wave: np.ndarray) -> Envelope:
        """No polynomial at all."""
        return cls(np.zeros(len(wave)), np.empty((len(wave) + 1, 0)))

    def inverse(self, first: np.ndarray, last: np.ndarray) -> np.ndarray:
        """Inverse of the sums of products of powers over the window ``[first, last)`` of each spectrum.

        Parameters
        ----------
        first, last : ndarray, shape (n_spectra,), int

        Returns
        -------
        ndarray, shape (n_spectra, n_terms, n_terms), float64
            Six terms or more, zero for those beyond the degree; none for no polynomial at all.
        """
        used = (self.moments.shape[1] + 1) // 2
        terms = max(used, SIX) if used else 0
        out = np.zeros((len(first), terms, terms))
        if used:
            power = np.arange(used)
            sums = self.moments[last] - self.moments[first]
            out[:, :used, :used] = np.linalg.inv(sums[:, power[:, None] + power])
        return out
