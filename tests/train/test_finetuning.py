from dataclasses import replace

import numpy as np
import pytest
import torch

from transtar.datasets import Stars
from transtar.errors import InputError, MismatchError, SettingsError, TranstarError
from transtar.models import Estimator
from transtar.networks import LoRASettings, MLPSettings, ResidualSettings
from transtar.networks.building import describe
from transtar.preprocess import Preprocessing
from transtar.train import (
    Augmentation,
    Full,
    LoRA,
    Recalibrate,
    Residual,
    Ridge,
    Scratch,
    TrainSettings,
    ZeroShot,
    choose,
    default_learning_rate,
    finetune,
    make_strategy,
    pretrain,
    strategy_names,
)

from .examples import MLP, N_PIXELS, stars

BOTH = ("feh", "teff")
# Explicit, so that these tests do not depend on defaults that are tuned elsewhere.
PLAIN = {"schedule": "constant", "augmentation": None, "average_last": 0, "input_scale": "pixel"}
FAST = {"epochs": 15, "learning_rate": 3e-3, **PLAIN}
ALL = [
    ZeroShot(),
    Residual(head=ResidualSettings(12), **FAST),
    LoRA(adapter=LoRASettings(4, 8), **FAST),
    Full(**FAST),
    Scratch(mlp=MLP, **FAST | {"epochs": 60}),
    Recalibrate(),
    Ridge(),
]


def names(strategy):
    return strategy.name


@pytest.fixture(scope="module")
def base():
    flux, labels = stars(300, seed=1, n_labels=2)
    settings = TrainSettings(**FAST | {"epochs": 40})
    known = Stars(flux, labels, BOTH, survey="lamost", ids=np.arange(300), preprocessing=Preprocessing())
    return pretrain(known, settings=settings, mlp=MLP)


def given(n=80, seed=2):
    inputs, labels = stars(n, seed=seed, survey=1, n_labels=2)
    return {"inputs": inputs, "labels": labels, "label_names": BOTH, "survey": "miles", "ids": np.arange(n) + 2**62}


def target(n=80, seed=2):
    return Stars(**given(n, seed))


def score(model, seed=7):
    flux, labels = stars(200, seed=seed, survey=1, n_labels=2)
    return float(np.mean(((model.predict(flux) - labels) / labels.std(axis=0)) ** 2))


def test_pretraining_learns_and_remembers(base):
    flux, labels = stars(200, seed=5, n_labels=2)
    assert np.mean(((base.predict(flux) - labels) / labels.std(axis=0)) ** 2) < 0.05
    assert base.surveys == ("lamost",)
    (step,) = base.provenance
    assert (step["n_train"], step["n_validation"]) == (270, 30)
    assert sorted(base.trained_on["id"].tolist()) == list(range(300))
    assert (base.trained_on["role"] == "validation").sum() == 30
    assert base.domain_distance(flux).max() < base.domain_limit


@pytest.mark.parametrize("strategy", ALL[1:], ids=names)
def test_every_strategy_beats_leaving_the_model_alone(base, strategy):
    before = {name: value.clone() for name, value in base.network.state_dict().items()}
    adapted = finetune(base, target(), strategy=strategy)
    assert score(adapted) < score(base)
    # The model given is left as it is.
    assert all(torch.equal(value, before[name]) for name, value in base.network.state_dict().items())
    assert adapted.provenance[-1]["strategy"] == strategy.name
    assert adapted.preprocessing == base.preprocessing
    own = isinstance(strategy, Scratch | Ridge)
    assert len(adapted.trained_on["id"]) == (80 if own else 380)
    assert adapted.surveys == (("miles",) if own else ("lamost", "miles"))
    assert np.array_equal(adapted.input_mean, base.input_mean) != own
    taught = set(adapted.trained_on["id"][adapted.trained_on["role"] == "train"].tolist())
    labels = target().labels[[star in taught for star in target().ids.tolist()]]
    expected = labels.max(axis=0) if own else np.maximum(labels.max(axis=0), base.label_max)
    np.testing.assert_array_equal(adapted.label_max, expected)


@pytest.mark.parametrize("strategy", ALL, ids=names)
def test_adapted_models_are_stored_and_come_back(base, strategy, tmp_path):
    adapted = finetune(base, target(), strategy=strategy)
    adapted.save(tmp_path / "m")
    loaded = Estimator.load(tmp_path / "m")
    flux = target(seed=9).inputs
    np.testing.assert_array_equal(loaded.predict(flux), adapted.predict(flux))
    assert loaded.provenance == adapted.provenance


