"""From native pixels to the wavelength grid: the one chain that every command runs."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
from threadpoolctl import threadpool_limits

from ..errors import InputError
from ..flags import Flag
from ..grids import MOST_VELOCITY, SPEED_OF_LIGHT
from ..processes import usable_threads
from ..quality import Quality
from ..spectra import SpectrumBatch
from ..telling import tell
from .correlation import SMOOTHED, resampled_correlation, smoothed_correlation
from .gaps import fill_gaps
from .plan import Plan
from .result import GridSpectra
from .settings import Preprocessing

BLOCK = 128
"""Spectra handled at a time by one thread."""

COARSE = 5.0
"""Native pixels wider than so many of the grid's do not show what networks on the grid look at. At 9 A a dwarf of [Fe/H] = -0.55
came out at -1.2, at 4.5 A it was still right."""


PARTLY = 0.8
"""Share of the grid that spectra are to cover, lest it is told. A fifth of it missing at one place shifts [Fe/H] by 0.3 dex."""


def preprocess(
    batch: SpectrumBatch,
    settings: Preprocessing | None = None,
    *,
    sky_lines: tuple[tuple[float, float], ...] = (),
    resolution: float | None = None,
    velocity: np.ndarray | None = None,
    threads: int | None = None,
    quality: Quality | None = None,
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
    quality : Quality, optional
        Thresholds of the flags; the defaults if not given.

    Returns
    -------
    GridSpectra

    Raises
    ------
    InputError
        If the batch does not overlap the wavelength grid, or the resolution of the survey is needed and unknown.
    """
    settings, quality = settings or Preprocessing(), quality or Quality()
    stretch, flags = _stretch(batch, settings, velocity)
    flags |= _class_flags(batch)
    _require_overlap(batch, settings, quality)
    spectra = _on_grid(batch, settings, stretch, flags, sky_lines, resolution, threads or usable_threads())
    return replace(spectra, flags=quality.flags(spectra.snr, spectra.good_fraction, spectra.flags))


def _on_grid(batch, settings, stretch, flags, sky_lines, resolution, threads: int) -> GridSpectra:
    """Divide the batch into spectra that go through the chain together, and put the results together."""
    fine = _is_fine(batch, settings)
    if not fine:
        # A little more than the window, for shifts.
        batch = fill_gaps(batch, 0.98 * settings.window[0], 1.02 * settings.window[1])
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
        gridded = _to_grid(part, settings, shift, flags[rows], lines, native, 1 if fine else threads)
        out.flux[rows], out.good_fraction[rows], out.flags[rows] = gridded.flux, gridded.good_fraction, gridded.flags
        out.snr[rows] = gridded.snr
        if out.correlation is not None and gridded.correlation is not None:
            out.correlation[rows] = SMOOTHED if fine else gridded.correlation
        if out.ivar is not None:
            out.ivar[rows] = 0 if gridded.ivar is None else gridded.ivar

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
    plan = Plan.on(batch, settings, stretch, sky_lines, resolution)
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
    if out.correlation is not None:
        grid = settings.wavelengths.log_wave
        out.correlation[:] = (
            resampled_correlation(plan.log_wave, grid, stretch)
            if plan.smoothing is None
            else smoothed_correlation(plan.smoothing)
        )
    return out


def _empty(batch: SpectrumBatch, settings: Preprocessing, flags: np.ndarray) -> GridSpectra:
    n, size = len(batch), settings.wavelengths.size
    return GridSpectra(
        np.empty((n, size), np.float32),
        None if batch.ivar is None else np.empty((n, size), np.float32),
        np.empty(n, np.float32),
        np.full(n, np.nan, np.float32),
        flags.copy(),
        grid=settings.wavelengths,
        correlation=None if batch.ivar is None else np.full(n, np.nan, np.float32),
    )


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


def pixels_on_grid(wave: np.ndarray, settings: Preprocessing) -> tuple[slice, int]:
    """Which pixels of spectra on `wave` (vacuum Angstrom) lie on the grid, and how many must."""
    grid = settings.wavelengths.wave
    first, last = np.searchsorted(wave, [grid[0], grid[-1]])
    return slice(int(first), int(last)), min(100, len(grid) // 2)


def _require_overlap(batch: SpectrumBatch, settings: Preprocessing, quality: Quality) -> None:
    grid = settings.wavelengths.wave
    part, needed = pixels_on_grid(batch.wave, settings)
    inside = batch.wave[part]
    if len(inside) < needed:
        raise InputError(
            f"{batch.survey}: spectra from {batch.wave[0]:.1f} to {batch.wave[-1]:.1f} A have fewer than {needed} pixels on "
            f"the grid '{settings.grid}' ({grid[0]:.1f} to {grid[-1]:.1f} A); is their unit right? Else they need another grid"
        )
    width, grid_width = np.median(np.diff(inside) / inside[:-1]), np.median(np.diff(grid) / grid[:-1])
    if width > COARSE * grid_width:
        middle = grid[len(grid) // 2]
        raise InputError(
            f"{batch.survey}: pixels of {width * middle:.2g} A are too coarse for the grid '{settings.grid}' "
            f"({grid_width * middle:.2g} A); these spectra need another grid"
        )
    covered = np.count_nonzero((grid >= batch.wave[0]) & (grid <= batch.wave[-1])) / len(grid)
    if covered < quality.good_fraction:
        tell(
            f"{batch.survey}: spectra that cover {covered:.0%} of the grid '{settings.grid}', {grid[0]:.0f} to {grid[-1]:.0f} A, "
            f"where {quality.good_fraction:.0%} are needed (flag LOW_GOOD_FRACTION)"
        )
    elif covered < PARTLY:
        tell(
            f"{batch.survey}: spectra cover {covered:.0%} of the grid '{settings.grid}', {grid[0]:.0f} to {grid[-1]:.0f} A; "
            "elsewhere their outermost flux is held, by which labels may be far off"
        )
