"""Noise that was put into visits comes back: of all, of each S/N, and against the errors stated for it."""

from itertools import pairwise

import numpy as np
import pytest

from transtar.errors import TooFew
from transtar.evaluate.validation.visits import EDGES, name_of, repeats, visits


@pytest.fixture
def known():
    """Stars of one to five visits with noise 2 / (S/N)."""
    rng = np.random.default_rng(0)
    star = np.repeat(np.arange(800), rng.integers(1, 6, 800))
    snr = rng.uniform(8, 120, len(star))
    noise = 2 / snr
    values = rng.normal(-0.5, 0.6, 800)[star] + rng.normal(0, noise)
    return star, snr, noise, values


def test_equal_noise_is_recovered_whatever_the_number_of_visits(known):
    star = known[0]
    values = np.random.default_rng(1).normal(0, 0.1, len(star)) + star
    for least, most in ((2, 2), (3, 3), (5, 5), (2, 5)):
        counts = np.bincount(star)[star]
        some = np.where((counts >= least) & (counts <= most), values, np.nan)
        every = repeats(visits(some, star))["all"].spread
        assert every.sigma == pytest.approx(0.1 * 0.987, abs=4 * every.sigma_err)
        assert every.mad == pytest.approx(0.1, abs=4 * every.mad_err)


def test_noise_follows_the_signal_to_noise(known):
    star, snr, noise, values = known
    scatter = repeats(visits(values, star, snr), noise)
    assert next(iter(scatter)) == "all"
    for low, high in pairwise(EDGES[2:-1]):
        part = scatter[name_of(low, high)]
        assert low <= part.snr < high
        # Those of a bin have noise around that of its median; pulls take each by its own.
        assert part.spread.mad == pytest.approx(2 / part.snr, rel=0.2)
        assert part.pulls.spread.mad == pytest.approx(1, abs=4 * part.pulls.spread.mad_err)
    assert scatter["all"].pulls.within == pytest.approx(0.683, abs=0.03)


def test_residual_of_two_visits_is_their_difference_over_root_two():
    values, star = np.append(np.tile([1.0, 1.3], 5), 5.0), np.append(np.repeat(np.arange(5), 2), 9)
    known = visits(values, star, np.append(np.tile([10.0, 20.0], 5), 50.0))
    np.testing.assert_allclose(known.residuals, np.tile([-0.3, 0.3], 5) / np.sqrt(2))
    np.testing.assert_allclose(known.snr, (0.5 * (10.0**-2 + 20.0**-2)) ** -0.5)
    np.testing.assert_allclose(known.errors(np.tile([0.3, 0.4], 5)), 0.5 / np.sqrt(2))
    assert known.rows.tolist() == list(range(10))


def test_errors_of_residuals_are_propagated_as_numbers_drawn_say():
    rng = np.random.default_rng(5)
    errors = np.array([0.05, 0.2, 0.1])
    drawn = rng.normal(0, errors, (20000, 3))
    one = visits(drawn.ravel(), np.repeat(np.arange(20000), 3))
    np.testing.assert_allclose(
        one.residuals.reshape(-1, 3).std(axis=0), one.errors(np.tile(errors, 20000))[:3], rtol=0.03
    )


def test_kinds_are_told_apart_unless_all_are_of_one(known):
    star, snr, _, values = known
    scatter = repeats(visits(values, star, snr), None, {"all": star >= 0, "poor": star < 300, "giant": star >= 0})
    assert "poor" in scatter
    assert "giant" not in scatter
    assert scatter["all"].pulls is None


def test_few_visits_say_nothing():
    with pytest.raises(
        TooFew, match="3 of 4 stars have several visits with this label, 6 in all, and 10 visits are needed"
    ):
        visits(np.arange(7.0), np.array([0, 0, 1, 1, 2, 2, 3]))
    with pytest.raises(TooFew, match="none of 3 stars has two visits"):
        visits(np.arange(3.0), np.arange(3))
