"""Maps of outputs folded into the last layers, and networks that keep some outputs: against the outputs themselves."""

import pytest
import torch
from torch import nn

from transtar.errors import InputError
from transtar.networks import (
    Affine,
    EncodedNetwork,
    EncoderPart,
    MLPSettings,
    ResidualNetwork,
    ResidualSettings,
    XPAutoencoder,
    XPSettings,
    build_head,
    build_mlp,
)
from transtar.networks.outputs import keep_outputs, map_outputs

N, OUTPUTS = 9, 3


def network(kind):
    torch.manual_seed(2)
    if kind == "linear":
        return nn.Linear(N, OUTPUTS)
    chain = build_mlp(N, OUTPUTS, MLPSettings((5, 4)))
    if kind == "residual":
        head = build_head(N, OUTPUTS, ResidualSettings(3))
        nn.init.normal_(head[-1].weight)
        return ResidualNetwork(chain, head)
    if kind == "encoded":
        encoder = XPAutoencoder(N, XPSettings(hidden=4, latent=6, blocks=1, reference=None))
        return EncodedNetwork([nn.Identity(), EncoderPart(encoder, Affine(N), Affine(6))], build_mlp(N + 6, OUTPUTS))
    return chain


@pytest.fixture(params=["linear", "mlp", "residual", "encoded"])
def made(request):
    return network(request.param)


def test_outputs_are_mapped(made):
    matrix, offset, inputs = torch.randn(OUTPUTS, OUTPUTS), torch.randn(OUTPUTS), torch.randn(4, N)
    before = made(inputs)
    map_outputs(made, matrix, offset)
    torch.testing.assert_close(made(inputs), before @ matrix.T + offset, rtol=1e-4, atol=1e-5)


def test_some_outputs_are_kept(made):
    inputs = torch.randn(4, N)
    before = made(inputs)
    torch.testing.assert_close(keep_outputs(made, [2, 0])(inputs), before[:, [2, 0]])
    assert torch.equal(made(inputs), before)


def test_embeddings_have_no_last_layer():
    autoencoder = XPAutoencoder(N, XPSettings(hidden=4, latent=3, blocks=1, reference=None))
    decoder = autoencoder.decode[-1].weight.detach().clone()
    with pytest.raises(InputError, match="of type XPAutoencoder has no last linear layer"):
        map_outputs(autoencoder, torch.eye(3), torch.zeros(3))
    with pytest.raises(InputError, match="of type XPAutoencoder has no last linear layer"):
        keep_outputs(autoencoder, [0])
    assert torch.equal(autoencoder.decode[-1].weight, decoder)
    with pytest.raises(InputError, match="of type Sequential has no last linear layer"):
        keep_outputs(nn.Sequential(nn.Linear(3, 3), nn.Tanh()), [0])
