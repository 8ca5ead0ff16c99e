"""Spectra with moved labels against the chain written out; weights against least squares; the shipped model against the truth."""

import numpy as np
import pytest
from torch import nn

from transtar.errors import InputError, MismatchError
from transtar.explain.response import physical_test, respond, responses
from transtar.explain.saliency import gradients
from transtar.models import Estimator, load_estimator
from transtar.preprocess import Preprocessing, preprocess
from transtar.simulate import load_emulator
from transtar.simulate.emulator.model_spectra import ModelSpectra
from transtar.simulate.instruments.effects import Effects
from transtar.simulate.instruments.instrument import INSTRUMENTS
from transtar.simulate.instruments.observe import observe
from transtar.simulate.mocks.line_correction import load_lines
from transtar.simulate.mocks.minimum_variance import (
    best_weights,
    correlation,
    minimum_variance,
    noise_of,
    pixel_variance,
)
from transtar.simulate.mocks.moved import STEPS, UNITS, move_labels
from transtar.simulate.mocks.twins import average_stars, twins

NAMES = tuple(STEPS)
MILES, DESI = INSTRUMENTS["miles"], INSTRUMENTS["desi"]


def draw(n=24, seed=0):
    random = np.random.default_rng(seed)
    giant = random.random(n) < 0.4
    teff = np.where(giant, random.uniform(4500, 5200, n), random.uniform(4900, 6300, n))
    logg = np.where(giant, random.uniform(1.8, 3.0, n), random.uniform(3.9, 4.5, n))
    feh = np.where(random.random(n) < 0.4, random.uniform(-2.3, -1.0, n), random.uniform(-1.0, 0.3, n))
    return {"teff": teff, "logg": logg, "feh": feh, "alphafe": random.uniform(0, 0.35, n)}


@pytest.fixture(scope="module")
def emulator():
    return load_emulator()


@pytest.fixture(scope="module")
def moved(emulator):
    return move_labels(draw(), emulator, MILES, Preprocessing())


def test_unmoved_spectra_are_those_of_twins(emulator, moved):
    np.testing.assert_allclose(moved.plain, twins(draw(), emulator, MILES, Preprocessing()), atol=2e-6)
    assert moved.rows.tolist() == list(range(24))
    assert moved.left_out == {}


@pytest.mark.parametrize("name", NAMES)
def test_one_label_moves_and_all_others_stay(emulator, moved, name):
    """Written out: the labels of the spectra as a matrix, one column changed, microturbulence and carbon as they were."""
    stars = average_stars(draw())
    labels = np.stack([np.asarray(stars[key], float) for key in emulator.label_names], axis=1)
    labels[:, emulator.label_names.index(name)] += STEPS[name]
    seen = observe(MILES, ModelSpectra.from_emulator(emulator, labels), stars, effects=Effects.only("lsf"))
    np.testing.assert_allclose(moved.up[name], preprocess(seen, Preprocessing()).flux, atol=2e-6)
    assert np.abs(moved.up[name] - moved.down[name]).max() > 0.005


def test_derivatives_have_the_signs_of_physics(moved):
    wave, change = Preprocessing().wavelengths.wave, moved.derivatives()
    near = {name: np.abs(wave - place) < 2 for name, place in (("iron", 5271.0), ("b1", 5185.05), ("H beta", 4862.68))}
    mean = {key: change[..., mask].mean(axis=(0, 2)) for key, mask in near.items()}
    assert mean["iron"][NAMES.index("feh")] < -0.02  # more iron, deeper lines
    assert mean["b1"][NAMES.index("alphafe")] < -0.02  # more magnesium
    assert mean["H beta"][NAMES.index("teff")] < -0.01  # hotter, deeper Balmer lines
    assert mean["iron"][NAMES.index("teff")] > 0.002  # hotter, weaker neutral iron


