"""The envelope continuum, fitted to many spectra at once.

The algorithm is the public one of SpecCLIP (https://github.com/Xiaosheng-Zhao/SpecCLIP, utils/normalization.py), its blue
branch at S/N of 50 or more: a median filter, then a polynomial lifted pass by pass to the upper envelope of the flux, after
the Balmer lines of hot stars have been bridged. Windows are found by wavelength, in the frame of the fit.

Why it is fast: all spectra of a batch share their pixels, and a polynomial in the observed wavelength is a polynomial in the
rest wavelength, so every fit of every star is a product with one orthonormal basis; stars differ only in the few pixels by
which a velocity moves the window, and those enter through a 6 x 6 matrix per star.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BALMER = ((4030.0, 4160.0), (4270.0, 4410.0), (4800.0, 4940.0))
"""Windows in Angstrom that hold H-delta, H-gamma and H-beta in hot stars."""

HOT_PEAK = 4500.0
"""A first fit that peaks bluewards of this wavelength (Angstrom) marks a hot star."""

EDGE = 10.0
"""The ends of a Balmer bridge are the flux maxima within this distance (Angstrom) of its edges."""


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


def median_filter(flux: np.ndarray, width: int) -> np.ndarray:
    """Running median along the last axis; the spectrum is mirrored about its ends.

    Parameters
    ----------
    flux : ndarray, shape (n_spectra, n_pixels)
    width : int
        Odd number of pixels.

    Returns
    -------
    ndarray of the shape and dtype of `flux`
        The same numbers as `scipy.ndimage.median_filter(flux, (1, width))`.
    """
    half = width // 2
    padded = np.pad(flux, ((0, 0), (half, half)), mode="symmetric")
    size = flux.shape[1]
    if width == 9:
        return _median_of_nine(padded, size)
    views = [padded[:, i : i + size] for i in range(width)]
    # Forgetful selection: of half + 2 candidates neither the least nor the greatest can be the median, so both are
    # dropped and the next value is let in. Whole arrays are compared at a time, so there is no branch and no sort.
    active = views[: half + 2] if width > 1 else views
    waiting = views[half + 2 :]
    while len(active) > 1:
        active = _drop_extremes(active)
        if waiting:
            active.append(waiting.pop())
    return np.array(active[0])


def _median_of_nine(padded: np.ndarray, size: int) -> np.ndarray:
    """Running median of nine, from runs of three that are sorted once and serve three windows each."""
    n = padded.shape[1] - 2
    first, second, third = padded[:, :n], padded[:, 1 : n + 1], padded[:, 2:]
    low, high = np.minimum(first, second), np.maximum(first, second)
    middle = np.minimum(high, third)
    np.maximum(high, third, out=high)
    low, middle = np.minimum(low, middle), np.maximum(low, middle)
    lows, middles, highs = ([run[:, i : i + size] for i in (0, 3, 6)] for run in (low, middle, high))
    return _middle_of_three(
        np.maximum(np.maximum(lows[0], lows[1]), lows[2]),
        _middle_of_three(*middles),
        np.minimum(np.minimum(highs[0], highs[1]), highs[2]),
    )


def _middle_of_three(first: np.ndarray, second: np.ndarray, third: np.ndarray) -> np.ndarray:
    return np.maximum(np.minimum(first, second), np.minimum(np.maximum(first, second), third))


def _drop_extremes(values: list[np.ndarray]) -> list[np.ndarray]:
    """Leave out the least and the greatest value, pixel by pixel."""
    if len(values) == 2:
        return [np.maximum(*values)]
    lows, highs = [], []
    for first, second in zip(values[0::2], values[1::2], strict=False):
        lows.append(np.minimum(first, second))
        highs.append(np.maximum(first, second))
    if len(values) % 2:
        odd = values[-1]
        low = lows.pop()
        lows.append(np.minimum(low, odd))
        odd = np.maximum(low, odd)
        high = highs.pop()
        highs.append(np.maximum(high, odd))
        lows_rest = [np.minimum(high, odd)]
    else:
        lows_rest = []
    return [*_without(lows, np.minimum, np.maximum), *_without(highs, np.maximum, np.minimum), *lows_rest]


def _without(values: list[np.ndarray], extreme, other) -> list[np.ndarray]:
    kept = []
    best = values[0]
    for i, value in enumerate(values[1:], start=1):
        kept.append(other(best, value))
        if i < len(values) - 1:
            best = extreme(best, value)
    return kept


@dataclass(frozen=True)
class Envelope:
    """What all spectra on one wavelength array share: the basis of the polynomial and sums of its products.

    Parameters
    ----------
    wave : ndarray, shape (n_pixels,), float64
    basis : ndarray, shape (n_pixels, degree + 1), float64
        Orthonormal polynomials over `wave`.
    products : ndarray, shape (n_pixels + 1, degree + 1, degree + 1), float64
        Running sums of the outer products of the rows of `basis`.
    passes : int
    """

    wave: np.ndarray
    basis: np.ndarray
    products: np.ndarray
    passes: int

    @classmethod
    def on(cls, wave: np.ndarray, degree: int = 5, passes: int = 10) -> Envelope:
        """Prepare for spectra on `wave` (Angstrom), no wider than the window and its shifts."""
        scaled = 2 * (wave - wave[0]) / (wave[-1] - wave[0]) - 1
        basis, _ = np.linalg.qr(np.polynomial.legendre.legvander(scaled, degree))
        products = np.zeros((len(wave) + 1, degree + 1, degree + 1))
        np.cumsum(basis[:, :, None] * basis[:, None, :], axis=0, out=products[1:])
        return cls(wave, basis, products, passes)

    def fit(self, flux: np.ndarray, first: np.ndarray, last: np.ndarray, stretch: np.ndarray) -> np.ndarray:
        """Fit the envelope.

        Parameters
        ----------
        flux : ndarray, shape (n_spectra, n_pixels), float32
            Median-filtered flux of order one; overwritten.
        first, last : ndarray, shape (n_spectra,), int
            The window of each spectrum is ``[first, last)``.
        stretch : ndarray, shape (n_spectra,), float64
            Wavelength of `wave` over wavelength in the frame of the fit, 1 + z.

        Returns
        -------
        ndarray, shape (n_spectra, n_pixels), float32
            The polynomial, also beyond the window.
        """
        basis = self.basis.astype(np.float32)
        transposed = np.ascontiguousarray(basis.T)
        inverse = np.linalg.inv(self.products[last] - self.products[first])
        left, right = int(first.max()), int(last.min())
        pixels = np.arange(flux.shape[1])
        outside_left = pixels[:left] < first[:, None]
        outside_right = pixels[right:] >= last[:, None]

        def project() -> np.ndarray:
            flux[:, :left][outside_left] = 0
            flux[:, right:][outside_right] = 0
            return np.einsum("nij,nj->ni", inverse, flux @ basis)

        start = project() @ self.basis.T
        hot = self._peaks_blue(start, first, last, stretch)
        if len(hot):
            rows = flux[hot]
            for edges in BALMER:
                bridge_window(self.wave, rows, stretch[hot], *edges)
            flux[hot] = rows
            start = project() @ self.basis.T
        # What remains above this first polynomial is small, so that single precision loses nothing where the flux itself
        # is far below its median (the blue end of cool stars).
        start = start.astype(np.float32)
        flux -= start
        rise = np.zeros_like(flux)
        for _ in range(self.passes):
            np.maximum(flux, rise, out=flux)
            np.matmul(project().astype(np.float32), transposed, out=rise)
        rise += start
        return rise

    def _peaks_blue(self, polynomial, first, last, stretch) -> np.ndarray:
        """Rows whose polynomial is greatest bluewards of `HOT_PEAK`."""
        left, right = int(first.min()), int(last.max())
        inside = polynomial[:, left:right].copy()
        widest = np.arange(left, right)
        edge = int(first.max()) - left, int(last.min()) - left
        inside[:, : edge[0]][widest[: edge[0]] < first[:, None]] = -np.inf
        inside[:, edge[1] :][widest[edge[1] :] >= last[:, None]] = -np.inf
        return np.flatnonzero(self.wave[left + inside.argmax(axis=1)] / stretch < HOT_PEAK)


def bridge_window(wave: np.ndarray, flux: np.ndarray, stretch: np.ndarray, low: float, high: float) -> None:
    """Replace, in place, the flux between `low` and `high` by the line through the maxima near the two edges.

    Parameters
    ----------
    wave : ndarray, shape (n_pixels,)
    flux : ndarray, shape (n_spectra, n_pixels)
    stretch : ndarray, shape (n_spectra,)
        Wavelength of `wave` over wavelength in the frame of `low` and `high`.
    low, high : float
        In Angstrom. Nothing is done where the spectra do not reach `EDGE` beyond both.
    """
    start, stop = np.searchsorted(wave, [(low - EDGE) * stretch.min(), (high + EDGE) * stretch.max()])
    if start == 0 or stop == len(wave):
        return
    part = flux[:, start:stop]
    rest = wave[start:stop] / stretch[:, None]
    every = np.arange(len(flux))
    peaks = []
    for edge in (low, high):
        at = np.where(np.abs(rest - edge) <= EDGE, part, -np.inf).argmax(axis=1)
        peaks.append((rest[every, at], part[every, at]))
    (x1, y1), (x2, y2) = peaks
    line = y1[:, None] + ((y2 - y1) / (x2 - x1))[:, None] * (rest - x1[:, None])
    flux[:, start:stop] = np.where((rest >= low) & (rest <= high), line, part)
