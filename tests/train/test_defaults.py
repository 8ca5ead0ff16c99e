"""What a session has told torch to make by default changes nothing: models are float32, and on the device that was asked for."""

import numpy as np
import pytest
import torch

from transtar.datasets import Stars
from transtar.explain import loss_landscape
from transtar.explain.saliency import gradients
from transtar.models import Estimator
from transtar.networks import LoRASettings, MLPSettings, ResidualSettings
from transtar.preprocess import Preprocessing
from transtar.simulate import load_emulator
from transtar.train import Augmentation, Full, LoRA, Recalibrate, Residual, Ridge, TrainSettings, finetune, pretrain

from .examples import stars

FAST = {"epochs": 3, "learning_rate": 3e-3}
CHANGES = Augmentation(noise=(20, 60), shift_kms=10.0, smoothing_pixels=(0.2, 0.8), continuum_amplitude=0.01)


@pytest.fixture(params=["float64", "float16", "meta"])
def other_default(request):
    dtype = torch.get_default_dtype()

    def switch():
        if request.param == "meta":
            torch.set_default_device("meta")
        else:
            torch.set_default_dtype(getattr(torch, request.param))

    yield switch
    torch.set_default_dtype(dtype)
    torch.set_default_device(None)


def train_and_predict(folder):
    """Every kind of training, storage and prediction."""
    flux, labels = stars(200, seed=1)
    known = {"survey": "lamost", "preprocessing": Preprocessing(), "weights": np.linspace(1, 2, 200)}
    made = {}
    for name, mlp in (("plain", MLPSettings((12, 8))), ("normed", MLPSettings((12, 8), dropout=0.1, batch_norm=True))):
        settings = TrainSettings(**FAST, augmentation=CHANGES, schedule="cosine", average_last=2)
        made[name] = pretrain(Stars(flux, labels, ("feh",), **known), settings=settings, mlp=mlp)
    flux, labels = stars(60, seed=2, survey=1)
    for strategy in (
        Residual(head=ResidualSettings(6), **FAST),
        LoRA(adapter=LoRASettings(3, 6), **FAST),
        Full(**FAST),
        Recalibrate(),
        Ridge(),
    ):
        made[strategy.name] = finetune(made["plain"], Stars(flux, labels, ("feh",), survey="miles"), strategy=strategy)
    found = {}
    for name, model in made.items():
        model.save(folder / name)
        again = Estimator.load(folder / name)
        assert {p.dtype for p in again.network.parameters()} == {torch.float32}
        assert {p.device.type for p in again.network.parameters()} == {"cpu"}
        found[name] = again.predict(flux)
        np.testing.assert_array_equal(found[name], model.predict(flux))
    found["gradients"] = gradients(made["lora"], flux, "feh")
    for name in ("lora", "residual", "normed"):
        found[f"landscape of {name}"] = loss_landscape(made[name], flux[:9], labels[:9, 0], n_seeds=1, n_points=3).loss
    found["emulator"] = load_emulator().flux(np.array([[5000.0, 3.0, -0.5, 0.1, 1.0, 0.0]]))
    return found


def test_defaults_of_torch_change_nothing(tmp_path, other_default):
    expected = train_and_predict(tmp_path)
    other_default()
    for name, values in train_and_predict(tmp_path).items():
        assert values.dtype == expected[name].dtype
        np.testing.assert_array_equal(values, expected[name], err_msg=name)
