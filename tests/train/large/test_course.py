"""Dropout, terms of a loss, frozen weights and buffers; whatever else a course does is seen in test_engine."""

import numpy as np
import pytest
import torch
from torch import nn

from transtar.train.large import Objective, SetStream, open_source, train_large

from .large_sets import quick, write_set
from .several import in_processes
from .test_engine import Dies, dies, stop_at, told


class TwoTerms(Objective):
    """Two losses of a network with dropout, batch normalisation and a frozen layer."""

    weights = {"size": 1.0, "shape": 0.5}  # noqa: RUF012

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.frozen = nn.Linear(1462, 8).requires_grad_(False)
        self.layers = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Linear(8, 2))

    def forward(self, batch, row_seeds):
        given = self.layers(self.frozen(batch["flux"]))
        return {"size": (given[:, 0] - 1).square().sum(), "shape": given[:, 1].abs().sum()}

    def counts(self, batch, row_seeds):
        return {"size": len(row_seeds), "shape": 2 * len(row_seeds)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("course") / "set"
    write_set(folder)
    return folder


def train(folder, settings, out=None, one=None, **more):
    one = one or TwoTerms()
    return one, train_large(one, SetStream(open_source([folder]), settings), settings, out, **more)


def test_every_term_is_noted_and_the_loss_is_their_weighted_sum(folder):
    _, history = train(folder, quick())
    for row in history.rows[1:]:
        for kind in ("train", "validation"):
            expected = row[f"{kind}_size"] + 0.5 * row[f"{kind}_shape"]
            assert row[f"{kind}_loss"] == pytest.approx(expected, rel=1e-12)
    assert history.losses()[-1] < history.losses()[1]


def test_frozen_weights_stay_and_dropout_goes_on_as_if_uninterrupted(folder, tmp_path):
    settings = quick(checkpoint_steps=3)
    whole, history = train(folder, settings)
    assert torch.equal(whole.frozen.weight, TwoTerms().frozen.weight)
    with pytest.raises(Dies):
        train(folder, settings, tmp_path / "run", progress=stop_at(5, dies))
    again, resumed = train(folder, settings, tmp_path / "run")
    assert told(resumed) == told(history)
    for tensor, same in zip(whole.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(tensor, same)


def test_the_state_of_torchs_generator_is_the_callers(folder):
    one = TwoTerms()
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    train(folder, quick(steps=1, epochs=None), one=one)
    assert torch.equal(torch.rand(1), expected)


def test_running_means_are_those_of_the_first_process(folder, tmp_path):
    def work(rank):
        one, history = train(folder, quick())
        return told(history), one.layers[1].running_mean.numpy()

    (first, mean), (second, same) = in_processes(2, work, tmp_path)
    assert first == second
    np.testing.assert_array_equal(mean, same)
