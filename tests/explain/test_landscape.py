import copy
import csv
from dataclasses import replace

import numpy as np
import pytest
import torch

from transtar.errors import InputError, SettingsError
from transtar.explain import Landscape, loss_landscape, read_landscapes, save_landscapes, surface
from transtar.explain.moving import filter_directions, trained_part
from transtar.networks import LoRASettings, MLPSettings, ResidualNetwork, ResidualSettings, add_lora, build_head
from transtar.networks.lora import LoRALinear, lora_factors, merge_lora

from ..models.examples import N_INPUTS, small_estimator
from ..models.examples import flux as example_flux
from ..train.examples import MLP, stars

N = 17
SMALL = {"n_seeds": 2, "n_points": 5}


def random_(network, std=0.3):
    for parameter in network.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=std)
    return network


def provenance(*strategies):
    return ({"step": "pretrain", "strategy": "mlp"}, *({"step": "finetune", "strategy": name} for name in strategies))


def residual(trained=True, heads=1):
    model = small_estimator()
    network = model.network
    for _ in range(heads):
        head = build_head(N_INPUTS, 2, ResidualSettings(5))
        network = ResidualNetwork(network, random_(head) if trained else head)
    return replace(model, network=network, provenance=provenance("residual"))


def lora(trained=True, output_layer=False, inside=None):
    base = inside or small_estimator()
    wrapped = add_lora(base.network, LoRASettings(3, 5.0, output_layer))
    if trained:
        for layer in wrapped.modules():
            if isinstance(layer, LoRALinear):
                torch.nn.init.normal_(layer.B, std=0.2)
    return replace(base, network=merge_lora(wrapped), adapter=lora_factors(wrapped), provenance=provenance("lora"))


def lora_below_a_head():
    model, head = lora(), random_(build_head(N_INPUTS, 2, ResidualSettings(4)))
    return replace(model, network=ResidualNetwork(model.network, head))


def normalised():
    from transtar.networks import build_mlp

    torch.manual_seed(3)
    network = build_mlp(N_INPUTS, 2, MLPSettings((8, 6), dropout=0.2, batch_norm=True))
    for layer in network:
        if isinstance(layer, torch.nn.BatchNorm1d):
            layer.running_mean.normal_(0, 0.2)
            layer.running_var.uniform_(0.5, 2)
    return small_estimator(network=network, provenance=provenance("full"))


def with_encoder(kind):
    """A network of the flux and of what an encoder makes of it, with a head of its own beside the last layers."""
    from transtar.networks import Affine, EncodedNetwork, EncoderPart, build_mlp

    torch.manual_seed(4)
    part = EncoderPart(build_mlp(N_INPUTS, 4, MLPSettings((9,))), Affine(N_INPUTS), Affine(4))
    part.before.shift.fill_(0.1)
    part.after.scale.fill_(3)
    behind = ResidualNetwork(
        build_mlp(N_INPUTS + 4, 2, MLPSettings((8, 6))), random_(build_head(N_INPUTS + 4, 2, ResidualSettings(3)))
    )
    model = small_estimator(network=EncodedNetwork([torch.nn.Identity(), part], behind), provenance=provenance("full"))
    return model if kind == "full" else lora(inside=model)


MODELS = {
    "full with an encoder": lambda: with_encoder("full"),
    "lora with an encoder": lambda: with_encoder("lora"),
    "full": lambda: small_estimator(provenance=provenance("full")),
    "residual": residual,
    "two heads": lambda: residual(heads=2),
    "full of a head": lambda: replace(residual(), provenance=provenance("residual", "full")),
    "lora": lora,
    "lora of the output too": lambda: lora(output_layer=True),
    "lora below a head": lora_below_a_head,
    "linear": lambda: small_estimator(network=torch.nn.Linear(N_INPUTS, 2), provenance=provenance("ridge")),
    "batch norm, dropout": normalised,
}


def brute_force(model, flux, reference, landscape, plane):
    """One grid point after the other, by moving the weights of a copied module."""
    model = model.only(landscape.label)
    part = copy.deepcopy(trained_part(model))
    moved = filter_directions(part, int(landscape.seeds[plane]))
    centre = [{name: weight.detach().clone() for name, weight in weights.items()} for weights in part.weights()]
    inputs, loss = model.standardise(flux), np.empty(landscape.loss.shape[1:])
    with torch.no_grad():
        for i, alpha in enumerate(landscape.alpha):
            for j, beta in enumerate(landscape.beta):
                for weights, start, directions in zip(part.weights(), centre, moved, strict=True):
                    for name, weight in weights.items():
                        weight.copy_(start[name] + alpha * directions[name][0] + beta * directions[name][1])
                output = sum(network.eval()(inputs) for network in (*part.moving, *part.fixed))[:, 0].double().numpy()
                loss[i, j] = np.mean((output * model.label_std[0] + model.label_mean[0] - reference) ** 2)
    return loss


