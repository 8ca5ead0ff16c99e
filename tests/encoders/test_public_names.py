from collections import Counter

import pytest

from transtar.encoders.public_names import lrs_names, xp_names
from transtar.networks.lrs import LRSTransformer
from transtar.networks.xp_autoencoder import XPAutoencoder

from .public_standins import lrs_shapes, xp_shapes


@pytest.mark.parametrize(
    ("names", "network", "public", "weights"),
    [
        (lrs_names(6), LRSTransformer(1462, device="meta"), lrs_shapes(768, 6), 42_677_013),
        (xp_names(2), XPAutoencoder(343, device="meta"), xp_shapes(1290, 768), 42_846_129),
    ],
    ids=["lrs", "xp"],
)
def test_at_the_size_of_the_paper_every_weight_has_one_name_on_each_side(names, network, public, weights):
    ours = {name: tuple(weight.shape) for name, weight in network.state_dict().items()}
    assert set(names) == set(ours)
    assert Counter(name for name, _, _ in names.values()) == Counter(list(public))
    assert {mine: public[public_name] for mine, (public_name, _, _) in names.items()} == ours
    assert sum(weight.numel() for weight in network.parameters()) == weights


def test_what_stands_before_the_names():
    names = lrs_names(1, "backbone.", "lamost_lrs_encoder.backbone.")
    assert names["backbone.blocks.0.mlp.0.weight"] == ("lamost_lrs_encoder.backbone.blocks.0.mlp.0.weight", 0, 1)
    assert names["backbone.position"] == ("lamost_lrs_encoder.backbone.position_embed.weight", 0, 1)
    assert all(name.startswith("backbone.") for name in names)