def test_stars_that_cannot_be_moved_are_counted(emulator):
    labels = {name: np.array(values[:6]) for name, values in draw().items()}
    labels["teff"][1] = np.nan
    labels["teff"][2] = 8000.0
    labels["feh"][3] = 0.55  # inside, but not 0.1 dex up
    labels["alphafe"][4] = np.nan
    found = move_labels(labels, emulator, MILES, Preprocessing())
    assert found.rows.tolist() == [0, 4, 5]
    assert found.left_out == {"without Teff, log g or [Fe/H]": 1, "outside the emulator's range": 2}
    assert np.isnan(labels["alphafe"][4])
    with pytest.raises(InputError, match="no star of 1"):
        move_labels({name: values[2:3] for name, values in labels.items()}, emulator, MILES, Preprocessing())
    with pytest.raises(InputError, match="missing: logg"):
        move_labels({"teff": labels["teff"], "feh": labels["feh"]}, emulator, MILES, Preprocessing())


def test_velocities_matter_in_the_observed_frame_only(emulator):
    labels = {name: values[:2] for name, values in draw().items()}
    speed = np.array([150.0, np.nan])
    rest = [move_labels(labels, emulator, DESI, Preprocessing(), velocity).plain for velocity in (None, speed)]
    observed = Preprocessing(frame="observed")
    shifted = [move_labels(labels, emulator, DESI, observed, velocity).plain for velocity in (None, speed)]
    # In the rest frame other pixels are interpolated between, no more.
    assert (rest[0] - rest[1])[0].std() < 0.006
    assert (shifted[0] - shifted[1])[0].std() > 0.03
    np.testing.assert_array_equal(shifted[0][1], shifted[1][1])


def linear(weights, names=NAMES):
    """An estimator whose label is the weighted sum of the flux."""
    network = nn.Linear(weights.shape[1], len(weights))
    network.weight.data[:] = network.weight.new_tensor(weights)
    network.bias.data.zero_()
    one, n = np.ones(weights.shape[1], np.float32), len(weights)
    return Estimator(network, 0 * one, one, names, np.zeros(n), np.ones(n), np.zeros(n), np.ones(n))


def test_a_linear_model_with_the_best_weights_answers_with_the_identity(moved):
    everyone = {"all": np.ones(24, bool), "some": np.arange(24) < 9, "two": np.arange(24) < 2}
    variance = pixel_variance(None, moved.plain.shape[1])
    weights = {name: best_weights(name, moved, everyone, variance) for name in NAMES}
    for regime in ("all", "some"):
        model = linear(np.stack([weights[name][regime] for name in NAMES]))
        for row, label in enumerate(NAMES):
            found = [one for one in responses({"m": model}, label, moved, everyone) if one.regime == regime]
            assert [one.moved for one in found] == list(NAMES)
            np.testing.assert_allclose([one.mean for one in found], np.eye(4)[row], atol=2e-3)
            assert [one.expected for one in found] == list(np.eye(4)[row])
    # Too few stars for a mean star.
    assert set(weights["feh"]) == {"all", "some"}
    assert best_weights("mg_fe", moved, everyone, variance) == {}


def test_weights_are_those_of_weighted_least_squares_and_of_least_variance():
    random = np.random.default_rng(1)
    change = random.normal(size=(3, 40)) * np.array([[1.0], [1e3], [1e-2]])
    variance = random.uniform(0.5, 4, 40)
    found = minimum_variance(change, variance)
    np.testing.assert_allclose(change @ found.T, np.eye(3), atol=1e-10)
    # Least squares on whitened pixels, by singular values.
    np.testing.assert_allclose(
        found, np.linalg.pinv((change / np.sqrt(variance)).T) / np.sqrt(variance), rtol=1e-8, atol=1e-12
    )
    blind = np.linalg.svd(change)[2][3:]
    for other in random.normal(size=(5, 37)) @ blind:
        np.testing.assert_allclose(change @ (found[0] + other), [1, 0, 0], atol=1e-8)
        assert noise_of(found[0] + 0.01 * other, variance) > noise_of(found[0], variance)