@pytest.mark.parametrize("blocks", [None, 3], ids=["one block", "small blocks"])
@pytest.mark.parametrize("name", MODELS)
def test_all_points_together_equal_one_after_the_other(name, blocks, monkeypatch):
    if blocks:
        monkeypatch.setattr(surface, "STARS", 7)
        monkeypatch.setattr(surface, "VALUES", 200)
        monkeypatch.setattr(surface, "WEIGHTS", 150)
    model, flux = MODELS[name](), example_flux(N)
    reference = np.random.default_rng(0).normal(-0.5, 0.4, N)
    landscape = loss_landscape(model, flux, reference, n_seeds=2, n_points=5)
    for plane in range(2):
        expected = brute_force(model, flux, reference, landscape, plane)
        np.testing.assert_allclose(landscape.loss[plane], expected, rtol=2e-5)
        assert np.ptp(expected) > 0.1 * expected.min()
    predicted = model.predict(flux)[:, 0]
    assert landscape.centre == pytest.approx(np.mean((predicted - reference) ** 2), rel=1e-4)
    np.testing.assert_allclose(landscape.loss[:, 2, 2], landscape.centre)
    assert not np.allclose(landscape.loss[0], landscape.loss[1])


@pytest.mark.parametrize(
    ("model", "moves"), [(residual, "residual head"), (lora, "LoRA factors")], ids=["residual", "lora"]
)
def test_the_surface_of_an_untrained_adapter_is_flat(model, moves):
    flux, reference = example_flux(N), np.linspace(-2, 0, N)
    start = loss_landscape(model(trained=False), flux, reference, **SMALL)
    assert start.moves == moves
    np.testing.assert_allclose(start.loss, start.centre, rtol=1e-12)
    assert start.centre == pytest.approx(start.zero_shot, rel=1e-6)
    assert np.ptp(loss_landscape(model(), flux, reference, **SMALL).loss) > 0.01


def test_only_the_trained_weights_move():
    shapes = {
        name: [{key: tuple(weight.shape) for key, weight in part.items()} for part in trained_part(make()).weights()]
        for name, make in MODELS.items()
    }
    mlp = {"0.weight": (8, N_INPUTS), "2.weight": (6, 8), "4.weight": (2, 6)}
    head = {"0.weight": (5, N_INPUTS), "2.weight": (2, 5)}
    factors = {"0.A": (3, N_INPUTS), "0.B": (8, 3), "2.A": (3, 8), "2.B": (6, 3)}
    assert shapes["full"] == [mlp]
    assert shapes["residual"] == shapes["two heads"] == [head]
    assert shapes["full of a head"] == [mlp, head]
    assert shapes["lora"] == shapes["lora below a head"] == [factors]
    assert shapes["linear"] == [{"0.weight": (2, N_INPUTS)}]
    assert list(shapes["batch norm, dropout"][0]) == ["0.weight", "4.weight", "8.weight"]


@pytest.mark.parametrize("name", ["full", "residual", "lora"])
def test_directions_are_normalised_by_filter(name):
    part = trained_part(MODELS[name]())
    for weights, moved in zip(part.weights(), filter_directions(part, 4), strict=True):
        assert set(weights) == set(moved)
        for key, weight in weights.items():
            lengths = np.linalg.norm(moved[key].numpy(), axis=2)
            np.testing.assert_allclose(
                lengths, np.tile(np.linalg.norm(weight.detach().numpy(), axis=1), (2, 1)), rtol=1e-5
            )
            assert not np.allclose(moved[key][0], moved[key][1])
    again, other = filter_directions(part, 4), filter_directions(part, 5)
    assert all(torch.equal(again[0][key], moved[key]) for key in moved)
    assert not any(torch.equal(other[0][key], moved[key]) for key in moved)


