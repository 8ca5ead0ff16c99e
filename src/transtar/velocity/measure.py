"""Radial velocities measured on spectra that come without one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields

import numpy as np
from threadpoolctl import threadpool_limits

from ..checks import MOST_WORKERS, check_real, check_whole
from ..errors import SettingsError
from ..grids import SPEED_OF_LIGHT
from ..processes import usable_threads
from ..spectra import SpectrumBatch
from ..summary import Summarised, Summary
from .correlate import LAGS, Peaks, Search
from .pixels import native
from .templates import load_templates
from .widths import Fits

BLOCK = 128
"""Spectra handled at a time by one thread."""

NOMINAL = 1800.0
"""Resolving power where none is known."""

FASTEST = 1000.0
"""km/s: what is measured beyond is no star of the Galaxy but a chance."""

LEAST_HEIGHT = 0.2
"""Of the correlation coefficient. Noise and smooth spectra stay below 0.17."""

LEAST_GAIN = 50.0
"""By so much a template must lower chi square, errors of pixels scaled so that the best fit has one for each; chance gains 16."""

MOST_STEP = 60.0
"""km/s from the peak of the search to the best fit: further away than a step of the grid lies another peak."""

MOST_ERROR = 30.0
"""km/s, half a pixel of the wavelength grid: worse velocities are given but not called good."""

LEAST_LIKENESS = 0.5
"""Of the correlation coefficient over that which a perfect template would have with so much noise: below is no star of the kinds
that there are templates for. Of quasars and white dwarfs without hydrogen most are, and some M dwarfs."""

MOST_SECOND = 0.9
"""Height of another peak, over that of the highest."""

APART = 2
"""Steps of the search by which another peak is away at the least."""

FLOOR = 0.4
"""km/s, added to errors in quadrature: what a template costs that is not the star itself. With it 67 % of mock spectra of DESI
whose lines are those of real stars are within their error; 81 % are where the emulator of the templates has made the spectra."""


@dataclass(frozen=True, eq=False, repr=False)
class MeasuredVelocities(Summarised):
    """Velocities of n spectra.

    Parameters
    ----------
    velocity : ndarray, shape (n,), float64
        Radial velocity in km/s in the frame of the wavelengths, positive away from us; NaN where none could be measured.
    error : ndarray, shape (n,), float64
        1 sigma in km/s, from noise and misfit of the spectrum and 0.4 km/s for its template; NaN where there is no velocity. What
        the wavelengths of a survey themselves are off by is not in it: LAMOST against its pipeline scatters 1.5 times as much.
    good : ndarray, shape (n,), bool
        Whether the velocity is to be trusted: no other peak as high, and an error below 30 km/s.
    peak : ndarray, shape (n,), float64
        Correlation coefficient with the best template, up to 1; NaN where nothing could be correlated.
    template : ndarray, shape (n,), str
        Name of the best template, as ``teff=5500 logg=4.5 feh=-0.6`` or ``hot 12000 logg=4.2``; empty where nothing could be
        correlated.
    """

    velocity: np.ndarray
    error: np.ndarray
    good: np.ndarray
    peak: np.ndarray
    template: np.ndarray

    def __len__(self) -> int:
        return len(self.velocity)

    def _summary(self) -> Summary:
        known = np.isfinite(self.velocity)
        return Summary(
            f"MeasuredVelocities: {len(self):,} spectra, {known.sum():,} with a velocity, {self.good.sum():,} of them good",
            {
                "median error": f"{np.median(self.error[self.good]):.1f} km/s" if self.good.any() else None,
                "columns": ", ".join(field.name for field in fields(self)),
            },
        )


def measure_velocities(
    batch: SpectrumBatch,
    *,
    sky_lines: tuple[tuple[float, float], ...] = (),
    resolution: float | None = None,
    threads: int | None = None,
) -> MeasuredVelocities:
    """Measure radial velocities by correlation with templates, followed by a fit at the peak.

    Templates and search cover 3850 to 5750 A and velocities up to 1000 km/s. The search (`correlate`) finds the template,
    and the velocity to a fraction of a pixel; the fit (`refine`) gives the velocity itself. A spectrum without a clear peak
    (noise, a quasar, too few pixels) gets NaN and never raises an error.

    Parameters
    ----------
    batch : SpectrumBatch
        In the observed frame; the velocities that it contains are ignored.
    sky_lines : tuple of (float, float)
        Ranges in Angstrom (vacuum, observed frame) that are left out.
    resolution : float, optional
        Resolving power of the spectra, above 0; by default 1800, or less where pixels are coarser than that. From 500 up,
        the widths of lines correct it: for spectra of lower resolution state it, or velocities are off by more than their
        errors.
    threads : int, optional
        Number of threads; by default all processors.

    Returns
    -------
    MeasuredVelocities
        In the order of the batch.

    Raises
    ------
    InputError
        If the templates that ship with transtar are damaged.
    SettingsError
        If `batch` is not a SpectrumBatch, or a number is impossible.

    Examples
    --------
    >>> import transtar as ts
    >>> batch = next(ts.stream("miles", "miles/spectra", batch_size=2))
    >>> measured = ts.measure_velocities(batch)
    >>> measured.velocity.shape
    (2,)
    """
    if not isinstance(batch, SpectrumBatch):
        raise SettingsError(
            f"velocities are measured in a SpectrumBatch, not in a {type(batch).__name__}: from_spectrum makes one of spectra of "
            "specutils, and stream gives those of files, one after another"
        )
    if resolution is not None:
        check_real(resolution, "resolution", 0, above=True)
    if threads is not None:
        check_whole(threads, "threads", 1, MOST_WORKERS)
    n = len(batch)
    pixels = native(batch.wave, sky_lines)
    power = NOMINAL if pixels is None else pixels.resolving_power(resolution, NOMINAL)
    templates = load_templates(power)
    result = MeasuredVelocities(
        np.full(n, np.nan), np.full(n, np.nan), np.zeros(n, bool), np.full(n, np.nan),
        np.full(n, "", dtype=f"U{max(len(name) for name in templates.names)}"),
    )  # fmt: skip
    search = None if pixels is None else Search.on(pixels.wave, templates)
    if pixels is None or search is None or n == 0:
        return result
    fits = Fits(pixels.wave, power)
    names = np.array(templates.names)

    def run(rows: slice) -> None:
        # What odd spectra overflow with ends as NaN.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            fill(rows)

    def fill(rows: slice) -> None:
        flux, variance, weight, positive = pixels.take(batch, rows)
        peaks = search.run(flux, variance, weight > 0)
        log_stretch, error, gain = fits.run(flux, weight, peaks.template, peaks.velocity)
        velocity = SPEED_OF_LIGHT * np.expm1(log_stretch)
        usable = positive & peaks.usable
        clear = usable & (peaks.height > LEAST_HEIGHT) & (gain > LEAST_GAIN) & np.isfinite(error)
        clear &= (np.abs(velocity) < FASTEST) & (np.abs(velocity - peaks.velocity) < MOST_STEP)
        # A curve that still rises at the end of the search has no peak.
        clear &= (peaks.lag > 0) & (peaks.lag < 2 * LAGS)
        # Below is no star of the kinds that there are templates for.
        clear &= peaks.height > LEAST_LIKENESS * np.sqrt(np.clip(1 - peaks.noise, 0, 1))
        result.velocity[rows] = np.where(clear, velocity, np.nan)
        result.error[rows] = np.where(clear, np.hypot(SPEED_OF_LIGHT * error, FLOOR), np.nan)
        result.good[rows] = clear & (result.error[rows] < MOST_ERROR) & (second(peaks) < MOST_SECOND)
        result.peak[rows] = np.where(usable, peaks.height, np.nan)
        result.template[rows] = np.where(usable, names[peaks.template], "")

    blocks = [slice(i, min(i + BLOCK, n)) for i in range(0, n, BLOCK)]
    count = min(threads or usable_threads(), len(blocks))
    with threadpool_limits(1, user_api="blas"):
        if count == 1:
            for rows in blocks:
                run(rows)
        else:
            with ThreadPoolExecutor(count) as pool:
                list(pool.map(run, blocks))
    return result


def second(peaks: Peaks) -> np.ndarray:
    """Height of the next peak of the best template over that of the highest, shape (n,).

    Only what rises from both sides is another peak: that of broad lines may be as wide as the search.
    """
    curve = peaks.curve
    other = np.full(curve.shape, -1.0)
    top = (curve[:, 1:-1] >= curve[:, :-2]) & (curve[:, 1:-1] > curve[:, 2:])
    other[:, 1:-1] = np.where(top, curve[:, 1:-1], -1)
    other[np.abs(np.arange(2 * LAGS + 1) - peaks.lag[:, None]) <= APART] = -1
    return other.max(axis=1) / np.maximum(peaks.height, 1e-6)
