import numpy as np
import pytest
import torch
from torch import nn

from transtar.errors import InputError
from transtar.networks import MLPSettings, build_mlp
from transtar.networks.encoded import Affine, EncodedNetwork, EncoderPart
from transtar.networks.merging import as_one_mlp
from transtar.networks.mlp import is_plain_mlp


def affine(n, generator):
    scalers = Affine(n)
    scalers.scale, scalers.shift = torch.rand(n, generator=generator) + 0.5, torch.randn(n, generator=generator)
    return scalers


def encoded(activation="relu"):
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    encoder = build_mlp(30, 5, MLPSettings(hidden=(20, 10)), activation=activation)
    part = EncoderPart(encoder, affine(30, generator), affine(5, generator))
    return EncodedNetwork([part], build_mlp(5, 3, MLPSettings(hidden=(12, 4))))


def test_it_computes_the_same_and_is_a_plain_network():
    network = encoded()
    merged = as_one_mlp(network)
    assert is_plain_mlp(merged)
    assert [layer.out_features for layer in merged if isinstance(layer, nn.Linear)] == [20, 10, 12, 4, 3]
    inputs = torch.randn(50, 30, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        np.testing.assert_allclose(merged(inputs), network(inputs), rtol=1e-4, atol=1e-5)


def test_what_cannot_be_merged_is_refused():
    with pytest.raises(InputError, match="one encoder and a head"):
        as_one_mlp(build_mlp(4, 2, MLPSettings(hidden=(3,))))
    with pytest.raises(InputError, match="chains of linear layers"):
        as_one_mlp(encoded("gelu"))
    network = encoded()
    beside = EncodedNetwork([nn.Identity(), network.parts[0]], build_mlp(35, 3, MLPSettings(hidden=(4,))))
    with pytest.raises(InputError, match="one encoder and a head"):
        as_one_mlp(beside)
