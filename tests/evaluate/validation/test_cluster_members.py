"""Clusters of known scatter, trend and offset."""

import numpy as np
import pytest

from transtar.errors import TooFew
from transtar.evaluate.validation.cluster_members import clusters


@pytest.fixture
def made():
    """Forty clusters of 25; noise 0.06 stated as 0.05, 0.08 dex per 1000 K, 0.1 above the literature."""
    rng = np.random.default_rng(0)
    number = np.repeat(np.arange(40), 25)
    mean = rng.uniform(-2, 0.3, 40)
    teff = rng.uniform(4500, 6500, 1000)
    values = mean[number] + 0.1 + 0.08 * (teff - 5500) / 1000 + rng.normal(0, 0.06, 1000)
    return number.astype(str), values, np.full(1000, 0.05), {"teff": teff}, mean[number]


def test_scatter_trend_and_offset_come_back(made):
    names, values, errors, along, literature = made
    result = clusters(names, values, errors, along, literature)
    slope, slope_err = result.trends["teff"]
    assert slope == pytest.approx(0.08, abs=4 * slope_err)
    assert slope_err == pytest.approx(0.06 / np.sqrt(1000) / (2000 / 12**0.5 / 1000), rel=0.15)
    whole = np.hypot(0.06, 0.08 * 2000 / 12**0.5 / 1000)
    assert result.pooled.spread.sigma == pytest.approx(whole, abs=4 * result.pooled.spread.sigma_err + 0.001)
    assert result.beyond == pytest.approx(np.sqrt(whole**2 - 0.05**2), abs=4 * result.beyond_err + 0.001)
    assert result.offset == pytest.approx(0.1, abs=4 * result.offset_err)
    assert result.n_literature == 40
    one = result.each[3]
    assert one.mean_err == pytest.approx(whole / 5, rel=0.5)
    assert abs(one.mean - one.literature - 0.1) < 5 * one.mean_err
    assert one.pulls.spread.n == 25


def test_small_clusters_do_not_shrink_the_scatter():
    rng = np.random.default_rng(1)
    number = np.repeat(np.arange(800), 3)
    result = clusters(number.astype(str), rng.normal(0, 0.1, 2400), np.full(2400, np.nan), {}, n_boot=100)
    assert result.pooled.spread.mad == pytest.approx(0.1, rel=0.06)
    assert result.pooled.pulls is None
    assert np.isnan(result.beyond_variance)
    assert result.trends == {}
    assert np.isnan(result.offset)


def test_errors_that_are_too_large_leave_a_negative_variance():
    rng = np.random.default_rng(2)
    names = np.repeat(["a", "b"], 100)
    result = clusters(names, rng.normal(0, 0.05, 200), np.full(200, 0.1), {})
    assert np.isnan(result.beyond)
    assert result.beyond_variance < 0


def test_interlopers_are_clipped():
    rng = np.random.default_rng(3)
    values = np.append(rng.normal(-1.5, 0.05, 60), [0.0, 0.1, -0.2])
    result = clusters(np.full(63, "M 92"), values, np.full(63, 0.05), {})
    assert result.each[0].spread.n_clipped >= 3
    assert result.each[0].mean == pytest.approx(-1.5, abs=0.03)


def test_too_few_members_are_told():
    names = np.array(["a", "a", "b", "", ""])
    with pytest.raises(TooFew, match="none of 2 clusters has 3 members"):
        clusters(names, np.zeros(5), np.zeros(5), {})
    more = clusters(np.append(names, ["a"] * 4), np.arange(9.0), np.full(9, np.nan), {})
    assert more.too_small == 1
