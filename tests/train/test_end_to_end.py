"""Fine-tuning with the encoder inside: what trains is what the strategy says, and nothing that was given is changed."""

import numpy as np
import pytest
import torch

from transtar.datasets import Stars
from transtar.errors import InputError, SettingsError
from transtar.models import Estimator, folded
from transtar.networks import EncodedNetwork, LoRASettings, ResidualNetwork, ResidualSettings
from transtar.networks.lora import unmerge_lora
from transtar.preprocess import Preprocessing
from transtar.train import Full, LoRA, Residual, Scratch, finetune, make_strategy, training_input
from transtar.train.fast import accelerated
from transtar.train.losses import squared
from transtar.train.strategies import chain

from ..models.encoded import embedding_model, encoded, grid_flux, small_encoder
from ..models.examples import small_estimator

ENCODER = small_encoder()
FAST = {"epochs": 6, "learning_rate": 2e-3, "end_to_end": True}


@pytest.fixture(scope="module", params=["seer", "flux+seer"])
def base(request):
    return embedding_model([ENCODER], request.param, labels=("feh",))


def known(n=40, input="flux"):
    spectra = grid_flux(n, seed=3)
    labels = spectra[:, :200].mean(axis=1) * 40 - 38.5
    inputs = encoded(input, [ENCODER], spectra)
    return Stars(inputs, labels, "feh", survey="desi", preprocessing=Preprocessing(), input=input)


def encoder_weights(model):
    layers = [layer for layer in model.network.modules() if isinstance(layer, EncodedNetwork)]
    return [weight.detach().clone() for weight in layers[0].parts.parameters()]


def scalers(model):
    return [buffer.clone() for buffer in model.network.buffers()]


def error(model, stars):
    return float(np.mean((model.predict(stars.inputs)[:, 0] - stars.labels[:, 0]) ** 2))


@pytest.mark.parametrize(
    ("strategy", "moves"),
    [
        (Full(**FAST), True),
        (LoRA(adapter=LoRASettings(4, 8), **FAST | {"epochs": 20}), True),
        (Residual(head=ResidualSettings(12), **FAST | {"epochs": 20}), False),
    ],
    ids=["full", "lora", "residual"],
)
def test_what_trains(base, strategy, moves, tmp_path):
    whole, stars = folded(base, ENCODER), known()
    before, given = encoder_weights(whole), [p.detach().clone() for p in ENCODER.network.parameters()]
    adapted = finetune(whole, stars, strategy=strategy)
    assert error(adapted, stars) < 0.8 * error(whole, stars)
    moved = [not torch.equal(one, other) for one, other in zip(before, encoder_weights(adapted), strict=True)]
    assert any(moved) is moves
    # Nothing that was given has changed, and the scalers not at all.
    assert all(torch.equal(*pair) for pair in zip(before, encoder_weights(whole), strict=True))
    assert all(torch.equal(*pair) for pair in zip(given, ENCODER.network.parameters(), strict=True))
    assert all(torch.equal(*pair) for pair in zip(scalers(whole), scalers(adapted), strict=True))
    assert adapted.provenance[-1]["settings"]["end_to_end"] is True
    adapted.save(tmp_path / "model")
    np.testing.assert_array_equal(
        Estimator.load(tmp_path / "model").predict(stars.inputs), adapted.predict(stars.inputs)
    )
    assert isinstance(adapted.network, ResidualNetwork) is (strategy.name == "residual")


def test_lora_keeps_the_factors_of_encoder_and_head(base, tmp_path):
    whole, stars = folded(base, ENCODER), known()
    adapted = finetune(whole, stars, strategy=LoRA(adapter=LoRASettings(3, 6), **FAST))
    at = len(base.input.split("+")) - 1
    places = {name.removesuffix(".A") for name in adapted.adapter if name.endswith(".A")}
    assert places == {*(f"parts.{at}.network.{layer}" for layer in (0, 2, 4)), "head.0", "head.2"}
    adapted.save(tmp_path / "model")
    again = Estimator.load(tmp_path / "model")
    wrapped = unmerge_lora(again.network, again.adapter)
    inputs = whole.standardise(stars.inputs)
    torch.testing.assert_close(wrapped(inputs), again.network(inputs), rtol=1e-4, atol=1e-4)
    start = LoRA.moved(again).start
    torch.testing.assert_close(start(inputs), whole.network(inputs), rtol=1e-4, atol=1e-4)


def test_such_networks_train_by_autograd(base):
    network = folded(base, ENCODER).network
    assert accelerated(network, squared) is None
    assert accelerated(chain(network), squared) is None


def test_a_new_label_may_be_learnt_end_to_end(base):
    whole, stars = folded(base, ENCODER), known()
    other = Stars(stars.inputs, stars.labels, "mg_fe", survey="desi", preprocessing=Preprocessing())
    adapted = finetune(whole, other, strategy=Full(**FAST), new_label=True)
    assert adapted.label_names == ("mg_fe",)
    assert error(adapted, other) < np.var(other.labels)


def test_stars_are_known_by_the_flux():
    model = embedding_model(ENCODER, labels=("feh",))
    assert training_input(Full(), model) == "seer"
    assert training_input(make_strategy("full", end_to_end=True), model) == "flux"
    assert training_input(make_strategy("recalibrate"), model) == "seer"


def test_an_encoder_learns_slowly():
    rates = {
        kind.name: (kind(end_to_end=True).rate_for(n) / kind().rate_for(n))
        for kind in (Full, LoRA, Residual)
        for n in (50, 900)
    }
    assert rates == pytest.approx({"full": 0.3, "lora": 0.3, "residual": 1})
    assert Full(end_to_end=True, learning_rate=1e-4).learning_rate == 1e-4


def test_what_cannot_be(base):
    whole = folded(base, ENCODER)
    with pytest.raises(
        SettingsError, match="full: end_to_end trains the encoder of a model, and one of the input 'flux' has"
    ):
        finetune(small_estimator(label_names=("feh",)), known(), strategy=Full(**FAST))
    with pytest.raises(InputError, match="the model takes the input 'flux', the stars are known by 'seer'"):
        finetune(whole, known(input="seer"), strategy=Full(**FAST))
    with pytest.raises(SettingsError, match="scratch: end_to_end"):
        Scratch(end_to_end=True)
    with pytest.raises(SettingsError, match="full: end_to_end must be true or false, not 'yes'"):
        make_strategy("full", end_to_end="yes")
    with pytest.raises(SettingsError, match="recalibrate: unknown key end_to_end"):
        make_strategy("recalibrate", end_to_end=True)