def test_directions_are_isotropic():
    """A filter of many weights is moved equally in all of them."""
    part = trained_part(lora())
    moved = np.concatenate([filter_directions(part, seed)[0]["0.A"].numpy() for seed in range(200)]).reshape(
        -1, 3, N_INPUTS
    )
    moved /= np.linalg.norm(moved, axis=2, keepdims=True)
    assert np.abs(moved.mean(axis=0)).max() < 5 / np.sqrt(len(moved) * N_INPUTS)
    np.testing.assert_allclose((moved**2).mean(axis=(0, 1)), 1 / N_INPUTS, rtol=0.2)


def test_a_linear_network_has_an_exact_paraboloid():
    model = MODELS["linear"]()
    flux, reference = example_flux(N), np.linspace(-2, 0, N)
    landscape = loss_landscape(model, flux, reference, **SMALL)
    inputs = ((flux - model.input_mean) / model.input_std).astype(float)
    weight, bias = (getattr(model.network, name).detach().numpy().astype(float)[0] for name in ("weight", "bias"))
    delta, eta = (
        d.numpy().astype(float) for d in filter_directions(trained_part(model.only("feh")), 1)[0]["0.weight"][:, 0]
    )
    for i, alpha in enumerate(landscape.alpha):
        for j, beta in enumerate(landscape.beta):
            predicted = (inputs @ (weight + alpha * delta + beta * eta) + bias) * 0.4 - 0.5
            assert landscape.loss[1, i, j] == pytest.approx(np.mean((predicted - reference) ** 2), rel=1e-4)


def test_zero_shot_is_the_model_before():
    flux, reference = example_flux(N), np.linspace(-2, 0, N)
    base = small_estimator()

    def loss(model):
        return np.mean((model.predict(flux)[:, 0] - reference) ** 2)

    for model in (residual(), lora(), lora(output_layer=True)):
        landscape = loss_landscape(model, flux, reference, **SMALL)
        assert landscape.zero_shot == pytest.approx(loss(base), rel=1e-4)
        assert landscape.zero_shot != pytest.approx(landscape.centre, rel=1e-2)
    below = lora_below_a_head()
    head = replace(base, network=ResidualNetwork(base.network, below.network.head))
    assert loss_landscape(below, flux, reference, **SMALL).zero_shot == pytest.approx(loss(head), rel=1e-4)
    other = small_estimator(seed=8)
    assert np.isnan(loss_landscape(other, flux, reference, **SMALL).zero_shot)
    assert loss_landscape(other, flux, reference, base=base, **SMALL).zero_shot == pytest.approx(loss(base), rel=1e-6)


def test_after_real_fine_tuning():
    """The factors that training leaves are those that move, whatever came before and after."""
    from transtar.datasets import Stars
    from transtar.train import Full, LoRA, Recalibrate, Residual, TrainSettings, ZeroShot, choose, finetune, pretrain

    plain = {"schedule": "constant", "augmentation": None, "average_last": 0, "epochs": 8, "learning_rate": 3e-3}
    source, target = (Stars(*known, "feh") for known in (stars(150), stars(60, seed=1, survey=1)))
    test = stars(40, seed=2, survey=1)
    base = pretrain(source, settings=TrainSettings(**plain), mlp=MLP)
    flux, reference = test[0], test[1][:, 0]
    zero_shot = np.mean((base.predict(flux)[:, 0] - reference) ** 2)
    assert loss_landscape(base, flux, reference, **SMALL).strategy == "mlp"
    small = {"head": ResidualSettings(6)}, {"adapter": LoRASettings(3, 6)}, {}
    for kind, own, name in zip((Residual, LoRA, Full), small, ("residual", "lora", "full"), strict=True):
        model = finetune(base, target, strategy=kind(**plain, **own))
        found = loss_landscape(model, flux, reference, base=base, n_seeds=1, n_points=3)
        assert found.strategy == name
        assert found.zero_shot == pytest.approx(zero_shot, rel=1e-3)
        assert found.centre == pytest.approx(np.mean((model.predict(flux)[:, 0] - reference) ** 2), rel=1e-4)
        kept, _ = choose(model, target, candidates=(ZeroShot(),), n_folds=2)
        assert loss_landscape(kept, flux, reference, n_seeds=1, n_points=3).moves == found.moves
        recalibrated = finetune(model, target, strategy=Recalibrate())
        if name == "lora":
            with pytest.raises(InputError, match="its factors are not kept"):
                loss_landscape(recalibrated, flux, reference, **SMALL)
        else:
            assert loss_landscape(recalibrated, flux, reference, **SMALL).moves == found.moves


