import numpy as np
import pytest
import torch

from transtar.encoders.alignment import new_alignment
from transtar.errors import SettingsError
from transtar.networks.alignment_settings import VARIANTS
from transtar.train.large.aligning import TERMS, Aligning
from transtar.train.large.batch_statistics import JointBatchNorm
from transtar.train.large.run_folder import differences

from ...encoders.aligned import SETTINGS, star_spectra, tiny_alignment, tiny_encoders
from ...encoders.examples import small_encoder
from .several import in_processes
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


def test_visits_of_one_star_are_not_told_from_each_other(tmp_path):
    alignment, stars = tiny_alignment("base"), np.array([0, 1, 2, 0, 1, 0])
    spectra = batch() | {"star": torch.from_numpy(stars)}
    shared = [alignment.shared(spectra[name].numpy(), name) for name in ("lrs", "xp")]
    expected = {"all": re_derived(*shared, stars=stars).sum(), "process": re_derived(*shared).sum()}
    assert expected["all"] != pytest.approx(expected["process"], rel=0.01)
    for negatives, loss in expected.items():
        with torch.no_grad():
            given = float(Aligning(alignment, negatives).eval()(spectra, seeds())["contrast"])
        assert given == pytest.approx(loss, rel=1e-4)

    def half(rank):
        rows = slice(3 * rank, 3 * rank + 3)
        with torch.no_grad():
            part = {name: array[rows] for name, array in spectra.items()}
            return float(Aligning(alignment).eval()(part, seeds()[rows])["contrast"])

    assert sum(in_processes(2, half, tmp_path)) == pytest.approx(expected["all"], rel=1e-4)


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
    other = Aligning(tiny_alignment())
    with torch.no_grad():
        other.xp.backbone.encode[0].bias += 1
    changed = differences(objective.describe(), other.describe())
    assert [line.split(" was ")[0] for line in changed if "weights" not in line] == ["encoders.xp"]
    joint = [type(module) is JointBatchNorm for module in objective.crossings.modules()]
    assert any(joint)
    assert not any(isinstance(one, JointBatchNorm) for one in Aligning(tiny_alignment(), "process").modules())


@pytest.mark.parametrize("variant", ["base", "pr"])
def test_half_precision_trains_as_well(variant):
    objective = Aligning(tiny_alignment(variant)).train()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        given = objective(batch(), seeds())
    sum(given.values()).backward()
    assert all(bool(torch.isfinite(one.grad).all()) for one in objective.parameters() if one.requires_grad)
    objective.eval()
    with torch.no_grad():
        expected = objective(batch(), seeds())
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rounded = objective(batch(), seeds())
    for name, term in expected.items():
        assert given[name].dtype == torch.float32
        assert float(rounded[name]) == pytest.approx(float(term), rel=0.05)


@pytest.mark.parametrize("variant", VARIANTS)
def test_decoders_begin_at_the_median(variant):
    objective, spectra = Aligning(tiny_alignment(variant)).eval(), batch(7)
    objective.begin_at_median(spectra)
    if variant == "base":
        return
    crossings, width = objective.crossings, objective.width
    xp = spectra["xp"].numpy() / spectra["xp"].numpy()[:, 107:108]
    for name, expected in (("xp", np.median(xp, axis=0)), ("lrs", np.median(spectra["lrs"].numpy(), axis=0))):
        np.testing.assert_allclose(crossings.across[name][-1].bias.detach(), expected, rtol=1e-5)
        given = crossings.cross(torch.zeros(2, width), name).detach().numpy()
        assert np.median(np.abs(given - expected)) < 0.5
    standardised = objective.targets(spectra)["lrs_back"].numpy()
    last = crossings.back["lrs"].joint[-1] if variant == "split" else crossings.back["lrs"][-1]
    np.testing.assert_allclose(last.bias.detach(), np.median(standardised, axis=0), rtol=1e-5, atol=1e-6)