def test_frozen_weights_stay_bit_identical(base):
    adapted = finetune(base, target(), strategy=Residual(head=ResidualSettings(5), **FAST))
    for name, value in base.network.state_dict().items():
        assert torch.equal(adapted.network.base.state_dict()[name], value)
    adapted = finetune(base, target(), strategy=LoRA(adapter=LoRASettings(4, 8), **FAST))
    for index, changed in ((0, True), (2, True), (4, True), (6, False)):
        assert torch.equal(adapted.network[index].weight, base.network[index].weight) != changed
        assert torch.equal(adapted.network[index].bias, base.network[index].bias)


def test_lora_factors_are_kept_until_the_next_step(base, tmp_path):
    lora = finetune(base, target(), strategy=LoRA(adapter=LoRASettings(4, 8), **FAST))
    assert sorted(lora.adapter) == ["0.A", "0.B", "2.A", "2.B", "4.A", "4.B", "scale"]
    for place in (0, 2, 4):
        # Trained, not the factors that training started from: B was zero.
        update = 2.0 * lora.adapter[f"{place}.B"] @ lora.adapter[f"{place}.A"]
        change = (lora.network[place].weight - base.network[place].weight).detach().numpy()
        assert np.abs(update).max() > 1e-3
        np.testing.assert_allclose(change, update, atol=1e-6)
    lora.save(tmp_path / "m")
    assert np.array_equal(Estimator.load(tmp_path / "m").adapter["2.B"], lora.adapter["2.B"])
    short = FAST | {"epochs": 1}
    again = finetune(lora, target(seed=3), strategy=LoRA(adapter=LoRASettings(2, 8), **short))
    assert again.adapter["0.A"].shape == (2, N_PIXELS)
    assert again.adapter["scale"] == 4.0
    for other in (Residual(head=ResidualSettings(5), **short), Full(**short), Recalibrate()):
        assert finetune(lora, target(seed=3), strategy=other).adapter is None
    assert finetune(lora, target(seed=3), strategy=ZeroShot()).adapter is lora.adapter


def test_adaptations_chain(base, tmp_path):
    model = finetune(base, target(), strategy=LoRA(adapter=LoRASettings(4, 8), **FAST))
    model = finetune(model, target(seed=3), strategy=Residual(head=ResidualSettings(5), **FAST))
    model = finetune(model, target(seed=4), strategy=Residual(head=ResidualSettings(6), **FAST))
    head = model.network.head
    model = finetune(model, target(seed=5), strategy=LoRA(adapter=LoRASettings(4, 8), **FAST))
    assert all(torch.equal(a, b) for a, b in zip(head.parameters(), model.network.head.parameters(), strict=True))
    model = finetune(model, target(seed=6), strategy=Full(**FAST))
    model = finetune(model, target(seed=6), strategy=Recalibrate(term="teff"))
    assert describe(model.network) == {
        "kind": "residual",
        "hidden": 6,
        "base": {"kind": "residual", "hidden": 5, "base": {"kind": "mlp", "hidden": [24, 16, 8]}},
    }
    steps = [step["strategy"] for step in model.provenance]
    assert steps == ["mlp", "lora", "residual", "residual", "lora", "full", "recalibrate"]
    assert len(model.trained_on["id"]) == 300 + 6 * 80
    model.save(tmp_path / "m")
    np.testing.assert_array_equal(
        Estimator.load(tmp_path / "m").predict(target().inputs), model.predict(target().inputs)
    )


def test_recalibration_is_merged_into_the_network(base):
    stars_ = target()
    adapted = finetune(base, stars_, strategy=Recalibrate())
    assert describe(adapted.network) == describe(base.network)
    old, new = base.predict(stars_.inputs), adapted.predict(stars_.inputs)
    for index in range(2):
        line = np.polynomial.Polynomial.fit(old[:, index].astype(float), stars_.labels[:, index], 1)
        np.testing.assert_allclose(new[:, index], line(old[:, index]), rtol=2e-4, atol=2e-4)


def test_a_linear_model_can_be_adapted(base):
    linear = finetune(base, target(), strategy=Ridge())
    full = finetune(linear, target(seed=3), strategy=Full(epochs=2))
    assert describe(full.network) == {"kind": "linear"}
    with pytest.raises(SettingsError, match="no hidden layer"):
        finetune(linear, target(), strategy=LoRA())


