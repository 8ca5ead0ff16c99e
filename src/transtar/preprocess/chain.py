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
from ..grids import SPEED_OF_LIGHT
from ..spectra import SpectrumBatch
from .continuum import Envelope, median_filter, median_pixels
from .pixels import fill_bad, good_pixels
from .resample import Lookup, resample, resample_variance, smoothing_matrix
from .settings import Preprocessing

BLOCK = 64
"""Spectra handled at a time by one thread: few enough to stay in the processor's cache."""

MARGIN = 12
"""Native pixels kept beyond the last one needed, for the median filter."""


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
    part = _needed_pixels(batch, settings, stretch)
    plan = _Plan.on(part, settings, sky_lines, resolution)
    n, size = len(batch), settings.wavelengths.size
    out = GridSpectra(
        np.empty((n, size), np.float32),
        None if part.ivar is None else np.empty((n, size), np.float32),
        np.empty(n, np.float32),
        np.full(n, np.nan, np.float32),
        flags,
    )
    blocks = [slice(i, min(i + BLOCK, n)) for i in range(0, n, BLOCK)]
    threads = threads or os.cpu_count() or 1
    with threadpool_limits(1, user_api="blas"):
        if threads == 1 or len(blocks) == 1:
            for rows in blocks:
                plan.run(part, rows, stretch[rows], out)
        else:
            with ThreadPoolExecutor(threads) as pool:
                for done in [pool.submit(plan.run, part, rows, stretch[rows], out) for rows in blocks]:
                    done.result()
    return out


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
    known = np.isfinite(velocity) & (np.abs(velocity) < 0.1 * SPEED_OF_LIGHT)
    flags[~known] |= Flag.NO_VELOCITY
    return np.where(known, 1 + np.where(known, velocity, 0) / SPEED_OF_LIGHT, 1.0), flags


def _class_flags(batch: SpectrumBatch) -> np.ndarray:
    flags = np.zeros(len(batch), np.int32)
    if batch.ivar is None:
        flags |= Flag.NO_IVAR
    if "class" in batch.meta:
        kind = np.char.upper(np.char.strip(batch.meta["class"].astype(str)))
        flags[(kind != "STAR") & (kind != "")] |= Flag.NON_STELLAR
    if "subclass" in batch.meta:
        letter = batch.meta["subclass"].astype("U1")
        flags[np.isin(letter, ["O", "B"]) & ((flags & Flag.NON_STELLAR) == 0)] |= Flag.HOT_STAR
    return flags


def _needed_pixels(batch: SpectrumBatch, settings: Preprocessing, stretch: np.ndarray) -> SpectrumBatch:
    grid = settings.wavelengths.wave
    low, high = min(settings.window[0], grid[0]), max(settings.window[1], grid[-1])
    first, last = np.searchsorted(batch.wave, [low * stretch.min(), high * stretch.max()])
    first, last = max(first - MARGIN, 0), min(last + MARGIN, len(batch.wave))
    overlap = np.searchsorted(batch.wave, [grid[0], grid[-1]])
    if overlap[1] - overlap[0] < 100:
        raise InputError(
            f"{batch.survey}: spectra from {batch.wave[0]:.1f} to {batch.wave[-1]:.1f} A have fewer than 100 pixels on "
            f"the grid '{settings.grid}' ({grid[0]:.1f} to {grid[-1]:.1f} A)"
        )
    columns = slice(first, last)
    return replace(
        batch,
        wave=batch.wave[columns],
        flux=batch.flux[:, columns],
        ivar=None if batch.ivar is None else batch.ivar[:, columns],
        mask=batch.mask[:, columns],
    )