def test_noise_by_simulation():
    random = np.random.default_rng(2)
    weights, variance = random.normal(size=50), random.uniform(0.1, 2, 50)
    drawn = (random.normal(size=(40_000, 50)) * np.sqrt(variance)) @ weights
    assert noise_of(weights, variance) == pytest.approx(drawn.std(), rel=0.02)
    assert correlation(weights, -2 * weights + 3) == pytest.approx(-1)


def test_pixel_without_information_has_no_weight():
    change, variance = np.random.default_rng(3).normal(size=(2, 30)), np.ones(30)
    variance[4] = np.inf
    found = minimum_variance(change, variance)
    assert (found[:, 4] == 0).all()
    assert np.isfinite(noise_of(found[0], variance))
    without = minimum_variance(np.delete(change, 4, axis=1), np.delete(variance, 4))
    np.testing.assert_allclose(np.delete(found, 4, axis=1), without)


def test_noise_of_a_typical_star():
    shape = np.linspace(1, 3, 11)
    ivar = np.array([[5.0], [80.0], [0.0]]) / shape
    ivar[0, 2] = 0
    ivar[:, 7] = 0
    found = pixel_variance(ivar, 11, snr=20.0)
    assert np.isinf(found[7])
    usable = np.arange(11) != 7
    np.testing.assert_allclose(np.median(found[usable]), 1 / 400)
    np.testing.assert_allclose(found[usable] / found[0], shape[usable], rtol=0.11)
    assert (pixel_variance(None, 5, snr=10.0) == 0.01).all()
    assert (pixel_variance(np.zeros((2, 5)), 5, snr=10.0) == 0.01).all()


def test_labels_that_cannot_be_told_apart_are_refused():
    one = np.random.default_rng(4).normal(size=20)
    with pytest.raises(InputError, match="told apart"):
        minimum_variance(np.stack([one, 2 * one]), np.ones(20))
    with pytest.raises(InputError, match="changes no pixel"):
        minimum_variance(np.stack([one, 0 * one]), np.ones(20))
    with pytest.raises(InputError, match="do not fit"):
        minimum_variance(one[None], np.ones(19))


def test_the_shipped_model_answers_to_iron_alone(emulator):
    """On spectra with the line correction that it learnt with; plain synthetic lines of rich stars grow faster with metals."""
    model, lines = load_estimator("mock-feh"), load_lines("lamost-dr10")
    labels = draw(40, seed=5)
    spectra = move_labels(labels, emulator, MILES, Preprocessing(), lines=lines)
    regimes = {"rich": labels["feh"] >= -1, "poor": labels["feh"] < -1}
    test = physical_test({"mock": model}, "feh", spectra, regimes)
    for one in test.responses:
        assert abs(one.mean - one.expected) < {"feh": 0.1, "teff": 0.02, "logg": 0.04, "alphafe": 0.2}[one.moved], one
    assert len(test.responses) == 8
    assert test.n_stars == len(spectra.rows)
    # To first order a response is the product of gradient and derivative.
    product = np.einsum("np,nlp->nl", gradients(model, spectra.plain, "feh").astype(float), spectra.derivatives())
    answer = respond(model, "feh", spectra)
    assert (np.abs(product - answer).mean(axis=0) < [0.06, 0.01, 0.03, 0.15]).all()
    assert np.corrcoef(product[:, 3], answer[:, 3])[0, 1] > 0.68


def test_a_temperature_is_counted_in_hundreds_of_kelvin(moved):
    """A model of Teff that is right: 1, not 100."""
    weights = minimum_variance(moved.derivatives().mean(axis=0), np.ones(moved.plain.shape[1]))
    model = linear(weights[[NAMES.index("teff")]] * UNITS["teff"], ("teff",))
    answer = respond(model, "teff", moved).mean(axis=0)
    np.testing.assert_allclose(answer, [0, 1, 0, 0], atol=2e-3)


def test_a_correction_of_otherwise_prepared_spectra_is_refused(emulator):
    with pytest.raises(MismatchError, match="lamost-dr10"):
        move_labels(draw(2), emulator, MILES, Preprocessing(frame="observed"), lines=load_lines("lamost-dr10"))
