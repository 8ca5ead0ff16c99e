import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transtar.errors import InputError
from transtar.evaluate import halves_floor, mmd, squared_mmd


def plain(x, y, gamma):
    """The paper's Equation 1, sum by sum."""

    def k(a, b):
        return np.exp(-gamma * sum((p - q) ** 2 for p, q in zip(a, b, strict=True)))

    m, n = len(x), len(y)
    within_x = sum(k(x[i], x[j]) for i in range(m) for j in range(m) if i != j)
    within_y = sum(k(y[i], y[j]) for i in range(n) for j in range(n) if i != j)
    between = sum(k(x[i], y[j]) for i in range(m) for j in range(n))
    return within_x / (m * (m - 1)) + within_y / (n * (n - 1)) - 2 * between / (m * n)


def disc(n, rng, shift=0.0):
    return rng.normal((-0.3 + shift, 0.1), (0.3, 0.1), (n, 2))


@given(st.integers(2, 25), st.integers(2, 25), st.floats(0.1, 20), st.integers(0, 2**32 - 1))
def test_every_pair_counts_once(m, n, gamma, seed):
    rng = np.random.default_rng(seed)
    x, y = disc(m, rng), disc(n, rng, 0.4)
    assert squared_mmd(x, y, gamma).value == pytest.approx(plain(x, y, gamma), abs=1e-12)


def test_blocks_do_not_show(monkeypatch):
    rng = np.random.default_rng(1)
    x, y = disc(300, rng), disc(170, rng, 0.2)
    whole, halves = squared_mmd(x, y), halves_floor(x, n_splits=5)
    monkeypatch.setattr(mmd, "BLOCK", 7)
    for found, wanted in ((squared_mmd(x, y), whole), (halves_floor(x, n_splits=5), halves)):
        assert (found.value, found.error) == pytest.approx((wanted.value, wanted.error), abs=1e-12)


def test_a_shift_of_the_whole_plane_changes_nothing():
    rng = np.random.default_rng(2)
    x, y = disc(200, rng), disc(150, rng, 0.2)
    assert squared_mmd(x + 5000, y + 5000).value == pytest.approx(squared_mmd(x, y).value, abs=1e-9)


def test_gaussians_whose_discrepancy_is_known():
    """Two normal distributions of equal width s and distance d in the plane.

    Means over a normal distribution of the kernel of differences, whose variance is 2 s^2 on each axis, are in closed form.
    """
    rng = np.random.default_rng(3)
    s, d, gamma = 0.3, 0.4, 2.0
    x, y = rng.normal(0, s, (4000, 2)), rng.normal((d, 0), s, (3000, 2))
    broad = 1 + 4 * gamma * s**2
    expected = 2 / broad * (1 - np.exp(-gamma * d**2 / broad))
    found = squared_mmd(x, y, gamma)
    assert abs(found.value - expected) < 4 * found.error
    assert found.error < 0.1 * expected


@pytest.mark.parametrize("shift", [0.0, 0.3])
def test_the_error_is_the_scatter_over_samples(shift):
    rng = np.random.default_rng(4)
    found = [squared_mmd(disc(120, rng), disc(80, rng, shift)) for _ in range(150)]
    scatter = np.std([one.value for one in found], ddof=1)
    # For equal distributions the jackknife is known to err on the large side.
    assert 0.8 < np.mean([one.error for one in found]) / scatter < 1.7
    if not shift:
        values = np.array([one.value for one in found])
        assert 0.2 < (values < 0).mean() < 0.8
        assert abs(values.mean()) < 4 * scatter / np.sqrt(len(values))


def test_halves_differ_by_chance_only():
    rng = np.random.default_rng(5)
    x = disc(161, rng)
    floor = halves_floor(x, n_splits=200)
    assert abs(floor.value) < 0.5 * floor.error
    # The same by splitting with the plain estimator.
    halves = [rng.permutation(len(x))[:160].reshape(2, 80) for _ in range(60)]
    own = [plain(x[a], x[b], 2.0) for a, b in halves[:8]] + [squared_mmd(x[a], x[b]).value for a, b in halves[8:]]
    assert floor.error == pytest.approx(np.std(own, ddof=1), rel=0.35)
    assert halves_floor(x, n_splits=200) == floor


def test_memory_does_not_grow_with_the_pairs():
    rng = np.random.default_rng(6)
    x, y = disc(6000, rng), disc(3000, rng)
    tracemalloc.start()
    squared_mmd(x, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # The kernels of all pairs would take 432 MB.
    assert peak < 40e6


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.zeros((3, 2)), np.zeros((3, 1)), "shapes"),
        (np.zeros(3), np.zeros(3), "shapes"),
        (np.zeros((1, 2)), np.zeros((3, 2)), "1 and 3 stars"),
        (np.full((3, 2), np.nan), np.zeros((3, 2)), "finite"),
    ],
)
def test_samples_that_cannot_be_compared(x, y, message):
    with pytest.raises(InputError, match=message):
        squared_mmd(x, y)


def test_two_stars_have_a_value_and_no_error():
    found = squared_mmd(np.zeros((2, 2)), np.ones((2, 2)))
    assert np.isfinite(found.value)
    assert np.isnan(found.error)
    with pytest.raises(InputError, match="four"):
        halves_floor(np.zeros((3, 2)))
