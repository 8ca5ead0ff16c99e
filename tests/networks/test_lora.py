"""LoRA factors that stay with a merged model."""

import numpy as np
import pytest
import torch

from transtar.errors import InputError
from transtar.models import Estimator
from transtar.networks import LoRASettings, ResidualNetwork, ResidualSettings, add_lora, build_head, merge_lora
from transtar.networks.lora import LoRALinear, adapted_layers, lora_factors, unmerge_lora

from ..models.examples import N_INPUTS, flux, small_estimator

SETTINGS = LoRASettings(rank=3, alpha=5.0, output_layer=True)


def adapted(heads=0):
    """A merged estimator with its factors, and the network before LoRA."""
    base = small_estimator().network
    wrapped = add_lora(base, SETTINGS)
    for layer in wrapped:
        if isinstance(layer, LoRALinear):
            torch.nn.init.normal_(layer.B, std=0.1)
    network = merge_lora(wrapped)
    for _ in range(heads):
        network = ResidualNetwork(network, build_head(N_INPUTS, 2, ResidualSettings(5)))
    return small_estimator(network=network, adapter=lora_factors(wrapped)), base


def test_the_factors_are_what_was_merged():
    model, base = adapted()
    assert sorted(model.adapter) == ["0.A", "0.B", "2.A", "2.B", "4.A", "4.B", "scale"]
    for place in (0, 2, 4):
        update = model.adapter["scale"] * model.adapter[f"{place}.B"] @ model.adapter[f"{place}.A"]
        before, after = (network[place].weight.detach().numpy() for network in (base, model.network))
        assert np.abs(update).max() > 0.01
        np.testing.assert_allclose(after - before, update, atol=1e-6)


def test_taking_the_update_out_gives_back_the_network_before():
    model, base = adapted()
    before = {name: tensor.clone() for name, tensor in model.network.state_dict().items()}
    state = torch.random.get_rng_state()
    wrapped = unmerge_lora(model.network, model.adapter)
    assert torch.equal(torch.random.get_rng_state(), state)
    for place in (0, 2, 4):
        torch.testing.assert_close(wrapped[place].layer.weight, base[place].weight, rtol=0, atol=1e-6)
        assert torch.equal(wrapped[place].A, torch.from_numpy(model.adapter[f"{place}.A"]))
        assert not wrapped[place].layer.weight.requires_grad
    inputs = model.standardise(flux())
    torch.testing.assert_close(wrapped(inputs), model.network(inputs), rtol=1e-5, atol=1e-5)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.network.state_dict().items())


@pytest.mark.parametrize("heads", [0, 2])
def test_they_are_stored_beside_the_weights(tmp_path, heads):
    model, _ = adapted(heads)
    model.save(tmp_path / "model")
    again = Estimator.load(tmp_path / "model")
    assert sorted(again.adapter) == sorted(model.adapter)
    for name, array in model.adapter.items():
        np.testing.assert_array_equal(again.adapter[name], array)
        assert again.adapter[name].dtype == np.float32
    np.testing.assert_array_equal(again.predict(flux()), model.predict(flux()))
    assert sorted(adapted_layers(again.network, again.adapter)) == ["0", "2", "4"]


def test_half_precision(tmp_path):
    model, _ = adapted()
    model.save(tmp_path / "model", dtype="float16")
    again = Estimator.load(tmp_path / "model")
    np.testing.assert_array_equal(again.adapter["scale"], np.float32(5 / 3))
    np.testing.assert_allclose(again.adapter["2.B"], model.adapter["2.B"], rtol=1e-3, atol=1e-6)


def test_a_folder_without_them_is_complete(tmp_path):
    model, _ = adapted()
    model.save(tmp_path / "model")
    (tmp_path / "model" / "adapter.safetensors").unlink()
    again = Estimator.load(tmp_path / "model")
    assert again.adapter is None
    np.testing.assert_array_equal(again.predict(flux()), model.predict(flux()))
    # A model without factors that replaces one with them leaves none behind.
    model.save(tmp_path / "model")
    small_estimator().save(tmp_path / "model")
    assert not (tmp_path / "model" / "adapter.safetensors").exists()


def test_a_damaged_file_is_named(tmp_path):
    adapted()[0].save(tmp_path / "model")
    path = tmp_path / "model" / "adapter.safetensors"
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(InputError, match=r"adapter\.safetensors"):
        Estimator.load(tmp_path / "model")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"0.A": np.zeros((3, 7), np.float32)}, "do not fit layer 0"),
        ({"0.A": np.zeros((2, N_INPUTS), np.float32)}, "do not fit layer 0"),
        ({"1.A": np.zeros((3, 8), np.float32), "1.B": np.zeros((8, 3), np.float32)}, "'1' names no adapted layer"),
        ({"8.A": np.zeros((3, 8), np.float32)}, "'8' names no adapted layer"),
        ({"scale": np.zeros(2, np.float32)}, "their scale"),
    ],
)
def test_factors_of_another_network_are_refused(tmp_path, change, message):
    model, _ = adapted()
    small_estimator(adapter=model.adapter | change).save(tmp_path / "model")
    with pytest.raises(InputError, match=message) as caught:
        Estimator.load(tmp_path / "model")
    assert "adapter.safetensors" in str(caught.value)


def test_one_label_keeps_the_factors_that_fit_it():
    model, base = adapted(heads=1)
    one = model.only("teff")
    adapted_layers(one.network, one.adapter)
    update = one.adapter["scale"] * one.adapter["4.B"] @ one.adapter["4.A"]
    expected = base[4].weight.detach().numpy()[1:] + update
    np.testing.assert_allclose(one.network.base[4].weight.detach().numpy(), expected, atol=1e-6)
    np.testing.assert_array_equal(one.adapter["0.B"], model.adapter["0.B"])
