from dataclasses import replace

import numpy as np
import pytest

from transtar.datasets import Stars
from transtar.errors import InputError
from transtar.networks import MLPSettings
from transtar.preprocess import GridSpectra
from transtar.train import Auto, TrainSettings, finetune, make_strategy, pretrain
from transtar.trust.cross_conformal import with_errors, with_validation_errors

N_PIXELS = 12


def made_stars(n=120, seed=0, scatter=0.1, **changes) -> Stars:
    """[Fe/H] is a sum of pixels, and has noise of its own; four stars in five are metal-rich."""
    rng = np.random.default_rng(seed)
    inputs = rng.normal(1, 0.1, (n, N_PIXELS)).astype(np.float32)
    feh = 2 * (inputs - 1).sum(axis=1) - 0.6 + scatter * rng.normal(size=n)
    return Stars(inputs, feh, "feh", survey="miles", **changes)


@pytest.fixture(scope="module")
def base():
    settings = TrainSettings(epochs=60, learning_rate=3e-3, batch_size=16, validation_fraction=0.2)
    stars = made_stars(400, seed=9)
    return pretrain(stars, settings=settings, mlp=MLPSettings((8,))), stars


@pytest.mark.parametrize("name", ["recalibrate", "full"])
def test_errors_of_a_fine_tuned_model(name, base):
    """Most of them are those of the labels, and new stars are within; the model itself stays what it was."""
    model, _ = base
    few = made_stars(scatter=0.2)
    strategy = make_strategy(name, **({"epochs": 5, "augmentation": None} if name == "full" else {}))
    adapted = finetune(model, few, strategy=strategy)
    assert adapted.error_tables == {}
    judged = finetune(model, few, strategy=strategy, errors=with_errors)
    table = judged.error_tables["feh"]
    assert (table.n, table.told_by, [label for label, _ in table.axes]) == (120, "model", ["feh"])
    assert table.stars == f"miles, each judged by {name} without it"
    new = made_stars(4000, seed=5, scatter=0.2)
    predicted = judged.predict(new.inputs)[:, 0].astype(float)
    halves, _ = table.intervals(np.zeros(4000), {"feh": predicted}, np.full(4000, np.nan))
    within = (np.abs(new.labels - predicted[:, None]) <= halves).mean(axis=0)
    np.testing.assert_allclose(within, [0.68, 0.95], atol=0.09)
    assert 0.15 < halves[:, 0].mean() < 0.35
    np.testing.assert_array_equal(judged.predict(new.inputs), adapted.predict(new.inputs))
    # With the noise of the labels taken out little is left.
    clean = with_errors(adapted, model, few, strategy, label_noise={"feh": (0.19, 0.37)}).error_tables["feh"]
    assert clean.label_noise == (0.19, 0.37)
    assert np.mean([cell.q68 * cell.systematic for cell in clean.cells]) < 0.6 * halves[:, 0].mean()


def test_no_fold_is_judged_by_a_model_that_has_seen_it(base, monkeypatch):
    from transtar.trust import cross_conformal

    model, _ = base
    few, seen = made_stars(60), []

    def fleet(members, progress=None):
        seen.extend(set(member.stars.names.tolist()) for member in members)
        return [model] * len(members)

    monkeypatch.setattr(cross_conformal, "finetune_fleet", fleet)
    with_errors(model, model, few, make_strategy("full"), n_folds=4)
    left_out = [set(few.names.tolist()) - names for names in seen]
    assert len(seen) == 4
    assert set.union(*left_out) == set(few.names.tolist())
    assert sum(map(len, left_out)) == 60


def test_of_auto_the_chosen_strategy_is_judged(base):
    model, _ = base
    few = made_stars(40)
    candidates = Auto(n_folds=2)
    adapted = finetune(model, few, strategy=candidates)
    (row,) = (one for one in adapted.provenance[-1]["choice"]["table"] if one["chosen"])
    table = with_errors(adapted, model, few, candidates).error_tables["feh"]
    assert table.stars == f"miles, each judged by {row['strategy']} without it"


def test_noise_of_the_spectra_is_taken_into_account(base):
    """Stars with errors: what their noise explains is not in the systematic part."""
    model, _ = base
    few = made_stars(scatter=0.0)
    noise = 0.05 * np.random.default_rng(1).normal(size=few.inputs.shape).astype(np.float32)
    flux, ones = few.inputs + noise, np.ones(120, np.float32)
    spectra = GridSpectra(
        flux, np.full(flux.shape, 400, np.float32), ones, 20 * ones, np.zeros(120, np.int32), correlation=0 * ones
    )
    noisy = Stars(flux, few.labels, "feh", survey="miles", spectra=spectra)
    strategy = make_strategy("recalibrate")
    adapted = finetune(model, noisy, strategy=strategy)
    known = with_errors(adapted, model, noisy, strategy).error_tables["feh"]
    unknown = with_errors(adapted, model, replace(noisy, spectra=None), strategy).error_tables["feh"]
    assert known.cells[0].systematic < 0.7 * unknown.cells[0].systematic
    assert noisy.select(np.arange(7)).spectra.snr.shape == (7,)


def test_validation_stars_judge_a_pretrained_model(base, caplog):
    model, stars = base
    table = with_validation_errors(model, stars).error_tables["feh"]
    assert (table.n, table.stars) == (80, "miles, held out for validation")
    assert 0.05 < np.mean([cell.q68 * cell.systematic for cell in table.cells]) < 0.2
    few = pretrain(
        made_stars(30),
        settings=TrainSettings(epochs=3, learning_rate=1e-3, validation_fraction=0.1),
        mlp=MLPSettings((4,)),
    )
    assert with_validation_errors(few, made_stars(30)).error_tables == {}
    assert "no errors star by star: 3 stars were held out, 10 at least are needed" in caplog.text


def test_noise_of_a_label_that_the_stars_do_not_have_is_refused(base):
    model, _ = base
    with pytest.raises(InputError, match="errors: noise is given of teff, the stars have feh"):
        with_errors(model, model, made_stars(), make_strategy("recalibrate"), label_noise={"teff": (50, 98)})


def test_too_few_stars_are_told(base, caplog):
    model, _ = base
    few = made_stars(9)
    strategy = make_strategy("recalibrate")
    assert with_errors(model, model, few, strategy).error_tables == {}
    assert "no errors star by star: 9 stars are too few, 10 at least are needed" in caplog.text
