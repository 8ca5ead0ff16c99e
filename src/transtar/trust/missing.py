"""The share of a label's error that comes from pixels which are missing, to first order.

Bad pixels are interpolated over, and a network takes what is put there for a measurement. With g the gradient of a label by the
flux on the grid, x the flux as it would have been and Fx the same with its bad pixels filled, the label is off by g (Fx - x).
Typical spectra tell what x is: their mean and principal components, with Gaussian amplitudes, are fitted to the good pixels of a
star. The error squared is that of the expected shift, one number for all runs together (a line lost in each of two runs is
lost twice), plus its variance: of the amplitudes, of what the components do not hold, and of what each run is off by in a way of
its own, for stars are not quite like mock stars, nor networks linear.

Masks of the worst LAMOST spectra laid over good ones say how good this is: see docs/missing-pixels.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import InputError

COMPONENTS = 12
"""Principal components of typical spectra; 20 or 40 tell no more."""

ROUNDS = 3
"""Of a fit and the scatter about it, by which the next one is weighted."""

LEAST_SCATTER = 0.003
"""Of a real star about typical ones, in units of the continuum, however little noise there is."""

NEIGHBOURS = 3.0
"""Pixels that scatter about the fit together: two or three make up a line."""

RUN_SHARE = 0.2
"""Part of the squared shift by each run that is its own, beyond what typical spectra know: 45 per cent of the shift."""

BLOCK = 256
"""Spectra worked on together."""


@dataclass(frozen=True)
class TypicalSpectra:
    """What spectra on a grid look like, for pixels that nobody has seen.

    Parameters
    ----------
    mean : ndarray, shape (n_grid,), float64
    components : ndarray, shape (n_components, n_grid), float64
        Principal components, each times the standard deviation of its amplitude.
    rest : ndarray, shape (n_grid,), float64
        Variance that they leave.
    """

    mean: np.ndarray
    components: np.ndarray
    rest: np.ndarray

    @classmethod
    def of(cls, spectra: np.ndarray, components: int = COMPONENTS) -> TypicalSpectra:
        """Summarise spectra.

        Parameters
        ----------
        spectra : ndarray, shape (n, n_grid)
            Flux over continuum of stars of all kinds, without noise and bad pixels.
        components : int

        Raises
        ------
        InputError
            If there are too few spectra, or one is not finite.
        """
        spectra = np.asarray(spectra, np.float64)
        if len(spectra) <= components:
            raise InputError(f"{len(spectra)} typical spectra do not have {components} components; take more")
        if not np.isfinite(spectra).all():
            raise InputError("typical spectra must be finite; leave the others out")
        mean = spectra.mean(axis=0)
        deviation = spectra - mean
        size, shape = np.linalg.svd(deviation, full_matrices=False)[1:]
        scaled = (size[:components] / np.sqrt(len(spectra)))[:, None] * shape[:components]
        return cls(mean, scaled, np.maximum(np.mean(deviation**2, axis=0) - np.sum(scaled**2, axis=0), 0))


def missing_variance(gradient: np.ndarray, flux: np.ndarray, ivar: np.ndarray, typical: TypicalSpectra) -> np.ndarray:
    """Variance of labels from bad pixels that were interpolated over; see the top of the module.

    Parameters
    ----------
    gradient : ndarray, shape (n, n_grid) or (n, n_labels, n_grid)
        Derivatives of labels by the flux.
    flux : ndarray, shape (n, n_grid)
        Flux over continuum, bad pixels filled.
    ivar : ndarray, shape (n, n_grid)
        Its inverse variance, 0 where bad.
    typical : TypicalSpectra
        On the same grid, prepared alike.

    Returns
    -------
    ndarray, shape (n,) or (n, n_labels), float64
        In squared units of the labels; 0 where nothing is bad, NaN where no pixel is good or the flux is not finite. Noise is not
        in it: neither that of good pixels nor that of those put in their place, which is the noise of their neighbours.

    Raises
    ------
    InputError
        If the arrays differ in shape.
    """
    gradient, flux, ivar = (np.asarray(values, np.float64) for values in (gradient, flux, ivar))
    n, n_grid = flux.shape
    if ivar.shape != flux.shape or gradient.shape[:: gradient.ndim - 1] != (n, n_grid) or len(typical.mean) != n_grid:
        raise InputError(
            f"gradients {gradient.shape}, fluxes {flux.shape}, inverse variances {ivar.shape} and typical spectra of "
            f"{len(typical.mean)} points do not go together"
        )
    by_label = gradient.reshape(n, -1, n_grid)
    variance = np.empty(by_label.shape[:2])
    for start in range(0, n, BLOCK):
        rows = slice(start, start + BLOCK)
        variance[rows] = _variance(by_label[rows], flux[rows], ivar[rows], typical)
    return variance if gradient.ndim == 3 else variance[:, 0]


def _variance(gradient: np.ndarray, flux: np.ndarray, ivar: np.ndarray, typical: TypicalSpectra) -> np.ndarray:
    variance = np.zeros(gradient.shape[:2])
    bad = ~(ivar > 0)
    lost = bad.all(axis=1) | ~np.isfinite(flux).all(axis=1)
    variance[lost] = np.nan
    rows = np.flatnonzero(bad.any(axis=1) & ~lost)
    if not len(rows):
        return variance
    expected, covariance, scatter = _fitted(flux[rows], ivar[rows], typical)
    runs = Runs.of(bad[rows])
    for label in range(gradient.shape[1]):
        slope = gradient[rows, label]
        shifts = runs.shifts(slope, expected)
        # What the label hangs on, were nothing bad, less what it does hang on.
        weight = np.where(bad[rows], slope, 0) - runs.carried(slope)
        amplitudes = weight @ typical.components.T
        variance[rows, label] = (
            runs.sums(shifts) ** 2
            + RUN_SHARE * runs.sums(shifts**2)
            + np.einsum("ij,ijk,ik->i", amplitudes, covariance, amplitudes)
            + weight**2 @ typical.rest
            + NEIGHBOURS * scatter * np.sum(weight**2, axis=1)
        )
    return variance


def _fitted(flux: np.ndarray, ivar: np.ndarray, typical: TypicalSpectra) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Typical spectra fitted to good pixels: the fits, covariances of the amplitudes, and scatter about them less the noise."""
    parts, good = typical.components, ivar > 0
    n_parts = len(parts)
    deviation = np.where(good, flux - typical.mean, 0)
    products = (parts[:, None] * parts).reshape(n_parts**2, -1)
    normal = (good.astype(np.float64) @ products.T).reshape(-1, n_parts, n_parts)
    projected = deviation @ parts.T
    scatter = _squared_scatter(deviation, good)
    for _ in range(ROUNDS):
        covariance = np.linalg.inv(np.eye(n_parts) + normal / scatter[:, None, None])
        amplitudes = np.einsum("ijk,ik->ij", covariance, projected) / scatter[:, None]
        scatter = _squared_scatter(deviation - amplitudes @ parts, good)
    noise = 1 / _median(ivar, good)
    beyond_noise = np.maximum(scatter - noise, 0) + LEAST_SCATTER**2
    return typical.mean + amplitudes @ parts, covariance, beyond_noise


