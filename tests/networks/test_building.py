import copy

import pytest
import torch
from torch import nn

from transtar.errors import InputError, SettingsError
from transtar.networks import (
    Affine,
    EncodedNetwork,
    EncoderPart,
    LoRALinear,
    LoRASettings,
    MLPSettings,
    ResidualNetwork,
    ResidualSettings,
    add_lora,
    build_head,
    build_mlp,
    build_network,
    count_weights,
    describe,
    merge_lora,
)


def test_the_paper_counts_of_weights():
    mlp = build_mlp(1462, 1)
    assert count_weights(mlp) == 2_055_809
    assert count_weights(add_lora(mlp), trainable_only=True) == 588_544
    assert count_weights(build_head(1462, 1)) == 562_177


def test_lora_gives_the_outputs_and_gradients_of_peft():
    peft = pytest.importorskip("peft")
    torch.manual_seed(0)
    mlp = build_mlp(30, 2, MLPSettings((20, 16, 12)))
    ours = add_lora(mlp, LoRASettings(rank=4, alpha=8))
    theirs = peft.get_peft_model(copy.deepcopy(mlp), peft.LoraConfig(r=4, lora_alpha=8, target_modules=["0", "2", "4"]))
    pairs = [(ours[index], getattr(theirs.base_model.model, str(index))) for index in (0, 2, 4)]
    for mine, other in pairs:
        nn.init.normal_(mine.B)
        with torch.no_grad():
            other.lora_A["default"].weight.copy_(mine.A)
            other.lora_B["default"].weight.copy_(mine.B)
    inputs, targets = torch.randn(9, 30), torch.randn(9, 2)
    torch.testing.assert_close(ours(inputs), theirs(inputs))
    nn.functional.mse_loss(ours(inputs), targets).backward()
    nn.functional.mse_loss(theirs(inputs), targets).backward()
    for mine, other in pairs:
        torch.testing.assert_close(mine.A.grad, other.lora_A["default"].weight.grad)
        torch.testing.assert_close(mine.B.grad, other.lora_B["default"].weight.grad)
    assert count_weights(ours, trainable_only=True) == sum(p.numel() for p in theirs.parameters() if p.requires_grad)


def test_lora_starts_at_the_frozen_network():
    mlp = build_mlp(30, 1, MLPSettings((20,)))
    inputs = torch.randn(5, 30)
    assert torch.equal(add_lora(mlp, LoRASettings(4))(inputs), mlp(inputs))
    first = add_lora(mlp, LoRASettings(4))[0]
    assert first.A.std() > 0
    assert not first.B.any()


@pytest.mark.parametrize("output_layer", [False, True])
def test_merging_lora_is_exact(output_layer):
    mlp = build_mlp(40, 2, MLPSettings((32, 16))).double()
    wrapped = add_lora(mlp, LoRASettings(8, 16, output_layer)).double()
    for layer in wrapped:
        if isinstance(layer, LoRALinear):
            nn.init.normal_(layer.B)
    merged = merge_lora(wrapped)
    assert describe(merged) == describe(mlp)
    inputs = torch.randn(10, 40, dtype=torch.float64)
    torch.testing.assert_close(merged(inputs), wrapped(inputs), rtol=1e-12, atol=1e-12)
    assert torch.equal(mlp[-1].weight, merged[-1].weight) != output_layer


def test_lora_needs_a_layer():
    with pytest.raises(SettingsError, match="no hidden layer"):
        add_lora(nn.Sequential(nn.Linear(4, 1)))


@pytest.mark.parametrize(
    "network",
    [
        nn.Linear(12, 2),
        build_mlp(12, 2, MLPSettings((8, 4))),
        build_mlp(12, 2, MLPSettings((8,), dropout=0.2, batch_norm=True)),
        ResidualNetwork(
            ResidualNetwork(build_mlp(12, 2, MLPSettings((8,))), build_head(12, 2, ResidualSettings(5))),
            build_head(12, 2, ResidualSettings(3)),
        ),
    ],
    ids=["linear", "mlp", "options", "nested"],
)
def test_a_description_builds_the_network_again(network):
    again = build_network(describe(network), 12, 2)
    again.load_state_dict(network.state_dict())
    inputs = torch.randn(6, 12)
    assert torch.equal(again.eval()(inputs), network.eval()(inputs))


class _Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 1)


