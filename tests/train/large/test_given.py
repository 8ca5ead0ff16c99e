import numpy as np
import pytest
import torch

from transtar.train.large.aligning import Aligning
from transtar.train.large.given import hold_given

from ...encoders.aligned import tiny_alignment
from .test_aligning import batch, seeds


class Source:
    def __init__(self, flux):
        self.flux, self.n_grid, self.n_read = flux, flux.shape[1], 0

    def read(self, rows):
        self.n_read += len(rows)
        return self.flux[rows]


class Pairs:
    def __init__(self, n=6):
        self.sources = {name: Source(flux.numpy()) for name, flux in batch(n).items()}
        self.rows = {name: np.arange(n)[::-1] for name in self.sources}
        self.beside = {}


def test_what_encoders_make_can_be_held():
    objective, stream = Aligning(tiny_alignment()), Pairs()
    told = []
    assert hold_given(objective, stream, "cpu", progress=lambda *done: told.append(done))
    assert told[-1] == (12, 12)
    assert {name: tuple(held.shape) for name, held in stream.beside.items()} == {
        "lrs_given": (6, 15, 32), "xp_given": (6, 24),
    }  # fmt: skip
    spectra = {name: torch.from_numpy(source.flux[::-1].copy()) for name, source in stream.sources.items()}
    objective.eval()
    with torch.no_grad():
        anew, held = objective(spectra, seeds()), objective(spectra | stream.beside, seeds())
        # It is what counts, not the spectra beside it.
        other = objective(batch(seed=3) | stream.beside, seeds())
    for name, term in anew.items():
        assert float(held[name]) == pytest.approx(float(term), rel=1e-5)
    assert float(other["contrast"]) == pytest.approx(float(anew["contrast"]), rel=1e-5)


def test_it_is_not_held_where_there_is_no_room():
    objective, stream = Aligning(tiny_alignment()), Pairs()
    assert not hold_given(objective, stream, "cpu", most=6 * 4 * (15 * 32 + 24) - 1)
    assert not hold_given(objective, stream, "cuda")
    assert not stream.beside
    assert hold_given(objective, stream, "cpu", most=6 * 4 * (15 * 32 + 24))
