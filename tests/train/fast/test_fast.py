"""The door to the steps by hand: what is known goes through, all else is left to autograd."""

import pytest
from torch import nn
from torch.nn.utils import prune

from transtar.networks import LoRASettings, MLPSettings, add_lora, build_mlp
from transtar.train.fast import accelerated, alike, stack
from transtar.train.fast.dense import DenseStep
from transtar.train.losses import squared
from transtar.train.steps import AutogradStep


def mlp(*hidden, **options):
    return build_mlp(6, 2, MLPSettings(hidden or (5, 4), **options))


class Doubled(nn.Sequential):
    """A chain of known layers with a forward pass of its own."""

    def forward(self, inputs):
        return 2 * super().forward(inputs)


def absolute(outputs, targets):
    return (outputs - targets).abs()


def test_chains_with_the_squared_loss_are_known():
    assert isinstance(accelerated(mlp(), squared), DenseStep)
    assert isinstance(accelerated(add_lora(mlp().requires_grad_(False), LoRASettings(2)), squared), DenseStep)
    last = mlp().requires_grad_(False)
    last[-1].requires_grad_(True)
    assert isinstance(accelerated(last, squared), DenseStep)


def test_whatever_else_trains_is_not():
    biases = mlp()
    for name, parameter in biases.named_parameters():
        parameter.requires_grad_(name.endswith("bias"))
    without = nn.Sequential(nn.Linear(6, 4, bias=False), nn.ReLU(), nn.Linear(4, 2))
    also_frozen = add_lora(mlp(), LoRASettings(2)).requires_grad_(True)
    others = (mlp(dropout=0.1), mlp(batch_norm=True), nn.Linear(6, 2), biases, without, also_frozen, Doubled(*mlp()))
    assert [accelerated(network, squared) for network in others] == [None] * 7
    assert accelerated(mlp(), absolute) is None


def test_only_what_is_known_is_stacked():
    one, other = (accelerated(mlp(), squared) for _ in range(2))
    assert alike(one) == alike(other) != alike(accelerated(mlp(3), squared))
    assert alike(AutogradStep(mlp())) is None
    assert len(stack([one, other]).parameters) == 2


def with_hook(network):
    network[0].register_forward_hook(lambda layer, inputs, output: 2 * output)
    return network


def with_masked_gradient(network):
    network[0].weight.register_hook(lambda gradient: 0 * gradient)
    return network


def with_a_layer_twice(network):
    network[2] = network[0] = nn.Linear(6, 6)
    return network


def with_a_weight_twice(network):
    network[2].weight = network[0].weight
    return network


def with_lora_that_shares_a_factor(network):
    network = add_lora(network.requires_grad_(False), LoRASettings(2))
    network[2].A = network[0].A
    return network


def with_another_forward(network):
    network.forward = lambda inputs: 2 * network[-1](network[:-1](inputs))
    return network


def with_pruned_weights(network):
    prune.l1_unstructured(network[0], "weight", 0.5)
    return network


CHANGES = [
    with_hook, with_masked_gradient, with_a_layer_twice, with_a_weight_twice, with_lora_that_shares_a_factor,
    with_another_forward, with_pruned_weights,
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_what_looks_like_a_chain_and_is_more_is_left_to_autograd(change):
    assert isinstance(accelerated(mlp(6, 6), squared), DenseStep)
    assert accelerated(change(mlp(6, 6)), squared) is None


def test_nothing_that_trains_is_nothing_to_accelerate():
    assert accelerated(mlp().requires_grad_(False), squared) is None
