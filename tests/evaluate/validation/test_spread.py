"""Scatter against astropy and SciPy, its bootstrap errors against theory, and pulls of errors that are right and wrong."""

import numpy as np
import pytest
from astropy.stats import sigma_clip
from scipy.stats import median_abs_deviation

from transtar.errors import InputError
from transtar.evaluate.validation.spread import pulls, spread


@pytest.mark.parametrize("n", [2, 7, 40, 301])
@pytest.mark.parametrize("offset", [0.0, 5000.0])
def test_scatter_is_that_of_astropy_and_scipy(n, offset):
    values = np.random.default_rng(n).standard_t(3, n) + offset
    measured = spread(values, n_boot=0)
    kept = sigma_clip(values, sigma=3, maxiters=5, cenfunc="median")
    np.testing.assert_allclose(measured.sigma, kept.std(), rtol=1e-9)
    np.testing.assert_allclose(measured.mad, median_abs_deviation(values, scale="normal"), rtol=1e-9)
    assert measured.n_clipped == int(kept.mask.sum())
    assert (measured.n, measured.n_groups) == (n, n)


def test_errors_are_those_of_gaussian_theory():
    measured = spread(np.random.default_rng(1).normal(0, 0.1, 2000))
    assert measured.sigma_err == pytest.approx(0.1 / np.sqrt(2 * 2000), rel=0.25)
    # The MAD is 37 % as efficient as the standard deviation.
    assert measured.mad_err == pytest.approx(0.1 / np.sqrt(2 * 2000 * 0.368), rel=0.25)


def test_values_of_one_star_are_drawn_together():
    values = np.repeat(np.random.default_rng(2).normal(size=100), 9)
    alone, together = spread(values), spread(values, np.repeat(np.arange(100), 9))
    assert together.n_groups == 100
    assert together.sigma == alone.sigma
    assert together.sigma_err == pytest.approx(3 * alone.sigma_err, rel=0.3)


def test_a_part_of_many_stars_tells_the_errors_of_all(monkeypatch):
    values = np.random.default_rng(4).normal(size=6000)
    groups = np.repeat(np.arange(3000), 2)
    whole = spread(values, groups)
    monkeypatch.setattr("transtar.evaluate.validation.spread.MOST_GROUPS", 500)
    part = spread(values, groups)
    assert (part.sigma, part.mad, part.n_groups) == (whole.sigma, whole.mad, 3000)
    assert part.sigma_err == pytest.approx(whole.sigma_err, rel=0.25)
    assert part.mad_err == pytest.approx(whole.mad_err, rel=0.35)


def test_too_few_values_have_no_scatter():
    assert np.isnan(spread([1.0]).sigma)
    assert np.isnan(spread([1.0, 2.0]).sigma_err)
    assert spread([]).n == 0
    with pytest.raises(InputError, match="must be finite"):
        spread([1.0, np.nan])
    with pytest.raises(InputError, match="shapes"):
        spread([1.0, 2.0], [1])


def test_pulls_tell_errors_that_are_right_from_those_that_are_not():
    rng = np.random.default_rng(3)
    errors = rng.uniform(0.02, 0.2, 4000)
    differences = rng.normal(0, errors)
    right, half = pulls(differences, errors), pulls(differences, errors / 2)
    assert right.spread.mad == pytest.approx(1, abs=4 * right.spread.mad_err)
    assert right.within == pytest.approx(0.683, abs=0.03)
    assert right.within_twice == pytest.approx(0.954, abs=0.015)
    assert right.stated == pytest.approx(0.11, abs=0.01)
    assert half.spread.mad == pytest.approx(2 * right.spread.mad)
    errors[100:] = np.nan
    assert pulls(differences, errors).spread.n == 100
    assert pulls(differences, np.zeros(4000)) is None
