from pathlib import Path

import numpy as np
import pytest

from transtar.errors import InputError
from transtar.grids import get_grid
from transtar.models import Estimator, describe_last_step, name_models

from .examples import small_estimator


def test_models_go_by_the_names_that_the_user_gave():
    assert name_models(["mock-feh", "models/lamost-feh"]) == ["mock-feh", "lamost-feh"]
    assert name_models([Path("w/adapted"), "."]) == ["adapted", "."]
    # Where not even the folders differ in name.
    assert name_models(["a/x", Path("b/x")]) == ["a/x", "b/x"]
    with pytest.raises(InputError, match="the model a/x is given twice"):
        name_models(["a/x", Path("b/x"), Path("a/x")])


def test_a_model_in_a_few_lines():
    model = Estimator.load("mock-feh")
    text = repr(model)
    assert str(model) == text
    assert len(text.splitlines()) < 10
    assert max(map(len, text.splitlines())) < 130
    assert text.startswith("Estimator of feh\n")
    for part in (
        "errors star by star, calibrated on 897 stars",
        "grid 'blue', 3999 to 5599 A (vacuum)",
        "rest frame",
        "297388 of mock (mlp)",
    ):
        assert part in text
    assert "errors not calibrated" in repr(small_estimator(provenance=()))
    np.testing.assert_array_equal(model.wave, get_grid("blue").wave)


def test_the_last_step_in_a_line():
    step = {
        "strategy": "lora",
        "n_train": 90,
        "n_validation": 10,
        "best_epoch": 1,
        "validation_loss": [0.5, 0.25],
        "epochs_run": 2,
    }
    model = small_estimator(provenance=({"strategy": "mlp"}, step))
    assert describe_last_step(model) == (
        "feh, teff by lora on 90 stars, 10 held out; best validation loss 0.2500 after epoch 1 of 2"
    )
    step |= {"n_validation": 0, "validation_loss": [None, None, None], "train_loss": [0.5, 0.125], "best_epoch": 2}
    assert describe_last_step(small_estimator(provenance=(step,))) == (
        "feh, teff by lora on 90 stars, nothing held out; training loss 0.1250 after 2 epochs"
    )
    assert describe_last_step(small_estimator(provenance=())) == "feh, teff by None on None stars"
