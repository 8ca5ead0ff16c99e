"""What a model remembers of the encoder of its input, and of the stars that this has seen."""

import numpy as np
import pytest

from transtar.catalog.trained import trained_on
from transtar.datasets import Stars
from transtar.encoders import note_of, register_encoder, save_encoder
from transtar.errors import InputError, MismatchError
from transtar.models import Estimator
from transtar.networks import LoRASettings, ResidualSettings
from transtar.train import (
    Full,
    LoRA,
    Recalibrate,
    Residual,
    Ridge,
    Scratch,
    TrainSettings,
    ZeroShot,
    finetune,
    pretrain,
)

from ..encoders.examples import forget, outside_encoder, seen_stars, small_encoder
from .examples import MLP, stars

FAST = {"epochs": 3, "learning_rate": 1e-3, "augmentation": None}
STRATEGIES = [
    ZeroShot(), Recalibrate(), Ridge(n_alpha=3), Full(**FAST), Scratch(mlp=MLP, **FAST),
    LoRA(adapter=LoRASettings(4, 8), **FAST), Residual(head=ResidualSettings(12), **FAST),
]  # fmt: skip


@pytest.fixture(autouse=True)
def _registries(monkeypatch):
    forget(monkeypatch)


def embedded(note, n=60, seed=0, survey="miles"):
    inputs, labels = stars(n, seed)
    return Stars(
        inputs, labels, "feh", survey=survey, ids=1000 * (seed + 1) + np.arange(n), input="small",
        encoders={} if note is None else {"small": note},
    )  # fmt: skip


def pretrained(note):
    return pretrain(embedded(note), settings=TrainSettings(**FAST), mlp=MLP)


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda strategy: strategy.name)
def test_a_model_keeps_its_encoder_and_the_stars_that_it_saw(strategy, tmp_path):
    encoder = register_encoder(small_encoder(trained_on=seen_stars(ids=(2**62 + 1, 7))))
    note = note_of(encoder)
    model = pretrained(note)
    assert model.encoders == {"small": note}
    adapted = finetune(model, embedded(note, seed=1), strategy=strategy)
    adapted.save(tmp_path / "model")
    for one in (model, adapted, Estimator.load(tmp_path / "model")):
        assert one.encoders == {"small": note}
        seen = one.trained_on
        assert seen["id"][seen["role"] == "encoder"].tolist() == [2**62 + 1, 7]
        keys = {"survey": np.array(["lamost"] * 3), "id": np.array([2**62 + 1, 2**62, 7])}
        assert trained_on(keys, [seen]).tolist() == [True, False, True]
    assert set(adapted.trained_on["role"].tolist()) >= {"encoder", "train"}


def test_stars_embedded_by_another_encoder_are_refused():
    ours, other = (note_of(register_encoder(small_encoder(seed, name))) for seed, name in ((0, "small"), (1, "other")))
    model = pretrained(ours)
    with pytest.raises(MismatchError) as error:
        finetune(model, embedded(other | {"name": "small"}), strategy=Recalibrate())
    for note in (ours, other):
        assert note["sha256"][:16] in str(error.value)
    # Arrays of one's own need not say; a model that does not know could have learnt from any encoder of that name.
    assert finetune(model, embedded(None), strategy=Recalibrate()).encoders == {"small": ours}
    with pytest.raises(MismatchError, match=f"no encoder is noted to have made.*{ours['sha256'][:16]}"):
        finetune(pretrained(None), embedded(ours), strategy=Recalibrate())


def test_without_the_encoder_nobody_knows_what_it_has_seen(tmp_path, monkeypatch):
    note = note_of(save_encoder(small_encoder(), tmp_path / "encoder"))
    (tmp_path / "encoder").rename(tmp_path / "moved")
    with pytest.raises(InputError, match=f"{note['sha256'][:16]}.*is needed and not here"):
        pretrained(note)


def test_encoders_without_real_stars_add_none():
    note = note_of(register_encoder(outside_encoder(name="small")))
    assert set(pretrained(note).trained_on["role"].tolist()) == {"train", "validation"}


def test_stars_that_a_function_from_outside_has_seen():
    seen = {name: column for name, column in seen_stars().items() if name != "role"}
    note = note_of(register_encoder(outside_encoder(name="small", trained_on=seen)))
    told = pretrained(note).trained_on
    assert told["id"][told["role"] == "encoder"].tolist() == [2**62 + 1]
