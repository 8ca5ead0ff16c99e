"""Pairs of known noise, and strangers who are alike in Teff and log g but not in birth."""

import numpy as np
import pytest

from transtar.errors import TooFew
from transtar.evaluate.validation.wide_pairs import like, pairs


@pytest.fixture
def made():
    rng = np.random.default_rng(0)
    n = 600
    feh = np.repeat(rng.normal(-0.3, 0.4, n), 2)
    teff, logg = rng.uniform(4500, 6500, 2 * n), rng.uniform(3.9, 4.6, 2 * n)
    logg[:80] = 2.5
    values = feh + rng.normal(0, 0.07, 2 * n) + 0.05 * (teff - 5500) / 1000
    place = np.arange(0, 2 * n, 2)
    return place, place + 1, values, np.full(2 * n, 0.07), {"teff": teff, "logg": logg}, np.arange(2 * n)


def test_differences_within_pairs_and_among_strangers(made):
    result = pairs(*made)
    close = result.scatter["Teff 0-250 K apart"].spread
    assert close.mad == pytest.approx(0.07, abs=4 * close.mad_err)
    assert result.strangers.spread.mad == pytest.approx(0.4, rel=0.15)
    assert result.scatter["dwarf-dwarf"].spread.n == 560
    assert result.scatter["with a giant"].spread.n == 40
    mean, error = result.means["Teff over 1000 K apart"]
    apart = made[4]["teff"][result.first] - made[4]["teff"][result.second]
    assert (apart >= 0).all()
    assert mean == pytest.approx(0.05 * apart[apart >= 1000].mean() / 1000, abs=4 * error)
    pulls = result.scatter["Teff 0-250 K apart"].pulls
    assert pulls.spread.mad == pytest.approx(1, abs=4 * pulls.spread.mad_err)
    assert pulls.stated == pytest.approx(0.07)


def test_strangers_are_alike_and_neither_star_of_the_pair(made):
    first, second, *_, along, others = made
    rows = like(second, first, along, others)
    assert not np.any((rows == first) | (rows == second))
    assert np.median(np.abs(along["teff"][rows] - along["teff"][second])) < 150
    assert np.array_equal(rows, like(second, first, along, others))
    assert not np.array_equal(rows, like(second, first, along, others, seed=1))
    assert like(second, first, along, others[:5]) is None
    anyone = like(second, first, {}, others)
    assert not np.any((anyone == first) | (anyone == second))


def test_pairs_without_labels_are_left_out(made):
    first, second, values, errors, _, others = made
    values = values.copy()
    values[second[20:]] = np.nan
    result = pairs(first, second, values, errors, {}, others)
    assert len(result.differences) == 20
    assert list(result.scatter) == ["all"]
    with pytest.raises(TooFew, match="9 pairs have this label on both sides"):
        pairs(first[:9], second[:9], values, errors, {}, others)
