import numpy as np
import pytest
import torch
from torch import nn

from transtar.errors import SettingsError
from transtar.networks.alignment_heads import AttentionHead, LatentHead, ResidualMLP, build_head_of
from transtar.networks.lora import LoRALinear
from transtar.networks.mlp import count_weights


def random_head(kind="attention", seed=0, **changes):
    torch.manual_seed(seed)
    if kind == "attention":
        return AttentionHead(**({"tokens_width": 6, "width": 8, "heads": 2} | changes)).eval()
    return LatentHead(**({"latent_width": 6, "width": 8, "block": 10} | changes)).eval()


def draw(*shape, seed=1):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape).astype(np.float32))


def test_weights_at_the_papers_size():
    assert count_weights(AttentionHead(768, 768, 4, device="meta")) == 7_087_104
    assert count_weights(LatentHead(768, 768, 1160, device="meta")) == 7_100_568


def test_attention_is_that_of_torch():
    head = random_head()
    other = nn.MultiheadAttention(8, 2, kdim=6, vdim=6, batch_first=True)
    with torch.no_grad():
        # Offsets too, which start at zero.
        for layer in (head.to_query, head.to_key, head.to_value, head.to_output):
            layer.bias.normal_()
        other.q_proj_weight.copy_(head.to_query.weight)
        other.k_proj_weight.copy_(head.to_key.weight)
        other.v_proj_weight.copy_(head.to_value.weight)
        other.in_proj_bias.copy_(torch.cat([head.to_query.bias, head.to_key.bias, head.to_value.bias]))
        other.out_proj.load_state_dict(head.to_output.state_dict())
        tokens = draw(5, 7, 6)
        expected = other(head.query.expand(5, 1, 8), tokens, tokens)[0][:, 0]
        np.testing.assert_allclose(head.attend(tokens), expected, atol=1e-6)
        assert float(expected.std()) > 0.1


def test_low_rank_updates_of_keys_and_values_count():
    head = random_head()
    tokens = draw(5, 7, 6)
    with torch.no_grad():
        nn.init.normal_(head.to_key.bias)
        before = head(tokens)
        for name in ("to_query", "to_key", "to_value", "to_output"):
            adapted = LoRALinear(getattr(head, name), 2, 4.0)
            setattr(head, name, adapted)
        np.testing.assert_allclose(head(tokens), before, atol=1e-5)
        for name in ("to_query", "to_key", "to_value", "to_output"):
            nn.init.normal_(getattr(head, name).B)
        updated = head(tokens)
        for name in ("to_query", "to_key", "to_value", "to_output"):
            setattr(head, name, getattr(head, name).merge())
        np.testing.assert_allclose(updated, head(tokens), atol=1e-4)
    assert not np.allclose(updated, before, atol=0.01)


def layer_norm(x, norm):
    centred = x - x.mean(-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
    return scaled * norm.weight.detach().numpy() + norm.bias.detach().numpy()


def linear(x, layer):
    return x @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()


def gelu(x):
    from scipy.special import erf

    return x * (1 + erf(x / np.sqrt(2))) / 2


def residual(x, mlp):
    return x + linear(gelu(linear(x, mlp.layers[0])), mlp.layers[3])


def test_what_stands_around_the_attention():
    head = random_head()
    nn.init.normal_(head.norm.weight)
    tokens = draw(5, 7, 6)
    with torch.no_grad():
        expected = residual(layer_norm(head.attend(tokens).numpy(), head.norm), head.mlp)
        np.testing.assert_allclose(head(tokens), expected, atol=1e-5)


def test_the_head_of_one_vector():
    head = random_head("latent")
    latent = draw(5, 6)
    inside = gelu(layer_norm(linear(linear(latent.numpy(), head.first), head.block[0]), head.block[1]))
    expected = residual(layer_norm(linear(inside, head.block[3]), head.block[4]), head.mlp)
    with torch.no_grad():
        np.testing.assert_allclose(head(latent), expected, atol=1e-5)


@pytest.mark.parametrize(("kind", "shape"), [("attention", (7, 6)), ("latent", (6,))])
def test_rows_are_alone_and_one_keeps_its_shape(kind, shape):
    head = random_head(kind)
    given = draw(4, *shape)
    with torch.no_grad():
        together = head(given)
        assert head(given[:1]).shape == (1, 8)
        np.testing.assert_allclose(head(given[2:3])[0], together[2], atol=1e-6)


def test_every_weight_has_a_gradient():
    # What a step of distributed training insists on, even of the offset of the keys, which changes nothing.
    for kind, given in (("attention", draw(4, 7, 6)), ("latent", draw(4, 6))):
        head = random_head(kind)
        head(given).pow(2).sum().backward()
        assert all(weight.grad is not None for weight in head.parameters())


def test_dropout_is_where_it_belongs():
    head = random_head(dropout=0.5)
    assert [module.p for module in head.modules() if isinstance(module, nn.Dropout)] == [0.5] * 3
    assert len([module for module in ResidualMLP(3, 0.1).modules() if isinstance(module, nn.Dropout)]) == 2
    tokens = draw(4, 7, 6)
    assert torch.equal(head(tokens), head(tokens))
    assert not torch.equal(head.train()(tokens), head(tokens))


@pytest.mark.parametrize("kind", ["attention", "latent"])
def test_a_head_is_built_again_of_its_settings(kind):
    head = random_head(kind)
    again = build_head_of(head.settings(), 6)
    again.load_state_dict(head.state_dict())
    assert again.settings() == head.settings()
    assert str(again) == str(head)


@pytest.mark.parametrize(
    "settings",
    [
        None,
        [],
        {"kind": "other"},
        {"kind": "attention", "width": 8, "heads": 3, "dropout": 0.1},
        {"kind": "attention", "width": 8, "heads": 0, "dropout": 0.1},
        {"kind": "attention", "width": 10**7, "heads": 1, "dropout": 0.1},
        {"kind": "attention", "width": 8, "heads": 2, "dropout": 1},
        {"kind": "attention", "width": 8, "heads": 2, "dropout": 0.1, "more": 1},
        {"kind": "attention", "width": True, "heads": 1, "dropout": 0.1},
        {"kind": "latent", "width": 8, "block": 10**9, "dropout": 0.1},
        {"kind": "latent", "width": 8, "block": 10, "dropout": float("nan")},
    ],
)
def test_settings_of_no_head_are_refused(settings):
    with pytest.raises(SettingsError):
        build_head_of(settings, 6)