def test_a_label_of_several_in_its_own_unit():
    model, flux = small_estimator(), example_flux(N)
    reference = np.linspace(4500, 6500, N)
    landscape = loss_landscape(model, flux, reference, label="teff", **SMALL)
    assert landscape.centre == pytest.approx(np.mean((model.predict(flux)[:, 1] - reference) ** 2), rel=1e-4)


def made(loss, zero_shot=0.5):
    axis = np.linspace(-3, 3, 5)
    return Landscape(
        "full", "all weights", "feh", 79, np.arange(len(loss)), axis, axis, np.asarray(loss, float), zero_shot
    )


def test_the_minimum_and_where_it_is():
    bowl = 1.0 + np.add.outer((np.arange(5) - 1) ** 2, (np.arange(5) - 3) ** 2)
    edge = bowl.copy()
    edge[4, 2] = 0.25
    landscape = made([bowl, edge, np.ones((5, 5))])
    first = landscape.minimum(0)
    assert (first.loss, first.alpha, first.beta, first.on_edge) == (1.0, -1.5, 1.5, False)
    assert first.distance == pytest.approx(np.hypot(1.5, 1.5))
    second = landscape.minimum(1)
    assert (second.loss, second.alpha, second.beta, second.on_edge) == (0.25, 3.0, 0.0, True)
    # Where all is flat, the centre is as good as any.
    assert landscape.minimum(2).distance == 0


def test_landscapes_come_back_from_disk(tmp_path):
    flux, reference = example_flux(N), np.linspace(-2, 0, N)
    before = {"lora": loss_landscape(lora(), flux, reference, **SMALL),
              "von vorn": loss_landscape(small_estimator(), flux, reference, **SMALL)}  # fmt: skip
    save_landscapes(before, tmp_path / "new")
    after = read_landscapes(tmp_path / "new" / "landscape.npz")
    assert list(after) == ["lora", "von vorn"]
    for name, landscape in before.items():
        for field in ("seeds", "alpha", "beta", "loss"):
            np.testing.assert_array_equal(getattr(after[name], field), getattr(landscape, field))
        for field in ("strategy", "moves", "label", "n_stars", "centre"):
            assert getattr(after[name], field) == getattr(landscape, field)
        np.testing.assert_equal(after[name].zero_shot, landscape.zero_shot)
    with (tmp_path / "new" / "landscape.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["model"], row["seed"]) for row in rows] == [(name, seed) for name in before for seed in "01"]
    lowest = before["lora"].minimum(1)
    assert float(rows[1]["minimum_loss"]) == pytest.approx(lowest.loss, rel=1e-5)
    assert float(rows[1]["distance"]) == pytest.approx(lowest.distance, rel=1e-5)
    assert float(rows[1]["minimum_minus_zero_shot"]) == pytest.approx(lowest.loss - before["lora"].zero_shot, rel=1e-5)
    assert (rows[1]["unit"], rows[1]["n_stars"], rows[3]["zero_shot_loss"]) == ("dex", str(N), "nan")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"junk"])
def test_a_damaged_file_of_landscapes_is_named(tmp_path, content):
    (tmp_path / "landscape.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"landscape\.npz: damaged, or not"):
        read_landscapes(tmp_path / "landscape.npz")
    np.savez(tmp_path / "landscape.npz", other=np.zeros(3))
    with pytest.raises(InputError, match="not a file of landscapes"):
        read_landscapes(tmp_path / "landscape.npz")


def test_bad_input():
    model, flux, reference = small_estimator(), example_flux(N), np.zeros(N)
    missing = reference.copy()
    missing[3] = np.nan
    for arguments, message in (
        ((flux, reference[:-1]), "17 spectra and reference labels of shape"),
        ((flux[:0], reference[:0]), "0 spectra"),
        ((flux, missing), "must be finite"),
        ((np.where(np.arange(N_INPUTS) == 2, np.nan, flux), reference), "must be finite"),
        ((flux[:, :-1], reference), "needs inputs of shape"),
    ):
        with pytest.raises(InputError, match=message):
            loss_landscape(model, *arguments, **SMALL)
    with pytest.raises(InputError, match="predicts feh, teff, not logg"):
        loss_landscape(model, flux, reference, label="logg")
    for settings, message in (
        ({"n_points": 20}, "odd"),
        ({"n_points": 1}, "at least 3"),
        ({"n_seeds": 0}, "positive"),
        ({"extent": 0.0}, "positive"),
        ({"extent": np.inf}, "positive"),
    ):
        with pytest.raises(SettingsError, match=message):
            loss_landscape(model, flux, reference, **settings)
