import numpy as np
import pytest
import torch
from torch import nn

from transtar.encoders import untrained
from transtar.errors import InputError, TranstarError
from transtar.networks import count_weights
from transtar.networks.aligned import ROWS, AlignedNetwork
from transtar.networks.building import build_network, describe, network_sizes

from ..encoders.aligned import tiny_alignment
from ..hostile import try_hostile_values
from .test_alignment_heads import draw, random_head


class Backbone(nn.Module):
    def tokens(self, flux):
        return flux.view(len(flux), 7, 6)

    def forward(self, flux):
        return self.tokens(flux).mean(dim=1)


def test_an_aligned_network_puts_what_is_shared_first():
    heads = [random_head(seed=1), random_head(seed=2, width=4)]
    network = AlignedNetwork(Backbone(), heads).eval()
    flux = draw(3, 42)
    with torch.no_grad():
        given = network(flux)
        assert given.shape == (3, 12)
        assert (network.width, network.shared_width) == (12, 8)
        np.testing.assert_array_equal(given[:, :8], network.shared(flux))
        np.testing.assert_array_equal(given[:, 8:], heads[1](flux.view(3, 7, 6)))
        latent = AlignedNetwork(Backbone(), [random_head("latent")]).eval()
        np.testing.assert_array_equal(latent(flux), latent.heads[0](flux.view(3, 7, 6).mean(dim=1)))


def test_heads_that_do_not_go_with_the_network_are_refused():
    with pytest.raises(InputError, match="no tokens"):
        AlignedNetwork(nn.Linear(3, 6), [random_head()])
    with pytest.raises(InputError, match="one or two heads of one kind"):
        AlignedNetwork(Backbone(), [random_head(), random_head("latent")])
    with pytest.raises(InputError, match="not 0"):
        AlignedNetwork(Backbone(), [])


def test_many_spectra_go_through_in_parts():
    network = AlignedNetwork(Backbone(), [random_head()]).eval()
    flux = draw(2 * ROWS + 3, 42)
    with torch.no_grad():
        whole = network(flux)
        np.testing.assert_allclose(network(flux[-5:]), whole[-5:], atol=1e-6)
    assert whole.shape == (2 * ROWS + 3, 8)


@pytest.mark.parametrize("side", ["lrs", "xp"])
def test_all_weights_are_drawn_anew(side):
    encoder = tiny_alignment("split").side(side)
    with torch.no_grad():
        for weight in encoder.network.parameters():
            weight.fill_(7.0)
    network = untrained(encoder, 3).network
    assert not any(bool((weight == 7).any()) for weight in network.parameters())
    assert bool(torch.isfinite(network(torch.rand(2, len(encoder.flux_mean)) + 1)).all())


@pytest.mark.parametrize("variant", ["base", "split"])
@pytest.mark.parametrize("side", ["lrs", "xp"])
def test_it_is_described_and_built_again(side, variant):
    encoder = tiny_alignment(variant).side(side)
    description, sizes = describe(encoder.network), network_sizes(encoder.network)
    assert sizes == (len(encoder.flux_mean), encoder.width)
    again = build_network(description, *sizes).eval()
    again.load_state_dict(encoder.network.state_dict())
    flux = torch.rand(3, sizes[0]) + 1
    with torch.no_grad():
        assert torch.equal(again(flux), encoder.network(flux))
    with pytest.raises(TranstarError, match="network aligned: width of its heads is"):
        build_network(description, sizes[0], sizes[1] + 1)
    assert count_weights(build_network(description, *sizes, device="meta")) == count_weights(encoder.network)


def test_hostile_descriptions_are_refused_in_words():
    network = tiny_alignment("split").lrs.network
    description, sizes = describe(network), network_sizes(network)

    def use(content):
        build_network(content, *sizes, device="meta")

    refused, faults = try_hostile_values(use, description)
    assert faults == []
    assert refused > 300
