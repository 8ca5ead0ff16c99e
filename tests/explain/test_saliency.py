"""Gradients against finite differences in double precision, for every network the package has; statistics against numpy."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from transtar.errors import InputError
from transtar.explain.saliency import band, gradients, saliency
from transtar.networks import MLPSettings, build_mlp
from transtar.networks.lora import add_lora, merge_lora
from transtar.networks.residual import ResidualNetwork, build_head

from ..models.examples import N_INPUTS, flux, small_estimator


def network(kind):
    torch.manual_seed(3)
    mlp = build_mlp(N_INPUTS, 2, MLPSettings((8, 6)))
    if kind == "linear":
        return nn.Linear(N_INPUTS, 2)
    if kind == "batch_norm":
        net = build_mlp(N_INPUTS, 2, MLPSettings((8, 6), dropout=0.3, batch_norm=True))
        net(torch.randn(50, N_INPUTS))
        return net
    if kind == "lora":
        net = add_lora(mlp)
        with torch.no_grad():
            for layer in net:
                if hasattr(layer, "B"):
                    layer.B.normal_(0, 0.01)
        return merge_lora(net)
    if kind.startswith("residual"):
        for _ in range(2 if kind == "residual twice" else 1):
            head = build_head(N_INPUTS, 2)
            nn.init.normal_(head[-1].weight, 0, 0.1)
            mlp = ResidualNetwork(mlp, head)
    return mlp


def in_double(estimator, spectra):
    """Labels in physical units, computed independently of `Estimator.predict`."""
    inputs = (spectra.astype(np.float64) - estimator.input_mean) / estimator.input_std.astype(np.float64)
    with torch.no_grad():
        outputs = copy.deepcopy(estimator.network).double()(torch.from_numpy(inputs)).numpy()
    return outputs * estimator.label_std + estimator.label_mean


@pytest.mark.parametrize("kind", ["mlp", "batch_norm", "lora", "residual", "residual twice", "linear"])
def test_finite_differences(kind):
    estimator = small_estimator(network=network(kind))
    spectra = flux(n=5).astype(np.float64)
    for column, label in enumerate(("feh", "teff")):
        found = gradients(estimator, spectra, label)
        for pixel in (0, 7, N_INPUTS - 1):
            up, down = spectra.copy(), spectra.copy()
            up[:, pixel] += 1e-7
            down[:, pixel] -= 1e-7
            wanted = (in_double(estimator, up) - in_double(estimator, down))[:, column] / 2e-7
            np.testing.assert_allclose(found[:, pixel], wanted, rtol=1e-4, atol=1e-5 * np.abs(found).max())


def test_stars_do_not_mix_and_the_model_is_left_alone():
    estimator = small_estimator()
    spectra = flux(n=23)
    together = gradients(estimator, spectra, "feh")
    np.testing.assert_allclose(gradients(estimator, spectra, "feh", batch_size=7), together, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(gradients(estimator, spectra[4:5], "feh")[0], together[4], rtol=1e-5, atol=1e-6)
    assert all(weight.grad is None for weight in estimator.network.parameters())


def test_a_star_without_spectrum_has_no_gradient():
    spectra = flux(n=4)
    spectra[2, 5] = np.nan
    found = gradients(small_estimator(), spectra, "feh")
    assert np.isnan(found[2]).all()
    assert np.isfinite(found[[0, 1, 3]]).all()
    result = saliency({"one": small_estimator()}, spectra, np.arange(N_INPUTS), "feh")
    assert result.n_stars == 3
    np.testing.assert_allclose(result.models["one"].mean, found[[0, 1, 3]].mean(axis=0), rtol=1e-5)


def test_statistics():
    """Signed and absolute gradients have medians of their own: where signs differ, the one cancels and the other does not."""
    values = np.array([[-3.0, 1.0], [2.0, 1.0], [3.0, 1.0], [-2.0, 1.0], [0.5, 1.0]])
    signed, absolute = band(values), band(np.abs(values))
    assert (signed.median[0], absolute.median[0]) == (0.5, 2.0)
    # Of -3, -2, 0.5, 2, 3: 16 per cent of the way is 0.64 of the first step, 84 per cent 0.36 of the last.
    assert (signed.lower[0], signed.upper[0]) == pytest.approx((-2.36, 2.36))
    assert signed.spread[1] == 0

    spectra = flux(n=40)
    found = saliency(
        {"a": small_estimator(), "b": small_estimator(seed=5)}, spectra, np.arange(N_INPUTS), "feh", "poor"
    )
    own = gradients(small_estimator(seed=5), spectra, "feh").astype(np.float64)
    np.testing.assert_allclose(found.models["b"].absolute.upper, np.percentile(np.abs(own), 84, axis=0))
    np.testing.assert_allclose(found.models["b"].signed.median, np.median(own, axis=0))
    np.testing.assert_allclose(found.spectra.lower, np.percentile(spectra.astype(float), 16, axis=0))
    assert list(found.models) == ["a", "b"]
    assert (found.n_stars, found.stars) == (40, "poor")


@pytest.mark.parametrize(
    ("spectra", "label", "message"),
    [
        (flux(n=3), "logg", "m: the model predicts feh, teff, not logg"),
        (flux(n=3)[:, :-1], "feh", r"flux of shape \(3, 19\) on 20 wavelengths"),
        (np.full((3, N_INPUTS), np.nan), "feh", "no star with a spectrum"),
    ],
)
def test_what_cannot_be(spectra, label, message):
    with pytest.raises(InputError, match=message):
        saliency({"m": small_estimator()}, spectra, np.arange(N_INPUTS), label)
