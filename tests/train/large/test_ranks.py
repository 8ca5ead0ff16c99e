import numpy as np
import pytest
import torch
from torch import nn

from transtar.errors import InputError, SettingsError
from transtar.train.large.ranks import OtherProcessFailed, Ranks, from_first, gather_rows, joined_processes, together

from .several import in_processes


def test_alone(monkeypatch):
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    with joined_processes("cpu") as ranks:
        assert ranks == Ranks(0, 1)
        assert ranks.is_first
    rows = torch.ones(3, 2)
    assert gather_rows(rows) is rows
    assert from_first(lambda: 3) == 3
    assert together(lambda: 4) == 4


def test_half_an_environment_is_refused(monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    with pytest.raises(SettingsError, match=r"has RANK, but not .*MASTER_ADDR.*torchrun"), joined_processes("cpu"):
        pass


def test_several_processes_cannot_share_a_device():
    with pytest.raises(SettingsError, match="2 processes cannot share it"):
        Ranks(1, 2).device("cuda:0")


def contrast(layer, rows, others):
    """A loss of every row against all rows."""
    logits = layer(rows) @ layer(others).T
    return nn.functional.cross_entropy(logits, torch.arange(len(rows)), reduction="sum")


def test_gathered_rows_have_the_gradients_of_one_process(tmp_path):
    torch.manual_seed(0)
    layer, rows = nn.Linear(5, 3, dtype=torch.float64), torch.randn(8, 5, dtype=torch.float64)
    contrast(layer, rows, rows).backward()
    expected = layer.weight.grad.numpy().copy()

    def work(rank):
        layer.zero_grad()
        mine = layer(rows[4 * rank : 4 * rank + 4])
        everyone = gather_rows(mine)
        assert torch.equal(everyone, layer(rows))
        logits = mine @ everyone.T
        nn.functional.cross_entropy(logits, 4 * rank + torch.arange(4), reduction="sum").backward()
        return layer.weight.grad.numpy()

    np.testing.assert_allclose(sum(in_processes(2, work, tmp_path)), expected, rtol=1e-12)


def test_what_fails_in_one_process_fails_in_all(tmp_path):
    def fails():
        raise InputError("no such set")

    def work(rank):
        said = []
        for make in (lambda: from_first(fails), lambda: together(fails if rank else lambda: 1)):
            try:
                make()
            except (InputError, OtherProcessFailed) as error:
                said.append(f"{type(error).__name__}: {error}")
        return said

    own, other = "InputError: no such set", "OtherProcessFailed: no such set"
    assert in_processes(2, work, tmp_path) == [[own, other], [other, own]]
