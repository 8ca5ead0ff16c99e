"""The envelope continuum: what all spectra on one wavelength array share.

The algorithm is the public one of SpecCLIP (https://github.com/Xiaosheng-Zhao/SpecCLIP, utils/normalization.py), its blue
branch at S/N of 50 or more: a median filter, then a polynomial lifted pass by pass to the upper envelope of the flux, after
the Balmer lines of hot stars have been bridged. Windows are found by wavelength, in the frame of the fit. The fit of each
spectrum is in `kernels.envelope`.

Why it is fast: all spectra of a batch share their pixels, and a polynomial in the observed wavelength is a polynomial in the
rest wavelength, so every fit of every star is a product with one orthonormal basis; stars differ only in the few pixels by
which a velocity moves the window, and those enter through a 6 x 6 matrix per star.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

TOGETHER = 6
"""The basis is filled up with rows of zeros to a multiple of this, which `kernels` handle in one sweep over the pixels."""


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
    """Polynomials over native pixels, and sums of their products.

    Parameters
    ----------
    basis : ndarray, shape (n_rows, n_pixels), float64
        Orthonormal polynomials, then rows of zeros up to a multiple of `TOGETHER`.
    products : ndarray, shape (n_pixels + 1, degree + 1, degree + 1), float64
        Running sums of the outer products of the polynomials.
    """

    basis: np.ndarray
    products: np.ndarray

    @classmethod
    def on(cls, wave: np.ndarray, degree: int = 5) -> Envelope:
        """Prepare for spectra on `wave` (Angstrom), no wider than the window and its shifts."""
        scaled = 2 * (wave - wave[0]) / (wave[-1] - wave[0]) - 1
        columns, _ = np.linalg.qr(np.polynomial.legendre.legvander(scaled, degree))
        products = np.zeros((len(wave) + 1, degree + 1, degree + 1))
        np.cumsum(columns[:, :, None] * columns[:, None, :], axis=0, out=products[1:])
        basis = np.zeros((-(-(degree + 1) // TOGETHER) * TOGETHER, len(wave)))
        basis[: degree + 1] = columns.T
        return cls(basis, products)

    @classmethod
    def none(cls, wave: np.ndarray) -> Envelope:
        """No polynomial at all."""
        return cls(np.empty((0, len(wave))), np.empty((len(wave) + 1, 0, 0)))

    def inverse(self, first: np.ndarray, last: np.ndarray) -> np.ndarray:
        """Inverse of the products of the polynomials over the window ``[first, last)`` of each spectrum.

        Parameters
        ----------
        first, last : ndarray, shape (n_spectra,), int

        Returns
        -------
        ndarray, shape (n_spectra, n_rows, n_rows), float64
            Zero for the rows of `basis` that are zero.
        """
        n_rows, n_used = len(self.basis), self.products.shape[1]
        out = np.zeros((len(first), n_rows, n_rows))
        if n_used:
            out[:, :n_used, :n_used] = np.linalg.inv(self.products[last] - self.products[first])
        return out
