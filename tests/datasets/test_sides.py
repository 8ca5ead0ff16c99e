import numpy as np
import pytest

from transtar import grids
from transtar.datasets.defaults import default_settings
from transtar.datasets.sides import Side, Sides
from transtar.encoders import save_alignment, save_encoder
from transtar.errors import InputError, MismatchError, SettingsError
from transtar.grids import WaveGrid
from transtar.preprocess import Preprocessing
from transtar.surveys import get_survey

from ..encoders.aligned import tiny_alignment
from .test_embed import network, outside


def test_an_encoder_is_the_side_of_all_spectra(tmp_path):
    save_encoder(network(), tmp_path / "through")
    for model in (outside(), network(), tmp_path / "through", str(tmp_path / "through")):
        sides = Sides(model)
        assert sides.of(Preprocessing(), "x") == sides.of(Preprocessing(frame="observed"), "x")
        assert sides.of(Preprocessing(), "x").n_compared is None
    assert sides.of(Preprocessing(), "x").encoder.place == str(tmp_path / "through")


@pytest.mark.parametrize("variant", ["base", "split"])
def test_an_alignment_has_a_side_for_each_kind(tmp_path, variant):
    alignment = save_alignment(tiny_alignment(variant), tmp_path / "aligned", "float32")
    for model in (alignment, tmp_path / "aligned"):
        sides = Sides(model)
        for side, of_kind in (("lrs", Preprocessing()), ("xp", default_settings("gaia-xp"))):
            assert sides.of(of_kind, "x").encoder.sha256 == alignment.side(side).sha256
            assert sides.of(of_kind, "x").n_compared == 8
        assert sides.for_survey(get_survey("gaia-xp")).encoder.sha256 == alignment.xp.sha256
        assert sides.for_survey(get_survey("lamost")).encoder.sha256 == alignment.lrs.sha256


def test_a_grid_of_neither_side_is_refused(monkeypatch):
    monkeypatch.setitem(grids._REGISTERED, "red", WaveGrid("red", 7000 + np.arange(50.0)))
    settings = Preprocessing(grid="red", continuum="none")
    expected = "data: on the grid 'red'; the alignment takes spectra on the grids 'blue' and 'xp'"
    with pytest.raises(MismatchError, match=expected):
        Sides(tiny_alignment()).of(settings, "data")


def test_the_first_values_are_compared():
    values = np.arange(12).reshape(2, 6)
    assert Side(outside(), 4).compared(values).tolist() == [[0, 1, 2, 3], [6, 7, 8, 9]]
    np.testing.assert_array_equal(Side(outside()).compared(values), values)


def test_what_is_no_encoder_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such encoder folder"):
        Sides(tmp_path / "nowhere")
    with pytest.raises(SettingsError, match="an encoder is a name, a folder"):
        Sides(3)
