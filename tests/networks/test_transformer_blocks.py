"""The attention block against numpy, and the numbers that its weights are drawn from."""

import numpy as np
import pytest
import torch
from scipy.special import erf
from scipy.stats import truncnorm

from transtar.errors import SettingsError
from transtar.networks.transformer_blocks import AttentionBlock, draw_block, draw_normal

WIDTH, HEADS = 12, 3


def block(doubly_scaled=False):
    torch.manual_seed(1)
    made = AttentionBlock(WIDTH, HEADS, doubly_scaled).double()
    with torch.no_grad():
        for weight in made.parameters():
            weight.normal_(0, 0.5)
    return made


def norm(values, weight, bias):
    centred = values - values.mean(axis=-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5) * weight + bias


def in_numpy(made, tokens, divisor):
    """One spectrum, head by head and query by query."""
    weights = {name: weight.detach().numpy() for name, weight in made.named_parameters()}

    def linear(name, values):
        return values @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    first = norm(tokens, weights["before_attention.weight"], weights["before_attention.bias"])
    query, both = linear("query", first), linear("key_value", first)
    key, value = both[:, :WIDTH], both[:, WIDTH:]
    mixed = np.empty_like(query)
    for head in range(HEADS):
        part = slice(head * WIDTH // HEADS, (head + 1) * WIDTH // HEADS)
        for at in range(len(tokens)):
            logits = np.array([query[at, part] @ other / divisor for other in key[:, part]])
            chance = np.exp(logits - logits.max())
            mixed[at, part] = (chance / chance.sum()) @ value[:, part]
    tokens = tokens + linear("output", mixed)
    inner = linear("mlp.0", norm(tokens, weights["before_mlp.weight"], weights["before_mlp.bias"]))
    return tokens + linear("mlp.2", inner * (1 + erf(inner / np.sqrt(2))) / 2)


@pytest.mark.parametrize(("doubly_scaled", "divisor"), [(False, 2.0), (True, 4.0)])
def test_the_block_is_that_of_numpy(doubly_scaled, divisor):
    made, tokens = block(doubly_scaled), np.random.default_rng(0).normal(size=(2, 7, WIDTH))
    given = made(torch.from_numpy(tokens)).detach().numpy()
    for one, expected in zip(given, tokens, strict=True):
        np.testing.assert_allclose(one, in_numpy(made, expected, divisor), rtol=1e-9, atol=1e-9)
    assert not np.allclose(given[0], in_numpy(made, tokens[0], 6 - divisor), atol=1e-3)


def test_the_scale_is_told():
    assert "heads=3, scale=0.25" in str(AttentionBlock(WIDTH, HEADS, doubly_scaled=True))
    assert "heads=3, scale=0.5" in str(AttentionBlock(WIDTH, HEADS))


def test_the_count_of_a_block_at_the_papers_width():
    made = AttentionBlock(768, 6, device="meta")
    assert sum(weight.numel() for weight in made.parameters()) == 7_087_872


def test_heads_share_the_width():
    with pytest.raises(SettingsError, match="a width of 10 cannot be shared by 3 heads"):
        AttentionBlock(10, 3)


def test_weights_are_drawn_as_the_public_ones():
    made = AttentionBlock(96, 4)
    with torch.no_grad():
        made.before_mlp.weight.fill_(3)
    torch.manual_seed(4)
    draw_block(made, depth=6)
    cut = truncnorm(-3, 3).std()
    for layer in (made.query, made.key_value, made.output, made.mlp[0], made.mlp[2]):
        deviation = 1 / np.sqrt(2 * layer.in_features * 6)
        assert float(layer.weight.detach().std()) == pytest.approx(cut * deviation, rel=0.03)
        assert float(layer.weight.detach().abs().max()) <= 3 * deviation
        assert not layer.bias.any()
    for layer in (made.before_attention, made.before_mlp):
        assert (layer.weight == 1).all()
        assert not layer.bias.any()


def test_normal_numbers_are_cut():
    torch.manual_seed(0)
    numbers = torch.empty(200_000)
    draw_normal(numbers, 0.1)
    assert float(numbers.abs().max()) == pytest.approx(0.3, abs=1e-3)
    assert float(numbers.std()) == pytest.approx(0.1 * truncnorm(-3, 3).std(), rel=0.01)
