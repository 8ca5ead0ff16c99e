from pathlib import Path

from transtar.models import describe_last_step, name_models

from .examples import small_estimator


def test_short_names():
    model = small_estimator(provenance=({"step": "pretrain", "strategy": "mlp", "survey": "lamost"},))
    lora = small_estimator(provenance=({"step": "finetune", "strategy": "lora"},))
    assert name_models(["m", "adapted"], [model, lora], "miles") == ["zero-shot", "lora"]
    assert name_models(["m"], [model], "lamost") == ["scratch"]
    assert name_models(["w/adapted", Path("w/second"), "m"], [lora, lora, model], "miles") == [
        "adapted", "second", "zero-shot",
    ]  # fmt: skip
    # Where nothing is known, and where not even the folders differ in name.
    assert name_models(["w/plain"], [small_estimator(provenance=())], "miles") == ["plain"]
    assert name_models(["a/x", Path("b/x")], [lora, lora], "miles") == ["a/x", "b/x"]


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
