import numpy as np
import pytest

from transtar.errors import MismatchError
from transtar.preprocess import Preprocessing
from transtar.simulate.emulator.emulator_storage import load_emulator
from transtar.simulate.mocks.line_correction import load_lines
from transtar.simulate.mocks.views import ViewSettings, make_views
from transtar.studies.through import LABELS, line_stars, train_through
from transtar.train.see_through import SeeThrough

SETTINGS = ViewSettings(stars=40, seed=5, views=("lamost", "miles"))
QUICK = SeeThrough(epochs=2, hidden=(16,), width=5)


@pytest.fixture(scope="module")
def views():
    return make_views(SETTINGS, load_emulator())


def test_the_encoder_notes_the_stars_of_the_line_correction(views):
    encoder = train_through(views, [SETTINGS], QUICK)
    assert encoder.name == "through"
    assert encoder.encode(views.target).shape == (len(views.target), 5)
    lines = load_lines("lamost-dr10").stars
    np.testing.assert_array_equal(encoder.trained_on["id"], lines["id"])
    assert set(encoder.trained_on["role"]) == {"lines"}
    (step,) = encoder.provenance
    assert step["survey"] == "mock"
    assert step["views"] == [{**vars(SETTINGS)}]
    assert step["n_unlabelled"] == 0
    assert step["settings"]["label_weight"] * len(LABELS) > 0


def test_it_notes_real_stars_without_labels_as_well(views):
    stars = {
        "survey": np.array(["miles", "miles"]), "id": np.array([-1, 2**62 + 1]), "file": np.array(["a", "b"]),
        "star": np.array(["x", "y"]), "role": np.array(["train", "train"]),
    }  # fmt: skip
    real = views.target[:2].copy()
    encoder = train_through(views, [SETTINGS], QUICK, name="real", unlabelled=real, unlabelled_stars=stars)
    seen = encoder.trained_on
    n_lines = len(line_stars("lamost-dr10")["id"])
    assert len(seen["id"]) == n_lines + 2
    assert seen["id"].dtype == np.int64
    assert seen["id"][-1] == 2**62 + 1
    assert list(seen["role"][-3:]) == ["lines", "train", "train"]
    assert encoder.provenance[0]["n_unlabelled"] == 2


def test_no_line_correction_has_no_stars():
    assert line_stars(None) == {}


def test_lines_learnt_on_spectra_prepared_otherwise_are_refused():
    with pytest.raises(MismatchError):
        make_views(SETTINGS, load_emulator(), Preprocessing(frame="observed"))
