import numpy as np
import torch
from torch import nn

from transtar.train.large.batch_statistics import JointBatchNorm, with_joint_statistics, with_plain_statistics

from .several import in_processes


def values(seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(2, 3, (8, 5)).astype(np.float32))


def layer(kind=nn.BatchNorm1d):
    norm = kind(5)
    with torch.no_grad():
        norm.weight.copy_(torch.linspace(0.5, 2, 5))
        norm.bias.copy_(torch.linspace(-1, 1, 5))
    return norm


def passed(norm, given, weights):
    """Output, gradients of input and weights, and running statistics, of a loss that is a sum over the rows."""
    given = given.clone().requires_grad_()
    output = norm(given)
    (output.sin() * weights).sum().backward()
    running = torch.stack([norm.running_mean, norm.running_var])
    return [t.detach().numpy() for t in (output, given.grad, norm.weight.grad, norm.bias.grad, running)]


def test_two_processes_have_the_statistics_of_both_batches(tmp_path):
    weights = values(seed=1)

    def work(rank):
        rows = slice(4 * rank, 4 * rank + 4)
        return passed(layer(JointBatchNorm), values()[rows], weights[rows])

    first, second = in_processes(2, work, tmp_path)
    alone = passed(layer(), values(), weights)
    for place in (0, 1):
        np.testing.assert_allclose(np.concatenate([first[place], second[place]]), alone[place], atol=2e-6)
    # Of the weights each process has the gradient of its own rows.
    for place in (2, 3):
        np.testing.assert_allclose(first[place] + second[place], alone[place], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(first[4], alone[4], rtol=1e-6)
    np.testing.assert_array_equal(first[4], second[4])


def test_alone_and_in_use_it_is_that_of_torch():
    for mode in (True, False):
        one, other = layer().train(mode), layer(JointBatchNorm).train(mode)
        for given, expected in zip(passed(other, values(), 1), passed(one, values(), 1), strict=True):
            np.testing.assert_array_equal(given, expected)


def test_statistics_can_be_changed_and_changed_back():
    network = nn.Sequential(nn.Linear(5, 5), layer(), nn.BatchNorm2d(3))
    weight = network[1].weight
    assert type(with_joint_statistics(network)[1]) is JointBatchNorm
    assert network[1].weight is weight
    assert type(network[2]) is nn.BatchNorm2d
    assert type(with_plain_statistics(network)[1]) is nn.BatchNorm1d
