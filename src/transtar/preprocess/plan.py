"""What the spectra of one batch share on their way to the wavelength grid, and the run over a block of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..flags import Flag
from ..grids import LogGrid
from ..spectra import SpectrumBatch
from .continuum import Envelope, median_pixels
from .resolution import smoothing_matrix
from .result import GridSpectra
from .settings import Preprocessing


def _needed_pixels(batch: SpectrumBatch, settings: Preprocessing, stretch: np.ndarray) -> slice:
    """The native pixels on which the result depends."""
    grid = settings.wavelengths.wave
    low, high = min(settings.window[0], grid[0]), max(settings.window[1], grid[-1])
    first, last = np.searchsorted(batch.wave, [low * stretch.min(), high * stretch.max()])
    # Beyond the reach of the median filter, so that a run of bad pixels at the edge finds a good one on its far side.
    margin = _median_pixels(batch, settings) + 32
    return slice(max(int(first) - margin, 0), min(int(last) + margin, len(batch.wave)))


def _median_pixels(batch: SpectrumBatch, settings: Preprocessing) -> int:
    """Pixels of the median filter, at 4800 A, or in the middle of a grid that is elsewhere."""
    low, high = settings.window
    return median_pixels(batch.wave, settings.median_width, 4800.0 if low <= 4800 <= high else (low + high) / 2)


@dataclass(frozen=True)
class Plan:
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
    def on(cls, batch: SpectrumBatch, settings: Preprocessing, stretch: np.ndarray, sky_lines, resolution) -> Plan:
        """Prepare for a batch; `stretch` is observed over fitted wavelength of each spectrum."""
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
        from .kernels import to_grid
        from .snr import median_snr

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
        if ivar is not None:
            ivar[~usable] = 0
            median_snr(flux, ivar, out.snr[rows])

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
