import numpy as np
import pytest
from scipy.stats import spearmanr

from transtar.errors import InputError
from transtar.evaluate.element import (
    bootstrap_interval,
    cross_validated_sigma,
    partial_rank_correlation,
    polynomial,
    rank_correlation,
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_rank_correlation_is_spearmans(rng):
    x, y = rng.normal(size=(2, 40))
    assert rank_correlation(x, x + y) == pytest.approx(spearmanr(x, x + y)[0])


def test_partial_rank_correlation(rng):
    """The textbook formula from the three plain rank correlations."""
    z = rng.normal(size=60)
    x, y = z + rng.normal(size=60), z + rng.normal(size=60)
    xy, xz, yz = spearmanr(x, y)[0], spearmanr(x, z)[0], spearmanr(y, z)[0]
    wanted = (xy - xz * yz) / np.sqrt((1 - xz**2) * (1 - yz**2))
    assert partial_rank_correlation(x, y, z) == pytest.approx(wanted, abs=1e-12)


def test_a_shared_cause_leaves_nothing(rng):
    z = rng.normal(size=4000)
    x, y = z + rng.normal(size=4000), z + rng.normal(size=4000)
    assert rank_correlation(x, y) > 0.4
    assert abs(partial_rank_correlation(x, y, z)) < 0.06


def test_interval_covers(rng):
    """A 90 % interval of the mean of normal numbers holds the truth nine times out of ten."""
    inside = 0
    for trial in range(200):
        sample = rng.normal(size=50)
        low, high = bootstrap_interval(np.mean, sample, n_boot=200, seed=trial, level=0.9)
        inside += low < 0 < high
    assert 165 <= inside <= 195


def test_sigma_is_that_of_unseen_stars(rng):
    """Noise of 0.1 about a line: found again; and terms of pure noise make it worse, not better."""
    x = rng.normal(size=(80, 1))
    y = 2 + 3 * x[:, 0] + rng.normal(0, 0.1, 80)
    assert cross_validated_sigma(x, y) == pytest.approx(0.1, rel=0.25)
    assert cross_validated_sigma(np.hstack([x, rng.normal(size=(80, 20))]), y) > cross_validated_sigma(x, y)


def test_too_few_stars(rng):
    with pytest.raises(InputError, match="6 stars are too few"):
        cross_validated_sigma(rng.normal(size=(6, 4)), np.ones(6))


def test_polynomial(rng):
    """As many terms as there are monomials, and they span the plain ones."""
    x, y = rng.normal(size=(2, 30))
    terms = polynomial(x, y, degree=3)
    assert terms.shape == (30, 9)
    design = np.column_stack([np.ones(30), terms])
    for wanted in (x**3, x * y**2, y):
        np.testing.assert_allclose(design @ np.linalg.lstsq(design, wanted, rcond=None)[0], wanted, atol=1e-9)
