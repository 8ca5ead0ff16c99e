import numpy as np
import pytest

from transtar.datasets.sides import Side, Sides
from transtar.encoders import save_encoder
from transtar.errors import InputError, SettingsError
from transtar.preprocess import Preprocessing

from .test_embed import network, outside


def test_an_encoder_is_the_side_of_all_spectra(tmp_path):
    save_encoder(network(), tmp_path / "through")
    for model in (outside(), network(), tmp_path / "through", str(tmp_path / "through")):
        sides = Sides(model)
        assert sides.of(Preprocessing()) == sides.of(Preprocessing(frame="observed"))
        assert sides.of(Preprocessing()).n_compared is None
    assert sides.of(Preprocessing()).encoder.place == str(tmp_path / "through")


def test_the_first_values_are_compared():
    values = np.arange(12).reshape(2, 6)
    assert Side(outside(), 4).compared(values).tolist() == [[0, 1, 2, 3], [6, 7, 8, 9]]
    np.testing.assert_array_equal(Side(outside()).compared(values), values)


def test_what_is_no_encoder_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such encoder folder"):
        Sides(tmp_path / "nowhere")
    with pytest.raises(SettingsError, match="an encoder is a name, a folder"):
        Sides(3)
