from dataclasses import replace

import pytest

from transtar.errors import InputError, MismatchError
from transtar.models import check_ensemble, load_models

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


def test_models_of_different_encoders():
    notes = [{"name": "e", "sha256": digit * 64, "place": ""} for digit in "01"]
    one, other = (replace(small_estimator(), input="e", encoders={"e": note}) for note in notes)
    check_ensemble([one, one])
    # Beside each other in a catalog, but not fed with one array.
    check_ensemble([one, other], same_labels=False)
    with pytest.raises(
        MismatchError, match=r"differ in encoders are no ensemble: model 1 .*0000000000000000.*model 2 .*1111"
    ):
        check_ensemble([one, other])
