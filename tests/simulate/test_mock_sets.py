import numpy as np
import pytest

from transtar.simulate import load_emulator
from transtar.simulate.mock_sets import FAR, mock_set, training_stars
from transtar.simulate.truth import spectrum_labels


@pytest.fixture(scope="module")
def emulator():
    return load_emulator()


@pytest.fixture(scope="module")
def mock(emulator):
    return mock_set(training_stars(300, seed=5), emulator, seed=5)


def test_labels_are_those_of_the_spectra(emulator, mock):
    """Within the emulator's range, near those of the stars, and in the same order."""
    stars = training_stars(300, seed=5)
    rows = {int(source): row for row, source in enumerate(stars["source_id"])}
    wanted = spectrum_labels(stars)[[rows[int(source)] for source in mock.ids]]
    assert 200 < len(mock.ids) <= 300
    np.testing.assert_allclose(emulator.clip(mock.labels), mock.labels, rtol=1e-9, atol=1e-9)
    for name, limit in FAR.items():
        number = mock.names.index(name)
        assert np.abs(wanted - mock.labels)[:, number].max() <= limit
    assert mock.flux.shape == (len(mock.ids), 1462)
    assert np.isfinite(mock.flux).all()


def test_lines_weaken_with_metallicity(mock):
    feh, teff = (mock.labels[:, mock.names.index(name)] for name in ("feh", "teff"))
    solar = (np.abs(teff - 5700) < 400) & (feh > -0.3)
    poor = (np.abs(teff - 5700) < 600) & (feh < -1.2)
    assert solar.sum() > 5
    assert poor.sum() > 3
    assert mock.flux[solar].mean() < mock.flux[poor].mean() - 0.02


def test_same_seed_same_set(emulator, mock):
    again = mock_set(training_stars(300, seed=5), emulator, seed=5)
    np.testing.assert_array_equal(again.flux, mock.flux)
    np.testing.assert_array_equal(again.ids, mock.ids)
