import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from transtar.datasets import nearest
from transtar.datasets.nearest import top_k
from transtar.errors import InputError, SettingsError


def plain(queries, vectors, k, leave_out=None):
    """All cosines, sorted, one query after the other."""

    def direction(vector):
        doubled = vector.astype(np.float64)
        return doubled / np.sqrt((doubled * doubled).sum())

    scores, rows = np.full((len(queries), k), np.nan), np.full((len(queries), k), -1)
    for number, query in enumerate(queries):
        pairs = []
        for row, vector in enumerate(vectors):
            usable = all(np.isfinite(one).all() and one.any() for one in (query, vector))
            if usable and (leave_out is None or row != leave_out[number]):
                pairs.append((np.clip((direction(query) * direction(vector)).sum(), -1, 1), row))
        pairs.sort(key=lambda pair: (-pair[0], pair[1]))
        for rank, (score, row) in enumerate(pairs[:k]):
            scores[number, rank], rows[number, rank] = score, row
    return scores, rows


def in_blocks(vectors, sizes):
    start = 0
    for size in sizes:
        yield vectors[start : start + size]
        start += size
    yield vectors[start:]


VALUES = st.sampled_from([0.0, 1.0, -1.0, 2.0, 0.5, 1e-3, 3e38, -1e-40, np.nan, np.inf]) | st.floats(-9, 9, width=32)


@given(st.data(), st.integers(1, 4), st.integers(1, 9))
@settings(deadline=None, max_examples=60)
def test_it_gives_what_sorting_all_cosines_gives(data, width, k):
    several = lambda n: arrays.arrays(np.float32, (n, width), elements=VALUES)  # noqa: E731
    queries = data.draw(several(data.draw(st.integers(0, 5))))
    vectors = data.draw(several(data.draw(st.integers(0, 12))))
    sizes = data.draw(st.lists(st.integers(0, 6), max_size=3))
    leave_out = data.draw(st.none() | arrays.arrays(np.int64, len(queries), elements=st.integers(-1, 12)))
    result = top_k(queries, in_blocks(vectors, sizes), k, leave_out)
    scores, rows = plain(queries, vectors, k, leave_out)
    np.testing.assert_array_equal(result.rows, rows)
    np.testing.assert_array_equal(result.scores, scores)
    finite = np.isfinite(vectors).all(axis=1)
    assert result.n == len(vectors)
    assert result.n_not_finite == (~finite).sum()
    assert result.n_zero == (~vectors[finite].any(axis=1)).sum()


@pytest.mark.parametrize("narrow", [1.0, 1e-3, 1e-6])
@pytest.mark.parametrize("block", [7, 100, 5000])
def test_vectors_that_differ_by_less_than_single_precision_tells(monkeypatch, narrow, block):
    """Raw embeddings often all point one way."""
    monkeypatch.setattr(nearest, "QUERIES", 5)
    random = np.random.default_rng(3)
    vectors = (1 + narrow * random.normal(size=(600, 40))).astype(np.float32)
    queries = (1 + narrow * random.normal(size=(12, 40))).astype(np.float32)
    scores, rows = plain(queries, vectors, 6)
    result = top_k(queries, in_blocks(vectors, [block] * 5), 6)
    np.testing.assert_array_equal(result.rows, rows)
    np.testing.assert_array_equal(result.scores, scores)


def test_equal_vectors_come_in_their_order():
    vectors = np.tile(np.random.default_rng(0).normal(size=(1, 33)).astype(np.float32), (500, 1))
    result = top_k(vectors[:2], in_blocks(vectors, [123, 1, 200]), 4, leave_out=np.array([1, -1]))
    assert result.rows.tolist() == [[0, 2, 3, 4], [0, 1, 2, 3]]


@pytest.mark.parametrize("k", [1, 3, 50])
def test_many_good_ones_come_late(k):
    """Each block is nearer than the one before."""
    turned = np.linspace(1.5, 0.01, 2000)
    vectors = np.c_[np.cos(turned), np.sin(turned)].astype(np.float32)
    result = top_k(np.array([[2, 0]]), in_blocks(vectors, [100] * 19), k)
    assert result.rows[0].tolist() == list(range(1999, 1999 - k, -1))


def test_fewer_vectors_than_asked_for():
    result = top_k(np.ones((1, 3)), [np.ones((2, 3)), np.zeros((1, 3)), np.full((1, 3), np.nan)], 4)
    assert result.rows.tolist() == [[0, 1, -1, -1]]
    np.testing.assert_array_equal(result.scores, [[1, 1, np.nan, np.nan]])
    assert (result.n, result.n_not_finite, result.n_zero) == (4, 1, 1)


def test_no_vectors_and_no_queries():
    assert top_k(np.ones((2, 3)), [], 2).rows.tolist() == [[-1, -1]] * 2
    assert top_k(np.ones((0, 3)), [np.ones((4, 3))], 2).rows.shape == (0, 2)


def test_what_cannot_be_is_refused():
    with pytest.raises(SettingsError, match="k must be a whole number from 1 to"):
        top_k(np.ones((1, 3)), [], 0)
    with pytest.raises(InputError, match="the queries have 3 values each, the vectors searched 4"):
        top_k(np.ones((1, 3)), [np.ones((2, 4))], 1)
    with pytest.raises(InputError, match=r"the queries are of shape \(3,\)"):
        top_k(np.ones(3), [], 1)
    with pytest.raises(InputError, match=r"leave_out has shape \(2,\) for 1 queries"):
        top_k(np.ones((1, 3)), [], 1, np.array([0, 1]))


def test_memory_does_not_grow_with_the_number_of_blocks():
    random = np.random.default_rng(0)
    block = random.normal(size=(2048, 16)).astype(np.float32)

    def most(n):
        tracemalloc.start()
        top_k(block[:300], (np.roll(block, number) for number in range(n)), 5)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    assert most(24) < 1.2 * most(3)
