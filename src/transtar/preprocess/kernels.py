"""The inner loops of the preprocessing, compiled: what is done to one spectrum, pixel by pixel.

Written for one spectrum at a time, because a spectrum fits into the fastest cache of a processor and a batch does not.
Everything is in double precision and runs without the interpreter's lock, so that threads share the work. All of it stands
in this one file, for numba notices a change of the file that is compiled, not of one that it calls.
"""

from __future__ import annotations

import numpy as np

from .compiled import compiled
from .continuum import SIX

BALMER = ((4030.0, 4160.0), (4270.0, 4410.0), (4800.0, 4940.0))
"""Windows in Angstrom that hold H-delta, H-gamma and H-beta in hot stars."""

HOT_PEAK = 4500.0
"""A first fit that peaks bluewards of this wavelength (Angstrom) marks a hot star."""

EDGE = 10.0
"""The ends of a Balmer bridge are the flux maxima within this distance (Angstrom) of its edges."""

NEGLIGIBLE = 1e-5
"""A share below this is rounding: the grid point sits on a native pixel."""

TINY = 1e-300
"""Keeps the inverse variance of two pixels of weight 0 from being 0 / 0."""

ONE = np.uint64(1)
"""Added to unsigned places; a signed 1 would make them signed, and numba would look for negative ones."""


