"""One mock star seen by many instruments: what an encoder learns from to see through them.

Each star has one spectrum without noise, the target, and several views: those of instruments that are simulated, and one of an
instrument drawn at random, so that an instrument nobody imitated is no surprise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from astropy.table import Table

from ...errors import SettingsError, check_keys
from ...preprocess import Preprocessing, preprocess
from ..emulator.emulator import Emulator
from ..emulator.model_spectra import ModelSpectra
from ..instruments.effects import Effects
from ..instruments.instrument import DESI, LAMOST, MILES, Arm, Instrument, SignalToNoise
from ..instruments.lsf import LineSpread
from ..instruments.observe import observe
from .line_correction import LineCorrection
from .mock_sets import check_sample, corrections, training_stars, within

BLOCK = 256
"""Stars that are seen by the same random instrument."""

SIMULATED = {"lamost": LAMOST, "miles": MILES, "desi": DESI}
"""Instruments that views may imitate, by name."""

RANDOM = "random"
"""Name of the view of an instrument that is drawn anew for each block."""

TARGET = DESI
"""The instrument at whose resolution the target is: the sharpest one."""


@dataclass(frozen=True)
class ViewSettings:
    """Mock stars and the views of each.

    Parameters
    ----------
    stars : int
        Number drawn; a few per cent lie too far outside the emulator's range and are left out.
    seed : int
    views : tuple of str
        Names in `SIMULATED`, or 'random'; a star has one of each.
    snr : (float, float)
        Range of S/N per pixel, drawn evenly in its logarithm.
    lines : str or None
        Name or file of the `LineCorrection` to apply.

    Raises
    ------
    SettingsError
        If a value is out of range or unknown.
    """

    stars: int = 100_000
    seed: int = 0
    views: tuple[str, ...] = ("lamost", "miles", "desi", "random")
    snr: tuple[float, float] = (8.0, 300.0)
    lines: str | None = "lamost-dr10"

    def __post_init__(self) -> None:
        check_sample(self, "views", "views")
        check_keys(self.views, (*SIMULATED, RANDOM), "views")
        if not self.views:
            raise SettingsError("views: needs at least one")


@dataclass(frozen=True)
class Views:
    """Views of mock stars, and what they are views of.

    Parameters
    ----------
    target : ndarray, shape (n_stars, n_grid), float32
        Flux over continuum without noise, at DESI's resolution.
    views : ndarray, shape (n_stars, n_views, n_grid), float16
        As observed and prepared.
    labels : ndarray, shape (n_stars, 6), float64
        In the order of `names`.
    names : tuple of str
    """

    target: np.ndarray
    views: np.ndarray
    labels: np.ndarray
    names: tuple[str, ...]


def random_instrument(generator: np.random.Generator) -> Instrument:
    """An instrument between those that are simulated and beyond: line spread, pixels, calibration, velocities, defects.

    Parameters
    ----------
    generator : numpy.random.Generator

    Returns
    -------
    Instrument
        Covers 3700 to 5900 A; resolving power 800 to 4500 in the middle, rising or falling by up to a half over the range.
    """
    uniform = generator.uniform
    middle, tilt = np.exp(uniform(np.log(800), np.log(4500))), uniform(-0.4, 0.4)
    spread = LineSpread((3800.0, 5700.0), (middle * np.exp(-tilt), middle * np.exp(tilt)))
    # Two to four pixels across a line, as spectrographs have them.
    step = max(4750 / middle / uniform(2, 4), 0.7)
    falls = tuple((float(wave), float(uniform(0.2, 1.0))) for wave in (3600, 4200, 4800, 5400, 6000))
    arm = Arm("all", (3690.0, step, int((5910 - 3690) / step)), spread, throughput=falls)
    return Instrument(
        "random", (arm,), SignalToNoise(50.0, 0.0, 15.0, 0.3, (5.0, 500.0)), background=float(np.exp(uniform(3, 7))),
        calibration=float(uniform(0.005, 0.15)), velocity_error=float(np.exp(uniform(np.log(1), np.log(25)))),
        sky_residual=float(uniform(0, 3)), cosmics=float(uniform(0, 4)), dead_fraction=float(uniform(0, 0.03)),
    )  # fmt: skip


def view_blocks(
    settings: ViewSettings, emulator: Emulator, preprocessing: Preprocessing | None = None
) -> Iterator[Views]:
    """Make mock stars and their views, block by block; see `make_views`."""
    preprocessing = preprocessing or Preprocessing()
    lines = corrections(settings.lines, preprocessing)
    stars = training_stars(settings.stars, settings.seed)
    stars["source_id"] = np.arange(1, len(stars) + 1, dtype=np.int64)
    # So that every block has all kinds of stars.
    stars = stars[np.random.default_rng([settings.seed, 81]).permutation(len(stars))]
    stars, labels = within(stars, emulator)
    for number, start in enumerate(range(0, len(stars), BLOCK)):
        rows = slice(start, start + BLOCK)
        block = _block(settings, number, stars[rows], labels[rows], emulator, preprocessing, lines)
        usable = np.isfinite(block.target).all(axis=1) & np.isfinite(block.views).all(axis=(1, 2))
        yield replace(block, target=block.target[usable], views=block.views[usable], labels=block.labels[usable])


def make_views(
    settings: ViewSettings,
    emulator: Emulator,
    preprocessing: Preprocessing | None = None,
    progress: Callable[[int], object] = lambda n: None,
) -> Views:
    """Make mock stars and their views in memory.

    Parameters
    ----------
    settings : ViewSettings
    emulator : Emulator
    preprocessing : Preprocessing, optional
        That of the networks that are to take the encoder's embedding.
    progress : callable
        Is told the size of each block.

    Returns
    -------
    Views

    Raises
    ------
    MismatchError
        If the line correction was learnt on spectra prepared otherwise.
    """
    blocks = []
    for block in view_blocks(settings, emulator, preprocessing):
        blocks.append(block)
        progress(len(block.target))
    return join_views(blocks)


def join_views(several: Sequence[Views]) -> Views:
    """Stars of several, one after the other; all have the same views and labels."""
    parts = {name: np.concatenate([getattr(one, name) for one in several]) for name in ("target", "views", "labels")}
    return Views(**parts, names=several[0].names)


def _block(
    settings: ViewSettings, number: int, stars: Table, labels: np.ndarray, emulator: Emulator,
    preprocessing: Preprocessing, lines: LineCorrection | None,
) -> Views:  # fmt: skip
    model = ModelSpectra.from_emulator(emulator, labels)
    columns = {name: labels[:, i] for i, name in enumerate(emulator.label_names)}

    def prepared(instrument: Instrument, effects: Effects, seed: int, snr: np.ndarray) -> np.ndarray:
        batch = observe(instrument, model, stars, seed=seed, effects=effects, snr=snr)
        flux = preprocess(batch, preprocessing).flux
        return flux if lines is None else lines.apply(flux, columns)

    generator = np.random.default_rng([settings.seed, 82, number])
    low, high = np.log(settings.snr)
    ideal = prepared(TARGET, Effects.only("lsf"), 0, np.full(len(stars), 100.0))
    views = np.empty((len(stars), len(settings.views), ideal.shape[1]), np.float16)
    for i, name in enumerate(settings.views):
        instrument = random_instrument(generator) if name == RANDOM else SIMULATED[name]
        snr = np.exp(generator.uniform(low, high, len(stars)))
        views[:, i] = prepared(instrument, Effects(missing_arms=False), settings.seed * 1000 + i, snr)
    return Views(ideal, views, labels, tuple(emulator.label_names))
