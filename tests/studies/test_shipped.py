"""Models that are there already: which are refused, and by what name."""

from types import SimpleNamespace

import numpy as np
import pytest

from transtar.errors import InputError, MismatchError
from transtar.models import load_estimator
from transtar.preprocess import Preprocessing
from transtar.studies import shipped


def test_the_output_of_one_label():
    model = shipped.named_model("mock-feh", "feh", Preprocessing(), "shipped")
    assert model.label_names == ("feh",)
    with pytest.raises(InputError, match="study, shipped: mock-feh predicts feh, not teff"):
        shipped.named_model("mock-feh", "teff", Preprocessing(), "shipped")
    with pytest.raises(InputError, match="no-model"):
        shipped.named_model("no-model", "feh", Preprocessing(), "shipped")
    with pytest.raises(MismatchError, match="observed"):
        shipped.named_model("mock-feh", "feh", Preprocessing(frame="observed"), "shipped")


@pytest.mark.parametrize("seen", [0, 3])
def test_no_star_is_judged_that_it_has_seen(seen, monkeypatch):
    """The line correction has seen stars of LAMOST DR10; they are known by their number."""
    known = load_estimator("mock-feh").trained_on
    ids = np.concatenate([known["id"][:seen], np.arange(1, 6)]).astype(np.int64)
    columns = {"survey": np.full(len(ids), "lamost"), "id": ids, "file": np.array([f"{n}.fits" for n in ids])}
    target = SimpleNamespace(survey="lamost", preprocessing=Preprocessing(), columns=columns)
    study = SimpleNamespace(shipped={"feh": "mock-feh"}, split="test", seeds=[0])
    monkeypatch.setattr(shipped, "rows_of_split", lambda *_: (np.arange(0), np.arange(len(ids))))
    if not seen:
        shipped.check_shipped(study, target)
        return
    with pytest.raises(
        InputError, match=f"mock-feh has seen 3 of the {len(ids)} stars of lamost that the study judges on"
    ):
        shipped.check_shipped(study, target)
