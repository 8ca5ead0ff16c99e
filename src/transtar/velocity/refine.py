"""The fit at the peak, compiled: velocity and its error by least squares on native pixels.

The flux of a star is modelled as::

    flux = P(x) T(w) + (s + l y) T'(w) + b T''(w) + sum_m c_m (T_m(w) - T(w))

with T the template chosen by the search at wavelengths w of its rest frame, P a polynomial that takes up continuum and flux
calibration, s the step in velocity still to be made, l y what blue and red wavelengths differ by, held small by a prior, b what
the resolution lacks, and T_m neighbours of the template, whose admixture turns it into that of the star. All but the velocity is
linear; a few rounds of Gauss and Newton find that. Nothing is interpolated but the template, so that errors of pixels stay
independent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.polynomial.legendre import legvander

from ..grids import SPEED_OF_LIGHT
from ..preprocess.compiled import compiled
from .templates import WINDOW, Templates

DEGREE = 9
"""Of the polynomial P."""

NEIGHBOURS = 5
"""Templates that may be admixed, the nearest in Teff, log g and [Fe/H], one unit being 400 K, 1.5 and 0.8 dex."""

SCALE = (400.0, 1.5, 0.8)

PRIOR = 0.7
"""Sigma of the share of a neighbour."""

PIVOT = 4950.0
"""Angstrom: velocities are those of the wavelengths here where the scale of wavelengths leans."""

LEAN = 4.0
"""km/s: sigma of what velocities differ by over 10 % in wavelength. Blue and red of MILES differ by 8, those of LAMOST by 3."""

MISMATCH = 0.02
"""Errors of the templates over the continuum, added to those of pixels in quadrature."""

BLUE_MISMATCH, BLUE_END, BLUE_WIDTH = 0.1, 4300.0, 200.0
"""Added to the mismatch, and where in Angstrom that begins and over which range it grows: the line lists of the emulator are
poorer there, and so are the wavelengths of most surveys."""

MARGIN = 8.0
"""Angstrom at the ends of the templates that are not used."""

ROUNDS = 6

CLOSE = 1e-6
"""A last step of so little in ln(wavelength), 0.3 km/s, leaves far less."""

CLIP = 4.5
"""Residuals beyond so many sigma are left out, after the second round and the third."""

SIGNIFICANT = 4.0
"""Sigma from which on lines are taken to be wider or narrower than those of the templates."""

FURTHEST = 1.5e-3
"""In ln(wavelength), 450 km/s: a fit that strays so far is given up."""


@dataclass(frozen=True, eq=False)
class Fit:
    """What the fits of a batch share; shapes as `refine` has them."""

    templates: Templates
    log_wave: np.ndarray
    basis: np.ndarray
    neighbours: np.ndarray
    mismatch: np.ndarray
    lean: np.ndarray

    @classmethod
    def on(cls, wave: np.ndarray, templates: Templates) -> Fit:
        """Prepare for spectra on `wave`, vacuum Angstrom, shape (n_pixels,)."""
        log_wave = np.log(wave)
        x = 2 * (log_wave - log_wave[0]) / (log_wave[-1] - log_wave[0]) - 1
        distance = np.linalg.norm((templates.labels[:, None] - templates.labels) / SCALE, axis=2)
        return cls(
            templates,
            log_wave,
            np.ascontiguousarray(legvander(x, DEGREE).T),
            np.argsort(distance, axis=1, kind="stable")[:, 1 : NEIGHBOURS + 1].astype(np.int64),
            MISMATCH + BLUE_MISMATCH * np.clip((BLUE_END - wave) / BLUE_WIDTH, 0, 1),
            (log_wave - np.log(PIVOT)) / 0.1,
        )

    def run(
        self, flux: np.ndarray, weight: np.ndarray, template: np.ndarray, velocity: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Fit a block of spectra.

        Parameters
        ----------
        flux, weight : ndarray, shape (n, n_pixels), float32
        template : ndarray, shape (n,), int
        velocity : ndarray, shape (n,)
            First guess in km/s.

        Returns
        -------
        log_stretch : ndarray, shape (n,)
            ln(1 + v/c).
        error : ndarray, shape (n,)
            Of `log_stretch`, 1 sigma; residuals tell the errors of pixels. NaN where nothing could be fitted.
        gain : ndarray, shape (n,)
            What the template lowers chi square by, against a polynomial alone, in units of the reduced chi square.
        wider : ndarray, shape (n,)
            Variance in ln(wavelength) by which the lines are wider than those of the template, negative where they are narrower;
            0 where that is no more than noise.
        """
        out, log_stretch = np.empty((len(flux), 6)), np.log1p(velocity / SPEED_OF_LIGHT)
        flux, weight = np.ascontiguousarray(flux), np.ascontiguousarray(weight)
        templates = self.templates
        refine(
            self.log_wave, self.basis, flux, weight, templates.start, templates.step, templates.flux, self.neighbours, template,
            log_stretch, self.mismatch, self.lean, LEAN / SPEED_OF_LIGHT, np.log(WINDOW[0] + MARGIN),
            np.log(WINDOW[1] - MARGIN), out,
        )  # fmt: skip
        variance, reduced, freedom, plain, bend, bend_variance = out.T
        with np.errstate(invalid="ignore", divide="ignore"):
            wider = np.where(bend**2 > SIGNIFICANT**2 * bend_variance, 2 * bend * templates.step**2, 0)
            return log_stretch, np.sqrt(variance * reduced), plain / reduced - freedom, wider


