import numpy as np
import pytest

from transtar.errors import SettingsError
from transtar.train import Recalibrate
from transtar.train.strategies.recalibrate import fit_recalibration


def predictions(n=40, seed=0):
    random = np.random.default_rng(seed)
    x = np.stack([random.normal(-0.5, 0.5, n), random.normal(5000, 600, n)], axis=1)
    y = np.stack([0.2 + 0.9 * x[:, 0] + 1e-4 * (x[:, 1] - 5000), x[:, 1] * 1.1 - 300], axis=1)
    return x, y + random.normal(0, [0.05, 40], y.shape)


def test_recalibration_is_least_squares():
    x, y = predictions()
    matrix, offset = fit_recalibration(x, y, Recalibrate(), ("feh", "teff"))
    for index in range(2):
        slope, constant = np.linalg.lstsq(np.stack([x[:, index], np.ones(40)], 1), y[:, index], rcond=None)[0]
        assert matrix[index, index] == pytest.approx(slope, rel=1e-9)
        assert offset[index] == pytest.approx(constant, rel=1e-8)
        assert matrix[index, 1 - index] == 0


def test_a_term_in_another_label_is_least_squares_too():
    x, y = predictions()
    matrix, offset = fit_recalibration(x, y, Recalibrate(term="teff"), ("feh", "teff"))
    expected = np.linalg.lstsq(np.column_stack([x, np.ones(40)]), y[:, 0], rcond=None)[0]
    np.testing.assert_allclose([*matrix[0], offset[0]], expected, rtol=1e-7)
    assert matrix[1, 0] == 0


def test_shrinkage_leads_from_least_squares_to_an_offset_alone():
    x, y = predictions()
    free = fit_recalibration(x, y, Recalibrate(), ("feh", "teff"))[0][1, 1]
    half = fit_recalibration(x, y, Recalibrate(shrinkage=40), ("feh", "teff"))[0][1, 1]
    assert half - 1 == pytest.approx((free - 1) / 2)
    matrix, offset = fit_recalibration(x, y, Recalibrate(slope=False), ("feh", "teff"))
    np.testing.assert_array_equal(matrix, np.eye(2))
    np.testing.assert_allclose(offset, (y - x).mean(axis=0))


def test_few_or_no_stars_change_little():
    x, y = predictions(3)
    y[:, 0], y[1:, 1] = np.nan, np.nan
    matrix, offset = fit_recalibration(x, y, Recalibrate(), ("feh", "teff"))
    np.testing.assert_array_equal(matrix, np.eye(2))
    np.testing.assert_allclose(offset, [0, y[0, 1] - x[0, 1]])
    with pytest.raises(SettingsError, match="does not predict 'logg'"):
        fit_recalibration(x, y, Recalibrate(term="logg"), ("feh", "teff"))