def test_a_description_that_means_nothing_is_refused():
    with pytest.raises(InputError, match="known kinds"):
        build_network({"kind": "transformer"}, 3, 1)
    with pytest.raises(SettingsError, match="unknown key depth"):
        build_network({"kind": "mlp", "hidden": [3], "depth": 2}, 3, 1)
    with pytest.raises(SettingsError, match="positive widths"):
        MLPSettings(hidden=())


def _encoded():
    encoder = build_mlp(12, 4, MLPSettings((5,)))
    part = EncoderPart(encoder, Affine(12), Affine(4))
    for scalers in (part.before, part.after):
        scalers.scale.normal_()
        scalers.shift.normal_()
    return EncodedNetwork([nn.Identity(), part], build_mlp(16, 2, MLPSettings((6,))))


def test_encoders_inside_are_described_and_built_again():
    network = _encoded()
    description = describe(network)
    assert description["parts"] == [None, {"encoder": {"kind": "mlp", "hidden": [5]}, "width": 4}]
    again = build_network(description, 12, 2)
    again.load_state_dict(network.state_dict())
    inputs = torch.randn(6, 12)
    assert torch.equal(again(inputs), network(inputs))
    part = network.parts[1]
    embedding = part.network(inputs * part.before.scale + part.before.shift) * part.after.scale + part.after.shift
    torch.testing.assert_close(network(inputs), network.head(torch.cat([inputs, embedding], dim=1)))


@pytest.mark.parametrize(
    "changes",
    [
        {"parts": []},
        {"parts": [None]},
        {"parts": "flux"},
        {"parts": [{"encoder": {"kind": "linear"}, "width": 0}]},
        {"parts": [{"encoder": {"kind": "linear"}, "width": 2, "depth": 3}]},
        {"parts": [None] * 17},
        {"parts": ["flux"]},
        {"head": {"kind": "transformer"}},
    ],
)
def test_an_impossible_description_with_encoders_is_refused(changes):
    with pytest.raises((InputError, SettingsError)):
        build_network(describe(_encoded()) | changes, 12, 2, device="meta")


@pytest.mark.parametrize(
    "network",
    [
        nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 1)),
        nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 1), nn.Sigmoid()),
        nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5, eps=0.5), nn.ReLU(), nn.Linear(5, 1)),
        nn.Sequential(nn.Linear(6, 5, bias=False), nn.ReLU(), nn.Linear(5, 1)),
        nn.Sequential(nn.Sequential(nn.Linear(6, 5), nn.ReLU()), nn.Linear(5, 1)),
        type("Doubled", (nn.Sequential,), {})(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 1)),
        nn.Sequential(nn.Flatten()),
        nn.Sequential(nn.Linear(6, 1)),
        nn.Linear(6, 1, bias=False),
        add_lora(build_mlp(6, 1, MLPSettings((8,)))),
        ResidualNetwork(_Own(), build_head(6, 1, ResidualSettings(4))),
        EncodedNetwork([EncoderPart(nn.Sequential(nn.Tanh()), Affine(6), Affine(6))], nn.Linear(6, 1)),
        _Own(),
    ],
    ids=[
        "tanh",
        "sigmoid",
        "eps",
        "bias",
        "nested",
        "subclass",
        "flatten",
        "one",
        "linear",
        "lora",
        "base",
        "encoder",
        "class",
    ],
)
def test_what_would_come_back_as_another_network_is_not_described(network):
    with pytest.raises(InputError, match=r"cannot be (stored|described)"):
        describe(network)


def test_a_relu_that_writes_over_its_input_is_one():
    assert describe(nn.Sequential(nn.Linear(6, 5), nn.ReLU(inplace=True), nn.Linear(5, 1))) == {
        "kind": "mlp",
        "hidden": [5],
    }


def test_another_activation():
    network = build_mlp(12, 2, MLPSettings((8, 4)), activation="gelu")
    description = describe(network)
    assert description == {"kind": "mlp", "hidden": [8, 4], "activation": "gelu"}
    again = build_network(description, 12, 2)
    again.load_state_dict(network.state_dict())
    inputs = torch.randn(5, 12)
    torch.testing.assert_close(again(inputs), network(inputs))
    with pytest.raises(SettingsError, match="activation must be one of relu, gelu, not 'tanh'"):
        build_network(description | {"activation": "tanh"}, 12, 2)
    network[1] = torch.nn.ReLU()
    with pytest.raises(InputError, match="cannot be stored"):
        describe(network)