@pytest.mark.parametrize("options", [{"dropout": 0.1}, {"batch_norm": True}])
def test_options_of_the_network_train_by_autograd(options):
    known = Stars(*stars(100), ("feh",))
    flux, settings = known.inputs, TrainSettings(**FAST)
    models = [pretrain(known, settings=settings, mlp=replace(MLP, **options)) for _ in range(2)]
    np.testing.assert_array_equal(models[0].predict(flux), models[1].predict(flux))
    assert describe(models[0].network) == {"kind": "mlp", "hidden": [24, 16, 8]} | options
    for strategy in (LoRA(adapter=LoRASettings(2), **FAST), Full(**FAST), Residual(**FAST)):
        assert np.isfinite(finetune(models[0], known, strategy=strategy).predict(flux)).all()


@pytest.mark.parametrize(
    "strategy", [Full(epochs=3), LoRA(epochs=3, adapter=LoRASettings(4)), Scratch(epochs=3, mlp=MLP)]
)
def test_a_seed_decides_everything(base, strategy):
    state = torch.random.get_rng_state()
    flux = target().inputs
    augmented = replace(strategy, augmentation=Augmentation(noise=(20, 50)))
    a, b, c = (finetune(base, target(), strategy=augmented, seed=seed).predict(flux) for seed in (1, 1, 2))
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_unusable_rows_are_left_out_and_counted(base):
    known = given()
    known["inputs"][3, 5] = np.nan
    known["labels"][4] = np.nan
    known["labels"][6, 1] = np.nan
    adapted = finetune(base, Stars(**known), strategy=Full(epochs=1))
    step = adapted.provenance[-1]
    assert (step["n_left_out"], step["n_train"] + step["n_validation"]) == (2, 78)
    assert not set(known["ids"][[3, 4]]) & set(adapted.trained_on["id"].tolist())


def test_repeat_visits_stay_together(base):
    known = given()
    names_ = np.repeat([f"s{i}" for i in range(20)], 4)
    adapted = finetune(base, Stars(**known, names=names_), strategy=Full(epochs=1, validation_fraction=0.1))
    seen = adapted.trained_on
    roles = {
        role: set(seen["star"][(seen["role"] == role) & (seen["survey"] == "miles")])
        for role in ("train", "validation")
    }
    assert len(roles["validation"]) == 2
    assert not roles["train"] & roles["validation"]


def test_a_set_of_several_surveys(base):
    known = given() | {"survey": np.repeat(["miles", "desi"], 40)}
    adapted = finetune(base, Stars(**known), strategy=Recalibrate())
    assert set(adapted.surveys) == {"lamost", "miles", "desi"}
    assert (adapted.trained_on["survey"] == "desi").sum() == 40


def test_weights_for_the_poor(base):
    known = given(200)
    # Labels of poor stars shifted against the rest: the weight decides whom the one offset serves.
    poor = known["labels"][:, 0] < -1
    plain_fit = finetune(base, Stars(**known), strategy=Full(**FAST))
    weighted = finetune(base, Stars(**known), strategy=Full(**FAST, poor_weight=20))

    def error(model):
        return np.mean((model.predict(known["inputs"])[poor, 0] - known["labels"][poor, 0]) ** 2)

    assert error(weighted) != error(plain_fit)
    assert weighted.provenance[-1]["settings"]["poor_weight"] == 20
    flux, labels = stars(50, n_labels=2)
    teff = Stars(flux, labels[:, 1], ("teff",))
    only_teff = pretrain(teff, settings=TrainSettings(**FAST), mlp=MLP)
    with pytest.raises(SettingsError, match="poor_weight"):
        finetune(only_teff, teff, strategy=Full(**FAST, poor_weight=3))
    finetune(only_teff, replace(teff, feh=labels[:, 0]), strategy=Full(**FAST, poor_weight=3))


def test_settings_by_name():
    assert set(strategy_names()) == {"zero-shot", "residual", "lora", "full", "scratch", "recalibrate", "ridge", "auto"}
    made = make_strategy("lora", epochs=7, adapter={"rank": 16}, augmentation={"noise": [10, 50]})
    assert made == LoRA(epochs=7, adapter=LoRASettings(rank=16), augmentation=Augmentation(noise=(10, 50)))
    assert make_strategy("scratch", mlp={"hidden": [8]}).mlp == MLPSettings((8,))
    with pytest.raises(SettingsError, match=r"unknown key rank; known keys: .*adapter"):
        make_strategy("lora", rank=3)
    with pytest.raises(SettingsError, match="known keys: auto, full, lora"):
        make_strategy("magic")
    with pytest.raises(SettingsError, match="epochs must be"):
        make_strategy("full", epochs=0)
    with pytest.raises(SettingsError, match="lora"):
        make_strategy("lora", learning_rate="fast")


