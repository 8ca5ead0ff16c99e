import numpy as np
import pytest
import torch

from transtar.errors import InputError
from transtar.networks.alignment_heads import AttentionHead, LatentHead
from transtar.networks.alignment_settings import VARIANTS, alignment_settings
from transtar.networks.crossing import Crossings, SplitDecoder, build_decoder, other_side
from transtar.networks.mlp import count_weights

N_LRS, N_XP = 1462, 343
TOTALS = {"base": 99_710_814, "pr": 168_293_752, "split": 126_229_506}
BACKBONES = 42_677_013 + 42_846_129


@pytest.mark.parametrize("variant", VARIANTS)
def test_weights_of_the_variants_at_the_papers_size(variant):
    settings = alignment_settings(variant, "paper")
    parts = [AttentionHead(768, settings.width, settings.heads, device="meta")]
    parts.append(LatentHead(768, settings.width, settings.block, device="meta"))
    if settings.private_width:
        parts.append(AttentionHead(768, settings.private_width, settings.private_heads, device="meta"))
        parts.append(LatentHead(768, settings.private_width, settings.block, device="meta"))
    if settings.has_decoders:
        parts.append(Crossings(settings, N_LRS, N_XP, device="meta"))
    assert BACKBONES + sum(map(count_weights, parts)) == TOTALS[variant]
    assert settings.width + settings.private_width == 768


def test_layers_of_a_decoder():
    for side, widths in (("lrs", [12, 12, 12, 7]), ("xp", [12, 6, 3, 7])):
        names = [type(layer).__name__ for layer in build_decoder(3, 7, side, 0.1)]
        assert names == ["Linear", "GELU", "BatchNorm1d", "Dropout"] * 3 + ["Linear"]
        decoder = build_decoder(3, 7, side, 0.1)
        assert [layer.out_features for layer in decoder if hasattr(layer, "out_features")] == widths


def test_a_split_decoder_mixes_both_parts():
    torch.manual_seed(0)
    decoder = SplitDecoder(3, 2, 5).eval()
    embedding = torch.randn(4, 5)
    first = np.concatenate(
        [
            embedding[:, :3].numpy() @ decoder.from_shared.weight.detach().numpy().T
            + decoder.from_shared.bias.detach().numpy(),
            embedding[:, 3:].numpy() @ decoder.from_private.weight.detach().numpy().T
            + decoder.from_private.bias.detach().numpy(),
        ],
        axis=1,
    )
    with torch.no_grad():
        expected = decoder.joint(torch.from_numpy(first))
        np.testing.assert_allclose(decoder(embedding), expected, atol=1e-6)
    assert [type(layer).__name__ for layer in decoder.joint] == ["Linear", "GELU", "Linear"]


def test_a_prediction_of_the_other_kind_knows_the_shared_part_alone():
    torch.manual_seed(0)
    crossings = Crossings(alignment_settings("split", "small"), 20, 10).eval()
    one = torch.randn(3, 192)
    other = one.clone()
    other[:, 128:] += 1
    with torch.no_grad():
        for side, size in (("lrs", 20), ("xp", 10)):
            assert crossings.cross(one, side).shape == crossings.give_back(one, side).shape == (3, size)
            assert torch.equal(crossings.cross(one, side), crossings.cross(other, side))
            assert not torch.equal(crossings.give_back(one, side), crossings.give_back(other, side))


def test_no_decoders_of_base_and_no_third_side():
    with pytest.raises(InputError, match="has no decoders"):
        Crossings(alignment_settings("base", "small"), 20, 10)
    assert (other_side("lrs"), other_side("xp")) == ("xp", "lrs")
    with pytest.raises(InputError, match="sides lrs and xp"):
        other_side("desi")