def _squared_scatter(deviation: np.ndarray, good: np.ndarray) -> np.ndarray:
    """Robust variance of each row over its good pixels."""
    return np.maximum(1.4826 * _median(np.abs(deviation), good), LEAST_SCATTER) ** 2


def _median(values: np.ndarray, good: np.ndarray) -> np.ndarray:
    """Median of each row over its good pixels, of which there is one at least; of an even number, the smaller of the two."""
    ordered = np.sort(np.where(good, values, np.inf), axis=1)
    middle = (np.count_nonzero(good, axis=1) - 1) // 2
    return np.take_along_axis(ordered, middle[:, None], axis=1)[:, 0]


@dataclass(frozen=True)
class Runs:
    """Runs of bad pixels of spectra on the grid, and how they are filled.

    A grid pixel is bad if one of the two native pixels that it lies between is. So the good native ones between which a run is
    interpolated lie half a pixel inside it, on average.

    Parameters
    ----------
    bad : ndarray, shape (n, n_grid), bool
    row, start, stop : ndarray, shape (n_runs,), int
        Of each run, of the spectra in turn.
    of_pixel : ndarray, shape (n_bad,), int
        The run of each bad pixel.
    share : ndarray, shape (n_bad,), float64
        Weight of the right end of the run in what is put into the pixel.
    """

    bad: np.ndarray
    row: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    of_pixel: np.ndarray
    share: np.ndarray

    @classmethod
    def of(cls, bad: np.ndarray) -> Runs:
        """Find the runs of bad pixels; no row may be bad throughout."""
        edge = np.diff(np.pad(bad, ((0, 0), (1, 1))).astype(np.int8), axis=1)
        row, start = np.nonzero(edge > 0)
        stop = np.nonzero(edge < 0)[1]
        length = stop - start
        of_pixel = np.repeat(np.arange(len(row)), length)
        within = np.arange(len(of_pixel)) - np.repeat(np.cumsum(length) - length, length)
        share = (within + 0.5) / length[of_pixel]
        # The value of the outermost good pixel is held to the end.
        share[start[of_pixel] == 0] = 1
        share[stop[of_pixel] == bad.shape[1]] = 0
        return cls(bad, row, start, stop, of_pixel, share)

    def _ends(self) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], ...]:
        """For either end: the runs that have one, and the pixels outside and inside it."""
        left = np.flatnonzero(self.start > 0)
        right = np.flatnonzero(self.stop < self.bad.shape[1])
        return (left, self.start[left] - 1, self.start[left]), (right, self.stop[right], self.stop[right] - 1)

    def carried(self, gradient: np.ndarray) -> np.ndarray:
        """What a label hangs on by way of the pixels put in the place of others; shape (n, n_grid)."""
        slope, out = gradient[self.bad], np.zeros(gradient.shape)
        for weight, (runs, outside, inside) in zip((1 - self.share, self.share), self._ends(), strict=True):
            sums = np.bincount(self.of_pixel, slope * weight, len(self.row))[runs] / 2
            # Each place comes once for either end.
            out[self.row[runs], outside] += sums
            out[self.row[runs], inside] += sums
        return out

    def shifts(self, gradient: np.ndarray, flux: np.ndarray) -> np.ndarray:
        """By how much each run shifts a label where the flux would have been `flux`; shape (n_runs,)."""
        ends = np.zeros((2, len(self.row)))
        for end, (runs, outside, inside) in zip(ends, self._ends(), strict=True):
            end[runs] = (flux[self.row[runs], outside] + flux[self.row[runs], inside]) / 2
        left, right = ends[:, self.of_pixel]
        put = left * (1 - self.share) + right * self.share
        return np.bincount(self.of_pixel, gradient[self.bad] * (put - flux[self.bad]), len(self.row))

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Sums over the runs of each spectrum; shape (n,)."""
        return np.bincount(self.row, values, len(self.bad))
