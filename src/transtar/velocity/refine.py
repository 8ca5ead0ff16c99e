"""The fit at the peak, compiled: velocity and its error by least squares on native pixels.

The flux of a star is modelled as::

    flux = P(x) T(w) + s T'(w) + b T''(w) + sum_m c_m (T_m(w) - T(w))

with T the template chosen by the search at wavelengths w of its rest frame, P a polynomial that takes up continuum and flux
calibration, s the step in velocity still to be made, b what the resolution lacks, and T_m neighbours of the template, whose
admixture turns it into that of the star. All but the velocity is linear; a few rounds of Gauss and Newton find that. Nothing is
interpolated but the template, so that errors of pixels stay independent.
"""

from __future__ import annotations

import numpy as np

from ..preprocess.kernels import compiled

ROUNDS = 6

CLIP = 4.5
"""Residuals beyond so many sigma are left out, from the second round on."""

PRIOR = 0.7
"""Sigma of the share of a neighbour."""


@compiled()
def refine(
    log_wave, basis, flux, weight, start, step, templates, neighbours, chosen, log_stretch, mismatch, low, high, out
):
    """Fit velocities.

    Parameters
    ----------
    log_wave : ndarray, shape (n_pixels,)
        ln of native wavelengths.
    basis : ndarray, shape (n_terms, n_pixels)
        Polynomials in the observed wavelength, the first constant.
    flux, weight : ndarray, shape (n_spectra, n_pixels), float32
        Flux over its median or so; inverse variance of it, 0 where bad. Where the weights of a spectrum are all 1 or 0 they
        say nothing of the errors, which come from the residuals either way.
    start, step : float
        ln of the first wavelength of the templates, and the step.
    templates : ndarray, shape (n_templates, n_points)
    neighbours : ndarray, shape (n_templates, n_neighbours), int
        -1 where there is none.
    chosen : ndarray, shape (n_spectra,), int
    log_stretch : ndarray, shape (n_spectra,)
        ln(1 + v/c) of the first guess; overwritten.
    mismatch : float
        What templates are wrong by, added to the errors in quadrature, relative to the continuum.
    low, high : float
        ln of the range of rest wavelengths that is fitted.
    out : ndarray, shape (n_spectra, 5)
        Formal variance of ln(1 + v/c), reduced chi square, number of pixels, last step, chi square without lines over that with.
    """
    n_pixels, n_terms = len(log_wave), len(basis)
    most = n_terms + 2 + neighbours.shape[1]
    columns = np.empty((most, n_pixels))
    weighted = np.empty((most, n_pixels))
    values, used = np.empty(n_pixels), np.empty(n_pixels)
    model, poly = np.empty(n_pixels), np.empty(n_pixels)
    for row in range(len(flux)):
        best = templates[chosen[row]]
        first = np.searchsorted(log_wave, low + log_stretch[row])
        last = np.searchsorted(log_wave, high + log_stretch[row])
        n = last - first
        count = 0
        total = 0.0
        columns[:] = 0.0
        weighted[:] = 0.0
        values[:] = 0.0
        for i in range(n):
            w = weight[row, first + i]
            values[i] = flux[row, first + i]
            used[i] = w / (1 + w * mismatch * mismatch) if w > 0 else 0.0
            if w > 0:
                count += 1
                total += values[i]
            poly[i] = 1.0
        out[row, :] = np.nan
        out[row, 2] = count
        if count < 3 * most or not total > 0:
            continue
        for i in range(n):
            poly[i] = total / count
        shift = log_stretch[row]
        guess = shift
        m = 0
        chi2 = moved = 0.0
        for round in range(ROUNDS):
            # Template, first and second derivative by a cubic through four points.
            m = n_terms + 2
            for i in range(n):
                place = (log_wave[first + i] - shift - start) / step
                k = min(max(int(place), 1), len(best) - 3)
                t = place - k
                a, b, c, d = best[k - 1], best[k], best[k + 1], best[k + 2]
                c1 = c - a / 3 - b / 2 - d / 6
                c2 = (a + c) / 2 - b
                c3 = (d - a) / 6 + (b - c) / 2
                model[i] = b + t * (c1 + t * (c2 + t * c3))
                columns[n_terms, i] = -poly[i] * (c1 + t * (2 * c2 + t * 3 * c3)) / step
                columns[n_terms + 1, i] = poly[i] * ((1 - t) * (a - 2 * b + c) + t * (b - 2 * c + d))
            for j in range(n_terms):
                for i in range(n):
                    columns[j, i] = basis[j, first + i] * model[i]
            for other in neighbours[chosen[row]]:
                if other >= 0:
                    near = templates[other]
                    for i in range(n):
                        place = (log_wave[first + i] - shift - start) / step
                        k = min(max(int(place), 0), len(best) - 2)
                        t = place - k
                        columns[m, i] = poly[i] * (near[k] + t * (near[k + 1] - near[k]) - model[i])
                    m += 1
            for j in range(m):
                for i in range(n):
                    weighted[j, i] = columns[j, i] * used[i]
            normal = np.dot(weighted[:m], columns[:m].T)
            right = np.dot(weighted[:m], values)
            scale = 1.0 if round == 0 or not chi2 > 0 else max(chi2, 1e-12)
            for j in range(n_terms + 2, m):
                normal[j, j] += scale / (PRIOR * PRIOR)
            for j in range(m):
                normal[j, j] *= 1 + 1e-10
                normal[j, j] += 1e-30
            inverse = np.linalg.inv(normal)
            solution = np.dot(inverse, right)
            moved = min(max(solution[n_terms], -3e-4), 3e-4)
            shift += moved
            square = 0.0
            left = 0
            for i in range(n):
                fitted = 0.0
                for j in range(m):
                    fitted += solution[j] * columns[j, i]
                residual = values[i] - fitted
                if used[i] > 0:
                    square += used[i] * residual * residual
                    left += 1
                model[i] = residual
                level = 0.0
                for j in range(n_terms):
                    level += solution[j] * basis[j, first + i]
                poly[i] = level
            chi2 = square / max(left - m, 1)
            out[row, 0] = inverse[n_terms, n_terms]
            out[row, 1] = chi2
            out[row, 2] = left
            out[row, 3] = moved
            if round > 0 and abs(moved) < 1e-7:
                break
            if round in (1, 2):
                for i in range(n):
                    if used[i] * model[i] * model[i] > CLIP * CLIP * chi2:
                        used[i] = 0.0
            if not abs(shift - guess) < 1.5e-3:
                break
        # What a polynomial without any line leaves.
        plain = np.zeros((n_terms, n_pixels))
        for j in range(n_terms):
            for i in range(n):
                plain[j, i] = basis[j, first + i]
                weighted[j, i] = plain[j, i] * used[i]
        normal = np.dot(weighted[:n_terms], plain.T)
        for j in range(n_terms):
            normal[j, j] = normal[j, j] * (1 + 1e-10) + 1e-30
        solution = np.dot(np.linalg.inv(normal), np.dot(weighted[:n_terms], values))
        square = 0.0
        for i in range(n):
            fitted = 0.0
            for j in range(n_terms):
                fitted += solution[j] * plain[j, i]
            square += used[i] * (values[i] - fitted) ** 2
        out[row, 4] = square
        log_stretch[row] = shift