@dataclass(frozen=True)
class _Plan:
    """What every block of one batch shares."""

    settings: Preprocessing
    sky_lines: tuple[tuple[float, float], ...]
    lookup: Lookup
    envelope: Envelope
    width: int
    smoothing: np.ndarray | None

    @classmethod
    def on(cls, part: SpectrumBatch, settings: Preprocessing, sky_lines, resolution) -> _Plan:
        smoothing = None
        if settings.resolution is not None:
            if resolution is None:
                raise InputError(
                    f"{part.survey}: cannot be brought to R = {settings.resolution:g}: its own resolution is unknown"
                )
            smoothing = smoothing_matrix(settings.wavelengths, resolution, settings.resolution)
        return cls(
            settings,
            sky_lines,
            Lookup.on(part.wave),
            Envelope.on(part.wave, settings.degree, settings.passes),
            median_pixels(part.wave, settings.median_width),
            smoothing,
        )

    def run(self, part: SpectrumBatch, rows: slice, stretch: np.ndarray, out: GridSpectra) -> None:
        wave, settings = part.wave, self.settings
        flux = np.array(part.flux[rows], dtype=np.float32, order="C")
        ivar = None if part.ivar is None else part.ivar[rows]
        good = good_pixels(wave, flux, ivar, part.mask[rows], self.sky_lines)
        fill_bad(wave, flux, good)
        scale = np.median(flux[:, ::16], axis=1)
        usable = np.isfinite(scale) & (scale > 0) & good.any(axis=1)
        scale = np.where(usable, scale, 1)[:, None]
        flux /= scale
        continuum = np.ones_like(flux) if settings.continuum == "none" else self.continuum(flux, stretch)
        below, weight, covered = self.lookup.find(settings.wavelengths, stretch)
        used = slice(int(below[:, 0].min()), int(below[:, -1].max()) + 2)
        usable &= continuum[:, used].min(axis=1) > 0
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            flux /= continuum
            if ivar is None:
                variance = np.ones_like(flux)
            else:
                continuum *= scale
                continuum *= continuum
                continuum *= ivar
                variance = np.divide(1, continuum, out=continuum)
        np.copyto(variance, np.inf, where=~good)
        result = resample(flux, below, weight)
        spread = resample_variance(variance, below, weight)
        spread[~covered] = np.inf
        grid_good = spread < np.inf
        out.good_fraction[rows] = grid_good.mean(axis=1)
        if self.smoothing is not None:
            result = result @ self.smoothing.T
            spread = np.where(grid_good, np.where(grid_good, spread, 0) @ (self.smoothing**2).T, np.inf)
        usable &= np.isfinite(result).all(axis=1)
        result[~usable] = np.nan
        out.flux[rows] = result
        flags = out.flags[rows]
        flags[~usable] |= Flag.CONTINUUM_FAILED
        flags[out.good_fraction[rows] < settings.good_fraction] |= Flag.LOW_GOOD_FRACTION
        if out.ivar is not None:
            with np.errstate(divide="ignore"):
                inverse = np.divide(1, spread, out=spread)
            inverse[~usable] = 0
            out.ivar[rows] = inverse
            out.snr[rows] = snr = _median_snr(result, inverse)
            flags[~(snr >= settings.snr)] |= Flag.LOW_SNR

    def continuum(self, flux: np.ndarray, stretch: np.ndarray) -> np.ndarray:
        """Envelope continuum on the native pixels of the batch."""
        low, high = self.settings.window
        first = np.searchsorted(self.lookup.log_wave, np.log10(low * stretch) - 1e-12)
        last = np.searchsorted(self.lookup.log_wave, np.log10(high * stretch) + 1e-12, side="right")
        return self.envelope.fit(median_filter(flux, self.width), first, last, stretch)


def _median_snr(flux: np.ndarray, ivar: np.ndarray) -> np.ndarray:
    """Median of flux over its error, over the pixels of positive `ivar`; NaN where there is none."""
    # Every fourth pixel pins the median of the S/N to a few per cent, at a quarter of the cost.
    flux, ivar = flux[:, ::4], ivar[:, ::4]
    good = ivar > 0
    ratio = np.where(good, flux * np.sqrt(ivar), np.inf)
    ratio.sort(axis=1)
    n_good = good.sum(axis=1)
    middle = ratio[np.arange(len(ratio)), np.maximum(n_good - 1, 0) // 2]
    return np.where(n_good > 0, middle, np.nan).astype(np.float32)
