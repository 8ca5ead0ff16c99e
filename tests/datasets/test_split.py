import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from transtar.datasets import folds, matched_split, nested_subsets, regime, validation_split
from transtar.errors import InputError


@st.composite
def samples(draw):
    """Groups with repeats, and a [Fe/H] per row that may be missing."""
    n = draw(st.integers(2, 80))
    groups = draw(st.lists(st.integers(0, n), min_size=n, max_size=n))
    feh = draw(st.lists(st.sampled_from([-2.0, -1.0, -0.5, 0.3, np.nan]), min_size=n, max_size=n))
    return np.array(groups), np.array(feh), draw(st.integers(0, 1000))


@settings(max_examples=60, deadline=None)
@given(samples(), st.floats(0, 0.9))
def test_validation_never_parts_a_star(sample, fraction):
    groups, feh, seed = sample
    n_stars = len(np.unique(groups))
    if fraction > 0 and n_stars < 2:
        with pytest.raises(InputError):
            validation_split(groups, feh, fraction, seed)
        return
    held_out = validation_split(groups, feh, fraction, seed)
    assert not set(groups[held_out]) & set(groups[~held_out])
    assert len(np.unique(groups[held_out])) == (
        min(max(round(fraction * n_stars), 1), n_stars - 1) if fraction > 0 else 0
    )
    np.testing.assert_array_equal(held_out, validation_split(groups, feh, fraction, seed))


@settings(max_examples=60, deadline=None)
@given(samples(), st.data())
def test_subsets_are_nested_whole_stars_of_the_size_asked_for(sample, data):
    groups, feh, seed = sample
    n_stars = len(np.unique(groups))
    sizes = sorted(data.draw(st.sets(st.integers(1, n_stars), min_size=1, max_size=5)))
    subsets = nested_subsets(groups, feh, sizes, seed)
    previous = np.zeros(len(groups), dtype=bool)
    for size in sizes:
        rows = subsets[size]
        assert len(np.unique(groups[rows])) == size
        assert not set(groups[rows]) & set(groups[~rows])
        assert (rows | ~previous).all()
        previous = rows


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 100), st.integers(1, 300), st.integers(0, 99), st.data())
def test_regimes_are_in_proportion_to_within_a_star(n_poor, n_rich, seed, data):
    feh = np.r_[np.full(n_poor, -2.0), np.full(n_rich, 0.0)]
    n = len(feh)
    size = data.draw(st.integers(1, n))
    rows = nested_subsets(np.arange(n), feh, [size], seed)[size]
    assert abs(rows[:n_poor].sum() - size * n_poor / n) <= 1
    fold = folds(np.arange(n), feh, 2, seed)
    assert abs(int((fold == 0).sum()) - int((fold == 1).sum())) <= 1


def test_the_pool_of_miles():
    feh = np.r_[np.full(73, -1.5), np.full(327, -0.2)]
    subsets = nested_subsets(np.arange(400), feh, [50, 100, 200, 400], seed=3)
    assert [int(subsets[n][:73].sum()) for n in (50, 100, 200, 400)] == [9, 18, 37, 73]
    assert not np.array_equal(subsets[50], nested_subsets(np.arange(400), feh, [50], seed=4)[50])


def test_the_limit_belongs_to_the_rich():
    assert regime(np.array([-1.0001, -1.0, np.nan])).tolist() == [0, 1, 2]


def test_a_star_of_both_regimes_goes_by_its_mean():
    groups = np.array(["a", "a", "b", "c"])
    held_out = validation_split(groups, np.array([-1.5, -1.1, 0, 0]), 0.3, 0)
    assert held_out[0] == held_out[1]


def test_names_and_absent_metallicities_will_do():
    assert validation_split(["x", "y", "x", "z"], None, 0.5, 1).sum() in (1, 2, 3)


def test_too_much_is_refused():
    with pytest.raises(InputError, match="subset of 5"):
        nested_subsets([1, 2], None, [5], 0)
    with pytest.raises(InputError, match="3 folds"):
        folds([1, 2, 2], None, 3, 0)


def common_stars(n=4000, seed=1):
    """Poor stars are few and, in the paper's pool, all the warm ones; the rest of the pool is drawn above 4500 K."""
    generator = np.random.default_rng(seed)
    feh = np.where(generator.random(n) < 0.08, generator.uniform(-2.5, -0.7, n), generator.uniform(-0.7, 0.4, n))
    teff = generator.uniform(4000, 6500, n)
    pool = (teff > 4500) & ((feh < -0.7) | (generator.random(n) < 0.2))
    return feh, teff, pool


def test_matched_split_gives_both_parts_one_distribution_of_temperature():
    feh, teff, pool = common_stars()
    poor = feh < -1
    assert teff[poor & ~pool].max() <= 4500 < teff[poor & pool].min()
    stars = np.arange(len(feh))
    new = matched_split(stars, feh, teff, pool, seed=0)
    assert new.sum() == pool.sum()
    assert ks_2samp(teff[poor & pool], teff[poor & ~pool]).pvalue < 1e-6
    for members in (poor, (feh >= -1) & (feh < -0.7), feh >= -0.7):
        assert ks_2samp(teff[members & new], teff[members & ~new]).pvalue > 0.5
        # Neighbours in Teff go to both sides: far closer than a random draw of that size would come by itself.
        assert abs(teff[members & new].mean() - teff[members & ~new].mean()) < 40
    assert (poor & new).sum() == poor.sum() // 2
    assert np.array_equal(new, matched_split(stars, feh, teff, pool, seed=0))
    assert not np.array_equal(new, matched_split(stars, feh, teff, pool, seed=1))


def test_matched_split_keeps_visits_together_and_leaves_unknown_stars_out():
    feh, teff, pool = common_stars(600)
    stars = np.repeat(np.arange(300), 2)
    feh, teff, pool = (values[::2].repeat(2) for values in (feh, teff, pool))
    teff[:20] = np.nan
    new = matched_split(stars, feh, teff, pool, seed=0)
    assert np.array_equal(new[::2], new[1::2])
    assert not new[:20].any()
