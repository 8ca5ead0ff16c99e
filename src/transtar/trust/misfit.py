"""How far a spectrum is from the model spectrum that its labels call for, compiled.

The model spectrum is brought to the spectrum's resolution and continuum first: it is smoothed by a Gaussian whose width is
fitted, and multiplied by a polynomial; microturbulence and [C/Fe], which nobody predicts, and a shift may take what they need
within their priors. All but the width is a linear least-squares fit. What is left over is measured in units of the noise and of
the errors that model spectra themselves have.
"""

from __future__ import annotations

import numpy as np

from ..preprocess.compiled import compiled

DEGREE = 5
"""Of the polynomial by which the continuum may differ."""

N_TERMS = DEGREE + 5
"""Terms of the fit: the polynomial, microturbulence, [C/Fe], shift, smoothing."""

EDGE = 8
"""Pixels at either end of the grid that are not judged."""

SMOOTHING, MOST_SMOOTHING, PASSES = 1.2, 4.5, 3
"""Standard deviation in pixels with which the fit begins, the greatest, and how often it is improved."""

FLOOR, PER_DEPTH, COOL_DEPTH = 0.008, 0.06, 0.075
"""Errors of model spectra: of the continuum, per depth of line in stars above 5000 K, and how much more per depth in those
at 4000 K. As the synthetic grid's authors state them against real spectra at R = 2000: rms 0.012 in metal-poor stars,
0.03 in stars like the Sun, 0.06 to 0.07 in cool giants."""


@compiled(sums_in_any_order=True)
def smoothed(rows, sigma, out):
    """Smooth by a Gaussian of `sigma` pixels; the ends are held. `rows` and `out` have shape (n, n_pixels)."""
    n_pixels = rows.shape[1]
    if sigma < 0.15:
        out[:] = rows
        return
    reach = int(np.ceil(3.5 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    held = np.empty(n_pixels + 2 * reach)
    for row in range(len(rows)):
        held[:reach], held[reach : reach + n_pixels], held[reach + n_pixels :] = rows[row, 0], rows[row], rows[row, -1]
        out[row] = 0
        for k in range(len(kernel)):
            for i in range(n_pixels):
                out[row, i] += kernel[k] * held[i + k]


@compiled(sums_in_any_order=True)
def fit_models(flux, variance, models, per_depth, basis, priors, fitted, results):
    """Fit model spectra to spectra, and measure what is left over.

    Parameters
    ----------
    flux : ndarray, shape (n, n_pixels), float64
    variance : ndarray, shape (n, n_pixels), float64
        Of the noise; infinite where a pixel is not to count.
    models : ndarray, shape (n, 3, n_pixels), float64
        Model spectrum, and what a step in microturbulence and in [C/Fe] adds to it.
    per_depth : ndarray, shape (n,), float64
        Error of the model per depth of its lines.
    basis : ndarray, shape (DEGREE + 1, n_pixels), float64
        Polynomials.
    priors : ndarray, shape (4,), float64
        Weights by which microturbulence, [C/Fe], shift and smoothing are held at zero.
    fitted : ndarray, shape (n, n_pixels), float64
        Receives the fitted models.
    results : ndarray, shape (n, 4), float64
        Receives the mean squared pull, the shift in pixels, its error, and the standard deviation of the smoothing in pixels.
    """
    n, n_pixels = flux.shape
    n_basis = len(basis)
    n_terms = n_basis + 4
    terms, weighted = np.empty((n_terms, n_pixels)), np.empty((n_terms, n_pixels))
    weights = np.empty(n_pixels)
    smooth = np.empty((3, n_pixels))
    normal, right = np.empty((n_terms, n_terms)), np.empty(n_terms)
    for row in range(n):
        sigma = SMOOTHING
        for number in range(PASSES):
            last = number == PASSES - 1
            smoothed(models[row], sigma, smooth)
            for i in range(n_pixels):
                depth = min(max(1 - smooth[0, i], 0.0), 1.0)
                weights[i] = 1 / (variance[row, i] + FLOOR**2 + (per_depth[row] * depth) ** 2)
            weights[:EDGE] = 0
            weights[n_pixels - EDGE :] = 0
            for k in range(n_basis):
                for i in range(n_pixels):
                    terms[k, i] = smooth[0, i] * basis[k, i]
            terms[n_basis], terms[n_basis + 1] = smooth[1], smooth[2]
            slope, bend = terms[n_basis + 2], terms[n_basis + 3]
            slope[0], slope[-1], bend[0], bend[-1] = 0, 0, 0, 0
            for i in range(1, n_pixels - 1):
                slope[i] = (smooth[0, i + 1] - smooth[0, i - 1]) / 2
                bend[i] = smooth[0, i + 1] - 2 * smooth[0, i] + smooth[0, i - 1]
            for k in range(n_terms):
                for i in range(n_pixels):
                    weighted[k, i] = terms[k, i] * weights[i]
                total = 0.0
                for i in range(n_pixels):
                    total += weighted[k, i] * flux[row, i]
                right[k] = total
                for j in range(k + 1):
                    total = 0.0
                    for i in range(n_pixels):
                        total += weighted[k, i] * terms[j, i]
                    normal[k, j] = normal[j, k] = total
            for k in range(4):
                normal[n_basis + k, n_basis + k] += priors[k]
            # Of a spectrum without a pixel that counts, something is solved that is thrown away.
            for k in range(n_basis):
                normal[k, k] += 1e-9
            inverse = np.linalg.inv(normal)
            solved = inverse @ right
            scale = max(solved[0], 0.1)
            if not last:
                sigma = min(np.sqrt(max(sigma**2 + 2 * solved[n_terms - 1] / scale, 0.0)), MOST_SMOOTHING)
        fitted[row] = 0
        for k in range(n_terms):
            for i in range(n_pixels):
                fitted[row, i] += solved[k] * terms[k, i]
        total, count = 0.0, 0
        for i in range(EDGE, n_pixels - EDGE):
            if variance[row, i] < np.inf:
                total += weights[i] * (flux[row, i] - fitted[row, i]) ** 2
                count += 1
        results[row, 0] = total / count if count else np.nan
        # A positive velocity moves lines to higher pixels: f(x - s) = f - s f'.
        results[row, 1] = -solved[n_terms - 2] / scale
        results[row, 2] = np.sqrt(inverse[n_terms - 2, n_terms - 2]) / scale
        results[row, 3] = sigma
