"""The autoencoder of XP spectra: what it takes and gives against numpy, its sizes, and spectra that it cannot take."""

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from scipy.special import erf

from transtar.errors import SettingsError
from transtar.networks import XP_SIZES, XPAutoencoder, XPSettings, build_network, count_weights, describe, xp_settings

TINY = XPSettings(hidden=6, latent=4, blocks=2, reference=3)
N = 11


def network(seed=0, **changes):
    torch.manual_seed(seed)
    made = XPAutoencoder(N, replace(TINY, **changes)).eval()
    with torch.no_grad():
        for weight in made.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    return made


def flux(n=5, seed=1):
    return np.random.default_rng(seed).uniform(0.5, 2, (n, N)).astype(np.float32)


def tensor(values):
    return torch.from_numpy(np.asarray(values, np.float32))


def standardised(spectrum):
    divided = spectrum.astype(np.float64) / float(spectrum[3])
    return np.r_[divided.mean(), divided.std(ddof=1), (divided - divided.mean()) / divided.std(ddof=1)]


def through(layers, values):
    """A chain of layers in numpy, in float64."""
    for layer in layers:
        weights = [weight.detach().numpy().astype(np.float64) for weight in layer.parameters(recurse=False)]
        name = type(layer).__name__
        if name == "Sequential":
            values = through(layer, values)
        elif name == "Linear":
            values = weights[0] @ values + weights[1]
        elif name == "LayerNorm":
            values = (values - values.mean()) / np.sqrt(values.var() + 1e-5) * weights[0] + weights[1]
        else:
            assert name == "GELU"
            values = values * (1 + erf(values / np.sqrt(2))) / 2
    return values


def test_counts_at_the_papers_size():
    assert count_weights(XPAutoencoder(343, device="meta")) == 42_846_129
    assert (XP_SIZES["paper"].latent, XP_SIZES["paper"].reference) == (768, 107)
    assert count_weights(XPAutoencoder(343, xp_settings("small"), device="meta")) < 2_000_000
    with pytest.raises(SettingsError, match="size must be one of paper, small, not 'huge'"):
        xp_settings("huge")


def test_spectra_and_embeddings_are_those_of_numpy():
    made = network()
    kinds = [type(layer).__name__ for layer in made.encode]
    assert kinds == ["Linear", "Sequential", "Sequential", "Linear", "LayerNorm"]
    assert [type(layer).__name__ for layer in made.decode] == ["Linear", "Sequential", "Sequential", "Linear"]
    taken, latent = made.standardised(tensor(flux())), made(tensor(flux()))
    given, spectra = made.give_back(latent), made.spectra(latent)
    for at, spectrum in enumerate(flux()):
        np.testing.assert_allclose(taken[at].numpy(), standardised(spectrum), atol=1e-5)
        embedding = through(made.encode, standardised(spectrum))
        np.testing.assert_allclose(latent[at].detach().numpy(), embedding, atol=1e-4)
        back = through(made.decode, embedding)
        np.testing.assert_allclose(given[at].detach().numpy(), back, atol=1e-3)
        np.testing.assert_allclose(spectra[at].detach().numpy(), back[2:] * back[1] + back[0], atol=1e-3)


def test_no_unit_matters_and_no_reference_divides_by_nothing():
    made = network()
    torch.testing.assert_close(made(tensor(flux() * 1e-3)), made(tensor(flux())), rtol=1e-3, atol=1e-4)
    bare = network(reference=None)
    assert torch.equal(bare.divided(tensor(flux())), tensor(flux()))
    mean = flux().mean(axis=1)
    np.testing.assert_allclose(bare.standardised(tensor(flux()))[:, 0].numpy(), mean, rtol=1e-5)


def test_a_reference_that_is_not_positive_gives_nothing_for_its_row_alone():
    spectra = flux()
    spectra[1, 3], spectra[2, 3], spectra[3, 7] = 0, -0.2, np.nan
    made = network()
    with torch.no_grad():
        values = made(tensor(spectra))
        assert torch.isnan(values).all(dim=1).tolist() == [False, True, True, True, False]
        torch.testing.assert_close(made(tensor(spectra[:1]))[0], values[0])
        assert made(torch.empty(0, N)).shape == (0, 4)


def test_constant_spectra():
    constant = torch.full((2, N), 3.0, requires_grad=True)
    made = network()
    taken = made.standardised(constant)
    np.testing.assert_allclose(taken.detach().numpy(), [[1, 1e-6, *[0] * N]] * 2, atol=1e-9)
    made(constant).sum().backward()
    assert torch.isfinite(constant.grad).all()


def test_weights_are_drawn_as_the_public_ones():
    torch.manual_seed(2)
    made = XPAutoencoder(343, XPSettings(hidden=96, latent=64))
    for layer in made.modules():
        if isinstance(layer, torch.nn.Linear):
            assert float(layer.weight.detach().std()) == pytest.approx((2 / layer.in_features) ** 0.5, rel=0.05)
            assert not layer.bias.any()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden": 0}, "xp-autoencoder: hidden must be"),
        ({"latent": 10**9}, "xp-autoencoder: latent must be"),
        ({"blocks": "2"}, "xp-autoencoder: blocks must be"),
        ({"reference": -1}, "xp-autoencoder: reference must be"),
        ({"reference": True}, "xp-autoencoder: reference must be"),
        ({"hidden": 20_000, "blocks": 100}, "too many weights"),
    ],
)
def test_settings_that_cannot_be(changes, message):
    with pytest.raises(SettingsError, match=message):
        replace(TINY, **changes)


def test_a_description_builds_the_network_again():
    made = network()
    description = describe(made)
    assert description == {"kind": "xp-autoencoder", **asdict(TINY)}
    again = build_network(description, N, 4)
    again.load_state_dict(made.state_dict())
    assert torch.equal(again(tensor(flux())), made(tensor(flux())))
    for changes, message in (
        ({"latent": 5}, "latent is 5, where 4 outputs are needed"),
        ({"reference": 11}, "reference is pixel 11 of 11"),
        ({"depth": 3}, "unknown key depth"),
    ):
        with pytest.raises(SettingsError, match=message):
            build_network(description | changes, N, 4, device="meta")
