import numpy as np
import pytest

from transtar.errors import SettingsError
from transtar.grids import BLUE, SPEED_OF_LIGHT, get_grid


def test_blue():
    """1462 bins, log10(lambda) = 3.602 + 1e-4 i: LAMOST's native pixels 338 to 1799."""
    assert BLUE.wave.shape == BLUE.log_wave.shape == (1462,)
    np.testing.assert_allclose(np.log10(BLUE.wave), 3.602 + 1e-4 * np.arange(1462), rtol=1e-15)
    np.testing.assert_allclose(BLUE.log_wave, 3.5682 + 1e-4 * np.arange(338, 1800), rtol=1e-14)
    assert BLUE.wave[0] == pytest.approx(3999.447)
    assert BLUE.wave[-1] == pytest.approx(10**3.7481, rel=1e-12)
    # One bin is 69 km/s.
    assert SPEED_OF_LIGHT * (10**BLUE.step - 1) == pytest.approx(69.04, abs=0.01)


def test_by_name():
    assert get_grid("blue") is BLUE
    with pytest.raises(SettingsError, match="no wavelength grid 'red'; known grids: blue"):
        get_grid("red")
