import copy

import numpy as np
import pytest
import torch
from torch import nn

from transtar.networks import LoRALinear, LoRASettings, MLPSettings, add_lora, build_head, build_mlp
from transtar.networks.residual import ResidualSettings
from transtar.train import TrainSettings, train
from transtar.train.fast.dense import DenseStep
from transtar.train.steps import AutogradStep

SETTINGS = TrainSettings(epochs=6, learning_rate=1e-3, batch_size=16)


def problem(n=75, n_inputs=20, n_labels=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(n, n_inputs, generator=generator)
    return inputs, torch.tanh(inputs[:, :n_labels] + inputs[:, n_labels : 2 * n_labels])


def networks(kind):
    """A network to train, and the frozen part whose output is added."""
    torch.manual_seed(1)
    base = build_mlp(20, 2, MLPSettings((12, 10, 8)))
    if kind == "full":
        return base, None
    if kind == "residual":
        return build_head(20, 2, ResidualSettings(9)), base.requires_grad_(False)
    wrapped = add_lora(base, LoRASettings(3, 6, output_layer=kind == "lora with output"))
    for layer in wrapped:
        if isinstance(layer, LoRALinear):
            nn.init.normal_(layer.B, std=0.1)
    return wrapped, None


KINDS = ("full", "residual", "lora", "lora with output")


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_by_hand_are_those_of_autograd(kind, weighted):
    network, offset = networks(kind)
    by_hand, by_torch = copy.deepcopy(network).double(), copy.deepcopy(network).double()
    offset = offset.double() if offset is not None else None
    inputs, targets = (t.double() for t in problem())
    weights = torch.rand(targets.shape, dtype=torch.float64) if weighted else None
    losses = []
    for step in (DenseStep(by_hand, offset), AutogradStep(by_torch, offset)):
        losses.append(step.step(step.prepare(inputs), targets, weights))
        outputs = step.outputs(step.prepare(inputs))
    torch.testing.assert_close(losses[0], losses[1], rtol=1e-12, atol=0)
    expected = by_torch(inputs) if offset is None else by_torch(inputs) + offset(inputs)
    torch.testing.assert_close(outputs, expected)
    for mine, other in zip(by_hand.parameters(), by_torch.parameters(), strict=True):
        assert mine.requires_grad == other.requires_grad
        if mine.requires_grad:
            torch.testing.assert_close(mine.grad, other.grad, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_computed_once_gives_the_trajectory_of_the_naive_loop(kind):
    network, offset = networks(kind)
    mine, naive = copy.deepcopy(network), copy.deepcopy(network)
    inputs, targets = problem()
    history = train(
        DenseStep(mine, offset), inputs[:60], targets[:60], SETTINGS, validation=(inputs[60:], targets[60:])
    )
    optimiser = torch.optim.AdamW([p for p in naive.parameters() if p.requires_grad], lr=1e-3, weight_decay=1e-4)
    order = torch.Generator().manual_seed(SETTINGS.seed)

    def forward(rows):
        return naive(rows) if offset is None else naive(rows) + offset(rows)

    losses = []
    for _ in range(SETTINGS.epochs):
        for rows in torch.randperm(60, generator=order).split(16):
            optimiser.zero_grad()
            nn.functional.mse_loss(forward(inputs[rows]), targets[rows]).backward()
            optimiser.step()
        with torch.no_grad():
            losses.append(float(nn.functional.mse_loss(forward(inputs[60:]), targets[60:])))
    np.testing.assert_allclose(history.validation_loss[1:], losses, rtol=2e-4)
    assert history.best_epoch == 1 + int(np.argmin(losses))
    if history.best_epoch == SETTINGS.epochs:
        for one, other in zip(mine.parameters(), naive.parameters(), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("kind", ["full", "lora"])
def test_one_seed_gives_one_result_bit_for_bit(kind):
    inputs, targets = problem()
    noisy = lambda generator: inputs + 0.1 * torch.randn(inputs.shape, generator=generator)  # noqa: E731
    weights = []
    for seed in (3, 3, 4):
        network, _ = networks(kind)
        settings = TrainSettings(epochs=3, learning_rate=1e-3, seed=seed)
        train(DenseStep(network), inputs, targets, settings, augment=noisy)
        weights.append(torch.cat([p.detach().flatten() for p in network.parameters()]))
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_a_linear_problem_is_solved():
    inputs, _ = problem(n=200)
    truth = torch.randn(20, 1)
    network = nn.Sequential(nn.Linear(20, 1))
    settings = TrainSettings(epochs=150, learning_rate=2e-2, weight_decay=0, schedule="cosine")
    history = train(DenseStep(network), inputs, inputs @ truth + 0.5, settings)
    assert history.kept == "last"
    assert np.isnan(history.validation_loss[-1])
    torch.testing.assert_close(network[0].weight.detach().T, truth, atol=1e-3, rtol=0)
    torch.testing.assert_close(float(network[0].bias.detach()), 0.5, atol=1e-3, rtol=0)


def test_missing_labels_take_no_part():
    inputs, targets = problem()
    missing = targets.clone()
    missing[::3, 0] = torch.nan
    missing[1, :] = torch.nan
    network, _ = networks("full")
    step = DenseStep(network)
    history = train(step, inputs, missing, TrainSettings(epochs=1, learning_rate=1e-9, batch_size=75))
    outputs = step.outputs(step.prepare(inputs))
    present = torch.isfinite(missing)
    assert history.train_loss[0] == pytest.approx(float((outputs - targets)[present].square().mean()), rel=1e-4)


def test_weights_are_relative_and_zero_leaves_a_star_out():
    inputs, targets = problem()
    results = []
    for stars, weights in ((slice(0, 40), None), (slice(None), 7.0 * (torch.arange(75) < 40))):
        network, _ = networks("full")
        # One batch per epoch, so that the order of the stars does not matter.
        settings = TrainSettings(epochs=5, learning_rate=1e-3, batch_size=100)
        train(DenseStep(network), inputs[stars], targets[stars], settings, star_weights=weights)
        results.append(torch.cat([p.detach().flatten() for p in network.parameters()]))
    torch.testing.assert_close(results[0], results[1], rtol=1e-3, atol=1e-5)


def test_the_best_epoch_is_kept_even_if_it_is_the_start():
    inputs, targets = problem()
    network, offset = networks("residual")
    step = DenseStep(network, offset)
    before = step.outputs(step.prepare(inputs)).clone()
    # Validation labels that the start predicts exactly: nothing can be better.
    settings = TrainSettings(epochs=3, learning_rate=1e-2)
    history = train(step, inputs, targets, settings, validation=(inputs, before))
    assert history.best_epoch == 0
    assert torch.equal(step.outputs(step.prepare(inputs)), before)


def test_patience_stops_early():
    inputs, targets = problem()
    network, offset = networks("residual")
    step = DenseStep(network, offset)
    start = step.outputs(step.prepare(inputs)).clone()
    settings = TrainSettings(epochs=50, learning_rate=1e-2, patience=4)
    assert len(train(step, inputs, targets, settings, validation=(inputs, start)).train_loss) == 4


def test_the_average_of_the_last_epochs():
    inputs, targets = problem()
    network, _ = networks("full")
    seen = []

    def record(epoch, epochs, train_loss, validation_loss):
        seen.append(torch.cat([p.detach().flatten().clone() for p in network.parameters()]))

    settings = TrainSettings(epochs=5, learning_rate=1e-3, average_last=3)
    history = train(DenseStep(network), inputs, targets, settings, progress=record)
    assert history.kept == "average"
    final = torch.cat([p.detach().flatten() for p in network.parameters()])
    torch.testing.assert_close(final, torch.stack(seen[2:]).mean(0))


def test_interruption_passes_through():
    inputs, targets = problem()

    def interrupt(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(DenseStep(networks("full")[0]), inputs, targets, SETTINGS, progress=interrupt)


def test_a_diverging_run_stops_and_keeps_the_start():
    inputs, targets = problem()
    network, _ = networks("full")
    before = [p.detach().clone() for p in network.parameters()]
    settings = TrainSettings(epochs=400, learning_rate=1e30)
    history = train(DenseStep(network), inputs, targets, settings, validation=(inputs, targets))
    assert len(history.train_loss) < 400
    assert history.best_epoch == 0
    assert all(torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))


def test_batch_norm_meets_no_batch_of_one():
    inputs, targets = problem(n=33)
    network = build_mlp(20, 2, MLPSettings((8,), batch_norm=True, dropout=0.1))
    settings = TrainSettings(epochs=2, learning_rate=1e-3, batch_size=32)
    history = train(AutogradStep(network), inputs, targets, settings, validation=(inputs, targets))
    assert np.isfinite(history.train_loss).all()
