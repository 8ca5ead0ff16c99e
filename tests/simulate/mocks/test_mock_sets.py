import numpy as np
import pytest

from transtar.errors import SettingsError
from transtar.simulate import load_emulator
from transtar.simulate.mocks.line_correction import load_lines
from transtar.simulate.mocks.mock_sets import LOOSENING, MockSettings, mock_settings, training_stars

from .made_mocks import mock_set

SMALL = MockSettings(stars=300, seed=5)


@pytest.fixture(scope="module")
def emulator():
    return load_emulator()


@pytest.fixture(scope="module")
def mock(emulator):
    return mock_set(SMALL, emulator)


def column(mock, name):
    return mock.labels[:, mock.names.index(name)]


def test_labels_are_within_the_emulators_range(emulator, mock):
    assert 200 < len(mock.ids) <= 300
    assert len(np.unique(mock.ids)) == len(mock.ids)
    np.testing.assert_allclose(emulator.clip(mock.labels), mock.labels, rtol=1e-9, atol=1e-9)
    assert mock.flux.shape == (len(mock.ids), 1462)
    assert np.isfinite(mock.flux).all()


def test_lines_weaken_with_metallicity(mock):
    feh, teff = column(mock, "feh"), column(mock, "teff")
    solar = (np.abs(teff - 5700) < 400) & (feh > -0.3)
    poor = (np.abs(teff - 5700) < 600) & (feh < -1.2)
    assert solar.sum() > 5
    assert poor.sum() > 3
    assert mock.flux[solar].mean() < mock.flux[poor].mean() - 0.02


def test_same_seed_same_set(emulator, mock):
    again = mock_set(SMALL, emulator)
    np.testing.assert_array_equal(again.flux, mock.flux)
    np.testing.assert_array_equal(again.ids, mock.ids)


def test_each_switch_does_its_own(emulator):
    """The correction is that of the file, noise is noise, and a sharper line spread makes deeper lines."""
    plain = {"stars": 60, "loosened": False, "lines": None, "line_spreads": ("lamost",), "noise": False}
    bare = mock_set(MockSettings(**plain), emulator)
    corrected = mock_set(MockSettings(**plain | {"lines": "lamost-dr10"}), emulator)
    labels = {name: column(bare, name) for name in ("teff", "logg", "feh")}
    np.testing.assert_array_equal(corrected.flux, load_lines("lamost-dr10").apply(bare.flux, labels))
    sharper = mock_set(MockSettings(**plain | {"line_spreads": ("desi",)}), emulator)
    assert sharper.flux.std() > 1.1 * bare.flux.std()
    noisy = mock_set(MockSettings(**plain | {"noise": True, "snr": (30, 30)}), emulator)
    rough = np.abs(np.diff(noisy.flux, 2, axis=1)).mean() / np.abs(np.diff(bare.flux, 2, axis=1)).mean()
    assert rough > 1.3


def test_loosened():
    bare, loose = (training_stars(400, seed=3, loosened=switch) for switch in (False, True))
    assert np.std(loose["teff"] - bare["teff"]) == pytest.approx(LOOSENING["teff"], rel=0.15)
    giants = np.asarray(bare["logg"]) < 3.8
    assert np.std((loose["logg"] - bare["logg"])[giants]) == pytest.approx(LOOSENING["logg"], rel=0.2)
    np.testing.assert_array_equal(loose["feh"], bare["feh"])


def test_covering_has_more_poor_stars():
    shares = [np.mean(training_stars(1500, covering=switch)["feh"] < -1) for switch in (False, True)]
    assert shares[1] > 2 * shares[0]


def test_settings():
    assert mock_settings({"stars": 10, "line_spreads": ["miles"]}).line_spreads == ("miles",)
    for content, message in (
        ({"star": 1}, "star"),
        ({"line_spreads": ["keck"]}, "keck"),
        ({"stars": 1}, "a star for each"),
        ({"snr": [0, 10]}, "positive range"),
    ):
        with pytest.raises(SettingsError, match=message):
            mock_settings(content)
