"""Paired differences against a bootstrap, and choices that can be made by hand."""

import numpy as np
import pytest

from transtar.errors import TranstarError
from transtar.train.compare import error_limits, rms_difference, simplest_unbeaten


def test_the_error_of_a_difference_is_that_of_a_bootstrap():
    random = np.random.default_rng(3)
    truth = random.normal(0, 0.1, 150)
    one, other = np.square(truth + random.normal(0, 0.05, 150)), np.square(truth + 0.03)
    difference, error = rms_difference(one, other, np.arange(150))
    assert difference == pytest.approx(np.sqrt(one.mean()) - np.sqrt(other.mean()))
    rows = random.integers(0, 150, (20_000, 150))
    draws = np.sqrt(one[rows].mean(axis=1)) - np.sqrt(other[rows].mean(axis=1))
    assert error == pytest.approx(draws.std(), rel=0.05)
    # Pairing is what makes it small.
    assert error < 0.7 * np.hypot(*(np.sqrt(x[rows].mean(axis=1)).std() for x in (one, other)))
    assert rms_difference(other, one, np.arange(150)) == pytest.approx((-difference, error))


def test_visits_of_one_star_count_as_one():
    random = np.random.default_rng(4)
    one, other = np.square(random.normal(0, 0.1, (2, 40)))
    once = rms_difference(one, other, np.arange(40))
    thrice = rms_difference(np.repeat(one, 3), np.repeat(other, 3), np.repeat(np.arange(40), 3))
    assert thrice == pytest.approx(once)
    assert np.isnan(rms_difference(one[:1], other[:1], np.arange(1))[1])
    assert rms_difference(np.zeros(5), np.zeros(5), np.arange(5)) == (0.0, 0.0)


def test_the_simplest_that_ties_is_chosen():
    random = np.random.default_rng(5)
    error = random.normal(0, 0.1, 200)
    names = np.arange(200)
    # The second is worse by chance alone: half a standard error.
    noise = random.normal(0, 0.003, 200)
    noise += 0.5 * noise.std(ddof=1) / np.sqrt(200) - noise.mean()
    worse, alike, best = np.square(error * 1.5), np.square(error) + noise, np.square(error)
    assert simplest_unbeaten(np.array([worse, alike, best]), names) == 1
    assert simplest_unbeaten(np.array([best, alike, worse]), names) == 0
    difference, uncertainty = rms_difference(alike, best, names)
    assert difference / uncertainty == pytest.approx(0.5)
    # One that is out is never chosen, however simple.
    assert simplest_unbeaten(np.array([np.full(200, np.nan), worse, best]), names) == 2
    with pytest.raises(TranstarError, match="no strategy could be trained"):
        simplest_unbeaten(np.full((2, 200), np.nan), names)


def test_a_single_star_is_not_enough():
    random = np.random.default_rng(6)
    error = random.normal(0, 0.1, 100)
    other = error + random.normal(0, 0.01, 100)
    unusual = other.copy()
    unusual[7] = 2.0
    difference, uncertainty = rms_difference(*np.square([unusual, error]), np.arange(100))
    assert difference > 0.1
    assert difference / uncertainty == pytest.approx(1, abs=0.05)
    unusual[[20, 40, 60]] = 2.0
    assert simplest_unbeaten(np.square([unusual, error]), np.arange(100)) == 1


def test_one_that_ties_with_the_best_but_is_beaten_by_another_is_not_chosen():
    random = np.random.default_rng(7)
    error = random.normal(0, 0.1, 300)
    simple = np.square(error) + 1e-3
    # A little better for every star; and best in the mean, by chance, as it differs much from star to star.
    steady, noisy = np.square(error) + 5e-4, np.square(error) + random.normal(0, 0.02, 300)
    noisy += np.square(error).mean() + 4e-4 - noisy.mean()
    assert noisy.mean() < steady.mean() < simple.mean()
    assert rms_difference(simple, noisy, np.arange(300))[0] < rms_difference(simple, noisy, np.arange(300))[1]
    assert simplest_unbeaten(np.array([simple, steady, noisy]), np.arange(300)) == 1


def test_errors_count_up_to_three_standard_deviations_of_the_best():
    random = np.random.default_rng(8)
    errors = random.normal(0, [[[0.1, 100.0]], [[0.2, 80.0]]], (2, 20_000, 2))
    errors[0, :100, 0] = 5.0
    assert error_limits(errors) == pytest.approx([0.3, 240], rel=0.02)
    errors[0] = np.nan
    errors[1, ::2, 0] = np.nan
    assert error_limits(errors) == pytest.approx([0.6, 240], rel=0.02)
    # Nothing is limited where there is no label, or most errors are zero.
    errors[1, :, 0], errors[1, :, 1] = np.nan, 0.0
    assert error_limits(errors).tolist() == [np.inf, np.inf]
