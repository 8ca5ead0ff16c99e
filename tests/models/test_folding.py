"""A folded model predicts what the model and its encoders predict one after the other, and is a model like any other."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from transtar.errors import InputError, MismatchError
from transtar.explain.saliency import gradients
from transtar.models import Estimator, folded
from transtar.networks import LoRASettings, add_lora, merge_lora
from transtar.networks.lora import adapted_layers, lora_factors, without_lora
from transtar.preprocess import Preprocessing

from .encoded import embedding_model, encoded, grid_flux, small_encoder

SEER, OTHER = small_encoder(), small_encoder("other", 5, seed=2)


@pytest.mark.parametrize("kind", ["mlp", "residual", "linear"])
@pytest.mark.parametrize("name", ["seer", "flux+seer", "seer+flux", "seer+flux+other"])
def test_folding_changes_no_prediction(kind, name, tmp_path):
    model = embedding_model([SEER, OTHER], name, kind)
    spectra = grid_flux()
    whole = folded(model, {"seer": SEER, "other": OTHER})
    wanted = model.predict(encoded(name, [SEER, OTHER], spectra))
    assert np.ptp(wanted[:, 0]) > 0.02
    assert np.abs((whole.predict(spectra) - wanted) / model.label_std).max() < 1e-5
    assert np.abs((whole.only("teff").predict(spectra)[:, 0] - wanted[:, 1]) / model.label_std[1]).max() < 1e-5
    # It is stored whole, and needs no encoder to be read.
    whole.save(tmp_path / "model")
    again = Estimator.load(tmp_path / "model")
    np.testing.assert_array_equal(again.predict(spectra), whole.predict(spectra))
    assert (again.input, again.n_inputs) == ("flux", 1462)
    whole.save(tmp_path / "half", dtype="float16")
    assert np.abs((Estimator.load(tmp_path / "half").predict(spectra) - wanted) / model.label_std).max() < 0.02


def test_nan_rows_stay_nan_and_alone():
    whole = folded(embedding_model(SEER), SEER)
    spectra = grid_flux()
    wanted = whole.predict(spectra)
    spectra[3, 700] = np.nan
    predicted = whole.predict(spectra)
    assert np.isnan(predicted[3]).all()
    np.testing.assert_allclose(np.delete(predicted, 3, 0), np.delete(wanted, 3, 0), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(whole.predict(spectra[:1]), wanted[:1], rtol=1e-5, atol=1e-5)


def test_a_folded_model_shares_nothing_with_what_it_was_made_of():
    model, encoder = embedding_model(SEER), SEER
    before = [p.detach().clone() for p in (*model.network.parameters(), *encoder.network.parameters())]
    whole = folded(model, encoder)
    with torch.no_grad():
        for weight in (*whole.network.parameters(), *whole.network.buffers()):
            weight.fill_(7)
    whole.input_mean[:] = 0
    after = [*model.network.parameters(), *encoder.network.parameters()]
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))
    assert encoder.flux_mean.any()
    assert folded(whole) is whole


def in_double(model, encoder, spectra):
    """Labels of a model of embeddings, in double precision, encoder and model one after the other."""
    flux = torch.from_numpy((spectra - encoder.flux_mean) / encoder.flux_std.astype(np.float64))
    made = copy.deepcopy(encoder.network).double()(flux).detach().numpy()
    inputs = np.concatenate([spectra, made], axis=1) if model.input.startswith("flux") else made
    inputs = torch.from_numpy((inputs - model.input_mean) / model.input_std.astype(np.float64))
    return copy.deepcopy(model.network).double()(inputs).detach().numpy() * model.label_std + model.label_mean


@pytest.mark.parametrize("name", ["seer", "flux+seer"])
def test_saliency_goes_through_the_encoder(name):
    """Against finite differences of encoder and model one after the other."""
    model = embedding_model([SEER], name)
    spectra = grid_flux(4)
    slopes = gradients(folded(model, SEER), spectra, "feh")
    assert np.abs(slopes).max() > 1e-4
    for pixel in (0, 700, 1461):
        step = np.zeros(spectra.shape[1])
        step[pixel] = 1e-7
        high, low = (in_double(model, SEER, spectra.astype(np.float64) + sign * step)[:, 0] for sign in (1, -1))
        np.testing.assert_allclose(slopes[:, pixel], (high - low) / 2e-7, rtol=1e-4, atol=1e-5 * np.abs(slopes).max())


def test_factors_of_lora_are_known_by_their_new_places():
    for kind in ("mlp", "linear"):
        model = embedding_model([SEER], "flux+seer", kind)
        wrapped = add_lora(
            torch.nn.Sequential(model.network) if kind == "linear" else model.network,
            LoRASettings(2, 4, output_layer=True),
        )
        with torch.no_grad():
            for name, weight in wrapped.named_parameters():
                if name.endswith("B"):
                    weight.normal_()
        merged = merge_lora(wrapped)
        adapted = replace(model, network=merged[0] if kind == "linear" else merged, adapter=lora_factors(wrapped))
        whole = folded(adapted, SEER)
        layers = adapted_layers(whole.network, whole.adapter)
        assert set(layers) == ({"head"} if kind == "linear" else {"head.0", "head.2", "head.4"})
        assert whole.only("feh").adapter[f"{list(layers)[-1]}.B"].shape[0] == 1
        adapted_layers(whole.only("feh").network, whole.only("feh").adapter)


def test_lora_within_an_encoder_merges_and_is_taken_out_again():
    network = folded(embedding_model(SEER, kind="residual"), SEER).network
    wrapped = add_lora(network, LoRASettings(2, 4))
    places = {name.removesuffix(".A") for name in lora_factors(wrapped) if name.endswith(".A")}
    assert places == {"parts.0.network.0", "parts.0.network.2", "parts.0.network.4", "head.base.0", "head.base.2"}
    spectra = torch.from_numpy(grid_flux(5))
    assert torch.equal(wrapped(spectra), network(spectra))
    with torch.no_grad():
        for name, weight in wrapped.named_parameters():
            if name.endswith("B"):
                weight.normal_(0, 0.1)
    merged = merge_lora(wrapped)
    torch.testing.assert_close(merged(spectra), wrapped(spectra), rtol=1e-4, atol=1e-4)
    assert not torch.allclose(merged(spectra), network(spectra), atol=1e-2)
    assert torch.equal(without_lora(wrapped)(spectra), network(spectra))


def test_what_cannot_be_folded():
    model = embedding_model(SEER)
    with pytest.raises(InputError, match="takes the input 'seer', and no encoder that is known makes 'seer'"):
        folded(model, OTHER)
    with pytest.raises(InputError, match=r"takes 7 values per star, its encoders make others: 9 of 'seer'"):
        folded(model, small_encoder(width=9))
    observed = small_encoder(preprocessing=Preprocessing(frame="observed"))
    with pytest.raises(MismatchError, match="the model and encoder 'seer' were preprocessed differently: frame"):
        folded(model, observed)
    with pytest.raises(MismatchError, match="the model has no preprocessing"):
        folded(replace(model, preprocessing=None), SEER)
