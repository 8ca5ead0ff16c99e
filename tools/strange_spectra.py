"""Spectra of what is no ordinary star, for the gate to learn from: templates, mixtures of mock stars, and spectra that are none.

Templates are those of redrock (DESI Collaboration, BSD-3): archetypes of A, B and M stars and of white dwarfs, bases of
cataclysmic variables and quasars. Galaxies are mixtures of mock stars, broadened, shifted, with emission lines.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table
from scipy.ndimage import gaussian_filter1d

from transtar.grids import SPEED_OF_LIGHT
from transtar.preprocess import Preprocessing, preprocess
from transtar.simulate import Emulator
from transtar.simulate.emulator.model_spectra import ModelSpectra
from transtar.simulate.instruments.effects import Effects
from transtar.simulate.instruments.observe import observe
from transtar.simulate.mocks.mock_sets import training_stars, within
from transtar.simulate.mocks.views import RANDOM, SIMULATED, random_instrument

STEP = 1.6e-5 * np.log(10)
WAVE = np.exp(np.arange(np.log(3600.0), np.log(6100.0), STEP))
"""Vacuum Angstrom."""

VIEWS = (*SIMULATED, RANDOM)
"""Instruments that look at the objects, one at each."""

BLOCK = 150
"""Objects that are seen by the same random instrument."""

EMISSION = {
    3727.1: 1.0, 3869.9: 0.3, 4102.9: 0.25, 4341.7: 0.45, 4364.4: 0.1, 4472.7: 0.05, 4862.7: 1.0, 4960.3: 1.0, 5008.2: 3.0,
}  # fmt: skip
"""Vacuum Angstrom, and strength relative to H-beta."""

FORBIDDEN = (3727.1, 3869.9, 4364.4, 4960.3, 5008.2)

HELD_OUT = 5
"""White dwarfs are held out by parameter: one in so many blocks of 500 neighbouring archetypes."""


def archetypes(folder: Path, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Basis on `WAVE` and coefficients of the archetypes of 'A', 'B', 'M' or 'WD'."""
    with fits.open(folder / f"rrtemplate-STAR-{kind}-v0.1.fits") as file:
        header, basis = file[0].header, file[0].data.astype(np.float64)
        wave = header["CRVAL1"] + header["CDELT1"] * np.arange(basis.shape[1])
        near = (wave > 3400) & (wave < 6400)
        on_wave = np.stack([np.interp(WAVE, wave[near], gaussian_filter1d(row[near], 1.0)) for row in basis])
        return on_wave, file[1].data.astype(np.float64) if len(file) > 1 else np.empty((0, len(basis)))


def stars(
    folder: Path, kind: str, n: int, generator: np.random.Generator, rows: np.ndarray | None = None
) -> np.ndarray:
    """Archetypes drawn at random, shape (n, len(WAVE))."""
    basis, coefficients = archetypes(folder, kind)
    rows = np.arange(len(coefficients)) if rows is None else rows
    return np.maximum(coefficients[generator.choice(rows, n)] @ basis, 1e-6)


def coolest_a_stars(folder: Path) -> np.ndarray:
    """Rows of the quarter of the A archetypes whose Paschen continuum is the reddest: about 7500 K."""
    basis, coefficients = archetypes(folder, "A")
    blue, red = (basis[:, np.abs(WAVE - wave) < 15].mean(axis=1) for wave in (4230, 6000))
    color = (coefficients @ blue) / (coefficients @ red)
    return np.flatnonzero(color < np.quantile(color, 0.25))