@compiled()
def find_good(flux, ivar, mask, sky, good):
    """Mark, in `good`, pixels of finite flux outside `mask` and `sky`, with a positive and finite `ivar`.

    A flux of exactly zero is what stands where nothing was measured: in gaps of detectors, dead pixels, filled-up ends.

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
        good[i] = (abs(flux[i]) < np.inf) & (flux[i] != 0) & (not mask[i])
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
    filled[:] = flux
    i = 0
    while i < n:
        if good[i]:
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
def mirror(padded, half):
    """Fill the `half` pixels at each end of `padded` with what is between them, mirrored about its ends."""
    n = len(padded) - 2 * half
    for i in range(half):
        place = i % (2 * n)
        place = min(place, 2 * n - 1 - place)
        padded[half - 1 - i] = padded[half + place]
        padded[half + n + i] = padded[half + n - 1 - place]


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
def evaluate(x, coefficients, out):
    """Write the polynomial in `x` of these coefficients, constant first and six at least, to `out`."""
    n = len(out)
    a, b, c, d, e, f = coefficients[:SIX]
    for i in range(n):
        out[i] = 0
    for k in range(len(coefficients) - 1, SIX - 1, -1):
        for i in range(n):
            out[i] = (out[i] + coefficients[k]) * x[i]
    for i in range(n):
        out[i] = a + x[i] * (b + x[i] * (c + x[i] * (d + x[i] * (e + x[i] * (f + out[i])))))


@compiled(sums_in_any_order=True)
def lift(flux, x, coefficients, sums):
    """Raise `flux` to a polynomial of fifth degree where it lies below, and sum the result times each power of `x`.

    One sweep over the pixels, which with `x` and `flux` stay in the fastest cache: this is where most of the time of the
    whole chain goes.

    Parameters
    ----------
    flux : ndarray, shape (n,)
        Overwritten.
    x : ndarray, shape (n,)
    coefficients, sums : ndarray, shape (6,)
        `sums` receives the sums.
    """
    a, b, c, d, e, f = coefficients[:SIX]
    u = v = w = p = q = r = 0.0
    for i in range(len(flux)):
        g = x[i]
        square = g * g
        value = max(flux[i], (a + square * (c + square * e)) + g * (b + square * (d + square * f)))
        flux[i] = value
        second = value * square
        third = second * g
        u += value
        v += value * g
        w += second
        p += third
        q += second * square
        r += third * square
    sums[0], sums[1], sums[2], sums[3], sums[4], sums[5] = u, v, w, p, q, r


@compiled(sums_in_any_order=True)
def lift_any(flux, x, coefficients, sums, work):
    """Do what `lift` does with a polynomial of any higher degree; `work`, of the shape of `flux`, is overwritten."""
    evaluate(x, coefficients, work)
    for i in range(len(flux)):
        flux[i] = work[i] = max(flux[i], work[i])
    for k in range(len(sums)):
        total = 0.0
        for i in range(len(flux)):
            total += work[i]
            work[i] *= x[i]
        sums[k] = total


@compiled(sums_in_any_order=True)
def greatest(values):
    """The greatest of some numbers, minus infinity if there are none."""
    most = -np.inf
    for i in range(len(values)):
        most = max(most, values[i])
    return most


@compiled()
def solve(inverse, sums, coefficients):
    """Coefficients of the least-squares polynomial from the sums of the flux times each power."""
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
def envelope(wave, flux, x, inverse, stretch, passes, work):
    """Coefficients of the polynomial that bounds the flux from above.

    Parameters
    ----------
    wave, flux : ndarray, shape (n,)
        Pixels of the window, median-filtered; `flux` is overwritten.
    x : ndarray, shape (n,)
        Wavelengths mapped to about -1 to 1.
    inverse : ndarray, shape (n_terms, n_terms)
        Inverse of the sums of products of powers of `x`.
    stretch : float
        Wavelength of `wave` over wavelength in the frame of the fit, 1 + z.
    passes : int
        How often the flux is lifted to the fit.
    work : ndarray, shape (n,)
        Overwritten.

    Returns
    -------
    ndarray, shape (n_terms,)
    """
    n_terms = len(inverse)
    coefficients, sums = np.empty(n_terms), np.empty(n_terms)
    # A first fit of the flux as it is: nothing lies below minus infinity.
    nowhere = np.zeros(n_terms)
    nowhere[0] = -np.inf
    fit(flux, x, inverse, nowhere, sums, coefficients, work)
    evaluate(x, coefficients, work)
    blue = np.searchsorted(wave, HOT_PEAK * stretch)
    if blue > 0 and greatest(work[:blue]) >= greatest(work[blue:]):
        for low, high in BALMER:
            bridge(wave, flux, stretch, low, high)
        fit(flux, x, inverse, nowhere, sums, coefficients, work)
    for _ in range(passes):
        fit(flux, x, inverse, coefficients, sums, coefficients, work)
    return coefficients


@compiled()
def fit(flux, x, inverse, floor, sums, coefficients, work):
    """Raise `flux` to the polynomial of coefficients `floor`, and fit a polynomial to the result."""
    if len(sums) == SIX:
        lift(flux, x, floor, sums)
    else:
        lift_any(flux, x, floor, sums, work)
    solve(inverse, sums, coefficients)


@compiled()
def fit_continuum(wave, padded, half, x, inverse, start, stop, stretch, passes, continuum):
    """Envelope continuum of one spectrum without bad pixels.

    Parameters
    ----------
    wave : ndarray, shape (n_pixels,), float64
    padded : ndarray, shape (n_pixels + 2 * half,), float64
        The flux, and room for its mirror images at the ends.
    half : int
        Pixels to either side that the median filter takes in.
    x, inverse, stretch, passes
        As in `envelope`.
    start, stop : int
        The window of the fit is ``[start, stop)``.
    continuum : ndarray, shape (n_pixels,), float64
        Receives the polynomial, also beyond the window.
    """
    filtered = np.empty(len(wave))
    mirror(padded, half)
    median_filter(padded, 2 * half + 1, filtered)
    coefficients = envelope(
        wave[start:stop], filtered[start:stop], x[start:stop], inverse, stretch, passes, continuum[: stop - start]
    )
    evaluate(x, coefficients, continuum)


@compiled(sums_in_any_order=True)
def divide(flux, ivar, good, continuum, weight):
    """Divide `flux` by `continuum`, and write the inverse variance of the ratio to `weight`.

    It is 0 where not `good`, and 1 elsewhere if there is no `ivar`.

    Parameters are arrays of shape (n_pixels,); `ivar` is empty where there is none.
    """
    n = len(flux)
    for i in range(n):
        flux[i] /= continuum[i]
    if len(ivar):
        for i in range(n):
            weight[i] = continuum[i] * continuum[i] * ivar[i] if good[i] else 0
    else:
        for i in range(n):
            weight[i] = 1 if good[i] else 0


@compiled()
def locate(log_wave, cells, per_cell, grid, shift, below):
    """Find the native pixel at or below each grid point, the outermost pair of pixels beyond them.

    Parameters
    ----------
    log_wave : ndarray, shape (n_pixels,)
    cells, per_cell
        From `plan.cells`; without cells, each pixel is searched for.
    grid : ndarray, shape (n_grid,)
        `shift` is added to it.
    shift : float
    below : ndarray, shape (n_grid,), uint64
        Receives the pixels.
    """
    if not len(cells):
        for g in range(len(grid)):
            below[g] = np.searchsorted(log_wave[1 : len(log_wave) - 1], grid[g] + shift, side="right")
        return
    start, last = log_wave[0], len(cells) - 1.0
    for g in range(len(grid)):
        target = grid[g] + shift
        pixel = np.uint64(cells[np.uint64(min(max((target - start) * per_cell, 0.0), last))])
        below[g] = pixel + np.uint64(log_wave[pixel + ONE] <= target)


@compiled()
def resample(log_wave, per_pixel, values, weight, grid, shift, below, out, out_ivar):
    """Interpolate linearly in log wavelength.

    Parameters
    ----------
    log_wave, values, weight : ndarray, shape (n_pixels,)
        Native pixels; a `weight` (inverse variance) of 0 marks a bad one.
    per_pixel : ndarray, shape (n_pixels - 1 or more,)
        One over the steps of `log_wave`.
    grid : ndarray, shape (n_grid,)
        log10 of the wanted wavelengths; `shift` (dex) is added to it.
    shift : float
    below : ndarray, shape (n_grid,), uint64
        From `locate`.
    out, out_ivar : ndarray, shape (n_grid,)
        The variance is the sum of squared shares times variances (covariance is ignored). Its inverse is 0 where a bad
        pixel is drawn upon and beyond the native pixels, where the outermost value is held.
    """
    for g in range(len(grid)):
        left = below[g]
        right = left + ONE
        place = (grid[g] + shift - log_wave[left]) * per_pixel[left]
        share = 0.0 if place < NEGLIGIBLE else (1.0 if place > 1 - NEGLIGIBLE else place)
        other = 1 - share
        out[g] = other * values[left] + share * values[right]
        # A pixel that is not drawn upon weighs as the other one does: its own weight may be 0.
        first = weight[right] if share == 1 else weight[left]
        second = weight[left] if share == 0 else weight[right]
        ivar = first * (second / (other * other * second + share * share * first + TINY))
        out_ivar[g] = ivar if abs(place - 0.5) <= 0.5 + NEGLIGIBLE else 0


@compiled()
def to_grid(
    wave, log_wave, per_pixel, cells, per_cell, offset, flux, ivar, mask, sky, width, x, inverse, first, last, passes,
    stretch, grid, out, out_ivar, usable, every,
):  # fmt: skip
    """Take spectra from native pixels to the grid: fill, fit the continuum, divide, resample.

    Parameters
    ----------
    wave, log_wave, per_pixel : ndarray, shape (n_pixels,), float64
        `per_pixel` is one over the steps of `log_wave`.
    cells, per_cell
        From `plan.cells`.
    offset : int
        The column of `flux`, `ivar` and `mask` that belongs to the first wavelength.
    flux : ndarray, shape (n_spectra, offset + n_pixels or more), float32
    ivar : ndarray of the shape of `flux`, or of shape (n_spectra, 0) where there is none
    mask : ndarray of the shape of `flux`, bool
    sky : ndarray, shape (n_ranges, 2), int
    width : int
        Of the median filter in pixels.
    x : ndarray, shape (n_pixels,), float64
        Wavelengths mapped to about -1 to 1.
    inverse : ndarray, shape (n_spectra, n_terms, n_terms), float64
        As `envelope` takes it; without terms, the median flux is the continuum.
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
    every : int
        The median flux is that of every so many pixels.
    """
    n_pixels, half = len(wave), width // 2
    good = np.empty(n_pixels, np.bool_)
    padded, continuum, weight = np.empty(n_pixels + 2 * half), np.empty(n_pixels), np.empty(n_pixels)
    filled = padded[half : half + n_pixels]
    below = np.empty(len(grid), np.uint64)
    for row in range(len(flux)):
        values, weights = flux[row][offset : offset + n_pixels], ivar[row][offset : offset + n_pixels]
        find_good(values, weights, mask[row][offset : offset + n_pixels], sky, good)
        usable[row] = fill_bad(wave, values, good, filled)
        scale = np.median(filled[::every])
        usable[row] &= scale > 0
        if inverse.shape[1]:
            fit_continuum(wave, padded, half, x, inverse[row], first[row], last[row], stretch[row], passes, continuum)
        else:
            continuum[:] = scale
        divide(filled, weights, good, continuum, weight)
        shift = np.log10(stretch[row])
        locate(log_wave, cells, per_cell, grid, shift, below)
        resample(log_wave, per_pixel, filled, weight, grid, shift, below, out[row], out_ivar[row])
        for i in range(below[0], below[-1] + 2):
            usable[row] &= continuum[i] > 0
        for g in range(len(grid)):
            usable[row] &= abs(out[row, g]) < np.inf
