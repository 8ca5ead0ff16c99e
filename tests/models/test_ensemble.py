from pathlib import Path

import pytest

from transtar.errors import InputError
from transtar.models import load_models, name_models

from .examples import small_estimator


def test_models_come_by_name_folder_or_as_they_are(tmp_path):
    model = small_estimator()
    model.save(tmp_path / "mine")
    loaded, names = load_models(["mock-feh", tmp_path / "mine", model])
    assert names == ["mock-feh", str(tmp_path / "mine"), "model 3"]
    assert [one.label_names for one in loaded] == [("feh",), ("feh", "teff"), ("feh", "teff")]
    assert loaded[2] is model
    assert load_models(model) == ([model], ["model 1"])
    assert load_models("mock-feh")[1] == ["mock-feh"]
    with pytest.raises(InputError, match="at least one model"):
        load_models([])
    with pytest.raises(InputError, match="no such model folder"):
        load_models("nothing")


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
