"""The Cramer-Rao bound against NumPy on a line, against least squares, and against noise drawn anew."""

from dataclasses import replace

import numpy as np
import pytest

from transtar.datasets import preprocess_batch
from transtar.errors import InputError
from transtar.preprocess import Preprocessing
from transtar.simulate import load_emulator
from transtar.simulate.emulator.model_spectra import ModelSpectra
from transtar.simulate.instruments.effects import Effects
from transtar.simulate.instruments.instrument import INSTRUMENTS
from transtar.simulate.instruments.observe import observe
from transtar.simulate.mocks.label_bounds import fisher_information, label_bounds, least_errors, noise_density
from transtar.simulate.mocks.minimum_variance import minimum_variance
from transtar.simulate.mocks.moved import STEPS, UNITS, move_labels, usual_stars
from transtar.simulate.stars.truth import spectrum_labels
from transtar.surveys import get_survey

STARS = {
    "teff": np.array([5000.0, 5800.0]),
    "logg": np.array([2.8, 4.3]),
    "feh": np.array([-1.5, -0.2]),
    "alphafe": np.array([0.3, 0.05]),
}
VELOCITY = np.array([37.0, -80.0])


@pytest.fixture(scope="module")
def emulator():
    return load_emulator()


def test_bound_of_a_line_is_that_of_regression():
    """y = a + b x with noise: the textbook errors of intercept and slope, and scatter of least squares of numbers drawn."""
    x = np.linspace(0, 3, 40)
    noise = 0.1 + 0.05 * x
    change = np.stack([np.ones(40), x])[None]
    bounds, alone = least_errors(fisher_information(change, noise[None] ** 2))
    weight = noise**-2
    delta = weight.sum() * (weight * x**2).sum() - (weight * x).sum() ** 2
    np.testing.assert_allclose(bounds[0], np.sqrt([(weight * x**2).sum() / delta, weight.sum() / delta]))
    np.testing.assert_allclose(alone[0], [weight.sum() ** -0.5, (weight * x**2).sum() ** -0.5])
    rng = np.random.default_rng(0)
    drawn = 2 + 0.5 * x + rng.normal(0, noise, (4000, 40))
    fitted = np.linalg.lstsq(change[0].T / noise[:, None], (drawn / noise).T, rcond=None)[0]
    np.testing.assert_allclose(fitted.std(axis=1), bounds[0], rtol=0.05)


def test_bound_is_the_noise_of_the_minimum_variance_weights():
    rng = np.random.default_rng(1)
    change, variance = rng.normal(size=(1, 3, 50)), rng.uniform(0.5, 2, (1, 50))
    weights = minimum_variance(change[0], variance[0])
    bounds, alone = least_errors(fisher_information(change, variance))
    np.testing.assert_allclose(bounds[0], np.sqrt((weights**2 * variance).sum(axis=1)))
    assert (alone <= bounds).all()


def test_labels_that_cannot_be_told_apart_have_no_bound():
    change = np.ones((1, 2, 5))
    bounds, alone = least_errors(fisher_information(change, np.ones((1, 5))))
    assert np.isnan(bounds).all()
    np.testing.assert_allclose(alone, 5**-0.5)
    assert np.isnan(least_errors(np.zeros((1, 2, 2)))[1]).all()


@pytest.mark.parametrize("survey", ["lamost", "desi"])
def test_noise_drawn_anew_scatters_by_the_bound(emulator, survey):
    """The best linear estimator on spectra observed with noise 150 times; continuum and ties of pixels cost it some per cent."""
    instrument, settings = replace(INSTRUMENTS[survey], velocity_error=0.0), Preprocessing()
    moved = move_labels(dict(STARS), emulator, instrument, settings, VELOCITY)
    star = 1
    one = {name: np.full(150, values[star]) for name, values in STARS.items()}
    stars, _ = usual_stars(one, emulator)
    stars["source_id"], stars["radial_velocity"] = np.arange(150) + 1, VELOCITY[star]
    model = ModelSpectra.from_emulator(emulator, spectrum_labels(stars, emulator.label_names))
    seen = observe(instrument, model, stars, effects=Effects.only("lsf", "velocity", "noise"), snr=np.full(150, 40.0))
    prepared = preprocess_batch(seen, get_survey(survey), settings)
    # As a catalog tells it: the median S/N on the grid, higher than that of native pixels.
    snr = np.full(2, float(np.median(prepared.snr)))
    bounds = label_bounds(STARS, snr, emulator, instrument, settings, VELOCITY)
    variance = noise_density(STARS, snr, moved.plain, emulator, instrument, settings, VELOCITY)
    weights = minimum_variance(moved.derivatives()[star], variance[star])
    scatter = (prepared.flux - moved.plain[star]).astype(float) @ weights.T
    for place, name in enumerate(STEPS):
        ratio = scatter[:, place].std() * UNITS[name] / bounds.bounds[name][star]
        # 150 numbers tell a scatter to 6 %.
        assert 0.85 < ratio < 1.4, (name, ratio)


def test_bounds_go_as_the_noise_and_tell_who_is_left_out(emulator):
    labels = {name: np.append(values, values[1]) for name, values in STARS.items()}
    labels["teff"][2] = 9000.0
    snr = np.array([20.0, 20.0, 20.0])
    low = label_bounds(labels, snr, emulator, INSTRUMENTS["miles"], Preprocessing())
    high = label_bounds(labels, 4 * snr, emulator, INSTRUMENTS["miles"], Preprocessing())
    assert low.rows.tolist() == [0, 1]
    assert low.left_out == {"outside the emulator's range": 1}
    # Without a noise model the noise is the same everywhere.
    np.testing.assert_allclose(low.bounds["feh"], 4 * high.bounds["feh"], rtol=1e-6)
    # Of a metal-poor star lines are weak.
    assert low.bounds["feh"][0] > low.bounds["feh"][1]
    some = label_bounds(labels, np.array([np.nan, 20.0, 0.0]), emulator, INSTRUMENTS["miles"], Preprocessing())
    assert some.rows.tolist() == [1]
    assert some.left_out == {"without S/N": 2}
    with pytest.raises(InputError, match="none of 3 stars has an S/N"):
        label_bounds(labels, np.full(3, np.nan), emulator, INSTRUMENTS["miles"], Preprocessing())