def test_the_learning_rate_is_the_papers_at_the_papers_size():
    assert default_learning_rate(90_106) == pytest.approx(1e-5)
    assert default_learning_rate(833) == pytest.approx(1.04e-4, rel=0.01)
    assert default_learning_rate(10**7) == 1e-5
    assert default_learning_rate(1) == 1e-3


def test_bad_input_is_refused(base):
    known = given()
    flux, labels = known["inputs"], known["labels"]
    short = Stars(flux[:, :5], labels, BOTH)
    with pytest.raises(InputError, match=rf"needs {N_PIXELS} inputs per star \(of 'flux'\), got 5"):
        finetune(base, short, strategy=Full())
    with pytest.raises(InputError, match="predicts feh, teff, the stars have the labels feh"):
        finetune(base, Stars(flux, labels[:, :1], "feh"), strategy=Full())
    with pytest.raises(InputError, match="takes the input 'flux', the stars are known by 'embedding'"):
        finetune(base, Stars(flux, labels, BOTH, input="embedding"), strategy=Full())
    with pytest.raises(MismatchError, match="frame is rest against observed"):
        finetune(base, Stars(**known, preprocessing=Preprocessing(frame="observed")), strategy=Full())
    with pytest.raises(InputError, match="1 star"):
        finetune(base, Stars(flux[:1], labels[:1], BOTH), strategy=Full(validation_fraction=0.1))
    with pytest.raises(InputError, match="no star has the label 'teff'"):
        pretrain(Stars(flux, np.where([True, False], labels, np.nan), BOTH))
    plain = Stars(flux, labels, BOTH)
    with pytest.raises(SettingsError, match="wavelength grid"):
        pretrain(plain, settings=TrainSettings(**FAST | {"augmentation": Augmentation(noise=(9, 10))}))
    with pytest.raises(TranstarError, match="diverged"):
        pretrain(plain, mlp=MLP, settings=TrainSettings(**FAST | {"learning_rate": 1e30}))
    with pytest.raises(SettingsError, match="not a fine-tuning strategy"):
        finetune(base, plain, strategy=TrainSettings())


def test_a_model_of_nobody_is_given_no_stars_of_an_encoder(base):
    """As of a prepared set: nobody knows whether it is the same."""
    known, note = given() | {"input": "small"}, {"name": "small", "sha256": "ab" * 32, "place": ""}
    nobody = replace(base, input="small", preprocessing=None)
    with pytest.raises(MismatchError, match=r"input 'small': the model .* no encoder is noted .*'small' .sha256 abab"):
        finetune(nobody, Stars(**known, encoders={"small": note}), strategy=Recalibrate())
    assert finetune(nobody, Stars(**known), strategy=Recalibrate()).encoders == {}


def test_a_model_of_bare_arrays_comes_back_from_disk(tmp_path):
    flux, labels = stars(60)
    model = pretrain(Stars(flux, labels, "feh"), settings=TrainSettings(**FAST), mlp=MLP)
    model.save(tmp_path / "model")
    assert np.array_equal(Estimator.load(tmp_path / "model").predict(flux), model.predict(flux))


def test_what_is_no_stars_model_or_strategy_is_told_in_a_line():
    flux, labels = stars(60)
    given = Stars(flux, labels, "feh")
    model = pretrain(given, settings=TrainSettings(**FAST), mlp=MLP)
    with pytest.raises(InputError, match=r"needs transtar.Stars, not ndarray"):
        pretrain(flux)
    with pytest.raises(InputError, match=r"not a model: 'mock-feh'; load it first"):
        finetune("mock-feh", given, strategy=Full())
    with pytest.raises(SettingsError, match=r"not settings of a training: {'epochs': 3}"):
        pretrain(given, settings={"epochs": 3})
    with pytest.raises(SettingsError, match="not a fine-tuning strategy: 'full'"):
        finetune(model, given, strategy="full")
    # One candidate alone, and candidates that are there only once.
    for candidates in (Recalibrate(), iter([Recalibrate()])):
        assert choose(model, given, candidates=candidates, n_folds=3)[1][0]["chosen"]


def test_a_training_that_diverges_at_once_says_that_nothing_was_learnt(caplog):
    flux, labels = stars(60)
    given = Stars(flux, labels, "feh")
    model = pretrain(given, settings=TrainSettings(**FAST), mlp=MLP)
    kept = finetune(model, given, strategy=Full(**FAST | {"learning_rate": 1e30, "validation_fraction": 0.1}))
    assert "training diverged at once (learning rate 1e+30)" in caplog.text
    assert np.array_equal(kept.predict(flux), model.predict(flux))
