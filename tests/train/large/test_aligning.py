import numpy as np
import pytest
import torch

from transtar.encoders.alignment import new_alignment
from transtar.errors import SettingsError
from transtar.networks.alignment_settings import VARIANTS
from transtar.train.large.aligning import TERMS, Aligning
from transtar.train.large.batch_statistics import JointBatchNorm
from transtar.train.large.given import hold_given

from ...encoders.aligned import SETTINGS, star_spectra, tiny_alignment, tiny_encoders
from ...encoders.examples import small_encoder
from .test_contrast import re_derived


def batch(n=6, seed=0):
    lrs, xp = star_spectra(n, seed)
    return {"lrs": torch.from_numpy(lrs), "xp": torch.from_numpy(3 * xp)}


def seeds(n=6):
    return torch.arange(n)


@pytest.mark.parametrize("variant", VARIANTS)
def test_terms_are_as_re_derived(variant):
    alignment = tiny_alignment(variant)
    objective = Aligning(alignment).eval()
    spectra = batch()
    with torch.no_grad():
        given = {name: float(term) for name, term in objective(spectra, seeds()).items()}
    assert set(given) == set(objective.weights) == set(TERMS if variant != "base" else TERMS[:1])
    lrs, xp = spectra["lrs"].numpy(), spectra["xp"].numpy()
    shared = [alignment.shared(flux, name) for name, flux in (("lrs", lrs), ("xp", xp))]
    assert given["contrast"] == pytest.approx(re_derived(*shared).sum(), rel=1e-4)
    if variant == "base":
        return
    xp_over = xp / xp[:, 107:108]
    standardised = (lrs - lrs.mean(axis=1, keepdims=True)) / lrs.std(axis=1, ddof=1, keepdims=True)
    expected = {
        "lrs_back": alignment.give_back(lrs, "lrs") - standardised,
        "xp_back": alignment.give_back(xp, "xp") - xp_over,
        "to_lrs": alignment.translate(xp, "xp", "lrs") - lrs,
        "to_xp": alignment.translate(lrs, "lrs", "xp") - xp_over,
    }
    assert set(given) == {"contrast", *expected}
    for name, error in expected.items():
        assert given[name] == pytest.approx(np.abs(error).mean(axis=1).sum(), rel=1e-4)


def test_the_encoders_stay_as_they_are():
    alignment = tiny_alignment()
    objective = Aligning(alignment).train()
    before = {name: weight.clone() for name, weight in objective.named_parameters()}
    assert not any(one.training for side in (objective.lrs, objective.xp) for one in side.backbone.modules())
    assert objective.lrs.heads[0].training
    optimiser = torch.optim.AdamW([weight for weight in objective.parameters() if weight.requires_grad], lr=0.01)
    sum(objective(batch(), seeds()).values()).backward()
    optimiser.step()
    frozen = {name for name in before if ".backbone." in name}
    assert len(frozen) > 10
    for name, weight in objective.named_parameters():
        assert torch.equal(weight, before[name]) == (name in frozen), name


def test_every_weight_of_heads_and_decoders_learns():
    # A weight without gradient would stop distributed training.
    for variant in VARIANTS:
        objective = Aligning(tiny_alignment(variant)).train()
        sum(objective(batch(), seeds()).values()).backward()
        assert all(weight.grad is not None for weight in objective.parameters() if weight.requires_grad)


def test_scalers_of_an_encoder_are_used():
    alignment = new_alignment(small_encoder(), tiny_encoders()[1], SETTINGS["base"])
    spectra = batch()
    with torch.no_grad():
        given = float(Aligning(alignment).eval()(spectra, seeds())["contrast"])
    shared = [alignment.shared(spectra[name].numpy(), name) for name in ("lrs", "xp")]
    assert given == pytest.approx(re_derived(*shared).sum(), rel=1e-4)


def test_spectra_that_cannot_be_learnt_from():
    objective = Aligning(tiny_alignment())
    lrs, xp = star_spectra(4)
    lrs[1] = 1
    xp[1, 107], xp[2, 107] = 0, -1
    assert objective.accepts("lrs", lrs).tolist() == [True, False, True, True]
    assert objective.accepts("xp", xp).tolist() == [True, False, False, True]


def test_choices():
    alignment = tiny_alignment("base")
    with pytest.raises(SettingsError, match="negatives must be one of all, process, not 'none'"):
        Aligning(alignment, negatives="none")
    with pytest.raises(SettingsError, match="no loss 'to_xp' in the variant 'base'; it has contrast"):
        Aligning(alignment, weights={"to_xp": 1})
    objective = Aligning(tiny_alignment(), weights={"to_xp": 0.5})
    assert objective.weights == {"contrast": 1, "lrs_back": 1, "xp_back": 1, "to_lrs": 1, "to_xp": 0.5}
    assert objective.describe()["weights"]["to_xp"] == 0.5
    assert objective.describe() != Aligning(tiny_alignment(), negatives="process").describe()
    joint = [type(module) is JointBatchNorm for module in objective.crossings.modules()]
    assert any(joint)
    assert not any(isinstance(one, JointBatchNorm) for one in Aligning(tiny_alignment(), "process").modules())


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
