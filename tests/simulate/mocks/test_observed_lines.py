"""Lines of real stars in spectra on their way to an instrument: who prepares them finds what a training set has."""

import numpy as np
import pytest

from transtar.grids import get_grid
from transtar.preprocess import Preprocessing, preprocess
from transtar.simulate import load_emulator
from transtar.simulate.emulator.model_spectra import ModelSpectra
from transtar.simulate.instruments.effects import Effects
from transtar.simulate.instruments.instrument import DESI, LAMOST, MILES
from transtar.simulate.instruments.observe import observe
from transtar.simulate.mocks.line_correction import LineCorrection, load_lines
from transtar.simulate.mocks.observed_lines import FADE, real_lines
from transtar.simulate.mocks.twins import average_stars

LABELS = {"teff": np.linspace(4200, 6500, 24), "logg": np.tile([4.5, 2.5], 12), "feh": np.repeat([-0.2, -1.5], 12)}
SHIFTED = Effects.only("lsf", "velocity")


@pytest.fixture(scope="module")
def stars():
    table = average_stars(LABELS)
    table["radial_velocity"] = np.linspace(-300, 300, len(table))
    return table


@pytest.fixture(scope="module")
def model(stars):
    emulator = load_emulator()
    labels = np.stack([np.asarray(stars[name]) for name in emulator.label_names], axis=1)
    return ModelSpectra.from_emulator(emulator, emulator.clip(labels))


@pytest.mark.parametrize("instrument", [LAMOST, DESI, MILES], ids=lambda instrument: instrument.name)
def test_prepared_they_are_what_networks_learn_from(stars, model, instrument):
    """A training set is corrected after preparation, a universe before observation: one result but for the continuum's fit."""
    lines = load_lines("lamost-dr10")
    plain = observe(instrument, model, stars, effects=SHIFTED)
    real = observe(instrument, model, stars, effects=SHIFTED, change=real_lines(lines, LABELS))
    # The true velocity: the star's for a survey in the observed frame, the error of the shift for one at rest.
    velocity = plain.meta["velocity_true"]
    prepared = [preprocess(batch, Preprocessing(), velocity=velocity).flux for batch in (plain, real)]
    wanted = lines.apply(prepared[0], LABELS)
    change = np.sqrt(np.mean((wanted - prepared[0]) ** 2))
    assert change > 0.02
    assert np.sqrt(np.mean((prepared[1] - wanted) ** 2)) < 0.25 * change
    assert abs(np.mean(prepared[1] - wanted)) < 0.003


def test_a_factor_by_hand(stars, model):
    """Half as deep lines, on pixels of the grid itself, against the formula; nothing beyond where it fades."""
    half = LineCorrection("half", np.array([[-0.5], [0], [0]]) * np.ones(1462), np.zeros((3, 1462)), Preprocessing())
    grid = get_grid("blue").wave
    pixels = np.concatenate([np.linspace(3850, grid[0] - FADE, 160, endpoint=False), grid, np.arange(5612, 5750, 1.3)])
    flux = np.random.default_rng(5).uniform(0.4, 1, (24, len(pixels)))
    changed = real_lines(half, LABELS)(slice(0, 24), pixels, flux, np.zeros(24))
    apart = (pixels < grid[0] - FADE) | (pixels > grid[-1] + FADE)
    np.testing.assert_array_equal(changed[:, apart], flux[:, apart])
    on_grid = slice(160, 160 + 1462)
    continuum = flux[:, on_grid] / _prepared(pixels, flux)
    wanted = (flux[:, on_grid] + 0.5 * (continuum - flux[:, on_grid])) / flux[:, on_grid]
    np.testing.assert_allclose(changed[:, on_grid] / flux[:, on_grid], wanted, rtol=0, atol=2e-5)


def _prepared(pixels, flux):
    from transtar.spectra import SpectrumBatch

    batch = SpectrumBatch(pixels, flux, None, np.zeros(flux.shape, bool), np.arange(len(flux)), "mock", "rest")
    return preprocess(batch, Preprocessing()).flux


def test_an_arm_redward_of_the_grid_is_left_alone(stars, model):
    change = real_lines(load_lines("lamost-dr10"), LABELS)
    plain, real = (observe(DESI, model, stars, arm="r", effects=SHIFTED, change=each) for each in (None, change))
    np.testing.assert_array_equal(plain.flux, real.flux)