def white_dwarf_rows(held_out: bool) -> np.ndarray:
    """Rows of the archetypes to learn from, or of those that are kept aside."""
    rows = np.arange(20_000)
    return rows[((rows // 500) % HELD_OUT == HELD_OUT - 1) == held_out]


def variables(folder: Path, n: int, generator: np.random.Generator) -> np.ndarray:
    """Cataclysmic variables: the basis has no coefficients, so some are drawn that leave the flux positive."""
    basis, _ = archetypes(folder, "CV")
    return _positive(lambda: np.array([1, *generator.normal(0, 0.5, 2)]) @ basis, n)


def quasars(folder: Path, kind: str, n: int, generator: np.random.Generator) -> np.ndarray:
    """Quasars of 'LOZ' (redshift 0.05 to 1.4) or 'HIZ' (1.6 to 3.8), with coefficients drawn likewise."""
    with fits.open(folder / f"rrtemplate-QSO-{kind}-v1.1.fits") as file:
        header, basis = file[0].header, file[0].data.astype(np.float64)
    wave = 10 ** (header["CRVAL1"] + header["CDELT1"] * np.arange(basis.shape[1]))
    low, high = (0.05, 1.4) if kind == "LOZ" else (1.6, 3.8)

    def draw() -> np.ndarray:
        mixed = np.array([1, *generator.normal(0, 0.35, 3)]) @ basis
        return np.interp(WAVE / (1 + generator.uniform(low, high)), wave, mixed)

    return _positive(draw, n)


def _positive(draw, n: int) -> np.ndarray:
    drawn: list[np.ndarray] = []
    while len(drawn) < n:
        flux = draw()
        if flux.min() > 0:
            drawn.append(flux / np.median(flux))
    return np.array(drawn)


def mock_stars(emulator: Emulator, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Ordinary stars as the emulator has them: flux (n, len(WAVE)), and labels (n, 6)."""
    drawn = training_stars(int(1.25 * n) + 50, seed)
    drawn = drawn[np.random.default_rng(seed).permutation(len(drawn))]
    _, labels = within(drawn, emulator)
    labels = labels[:n]
    model = ModelSpectra.from_emulator(emulator, labels)
    sed_wave, sed = model.smooth(labels[:, 0], labels[:, 2])
    flux = np.stack([np.interp(WAVE, sed_wave, row) for row in sed])
    inside = (model.wave[0] < WAVE) & (model.wave[-1] > WAVE)
    for row, continuum, lines in zip(flux, model.log_continuum, model.flux, strict=True):
        smooth = np.interp(WAVE[inside], model.cont_wave, 10.0 ** continuum.astype(np.float64))
        row[inside] = smooth * np.interp(WAVE[inside], model.wave, lines)
        row /= np.median(row)
    return flux, labels


def smoothed(flux: np.ndarray, pixels: float) -> np.ndarray:
    """Spectra without their lines, by a Gaussian of so many pixels of `WAVE`, which is thinned out for that."""
    thin = 50
    size = flux.shape[1] // thin * thin
    means = gaussian_filter1d(flux[:, :size].reshape(len(flux), -1, thin).mean(axis=2), pixels / thin, mode="nearest")
    middle = np.arange(means.shape[1]) * thin + (thin - 1) / 2
    return np.stack([np.interp(np.arange(flux.shape[1]), middle, row) for row in means])


def with_emission(
    flux: np.ndarray, generator: np.random.Generator, redshift: float, strength: float, width: float
) -> np.ndarray:
    """A spectrum with emission lines: `strength` is the equivalent width of H-beta in Angstrom, `width` in km/s."""
    continuum, changed = smoothed(flux[None], 2000)[0], flux.copy()
    balmer_alone = generator.uniform() < 0.3
    for rest, relative in EMISSION.items():
        wave = rest * (1 + redshift)
        if WAVE[0] < wave < WAVE[-1] and not (balmer_alone and rest in FORBIDDEN):
            sigma = wave * width / SPEED_OF_LIGHT
            height = strength * relative * np.exp(generator.normal(0, 0.5)) / (sigma * np.sqrt(2 * np.pi))
            changed += continuum * height * np.exp(-0.5 * ((WAVE - wave) / sigma) ** 2)
    return changed


def galaxies(folder: Path, emulator: Emulator, n: int, generator: np.random.Generator, seed: int) -> np.ndarray:
    """Mixtures of ordinary stars, two in five with A stars, broadened by 60 to 350 km/s.

    Two in three are redshifted, three in five have emission lines.
    """
    flux, labels = mock_stars(emulator, 3000, seed)
    young = stars(folder, "A", 500, generator)
    old = np.flatnonzero(labels[:, 2] > -1.2)
    mixed = np.empty((n, len(WAVE)))
    for row in range(n):
        number = generator.integers(2, 6)
        one = generator.dirichlet(np.ones(number)) @ flux[generator.choice(old, number)]
        if generator.uniform() < 0.4:
            share, star = generator.uniform(0, 0.7), young[generator.integers(len(young))]
            one = (1 - share) * one + share * star / np.median(star)
        width = np.exp(generator.uniform(np.log(60), np.log(350)))
        one = gaussian_filter1d(one, width / SPEED_OF_LIGHT / STEP)
        redshift = 0.0 if generator.uniform() < 0.35 else generator.uniform(0.003, 0.35)
        one = np.interp(WAVE / (1 + redshift), WAVE, one)
        if generator.uniform() < 0.6:
            one = with_emission(one, generator, redshift, np.exp(generator.uniform(0, np.log(40))), max(60.0, width))
        mixed[row] = one
    return mixed


def featureless(n: int, generator: np.random.Generator) -> np.ndarray:
    """Smooth continua without a line."""
    slope, bend = generator.normal(0, 0.5, (2, n, 1))
    place = (WAVE - 4800) / 1200
    return np.exp(slope * place + bend * place**2)


def seen(
    flux: np.ndarray,
    generator: np.random.Generator,
    seed: int,
    vsini: np.ndarray | float | None = None,
    off: np.ndarray | float = 0.0,
    snr: tuple[float, float] = (8.0, 300.0),
) -> tuple[np.ndarray, np.ndarray]:
    """Objects as instruments see them, one of `VIEWS` each, prepared.

    Parameters
    ----------
    flux : ndarray, shape (n, len(WAVE))
        In the rest frame.
    generator : numpy.random.Generator
    seed : int
        Of the observations.
    vsini : ndarray or float, optional
        km/s; by default as stars of the population turn.
    off : ndarray or float
        km/s by which the survey's velocity is wrong.
    snr : (float, float)
        Range, drawn evenly in its logarithm.

    Returns
    -------
    flux : ndarray, shape (n, n_grid), float32
    views : ndarray, shape (n,), int
        Which of `VIEWS`.
    """
    n = len(flux)
    companions = training_stars(n + 60, seed + 5000)
    companions = companions[np.random.default_rng(seed).permutation(len(companions))[:n]]
    companions["source_id"] = np.arange(1, n + 1, dtype=np.int64)
    if vsini is not None:
        companions["vsini"] = vsini
    off = np.broadcast_to(np.asarray(off, np.float64), n)
    views, low, high = generator.integers(len(VIEWS), size=n), np.log(snr[0]), np.log(snr[1])
    ratio = np.exp(generator.uniform(low, high, n))
    prepared: np.ndarray | None = None
    for number, name in enumerate(VIEWS):
        rows = np.flatnonzero(views == number)
        for start in range(0, len(rows), BLOCK):
            some = rows[start : start + BLOCK]
            made = _observed(name, flux[some], companions[some], off[some], ratio[some], generator, seed)
            prepared = np.empty((n, made.shape[1]), np.float32) if prepared is None else prepared
            prepared[some] = made
    assert prepared is not None
    return prepared, views


def _observed(name: str, flux, companions: Table, off, snr, generator, seed: int) -> np.ndarray:
    instrument = random_instrument(generator) if name == RANDOM else SIMULATED[name]
    batch = observe(instrument, as_model(flux), companions, seed=seed, effects=Effects(missing_arms=False), snr=snr)
    velocity = off + (batch.meta["velocity"] if batch.frame == "observed" else 0)
    batch = replace(batch, frame="observed", meta=batch.meta | {"velocity": velocity})
    return preprocess(batch, Preprocessing(), threads=1).flux


def as_model(flux: np.ndarray) -> ModelSpectra:
    """Any spectra as `observe` takes them: over a smooth continuum, and that continuum."""
    wave, sed_wave = np.linspace(3500, 6300, 60), np.linspace(3000, 10_800, 400)
    logs = np.log10(np.maximum(smoothed(flux, 800), 1e-8))
    coarse = np.stack([np.interp(wave, WAVE, row) for row in logs])
    continuum = 10 ** np.stack([np.interp(WAVE, wave, row) for row in coarse])
    sed = np.stack([np.interp(sed_wave, wave, row) for row in coarse])
    return ModelSpectra(WAVE, flux / continuum, wave, coarse, sed_wave, sed)
