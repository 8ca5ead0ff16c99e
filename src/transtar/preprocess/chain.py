"""From native pixels to the wavelength grid: the one chain that every command runs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from threadpoolctl import threadpool_limits

from ..errors import InputError
from ..flags import Flag
from ..grids import MOST_VELOCITY, SPEED_OF_LIGHT, LogGrid
from ..spectra import SpectrumBatch
from ..telling import tell
from .continuum import Envelope, median_pixels
from .resolution import smoothing_matrix
from .settings import Preprocessing

BLOCK = 128
"""Spectra handled at a time by one thread."""


@dataclass(frozen=True)
class GridSpectra:
    """Spectra on the wavelength grid, ready for a network.

    Parameters
    ----------
    flux : ndarray, shape (n_spectra, grid.size), float32
        Flux over continuum; NaN rows where there is no continuum.
    ivar : ndarray of the shape of `flux`, float32, or None
        Inverse variance of `flux`, 0 where bad.
    good_fraction : ndarray, shape (n_spectra,), float32
        Share of grid pixels that draw on good native pixels only.
    snr : ndarray, shape (n_spectra,), float32
        Median S/N per grid pixel over the good ones; NaN without `ivar`.
    flags : ndarray, shape (n_spectra,), int32
        Bits of `transtar.flags.Flag`.
    """

    flux: np.ndarray
    ivar: np.ndarray | None
    good_fraction: np.ndarray
    snr: np.ndarray
    flags: np.ndarray

    def __len__(self) -> int:
        return len(self.flux)


def preprocess(
    batch: SpectrumBatch,
    settings: Preprocessing | None = None,
    *,
    sky_lines: tuple[tuple[float, float], ...] = (),
    resolution: float | None = None,
    velocity: np.ndarray | None = None,
    threads: int | None = None,
) -> GridSpectra:
    """Bring spectra from native pixels to the wavelength grid.

    Bad pixels are interpolated over, the continuum is fitted in the chosen frame, the flux is divided by it and
    resampled linearly in log wavelength.

    Parameters
    ----------
    batch : SpectrumBatch
    settings : Preprocessing, optional
        The defaults if not given.
    sky_lines : tuple of (float, float)
        Ranges in Angstrom (observed frame, vacuum) to interpolate over; a `Survey` knows its own.
    resolution : float, optional
        Resolving power of the survey, needed only where the settings ask for another.
    velocity : ndarray, shape (n_spectra,), optional
        Radial velocity in km/s; those of the batch if not given.
    threads : int, optional
        Number of threads; all processors if not given.

    Returns
    -------
    GridSpectra

    Raises
    ------
    InputError
        If the batch does not overlap the wavelength grid, or the resolution of the survey is needed and unknown.
    """
    settings = settings or Preprocessing()
    stretch, flags = _stretch(batch, settings, velocity)
    flags |= _class_flags(batch)
    _require_overlap(batch, settings)
    threads = threads or os.cpu_count() or 1
    fine = _is_fine(batch, settings)
    without = _without_errors(batch)
    if not (fine or without.any()):
        return _to_grid(batch, settings, stretch, flags, sky_lines, resolution, threads)
    if without.all():
        batch, without = replace(batch, ivar=None), ~without
    out = _empty(batch, settings, flags)

    def run(rows: np.ndarray) -> None:
        part, lines, native = batch.select(rows), sky_lines, resolution
        if without[rows[0]]:
            part = replace(part, ivar=None)
        shift = stretch[rows]
        if fine:
            part, shift, lines = _smooth(part, settings, shift[0], lines), np.ones(len(rows)), ()
            native = _lowered(resolution, settings)
        found = _to_grid(part, settings, shift, flags[rows], lines, native, 1 if fine else threads)
        out.flux[rows], out.good_fraction[rows], out.flags[rows] = found.flux, found.good_fraction, found.flags
        out.snr[rows] = found.snr
        if out.ivar is not None:
            out.ivar[rows] = 0 if found.ivar is None else found.ivar

    parts = list(_parts(np.stack([without, stretch if fine else np.ones(len(batch))], axis=1)))
    if fine and threads > 1 and len(parts) > 1:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(run, parts))
    else:
        for rows in parts:
            run(rows)
    return out


def _to_grid(batch, settings, stretch, flags, sky_lines, resolution, threads: int) -> GridSpectra:
    """Run the chain on spectra that all have errors or all have none, and are no finer than the grid."""
    plan = _Plan.on(batch, settings, stretch, sky_lines, resolution)
    n = len(batch)
    out = _empty(batch, settings, flags)
    blocks = [slice(i, min(i + BLOCK, n)) for i in range(0, n, BLOCK)]
    with threadpool_limits(1, user_api="blas"):
        if threads == 1 or len(blocks) == 1:
            for rows in blocks:
                plan.run(batch, rows, stretch[rows], out)
        else:
            with ThreadPoolExecutor(threads) as pool:
                for done in [pool.submit(plan.run, batch, rows, stretch[rows], out) for rows in blocks]:
                    done.result()
    return out


def _empty(batch: SpectrumBatch, settings: Preprocessing, flags: np.ndarray) -> GridSpectra:
    n, size = len(batch), settings.wavelengths.size
    return GridSpectra(
        np.empty((n, size), np.float32),
        None if batch.ivar is None else np.empty((n, size), np.float32),
        np.empty(n, np.float32),
        np.full(n, np.nan, np.float32),
        flags.copy(),
    )


def preprocess_stream(
    batches: Iterable[SpectrumBatch], settings: Preprocessing, **options
) -> Iterator[tuple[SpectrumBatch, GridSpectra]]:
    """Run `preprocess` over a stream; memory is that of one batch."""
    for batch in batches:
        yield batch, preprocess(batch, settings, **options)


def _stretch(batch, settings, velocity) -> tuple[np.ndarray, np.ndarray]:
    """Observed over fitted wavelength of each spectrum, and the flags that go with it."""
    flags = np.zeros(len(batch), np.int32)
    if settings.frame == "observed" or batch.frame == "rest":
        return np.ones(len(batch)), flags
    if velocity is None:
        velocity = batch.meta.get("velocity", np.full(len(batch), np.nan))
    known = np.abs(velocity) <= MOST_VELOCITY
    flags[~known] |= Flag.NO_VELOCITY
    return np.where(known, 1 + np.where(known, velocity, 0) / SPEED_OF_LIGHT, 1.0), flags


def too_fast(batch: SpectrumBatch, settings: Preprocessing) -> int:
    """How many spectra of a batch have a velocity that is refused because no star of the Galaxy is as fast."""
    if settings.frame == "observed" or batch.frame == "rest" or "velocity" not in batch.meta:
        return 0
    return int(np.count_nonzero(np.abs(batch.meta["velocity"]) > MOST_VELOCITY))


def _without_errors(batch: SpectrumBatch) -> np.ndarray:
    """Spectra among others whose inverse variances are NaN throughout; bool, shape (n_spectra,)."""
    if batch.ivar is None:
        return np.zeros(len(batch), bool)
    without = np.isnan(batch.ivar[:, 0])
    without[without] = np.isnan(batch.ivar[without]).all(axis=1)
    return without


def _parts(kinds: np.ndarray) -> Iterator[np.ndarray]:
    """Rows that are alike in all columns of `kinds`, shape (n_spectra, n_kinds)."""
    _, place = np.unique(kinds, axis=0, return_inverse=True)
    for kind in range(place.max() + 1 if len(place) else 0):
        yield np.flatnonzero(place == kind)


def _is_fine(batch: SpectrumBatch, settings: Preprocessing) -> bool:
    from .fine import describe, is_finer

    fine = is_finer(batch.wave, settings.wavelengths)
    if fine:
        tell(f"{batch.survey}: {describe(batch.wave, settings.wavelengths)}")
    return fine


def _smooth(batch: SpectrumBatch, settings: Preprocessing, stretch: float, sky_lines) -> SpectrumBatch:
    from .fine import smooth

    grid = settings.wavelengths
    window = (min(settings.window[0], grid.wave[0]), max(settings.window[1], grid.wave[-1]))
    return smooth(batch, grid, window, stretch, np.asarray(sky_lines, dtype=np.float64))


def _lowered(resolution: float | None, settings: Preprocessing) -> float | None:
    """The resolving power that is left after smoothing to the grid."""
    from .fine import resolving_power

    return resolution and float((resolution**-2.0 + resolving_power(settings.wavelengths) ** -2.0) ** -0.5)


def _class_flags(batch: SpectrumBatch) -> np.ndarray:
    flags = np.zeros(len(batch), np.int32)
    flags[_without_errors(batch) if batch.ivar is not None else slice(None)] |= Flag.NO_IVAR
    if "survey_flags" in batch.meta:
        flags |= batch.meta["survey_flags"].astype(np.int32)
    if "class" in batch.meta:
        kind = np.char.upper(np.char.strip(batch.meta["class"].astype(str)))
        flags[(kind != "STAR") & (kind != "")] |= Flag.NON_STELLAR
    if "subclass" in batch.meta:
        letter = batch.meta["subclass"].astype("U1")
        flags[np.isin(letter, ["O", "B"]) & ((flags & Flag.NON_STELLAR) == 0)] |= Flag.HOT_STAR
    return flags


def _needed_pixels(batch: SpectrumBatch, settings: Preprocessing, stretch: np.ndarray) -> slice:
    """The native pixels on which the result depends."""
    grid = settings.wavelengths.wave
    low, high = min(settings.window[0], grid[0]), max(settings.window[1], grid[-1])
    first, last = np.searchsorted(batch.wave, [low * stretch.min(), high * stretch.max()])
    # Beyond the reach of the median filter, so that a run of bad pixels at the edge finds a good one on its far side.
    margin = _median_pixels(batch, settings) + 32
    return slice(max(int(first) - margin, 0), min(int(last) + margin, len(batch.wave)))


def _require_overlap(batch: SpectrumBatch, settings: Preprocessing) -> None:
    grid = settings.wavelengths.wave
    first, last = np.searchsorted(batch.wave, [grid[0], grid[-1]])
    needed = min(100, len(grid) // 2)
    if last - first < needed:
        raise InputError(
            f"{batch.survey}: spectra from {batch.wave[0]:.1f} to {batch.wave[-1]:.1f} A have fewer than {needed} pixels on "
            f"the grid '{settings.grid}' ({grid[0]:.1f} to {grid[-1]:.1f} A); these spectra need another grid"
        )
    covered = np.count_nonzero((grid >= batch.wave[0]) & (grid <= batch.wave[-1])) / len(grid)
    if covered < settings.good_fraction:
        tell(
            f"{batch.survey}: spectra that cover {covered:.0%} of the grid '{settings.grid}', {grid[0]:.0f} to {grid[-1]:.0f} A, "
            f"where {settings.good_fraction:.0%} are needed (flag LOW_GOOD_FRACTION)"
        )


def _median_pixels(batch: SpectrumBatch, settings: Preprocessing) -> int:
    """Pixels of the median filter, at 4800 A, or in the middle of a grid that is elsewhere."""
    low, high = settings.window
    return median_pixels(batch.wave, settings.median_width, 4800.0 if low <= 4800 <= high else (low + high) / 2)


@dataclass(frozen=True)
class _Plan:
    """What every block of one batch shares."""

    settings: Preprocessing
    wave: np.ndarray
    log_wave: np.ndarray
    per_pixel: np.ndarray
    cells: np.ndarray
    per_cell: float
    offset: int
    sky: np.ndarray
    width: int
    envelope: Envelope
    smoothing: np.ndarray | None

    @classmethod
    def on(cls, batch: SpectrumBatch, settings: Preprocessing, stretch: np.ndarray, sky_lines, resolution) -> _Plan:
        pixels = _needed_pixels(batch, settings, stretch)
        wave = np.ascontiguousarray(batch.wave[pixels], dtype=np.float64)
        smoothing = None
        if settings.resolution is not None:
            if resolution is None:
                raise InputError(
                    f"{batch.survey}: cannot be brought to R = {settings.resolution:g}: its own resolution is unknown"
                )
            grid = settings.wavelengths
            assert isinstance(grid, LogGrid), "Preprocessing refuses others"
            smoothing = smoothing_matrix(grid, resolution, settings.resolution)
        log_wave = np.log10(wave)
        return cls(
            settings,
            wave,
            log_wave,
            1 / np.diff(log_wave),
            *cells(log_wave),
            pixels.start,
            np.searchsorted(wave, np.reshape(sky_lines, (-1, 2))),
            _median_pixels(batch, settings),
            Envelope.none(wave) if settings.continuum == "none" else Envelope.on(wave, settings.degree),
            smoothing,
        )

    def run(self, batch: SpectrumBatch, rows: slice, stretch: np.ndarray, out: GridSpectra) -> None:
        """Fill `rows` of `out`; the flags there are added to."""
        from .kernels import median_snr, to_grid

        settings = self.settings
        flux, ivar, flags = out.flux[rows], None if out.ivar is None else out.ivar[rows], out.flags[rows]
        inverse = np.empty_like(flux) if ivar is None else ivar
        usable = np.empty(len(flux), bool)
        first, last = self.window(stretch)
        to_grid(
            self.wave,
            self.log_wave,
            self.per_pixel,
            self.cells,
            self.per_cell,
            self.offset,
            np.ascontiguousarray(batch.flux[rows], dtype=np.float32),
            np.empty((len(flux), 0), np.float32)
            if batch.ivar is None
            else np.ascontiguousarray(batch.ivar[rows], np.float32),
            np.ascontiguousarray(batch.mask[rows]),
            self.sky,
            self.width,
            self.envelope.x,
            self.envelope.inverse(first, last),
            first,
            last,
            settings.passes,
            stretch,
            settings.wavelengths.log_wave,
            flux,
            inverse,
            usable,
            # Every pixel counts where there are few.
            16 if settings.wavelengths.size > 1000 else 1,
        )
        out.good_fraction[rows] = np.count_nonzero(inverse, axis=1) / flux.shape[1]
        if self.smoothing is not None:
            flux[:] = flux @ self.smoothing.T
            inverse[:] = _smoothed(inverse, self.smoothing)
        flux[~usable] = np.nan
        flags[~usable] |= Flag.CONTINUUM_FAILED
        flags[out.good_fraction[rows] < settings.good_fraction] |= Flag.LOW_GOOD_FRACTION
        if ivar is not None:
            ivar[~usable] = 0
            median_snr(flux, ivar, out.snr[rows])
            flags[~(out.snr[rows] >= settings.snr)] |= Flag.LOW_SNR

    def window(self, stretch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """First native pixel of the continuum fit of each spectrum, and the first after it."""
        low, high = self.settings.window
        first = np.searchsorted(self.log_wave, np.log10(low * stretch) - 1e-12)
        return first, np.searchsorted(self.log_wave, np.log10(high * stretch) + 1e-12, side="right")


def cells(log_wave: np.ndarray) -> tuple[np.ndarray, float]:
    """A table by which `kernels.locate` finds the pixel of any wavelength without a search.

    Parameters
    ----------
    log_wave : ndarray, shape (n_pixels,)
        Increasing.

    Returns
    -------
    pixels : ndarray of int32, shape (n_cells,)
        The pixel at or below the lower edge of each of many equal cells, which begin at the first pixel and are so narrow
        that none holds two pixels; never the last pixel but one or beyond, so that the next two exist. Empty where pixels
        are so uneven that the table would be long.
    per_cell : float
        One over the width of a cell.
    """
    width = 0.999 * np.diff(log_wave).min()
    if log_wave[-1] - log_wave[0] > 100 * len(log_wave) * width:
        return np.empty(0, np.int32), 0.0
    edges = log_wave[0] + width * np.arange(int((log_wave[-1] - log_wave[0]) / width) + 1)
    pixels = np.searchsorted(log_wave, edges, side="right") - 1
    return np.minimum(pixels, len(log_wave) - 3).astype(np.int32), 1 / width


def _smoothed(ivar: np.ndarray, smoothing: np.ndarray) -> np.ndarray:
    """Inverse variance after smoothing; what was bad stays so."""
    good = ivar > 0
    variance = np.divide(1, ivar, out=np.zeros_like(ivar), where=good)
    return np.divide(1, variance @ (smoothing**2).T, out=np.zeros_like(ivar), where=good)
