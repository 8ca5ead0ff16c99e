import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transtar.errors import InputError
from transtar.evaluate import GAMMAS, halves_floor, mmd, squared_mmd, squared_mmds
from transtar.evaluate.pairs import exponential


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


@settings(deadline=None)  # the first call may have to compile
@given(
    st.integers(2, 25),
    st.integers(2, 25),
    st.integers(1, 3),
    st.lists(st.floats(0.1, 20) | st.sampled_from((2.0, 20.0, 200.0)), min_size=1, max_size=4),
    st.integers(0, 2**32 - 1),
)
def test_every_pair_counts_once(m, n, n_dim, gammas, seed):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(0, 0.5, (m, n_dim)), rng.normal(0.2, 0.5, (n, n_dim))
    # Stars that are in a sample twice, and in both.
    x[-1], y[-1] = x[0], x[0]
    found = squared_mmds(x, y, gammas)
    assert [one.value for one in found] == pytest.approx([plain(x, y, gamma) for gamma in gammas], abs=1e-12)


def test_several_kernels_at_once_are_those_one_by_one():
    """Also where one kernel is a power of another, and samples that are large enough for threads."""
    rng = np.random.default_rng(7)
    x, y = disc(1500, rng), disc(700, rng, 0.2)
    alone = [squared_mmd(x, y, gamma) for gamma in GAMMAS]
    pairs = ((x[:, None] - y) ** 2).sum(axis=2)
    own = [((a[:, None] - a) ** 2).sum(axis=2) for a in (x, y)]
    for threads in (1, 2, 5):
        found = squared_mmds(x, y, GAMMAS, threads=threads)
        for one, single, gamma in zip(found, alone, GAMMAS, strict=True):
            assert (one.value, one.error) == pytest.approx((single.value, single.error), abs=1e-13)
            within = [(np.exp(-gamma * a).sum() - len(a)) / (len(a) * (len(a) - 1)) for a in own]
            assert one.value == pytest.approx(sum(within) - 2 * np.exp(-gamma * pairs).mean(), abs=1e-13)
        assert found == squared_mmds(x, y, GAMMAS, threads=1)


def test_the_exponential_is_that_of_numpy():
    t = -np.concatenate([[0.0], np.logspace(-17, 1.6, 4000)])
    assert [exponential(value) for value in t] == pytest.approx(np.exp(t), rel=5e-14, abs=0)
    assert exponential(0.0) == 1
    assert 0 < exponential(-1e300) < 1e-17


def test_blocks_do_not_show(monkeypatch):
    rng = np.random.default_rng(1)
    x = disc(300, rng)
    halves = halves_floor(x, n_splits=5)
    monkeypatch.setattr(mmd, "BLOCK", 7)
    found = halves_floor(x, n_splits=5)
    assert (found.value, found.error) == pytest.approx((halves.value, halves.error), abs=1e-12)


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


def test_wide_kernels_hardly_see_two_sequences_that_run_together():
    """Two sequences 0.2 dex apart in [alpha/Fe] against one normal distribution of their mean and covariance.

    The mean of a kernel over two normal distributions is in closed form, and so is the discrepancy of mixtures of them.
    """
    share = np.array([0.4, 0.6])
    mean = np.array([[-0.6, 0.29], [-0.25, 0.06]])
    # Each falls by 0.1 dex per dex.
    covariance = np.array([[0.0625, -0.00625], [-0.00625, 0.002225]])
    centre = share @ mean
    merged = covariance + (mean - centre).T @ np.diag(share) @ (mean - centre)

    def overlap(gamma, first, second):
        """Of two mixtures, lists of (share, mean, covariance)."""
        total = 0.0
        for p, a, s in first:
            for q, b, t in second:
                broad = np.eye(2) + 2 * gamma * (s + t)
                apart = np.exp(-gamma * (a - b) @ np.linalg.solve(broad, a - b))
                total += p * q * apart / np.sqrt(np.linalg.det(broad))
        return total

    two, one = [(p, m, covariance) for p, m in zip(share, mean, strict=True)], [(1.0, centre, merged)]
    wanted = [overlap(g, two, two) + overlap(g, one, one) - 2 * overlap(g, two, one) for g in GAMMAS]
    assert wanted == pytest.approx([0.00016, 0.0050, 0.0117], rel=0.03)
    ratios, deviations = [], []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        n = rng.binomial(2000, share[0])
        upper, lower = (rng.multivariate_normal(m, covariance, k) for m, k in zip(mean, (n, 2000 - n), strict=True))
        found = squared_mmds(np.concatenate([upper, lower]), rng.multivariate_normal(centre, merged, 1500), GAMMAS)
        ratios.append([value.value / value.error for value in found])
        deviations.append([(value.value - w) / value.error for value, w in zip(found, wanted, strict=True)])
    assert np.abs(deviations).max() < 4
    wide, middle, narrow = np.median(ratios, axis=0)
    assert wide < 1.5
    assert middle > 3
    assert narrow > 8


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
    squared_mmds(x, y)
    halves_floor(y, n_splits=20)
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


@pytest.mark.parametrize("gamma", [0.0, -2.0, np.nan, np.inf])
def test_kernels_that_are_none(gamma):
    x = np.zeros((4, 2))
    with pytest.raises(InputError, match="positive"):
        squared_mmds(x, x, (2.0, gamma))
    with pytest.raises(InputError, match="positive"):
        halves_floor(x, gamma)


def test_two_stars_have_a_value_and_no_error():
    found = squared_mmd(np.zeros((2, 2)), np.ones((2, 2)))
    assert np.isfinite(found.value)
    assert np.isnan(found.error)
    with pytest.raises(InputError, match="four"):
        halves_floor(np.zeros((3, 2)))
