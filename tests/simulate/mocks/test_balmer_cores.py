import numpy as np
import pytest

from transtar.errors import SettingsError
from transtar.preprocess import Preprocessing
from transtar.simulate import load_emulator
from transtar.simulate.mocks.balmer_cores import CORES, deepen_cores
from transtar.simulate.mocks.mock_sets import MockSettings

from .made_mocks import mock_set

WAVE = Preprocessing().wavelengths.wave


def deepened(logg, deepest=0.1, n=400):
    labels = {"teff": np.full(n, 4800.0), "logg": np.full(n, logg), "feh": np.full(n, -1.5)}
    return 1 - deepen_cores(np.ones((n, len(WAVE)), np.float32), labels, deepest, Preprocessing(), [1, 2])


def test_cores_of_giants_are_deeper_by_the_amount_asked_for():
    depth = deepened(1.0)
    for line in CORES:
        core = depth[:, np.argmin(np.abs(WAVE - line))]
        assert core.min() >= 0
        assert core.max() < 0.151
        assert 0.04 < core.mean() < 0.06


def test_nothing_else_changes():
    away = np.all([np.abs(WAVE - line) > 20 for line in CORES], axis=0)
    assert np.abs(deepened(1.0)[:, away]).max() < 1e-6
    assert deepened(4.6).max() < 0.002


def test_lines_of_one_star_go_together():
    depth = deepened(1.0)
    first, last = (depth[:, np.argmin(np.abs(WAVE - line))] for line in (CORES[0], CORES[2]))
    assert 0.6 < np.corrcoef(first, last)[0, 1] < 0.99


def test_a_setting_of_mock_stars():
    emulator = load_emulator()
    plain = {"stars": 60, "noise": False, "line_spreads": ("miles",)}
    usual, deeper = (mock_set(MockSettings(**plain, deeper_cores=most), emulator) for most in (0.0, 0.12))
    giant = usual.labels[:, usual.names.index("logg")] < 3
    pixel = np.argmin(np.abs(WAVE - CORES[2]))
    change = usual.flux[:, pixel] - deeper.flux[:, pixel]
    assert change[giant].mean() > 0.03
    np.testing.assert_array_equal(usual.labels, deeper.labels)
    np.testing.assert_array_equal(usual.flux[:, -50:], deeper.flux[:, -50:])


@pytest.mark.parametrize("value", [-0.1, 2, "deep", True])
def test_an_amount_that_cannot_be(value):
    with pytest.raises(SettingsError, match="deeper_cores"):
        MockSettings(deeper_cores=value)