@compiled()
def refine(
    log_wave,
    basis,
    flux,
    weight,
    start,
    step,
    templates,
    neighbours,
    chosen,
    log_stretch,
    mismatch,
    lean,
    leaning,
    low,
    high,
    out,
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
    mismatch : ndarray, shape (n_pixels,)
        What templates are wrong by, added to the errors in quadrature.
    lean : ndarray, shape (n_pixels,)
        Distance from the pivot, in units of those over which velocities differ by `leaning`.
    leaning : float
        Sigma of that, in ln(wavelength).
    low, high : float
        ln of the range of rest wavelengths that is fitted.
    out : ndarray, shape (n_spectra, 6)
        Formal variance of ln(1 + v/c), reduced chi square, degrees of freedom, chi square of a polynomial without any line,
        coefficient of the second derivative (that is, half the variance in points of the templates by which lines are wider), and
        its variance; NaN where there are too few pixels or the fit goes astray.
    """
    n_pixels, n_terms = len(log_wave), len(basis)
    most = n_terms + 3 + neighbours.shape[1]
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
            used[i] = w / (1 + w * mismatch[first + i] ** 2) if w > 0 else 0.0
            if w > 0:
                count += 1
                total += values[i]
            poly[i] = 1.0
        out[row, :] = np.nan
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
            m = n_terms + 3
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
                columns[n_terms + 2, i] = lean[first + i] * columns[n_terms, i]
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
            normal[n_terms + 2, n_terms + 2] += scale / (leaning * leaning)
            for j in range(n_terms + 3, m):
                normal[j, j] += scale / (PRIOR * PRIOR)
            for j in range(m):
                normal[j, j] *= 1 + 1e-10
                normal[j, j] += 1e-30
            # A matrix that is no number would be an exception, and end the measurement of all the others.
            if not np.all(np.isfinite(normal)) or not np.all(np.isfinite(right)):
                out[row, :] = np.nan
                break
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
            out[row, 2] = max(left - m, 1)
            out[row, 4] = solution[n_terms + 1]
            out[row, 5] = inverse[n_terms + 1, n_terms + 1] * chi2
            if round > 1 and abs(moved) < CLOSE:
                break
            if round < 3 and round > 0:
                for i in range(n):
                    if used[i] * model[i] * model[i] > CLIP * CLIP * chi2:
                        used[i] = 0.0
            if not abs(shift - guess) < FURTHEST:
                out[row, 0] = np.nan
                break
        if not out[row, 0] > 0:
            continue
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
        out[row, 3] = square
        log_stretch[row] = shift
