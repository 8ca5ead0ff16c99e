from dataclasses import replace

import numpy as np
import pytest
import torch

from transtar.errors import InputError, MismatchError
from transtar.models import predict_ensemble
from transtar.models.estimator import DOMAIN_CLIP, domain_limit, input_scalers
from transtar.networks.mlp import linear_layers
from transtar.networks.residual import ResidualNetwork, build_head

from .examples import N_INPUTS, flux, small_estimator


def test_predictions_are_the_network_between_the_scalers():
    model, spectra = small_estimator(), flux()
    with torch.no_grad():
        z = model.network(torch.from_numpy((spectra - model.input_mean) / model.input_std)).numpy()
    predicted = model.predict(spectra)
    assert predicted.dtype == np.float32
    np.testing.assert_allclose(predicted, z * model.label_std + model.label_mean, rtol=1e-5)


def test_batches_do_not_matter():
    model, spectra = small_estimator(), flux(700)
    np.testing.assert_allclose(model.predict(spectra, batch_size=13), model.predict(spectra), rtol=1e-5)
    np.testing.assert_allclose(model.domain_distance(spectra, batch_size=13), model.domain_distance(spectra), rtol=1e-5)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_row_that_is_not_finite_gives_nan_and_leaves_the_others_alone(bad):
    model, spectra = small_estimator(), flux()
    expected = model.predict(spectra)
    spectra[7, 3] = bad
    predicted = model.predict(spectra)
    assert np.isnan(predicted[7]).all()
    np.testing.assert_allclose(np.delete(predicted, 7, 0), np.delete(expected, 7, 0), rtol=1e-6)


def test_any_float_and_memory_that_cannot_be_written():
    model, spectra = small_estimator(), flux()
    expected = model.predict(spectra)
    foreign = spectra.astype(">f4")
    foreign.flags.writeable = False
    np.testing.assert_array_equal(model.predict(foreign), expected)
    np.testing.assert_array_equal(model.predict(np.asfortranarray(spectra)), expected)
    assert model.predict(spectra[:0]).shape == (0, 2)


def test_the_distance_is_the_clipped_mean_square():
    model, spectra = small_estimator(), flux()
    spectra[0, 0] = 1e6
    z = (spectra - model.input_mean) / model.input_std
    expected = np.mean(np.clip(z, -DOMAIN_CLIP, DOMAIN_CLIP) ** 2, axis=1)
    labels, distance = model.predict_with_distance(spectra)
    np.testing.assert_allclose(distance, expected, rtol=1e-5)
    np.testing.assert_array_equal(labels, model.predict(spectra))


def test_the_distance_is_about_one_at_home_and_the_limit_above_it():
    spectra = flux(500)
    mean, std = input_scalers(spectra)
    model = small_estimator(input_mean=mean, input_std=std)
    distance = model.domain_distance(spectra)
    assert distance.mean() == pytest.approx(1, rel=1e-3)
    assert distance.max() < domain_limit(distance)
    assert (model.domain_distance(spectra * 1.5) > domain_limit(distance)).all()


def test_an_input_that_never_varies_is_harmless():
    spectra = flux()
    spectra[:, 4] = 1.25
    mean, std = input_scalers(spectra)
    assert std[4] == 1
    np.testing.assert_allclose(std[5], spectra[:, 5].std(), rtol=1e-5)
    np.testing.assert_allclose(mean, spectra.mean(axis=0), rtol=1e-6)


def test_wrong_inputs_are_refused():
    with pytest.raises(InputError, match=rf"\(stars, {N_INPUTS}\)"):
        small_estimator().predict(np.ones((3, 5)))
    with pytest.raises(InputError, match="label_mean has shape"):
        small_estimator(network=small_estimator(label_names=("feh",)).network)
    with pytest.raises(InputError, match="3 label names"):
        replace(small_estimator(), label_names=("feh", "teff", "logg"))


def test_an_ensemble_is_the_mean_and_the_spread():
    models, spectra = [small_estimator(seed) for seed in range(3)], flux()
    each = np.stack([model.predict(spectra) for model in models])
    mean, std = predict_ensemble(models, spectra)
    np.testing.assert_allclose(mean, each.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(std, each.std(axis=0, ddof=1), rtol=1e-3, atol=1e-4)
    assert np.isnan(predict_ensemble(models[:1], spectra)[1]).all()


def test_an_ensemble_of_unlike_models_is_refused():
    with pytest.raises(MismatchError, match=r"first \['feh', 'teff'\].*second \['feh'\]"):
        predict_ensemble([small_estimator(), small_estimator(label_names=("feh",))], flux(), names=("first", "second"))
    preprocessing = pytest.importorskip("transtar.preprocess").Preprocessing
    pair = [small_estimator(preprocessing=preprocessing(frame=frame)) for frame in ("rest", "observed")]
    with pytest.raises(MismatchError, match=r"preprocessed differently: frame is rest against observed"):
        predict_ensemble(pair, flux())


def test_some_of_the_labels():
    """The same answers, from a network of fewer outputs; a residual head goes with its base."""
    model = small_estimator()
    plain = model.predict(flux())
    np.testing.assert_allclose(model.only("teff").predict(flux()), plain[:, 1:], rtol=1e-5)
    np.testing.assert_allclose(model.only("teff", "feh").predict(flux()), plain[:, ::-1], rtol=1e-5)
    assert model.only("teff").label_max == model.label_max[1:]
    head = build_head(model.n_inputs, 2)
    torch.nn.init.normal_(linear_layers(head)[-1].weight)
    both = replace(model, network=ResidualNetwork(model.network, head))
    np.testing.assert_allclose(both.only("feh").predict(flux()), both.predict(flux())[:, :1], rtol=1e-5)
    with pytest.raises(InputError, match="not logg"):
        model.only("logg")


def test_infinite_and_masked_inputs_have_no_labels():
    model, spectra = small_estimator(), flux(4)
    # ReLU would make zeros of them.
    with torch.no_grad():
        model.network[0].weight[:, 0] = -1.0
    spectra[0, 0] = np.inf
    spectra[1, 0] = -np.inf
    masked = np.ma.masked_array(spectra, mask=False)
    masked[2, 3] = np.ma.masked
    labels, distance = model.predict_with_distance(masked)
    assert np.isnan(labels).all(axis=1).tolist() == np.isnan(distance).tolist() == [True, True, True, False]
    assert np.isnan(model.predict(spectra)).all(axis=1).tolist() == [True, True, False, False]
    with pytest.raises(InputError, match="must be real numbers"):
        model.predict(spectra + 1j)
    with pytest.raises(InputError, match="must be numbers"):
        model.predict([["a"] * N_INPUTS])
