"""Networks of labels with the encoders of SpecCLIP's family inside: folded, differentiated, trained end to end, and stored."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from transtar.datasets import Stars
from transtar.encoders import new_encoder
from transtar.explain.saliency import gradients
from transtar.models import Estimator, folded
from transtar.networks import (
    LoRASettings,
    LRSSettings,
    LRSTransformer,
    ResidualSettings,
    XPAutoencoder,
    XPSettings,
    add_lora,
    merge_lora,
)
from transtar.networks import lrs as module
from transtar.networks.lora import lora_factors, lora_layers, unmerge_lora
from transtar.train import Full, LoRA, Residual, finetune

from ..models.encoded import embedding_model, encoded, grid_flux, head_network

ENCODERS = {
    "lrs": new_encoder("lrs", LRSSettings(8, 2, 2, token=100, stride=50, chunks=3, chunk_tokens=3), seed=1),
    "xp": new_encoder("xp", XPSettings(hidden=8, latent=6, blocks=1), seed=1),
}
FAST = {"epochs": 30, "learning_rate": 1e-2, "batch_size": 8, "end_to_end": True}
PIXELS = {"lrs": 1462, "xp": 343}


@pytest.fixture(params=["lrs", "xp"])
def kind(request):
    return request.param


def spectra(kind, n=12):
    return grid_flux(n, n_pixels=PIXELS[kind])


def model_of(kind, name=None):
    """A model of two labels whose scalers are those of what the encoder makes of some spectra."""
    encoder = ENCODERS[kind]
    inputs = encoded(name or encoder.name, [encoder], spectra(kind, 60))
    return replace(
        embedding_model([ENCODERS["lrs"]]),
        network=head_network("mlp", inputs.shape[1], 2),
        input_mean=inputs.mean(axis=0),
        input_std=inputs.std(axis=0),
        preprocessing=encoder.preprocessing,
        input=name or encoder.name,
    )


@pytest.mark.parametrize("beside", ["", "flux+"])
def test_folding_changes_no_prediction(kind, beside, tmp_path):
    name = beside + ENCODERS[kind].name
    model, flux = model_of(kind, name), spectra(kind)
    whole = folded(model, ENCODERS[kind])
    wanted = model.predict(encoded(name, [ENCODERS[kind]], flux))
    np.testing.assert_allclose(whole.predict(flux), wanted, rtol=1e-3, atol=1e-3)
    assert np.ptp(wanted[:, 0]) > 1e-3
    whole.save(tmp_path / "model")
    np.testing.assert_array_equal(Estimator.load(tmp_path / "model").predict(flux), whole.predict(flux))
    flux[3, 200] = np.nan
    assert np.isnan(whole.predict(flux)).any(axis=1).tolist() == [row == 3 for row in range(len(flux))]


def test_gradients_by_the_flux_are_finite_differences(kind, monkeypatch):
    whole, flux = folded(model_of(kind), ENCODERS[kind]), spectra(kind, 3).astype(np.float64)
    network = copy.deepcopy(whole.network).double()

    def predicted(values):
        inputs = (values - whole.input_mean) / whole.input_std.astype(np.float64)
        with torch.no_grad():
            return network(torch.from_numpy(inputs)).numpy()[:, 0] * whole.label_std[0] + whole.label_mean[0]

    slopes = gradients(whole, flux, "feh")
    for pixel in (0, 107, 200, PIXELS[kind] - 1):
        step = np.zeros(PIXELS[kind])
        step[pixel] = 1e-6
        wanted = (predicted(flux + step) - predicted(flux - step)) / 2e-6
        np.testing.assert_allclose(slopes[:, pixel], wanted, rtol=1e-3, atol=2e-4 * np.abs(slopes).max())
    # As many spectra go through the network at once as memory has room for.
    monkeypatch.setattr(module, "TOGETHER", 1)
    np.testing.assert_allclose(gradients(whole, flux, "feh"), slopes, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("strategy", "moves"),
    [
        (Full(**FAST), True),
        (LoRA(adapter=LoRASettings(2, 4), **FAST), True),
        (Residual(head=ResidualSettings(6), **FAST), False),
    ],
    ids=["full", "lora", "residual"],
)
def test_they_are_trained_end_to_end(kind, strategy, moves, tmp_path):
    whole, flux = folded(model_of(kind), ENCODERS[kind]).only("feh"), spectra(kind, 24)
    labels = np.linspace(-1.5, 0, 24, dtype=np.float32)
    flux[:, :100] += 0.2 * labels[:, None]
    stars = Stars(flux, labels, "feh", survey="desi", preprocessing=whole.preprocessing)
    adapted = finetune(whole, stars, strategy=strategy)

    def error(model):
        return float(np.mean((model.predict(flux)[:, 0] - labels) ** 2))

    assert error(adapted) < 0.8 * error(whole)
    (inside,) = [layer for layer in adapted.network.modules() if isinstance(layer, LRSTransformer | XPAutoencoder)]
    pairs = list(zip(inside.named_parameters(), ENCODERS[kind].network.parameters(), strict=True))
    moved = {name for (name, weight), given in pairs if not torch.equal(weight, given)}
    assert bool(moved) is moves
    adapted.save(tmp_path / "model")
    np.testing.assert_array_equal(Estimator.load(tmp_path / "model").predict(flux), adapted.predict(flux))


def test_lora_adapts_what_decides_the_label_and_nothing_else(kind):
    whole = folded(model_of(kind), ENCODERS[kind])
    wrapped = add_lora(whole.network, LoRASettings(2, 4))
    places = set(lora_layers(wrapped))
    layers = {
        "lrs": {
            "embed",
            *(f"blocks.{at}.{name}" for at in (0, 1) for name in ("query", "key_value", "output", "mlp.0", "mlp.2")),
        },
        "xp": {"encode.0", "encode.1.1", "encode.1.3", "encode.2"},
    }[kind]
    assert places - {"head.0", "head.2"} == {f"parts.0.network.{name}" for name in layers}
    inputs = whole.standardise(spectra(kind))
    assert torch.equal(wrapped(inputs), whole.network(inputs))
    with torch.no_grad():
        for layer in lora_layers(wrapped).values():
            layer.B.normal_(0, 0.05)
    merged = merge_lora(wrapped)
    torch.testing.assert_close(merged(inputs), wrapped(inputs), rtol=1e-4, atol=1e-4)
    again = unmerge_lora(merged, lora_factors(wrapped))
    torch.testing.assert_close(again(inputs), wrapped(inputs), rtol=1e-4, atol=1e-4)
