from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from transtar.errors import InputError
from transtar.models import load_estimator
from transtar.models.named import JOINT
from transtar.models.trunks import Trunks

from .examples import N_INPUTS, flux, small_estimator


def by_autograd(model, values):
    """Derivatives of labels as torch finds them, in double precision."""
    network = nn.Sequential(*model.network).double()
    inputs = torch.from_numpy(((values - model.input_mean) / model.input_std).astype(np.float64)).requires_grad_()
    labels = network(inputs) * torch.from_numpy(model.label_std)
    rows = [
        torch.autograd.grad(labels[:, k].sum(), inputs, retain_graph=True)[0].numpy() for k in range(labels.shape[1])
    ]
    network.float()
    return np.stack(rows, axis=1) / model.input_std


def test_predictions_are_those_of_each_model():
    """To the last bit; of models of other weights, too."""
    model, other = small_estimator(), small_estimator(seed=3)
    models = [model.only("feh"), model.only("teff"), model, other]
    trunks, values = Trunks(models), flux()
    passes = trunks.over(values)
    for one in models:
        assert passes.know(one)
        labels, distance = passes.predict_with_distance(one)
        expected = one.predict_with_distance(values)
        np.testing.assert_array_equal(labels, expected[0])
        np.testing.assert_array_equal(distance, expected[1])
        np.testing.assert_array_equal(passes.predict(one), expected[0])
    # Three of them are one network, which has run once.
    assert len(passes._runs) == 2


def test_gradients_are_those_of_autograd():
    model = small_estimator()
    both = [model.only("teff"), model]
    passes = Trunks(both).over(flux())
    for one in both:
        expected = by_autograd(one, flux())
        np.testing.assert_allclose(passes.gradient(one), expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


def test_a_linear_model_is_a_trunk_without_layers():
    model = small_estimator(network=nn.Sequential(nn.Linear(N_INPUTS, 2)))
    passes = Trunks([model]).over(flux(4))
    np.testing.assert_array_equal(passes.predict(model), model.predict(flux(4)))
    expected = model.network[0].weight.detach().numpy() * model.label_std[:, None] / model.input_std
    np.testing.assert_allclose(passes.gradient(model), np.broadcast_to(expected, (4, 2, N_INPUTS)), rtol=1e-5)


def test_others_predict_for_themselves():
    """Networks of other layers, of other inputs, with hooks, and what is no model of transtar's."""
    gelu = small_estimator(network=nn.Sequential(nn.Linear(N_INPUTS, 8), nn.GELU(), nn.Linear(8, 2)))
    hooked = small_estimator()
    hooked.network[0].register_forward_hook(lambda *_: None)
    others = [gelu, small_estimator(input="somebody"), hooked]
    passes = Trunks([*others, object()]).over(flux())
    for one in others:
        assert not passes.know(one)
        np.testing.assert_array_equal(passes.predict(one), one.predict(flux()))
        np.testing.assert_array_equal(passes.predict_with_distance(one)[1], one.predict_with_distance(flux())[1])
    assert not passes.know(small_estimator())


def test_scalers_must_be_the_same_too():
    model = small_estimator()
    other = replace(model, input_mean=model.input_mean + np.float32(0.1))
    passes = Trunks([model, other]).over(flux())
    np.testing.assert_array_equal(passes.predict(other), other.predict(flux()))
    assert np.abs(passes.predict(other) - passes.predict(model)).max() > 0


def test_spectra_on_another_grid_are_refused():
    model = small_estimator()
    with pytest.raises(InputError, match=f"needs inputs of shape \\(stars, {N_INPUTS}\\)"):
        Trunks([model]).over(np.ones((2, 5), np.float32)).predict(model)


def test_the_shipped_models_are_one_network():
    models = [load_estimator(f"mock-{label}") for label in ("feh", "alphafe", "teff", "logg")]
    joint = load_estimator(JOINT / "mock")
    values = np.random.default_rng(0).normal(1, 0.1, (5, joint.n_inputs)).astype(np.float32)
    passes = Trunks([*models, joint]).over(values)
    for model in models:
        np.testing.assert_array_equal(passes.predict(model), model.predict(values))
    assert len(passes._runs) == 1
    expected = by_autograd(joint, values)
    np.testing.assert_allclose(passes.gradient(joint), expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_a_session_in_double_precision_changes_nothing(monkeypatch):
    """As torch.set_default_dtype(torch.float64) makes it; a matrix of zeros must not take the type of the session."""
    model = load_estimator("mock-feh")
    values = np.random.default_rng(0).normal(1, 0.1, (3, len(model.input_std))).astype(np.float32)
    before = Trunks([model]).over(values).gradient(model)
    torch.set_default_dtype(torch.float64)
    try:
        after = Trunks([model]).over(values).gradient(model)
    finally:
        torch.set_default_dtype(torch.float32)
    np.testing.assert_array_equal(after, before)
