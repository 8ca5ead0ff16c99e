"""Line spread: rotation, the instrument's profile, the velocity shift and the integration over pixels, compiled.

A pixel gets the difference of the smoothed running integral of the flux between its two edges. So flux is conserved to
rounding whatever the pixels and however the profile varies, and a shift by any part of a pixel is exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import SettingsError
from ...preprocess.compiled import compiled

FWHM_PER_SIGMA = 2 * np.sqrt(2 * np.log(2))

REACH = 5.5
"""The profile is cut at this many sigma; a constant spectrum then stays constant to 1e-6."""

LIMB_DARKENING = 0.6
"""Linear coefficient of the rotation profile (Gray 2005, The Observation and Analysis of Stellar Photospheres, ch. 18)."""


@dataclass(frozen=True)
class LineSpread:
    """Width of a Gaussian profile as a function of wavelength, interpolated linearly.

    Parameters
    ----------
    wave : tuple of float
        Vacuum wavelengths in Angstrom, rising.
    value : tuple of float
        Resolving power, or FWHM in Angstrom, of the spectrum as it comes out: pixel included.
    unit : {'resolution', 'angstrom'}

    Raises
    ------
    SettingsError
        If the two differ in length or hold anything that is not positive.
    """

    wave: tuple[float, ...]
    value: tuple[float, ...]
    unit: str = "resolution"

    def __post_init__(self) -> None:
        if len(self.wave) != len(self.value) or not self.wave or min(self.value) <= 0 or min(self.wave) <= 0:
            raise SettingsError("line spread: needs as many positive values as wavelengths")
        if self.unit not in ("resolution", "angstrom"):
            raise SettingsError(f"line spread: unit '{self.unit}' is not one of resolution, angstrom")

    def fwhm(self, wave) -> np.ndarray:
        """FWHM in Angstrom at `wave` (Angstrom)."""
        value = np.interp(wave, self.wave, self.value)
        return np.asarray(wave) / value if self.unit == "resolution" else value

    def applied(self, edges: np.ndarray, intrinsic: float) -> np.ndarray:
        """Sigma in the natural logarithm of wavelength by which a model must be smoothed before it is put in pixels.

        The model's own width and that of the pixel are taken off in quadrature; zero where nothing is left.

        Parameters
        ----------
        edges : ndarray, shape (n_pixels + 1,)
            Edges of the pixels in Angstrom.
        intrinsic : float
            Resolving power of the model.
        """
        pixel = np.gradient(edges)
        wanted = (self.fwhm(edges) / FWHM_PER_SIGMA) ** 2
        native = (edges / intrinsic / FWHM_PER_SIGMA) ** 2
        return np.sqrt(np.maximum(wanted - native - pixel**2 / 12, 0)) / edges


def pixel_edges(wave: np.ndarray) -> np.ndarray:
    """Edges half way between the centres `wave`, shape (n_pixels + 1,)."""
    middle = (wave[1:] + wave[:-1]) / 2
    return np.concatenate([[2 * wave[0] - middle[0]], middle, [2 * wave[-1] - middle[-1]]])


@compiled()
def rotate(flux, speed, step, limb):
    """Broaden spectra by rotation, in place.

    Parameters
    ----------
    flux : ndarray, shape (n_spectra, n_pixels), float64
        On pixels even in the logarithm of wavelength. The ends are continued by their last value.
    speed : ndarray, shape (n_spectra,)
        v sin i over the speed of light.
    step : float
        Of ln(wavelength).
    limb : float
        Linear limb darkening.
    """
    n = flux.shape[1]
    copy = np.empty(n)
    for row in range(len(flux)):
        width = speed[row] / step
        if not width > 0:
            continue
        half = int(np.ceil(width + 0.5))
        weights = np.empty(2 * half + 1)
        last = 0.0
        for k in range(2 * half + 1):
            x = min((k - half + 0.5) / width, 1.0)
            if x <= -1:
                weights[k] = 0.0
                continue
            root = np.sqrt(1 - x * x)
            total = 0.5 + ((1 - limb) * (x * root + np.arcsin(x)) + np.pi * limb / 2 * (x - x**3 / 3)) / (
                np.pi * (1 - limb / 3)
            )
            weights[k] = total - last
            last = total
        copy[:] = flux[row]
        for i in range(n):
            if half <= i < n - half:
                total = 0.0
                for k in range(2 * half + 1):
                    total += weights[k] * copy[i + k - half]
                flux[row, i] = total
            else:
                total = 0.0
                for k in range(2 * half + 1):
                    total += weights[k] * copy[min(max(i + k - half, 0), n - 1)]
                flux[row, i] = total


@compiled()
def into_pixels(flux, start, step, edges, sigma, shift, reach, out):
    """Smooth, shift and integrate model spectra into the pixels of an instrument.

    Parameters
    ----------
    flux : ndarray, shape (n_spectra, n_model), float64
        Flux density per Angstrom at ``exp(start + step * i)``.
    start, step : float
        Natural logarithm of the first wavelength, and its step.
    edges : ndarray, shape (n_pixels + 1,)
        Natural logarithm of the edges of the pixels.
    sigma : ndarray of the shape of `edges`
        Of the Gaussian at the edges, in the same logarithm.
    shift : ndarray, shape (n_spectra,)
        Added to the logarithm of the model's wavelengths.
    reach : float
        Sigmas at which the Gaussian is cut.
    out : ndarray, shape (n_spectra, n_pixels), float64
        Mean flux density in the pixel; left as it was where the pixel or its profile reaches beyond the model.
    """
    n_model, n_edges = flux.shape[1], len(edges)
    running = np.empty(n_model + 1)
    bin_width = np.exp(start + step * np.arange(n_model)) * 2 * np.sinh(step / 2)
    width = np.exp(edges[1:]) - np.exp(edges[:-1])
    for row in range(len(flux)):
        running[0] = 0.0
        for j in range(n_model):
            running[j + 1] = running[j] + flux[row, j] * bin_width[j]
        before, known = 0.0, False
        for e in range(n_edges):
            place = (edges[e] - shift[row] - start) / step + 0.5
            s = sigma[e] / step
            first, last = int(np.ceil(place - reach * s)), int(np.floor(place + reach * s))
            if s < 0.05:
                first = int(np.floor(place))
                last = first + 1
            if first < 0 or last > n_model:
                known = False
                continue
            if s < 0.05:
                value = running[first] + (place - first) * (running[last] - running[first])
            else:
                # exp(-d^2 / 2 s^2) at equal steps of d, each from the one before by two products. Relative to the running
                # integral in the middle, so that the sum of small differences keeps its digits.
                d, inverse = first - place, 1 / (s * s)
                weight, ratio, change = np.exp(-0.5 * d * d * inverse), np.exp(-(d + 0.5) * inverse), np.exp(-inverse)
                middle = running[(first + last) // 2]
                total, norm = 0.0, 0.0
                for k in range(first, last + 1):
                    total += weight * (running[k] - middle)
                    norm += weight
                    weight *= ratio
                    ratio *= change
                value = middle + total / norm
            if known:
                out[row, e - 1] = (value - before) / width[e - 1]
            before, known = value, True


@compiled()
def sample(wave, flux, pixels, stretch, out):
    """Interpolate smooth spectra linearly; beyond their ends the last value is held.

    Parameters
    ----------
    wave : ndarray, shape (n_wave,), float64
    flux : ndarray, shape (n_spectra, n_wave), float64
    pixels : ndarray, shape (n_pixels,), float64
        Rising wavelengths in the observed frame.
    stretch : ndarray, shape (n_spectra,)
        Observed over rest wavelength.
    out : ndarray, shape (n_spectra, n_pixels), float64
    """
    for row in range(len(flux)):
        j = 0
        for i in range(len(pixels)):
            x = pixels[i] / stretch[row]
            while j < len(wave) - 2 and wave[j + 1] < x:
                j += 1
            share = min(max((x - wave[j]) / (wave[j + 1] - wave[j]), 0.0), 1.0)
            out[row, i] = (1 - share) * flux[row, j] + share * flux[row, j + 1]
