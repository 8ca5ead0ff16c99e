"""The inner loops of the preprocessing, compiled: what is done to one spectrum, pixel by pixel.

Written for one spectrum at a time, because a spectrum fits into the fastest cache of a processor and a batch does not.
Everything is in double precision and runs without the interpreter's lock, so that threads share the work. All of it stands
in this one file: numba notices a change of the file that is compiled, not of one that it calls.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

from .continuum import TOGETHER

BALMER = ((4030.0, 4160.0), (4270.0, 4410.0), (4800.0, 4940.0))
"""Windows in Angstrom that hold H-delta, H-gamma and H-beta in hot stars."""

HOT_PEAK = 4500.0
"""A first fit that peaks bluewards of this wavelength (Angstrom) marks a hot star."""

EDGE = 10.0
"""The ends of a Balmer bridge are the flux maxima within this distance (Angstrom) of its edges."""

NEGLIGIBLE = 1e-5
"""A weight below this is rounding: the grid point sits on a native pixel."""


def compiled(sums_in_any_order: bool = False) -> Callable[[Callable], Any]:
    """Compile with numba, and keep the result on disk where there is a place for it."""
    # Without leave to reorder, sums and maxima cannot be done eight numbers at a time. NaNs have been filled by then.
    fastmath: Any = {"nnan", "nsz", "reassoc", "contract"} if sums_in_any_order else False

    def compile_it(function: Callable) -> Any:
        settings = {"nogil": True, "fastmath": fastmath, "error_model": "numpy"}
        try:
            return njit(cache=True, **settings)(function)
        except RuntimeError:  # nowhere to write
            return njit(**settings)(function)

    return compile_it


@compiled()
def find_good(flux, ivar, mask, sky, good):
    """Mark, in `good`, pixels of finite flux outside `mask` and `sky`, with a positive and finite `ivar`.

    Parameters
    ----------
    flux : ndarray, shape (n_pixels,)
    ivar : ndarray, shape (n_pixels,) or (0,)
        Empty where there is none.
    mask : ndarray, shape (n_pixels,), bool
        True where bad.
    sky : ndarray, shape (n_ranges, 2), int
        First pixel of each range spoilt by the sky, and the first after it.
    good : ndarray, shape (n_pixels,), bool
    """
    for i in range(len(flux)):
        good[i] = (abs(flux[i]) < np.inf) & (not mask[i])
    if len(ivar):
        for i in range(len(flux)):
            good[i] &= (ivar[i] > 0) & (ivar[i] < np.inf)
    for k in range(len(sky)):
        good[sky[k, 0] : sky[k, 1]] = False


@compiled()
def fill_bad(wave, flux, good, filled):
    """Copy `flux` to `filled`, bad pixels interpolated linearly in wavelength between their good neighbours.

    Beyond the outermost good pixel its value is held; a spectrum with no good pixel becomes zero, which is returned as
    False.
    """
    n = len(flux)
    i = 0
    while i < n:
        if good[i]:
            filled[i] = flux[i]
            i += 1
            continue
        stop = i
        while stop < n and not good[stop]:
            stop += 1
        if i == 0 and stop == n:
            filled[:] = 0
            return False
        if i == 0:
            filled[:stop] = flux[stop]
        elif stop == n:
            filled[i:] = flux[i - 1]
        else:
            left = np.float64(flux[i - 1])
            slope = (flux[stop] - left) / (wave[stop] - wave[i - 1])
            for j in range(i, stop):
                filled[j] = left + slope * (wave[j] - wave[i - 1])
        i = stop
    return True


@compiled()
def mirror(flux, half, padded):
    """Copy `flux` to the middle of `padded`, `half` pixels longer at each end, and mirror it about its ends."""
    n = len(flux)
    padded[half : half + n] = flux
    for i in range(half):
        there = i % (2 * n)
        there = min(there, 2 * n - 1 - there)
        padded[half - 1 - i] = flux[there]
        padded[half + n + i] = flux[n - 1 - there]


@compiled(sums_in_any_order=True)
def median_filter(padded, width, out):
    """Running median of an odd number of pixels.

    Parameters
    ----------
    padded : ndarray, shape (n_pixels + width - 1,)
        From `mirror`.
    width : int
        Odd number of pixels.
    out : ndarray, shape (n_pixels,)
        Receives the same numbers as `scipy.ndimage.median_filter(flux, width)`.
    """
    n = len(out)
    # The two widths of about 8 A, on the pixels of LAMOST and on those of MILES and DESI, are written without a branch.
    if width == 7:
        for i in range(n):
            a, b, c, d = padded[i], padded[i + 1], padded[i + 2], padded[i + 3]
            e, f, g = padded[i + 4], padded[i + 5], padded[i + 6]
            a, f = min(a, f), max(a, f)
            a, d = min(a, d), max(a, d)
            b, g = min(b, g), max(b, g)
            c, e = min(c, e), max(c, e)
            b = max(a, b)
            d, f = min(d, f), max(d, f)
            c, g = min(c, g), max(c, g)
            c, d = min(c, d), max(c, d)
            d = min(d, g)
            e = min(e, f)
            b, e = min(b, e), max(b, e)
            d = max(b, d)
            out[i] = min(d, e)
    elif width == 9:
        for i in range(n):
            a, b, c = padded[i], padded[i + 1], padded[i + 2]
            least, most = min(a, b), max(a, b)
            low, high = min(least, c), max(most, c)
            first = max(least, min(most, c))
            a, b, c = padded[i + 3], padded[i + 4], padded[i + 5]
            least, most = min(a, b), max(a, b)
            low, high = max(low, min(least, c)), min(high, max(most, c))
            second = max(least, min(most, c))
            a, b, c = padded[i + 6], padded[i + 7], padded[i + 8]
            least, most = min(a, b), max(a, b)
            low, high = max(low, min(least, c)), min(high, max(most, c))
            third = max(least, min(most, c))
            # The median of nine is that of the greatest low, the middle median and the least high of three triples.
            middle = max(min(first, second), min(max(first, second), third))
            out[i] = max(min(low, middle), min(max(low, middle), high))
    else:
        window = np.sort(padded[:width])
        out[0] = window[width // 2]
        for i in range(1, n):
            k = 0
            while window[k] != padded[i - 1]:
                k += 1
            new = padded[i + width - 1]
            while k < width - 1 and window[k + 1] < new:
                window[k] = window[k + 1]
                k += 1
            while k > 0 and window[k - 1] > new:
                window[k] = window[k - 1]
                k -= 1
            window[k] = new
            out[i] = window[width // 2]


@compiled(sums_in_any_order=True)
def evaluate(basis, row, start, coefficients, out):
    """Add to `out`, which begins at pixel `start`, the polynomials of `basis` from `row` on times their coefficients."""
    n = len(out)
    for k in range(row, len(basis), TOGETHER):
        p, q, r = basis[k][start : start + n], basis[k + 1][start : start + n], basis[k + 2][start : start + n]
        s, t, u = basis[k + 3][start : start + n], basis[k + 4][start : start + n], basis[k + 5][start : start + n]
        a, b, c, d, e, f = coefficients[k : k + TOGETHER]
        for i in range(n):
            out[i] += a * p[i] + b * q[i] + c * r[i] + d * s[i] + e * t[i] + f * u[i]


@compiled(sums_in_any_order=True)
def lift(flux, rest, basis, start, coefficients, sums):
    """Raise `flux` to the polynomial where it lies below, and get the products of the result with the first rows of `basis`.

    One sweep over the pixels: this is where most of the time of the whole chain goes.

    Parameters
    ----------
    flux : ndarray, shape (n,)
        Overwritten.
    rest : ndarray, shape (n,)
        What the rows of `basis` beyond the first `TOGETHER` give.
    basis : ndarray, shape (n_rows, n_pixels)
    start : int
        Pixel of `basis` at which `flux` begins.
    coefficients, sums : ndarray, shape (n_rows,)
        `sums` receives the products.
    """
    n = len(flux)
    p, q, r = basis[0][start : start + n], basis[1][start : start + n], basis[2][start : start + n]
    s, t, u = basis[3][start : start + n], basis[4][start : start + n], basis[5][start : start + n]
    a, b, c, d, e, f = coefficients[:TOGETHER]
    v = w = x = y = z = o = 0.0
    for i in range(n):
        value = max(flux[i], rest[i] + a * p[i] + b * q[i] + c * r[i] + d * s[i] + e * t[i] + f * u[i])
        flux[i] = value
        v += p[i] * value
        w += q[i] * value
        x += r[i] * value
        y += s[i] * value
        z += t[i] * value
        o += u[i] * value
    sums[0], sums[1], sums[2], sums[3], sums[4], sums[5] = v, w, x, y, z, o


@compiled(sums_in_any_order=True)
def multiply(flux, basis, row, start, sums):
    """Products of `flux`, which begins at pixel `start` of `basis`, with each polynomial from `row` on."""
    for k in range(row, len(basis)):
        polynomial = basis[k][start : start + len(flux)]
        total = 0.0
        for i in range(len(flux)):
            total += polynomial[i] * flux[i]
        sums[k] = total


@compiled()
def solve(inverse, sums, coefficients):
    """Coefficients of the least-squares polynomial from the products of the flux with each row of the basis."""
    for k in range(len(sums)):
        total = 0.0
        for j in range(len(sums)):
            total += inverse[k, j] * sums[j]
        coefficients[k] = total


@compiled()
def bridge(wave, flux, stretch, low, high):
    """Replace the flux between `low` and `high` by the line through the maxima near the two edges.

    Parameters
    ----------
    wave, flux : ndarray, shape (n_pixels,)
        `flux` is overwritten.
    stretch : float
        Wavelength of `wave` over wavelength in the frame of `low` and `high`.
    low, high : float
        In Angstrom. Nothing is done where the spectrum does not reach `EDGE` beyond both.
    """
    if (low - EDGE) * stretch <= wave[0] or (high + EDGE) * stretch > wave[-1]:
        return
    at = np.empty(2, np.int64)
    for side in range(2):
        edge = low if side == 0 else high
        i = np.searchsorted(wave, (edge - EDGE) * stretch)
        best = i
        while wave[i] <= (edge + EDGE) * stretch:
            if flux[i] > flux[best]:
                best = i
            i += 1
        at[side] = best
    left, right = at
    level, slope = flux[left], (flux[right] - flux[left]) / (wave[right] - wave[left])
    i = np.searchsorted(wave, low * stretch)
    while wave[i] <= high * stretch:
        flux[i] = level + slope * (wave[i] - wave[left])
        i += 1


@compiled()
def envelope(wave, flux, basis, start, inverse, stretch, passes, work):
    """Coefficients of the polynomial that bounds the flux from above.

    Parameters
    ----------
    wave, flux : ndarray, shape (n,)
        Pixels of the window, median-filtered; `flux` is overwritten.
    basis : ndarray, shape (n_rows, n_pixels)
        Polynomials over all native pixels, of which the window begins at `start`.
    start : int
    inverse : ndarray, shape (n_rows, n_rows)
        Inverse of the products of the polynomials with each other over the window.
    stretch : float
        Wavelength of `wave` over wavelength in the frame of the fit, 1 + z.
    passes : int
        How often the flux is lifted to the fit.
    work : ndarray, shape (n,)
        Overwritten.

    Returns
    -------
    ndarray, shape (n_rows,)
    """
    coefficients, sums = np.empty(len(basis)), np.empty(len(basis))
    multiply(flux, basis, 0, start, sums)
    solve(inverse, sums, coefficients)
    work[:] = 0
    evaluate(basis, 0, start, coefficients, work)
    if wave[np.argmax(work)] / stretch < HOT_PEAK:
        for low, high in BALMER:
            bridge(wave, flux, stretch, low, high)
        multiply(flux, basis, 0, start, sums)
        solve(inverse, sums, coefficients)
    for _ in range(passes):
        work[:] = 0
        evaluate(basis, TOGETHER, start, coefficients, work)
        lift(flux, work, basis, start, coefficients, sums)
        multiply(flux, basis, TOGETHER, start, sums)
        solve(inverse, sums, coefficients)
    return coefficients


@compiled()
def fit_continuum(wave, flux, width, basis, inverse, start, stop, stretch, passes, continuum):
    """Envelope continuum of one spectrum without bad pixels.

    Parameters
    ----------
    wave, flux : ndarray, shape (n_pixels,), float64
    width : int
        Of the median filter in pixels.
    basis, inverse, stretch, passes
        As in `envelope`.
    start, stop : int
        The window of the fit is ``[start, stop)``.
    continuum : ndarray, shape (n_pixels,), float64
        Receives the polynomial, also beyond the window.
    """
    padded, filtered = np.empty(len(flux) + 2 * (width // 2)), np.empty(len(flux))
    mirror(flux, width // 2, padded)
    median_filter(padded, width, filtered)
    coefficients = envelope(
        wave[start:stop], filtered[start:stop], basis, start, inverse, stretch, passes, continuum[: stop - start]
    )
    continuum[:] = 0
    evaluate(basis, 0, 0, coefficients, continuum)


@compiled(sums_in_any_order=True)
def divide(flux, ivar, good, continuum, variance):
    """Divide `flux` by `continuum`, and write its variance, infinite where not `good`; 1 without `ivar`.

    Parameters are arrays of shape (n_pixels,); `ivar` is empty where there is none.
    """
    n = len(flux)
    if len(ivar):
        for i in range(n):
            inverse = 1 / continuum[i]
            flux[i] *= inverse
            variance[i] = inverse * inverse / ivar[i]
    else:
        for i in range(n):
            flux[i] /= continuum[i]
            variance[i] = 1
    for i in range(n):
        variance[i] = variance[i] if good[i] else np.inf


@compiled()
def resample(log_wave, values, variance, grid, shift, out, out_ivar):
    """Interpolate linearly in log wavelength.

    Parameters
    ----------
    log_wave, values, variance : ndarray, shape (n_pixels,)
        Native pixels; an infinite variance marks a bad one.
    grid : ndarray, shape (n_grid,)
        log10 of the wanted wavelengths, increasing; `shift` (dex) is added to it.
    shift : float
    out, out_ivar : ndarray, shape (n_grid,)
        The variance is the sum of squared weights times variances (covariance is ignored). Its inverse is 0 where a bad
        pixel is drawn upon and beyond the native pixels, where the outermost value is held.

    Returns
    -------
    first, last : int
        The native pixels drawn upon.
    """
    last = len(log_wave) - 1
    below = first = np.searchsorted(log_wave[1:last], grid[0] + shift, side="right")
    for g in range(len(grid)):
        target = grid[g] + shift
        while below < last - 1 and log_wave[below + 1] <= target:
            below += 1
        weight = (target - log_wave[below]) / (log_wave[below + 1] - log_wave[below])
        covered = -NEGLIGIBLE <= weight <= 1 + NEGLIGIBLE
        if weight < NEGLIGIBLE:
            out[g] = values[below]
            spread = variance[below]
        elif weight > 1 - NEGLIGIBLE:
            out[g] = values[below + 1]
            spread = variance[below + 1]
        else:
            other = 1 - weight
            out[g] = other * values[below] + weight * values[below + 1]
            spread = other * other * variance[below] + weight * weight * variance[below + 1]
        out_ivar[g] = 1 / spread if covered else 0
    return first, below + 1


@compiled()
def to_grid(
    wave,
    log_wave,
    offset,
    flux,
    ivar,
    mask,
    sky,
    width,
    basis,
    inverse,
    first,
    last,
    passes,
    stretch,
    grid,
    out,
    out_ivar,
    usable,
):
    """Take spectra from native pixels to the grid: fill, fit the continuum, divide, resample.

    Parameters
    ----------
    wave, log_wave : ndarray, shape (n_pixels,), float64
    offset : int
        The column of `flux`, `ivar` and `mask` that belongs to the first wavelength.
    flux : ndarray, shape (n_spectra, offset + n_pixels or more), float32
    ivar : ndarray of the shape of `flux`, or of shape (n_spectra, 0) where there is none
    mask : ndarray of the shape of `flux`, bool
    sky : ndarray, shape (n_ranges, 2), int
    width : int
        Of the median filter in pixels.
    basis : ndarray, shape (n_rows, n_pixels), float64
        Without rows, the median flux is the continuum.
    inverse : ndarray, shape (n_spectra, n_rows, n_rows), float64
    first, last : ndarray, shape (n_spectra,), int
        The window of the fit is ``[first, last)``.
    passes : int
    stretch : ndarray, shape (n_spectra,), float64
    grid : ndarray, shape (n_grid,), float64
        log10 of the wavelengths wanted.
    out, out_ivar : ndarray, shape (n_spectra, n_grid), float32
        Flux over continuum and its inverse variance, 0 where bad; without `ivar` that of a variance of 1.
    usable : ndarray, shape (n_spectra,), bool
        Set to False where the spectrum has no positive continuum.
    """
    n_pixels = len(wave)
    good = np.empty(n_pixels, np.bool_)
    filled, continuum, variance = np.empty(n_pixels), np.empty(n_pixels), np.empty(n_pixels)
    for row in range(len(flux)):
        values, weights = flux[row][offset : offset + n_pixels], ivar[row][offset : offset + n_pixels]
        find_good(values, weights, mask[row][offset : offset + n_pixels], sky, good)
        usable[row] = fill_bad(wave, values, good, filled)
        scale = np.median(filled[::16])
        if not scale > 0:
            usable[row] = False
        if len(basis):
            fit_continuum(
                wave, filled, width, basis, inverse[row], first[row], last[row], stretch[row], passes, continuum
            )
        else:
            continuum[:] = scale
        divide(filled, weights, good, continuum, variance)
        left, right = resample(log_wave, filled, variance, grid, np.log10(stretch[row]), out[row], out_ivar[row])
        for i in range(left, right + 1):
            if not continuum[i] > 0:
                usable[row] = False
        for g in range(len(grid)):
            if not abs(out[row, g]) < np.inf:
                usable[row] = False


@compiled()
def median_snr(flux, ivar, out):
    """Median of flux over its error, over the pixels of positive `ivar`; NaN where there is none.

    Parameters
    ----------
    flux, ivar : ndarray, shape (n_spectra, n_grid)
    out : ndarray, shape (n_spectra,)
    """
    # Every fourth pixel pins the median of the S/N to a few per cent, at a quarter of the cost.
    ratio = np.empty((flux.shape[1] + 3) // 4)
    for row in range(len(flux)):
        n = 0
        for i in range(0, flux.shape[1], 4):
            if ivar[row, i] > 0:
                ratio[n] = flux[row, i] * np.sqrt(ivar[row, i])
                n += 1
        out[row] = np.median(ratio[:n]) if n else np.nan
