import numpy as np
import pytest

from transtar.datasets import representatives as module
from transtar.datasets.representatives import representatives
from transtar.errors import InputError, SettingsError


def blobs(sizes, seed=0):
    """Tight groups of points far from one another, and the group of each."""
    generator = np.random.default_rng(seed)
    groups = np.repeat(np.arange(len(sizes)), sizes)
    return 10.0 * groups[:, None] + 0.1 * generator.normal(size=(len(groups), 2)), groups


def spread(points, chosen):
    """Mean squared distance from the nearest chosen point."""
    return np.min(((points[:, None] - points[chosen]) ** 2).sum(axis=2), axis=1).mean()


def test_a_representative_is_in_the_middle_of_its_group():
    points = np.random.default_rng(0).normal(size=(500, 3))
    (chosen,), (share,) = representatives(points, 1)
    assert share == 1
    assert chosen == np.argmin(((points - points.mean(axis=0)) ** 2).sum(axis=1))


def test_they_are_nearer_to_all_than_points_drawn_at_random():
    points = np.random.default_rng(1).normal(size=(2000, 3))
    drawn = [np.random.default_rng(seed).permutation(2000)[:50] for seed in range(10)]
    chosen = [representatives(points, 50, seed)[0] for seed in range(10)]
    assert max(spread(points, one) for one in chosen) < 0.8 * min(spread(points, one) for one in drawn)


def test_shares_are_those_of_the_groups():
    points, groups = blobs([60, 30, 10])
    for seed in range(20):
        chosen, shares = representatives(points, 3, seed)
        if sorted(groups[chosen].tolist()) == [0, 1, 2]:
            np.testing.assert_allclose(shares, np.array([0.6, 0.3, 0.1])[groups[chosen]])
            break
    else:
        pytest.fail("no seed found the three groups")


def test_where_something_is_known_nothing_is_chosen():
    points, groups = blobs([300, 20])
    known = np.array([[0.0, 0.0]])
    for seed in range(5):
        chosen, _ = representatives(points, 2, seed, known=np.repeat(known, 30, axis=0) + 0.01)
        assert (groups[chosen] == 1).any()
    assert not representatives(points, 1, 0)[1][0] < 1


def test_all_are_different_and_one_seed_gives_one_choice(monkeypatch):
    points = np.round(np.random.default_rng(2).normal(size=(300, 2)), 1)  # many of them equal
    chosen, shares = representatives(points, 300, 4)
    assert sorted(chosen.tolist()) == list(range(300))
    assert shares.sum() == pytest.approx(1)
    once = representatives(points, 40, 4)[0]
    assert once.tolist() != representatives(points, 40, 5)[0].tolist()
    monkeypatch.setattr(module, "CELLS", 500)
    assert once.tolist() == representatives(points, 40, 4)[0].tolist()


def test_what_cannot_be_chosen_is_refused():
    points = np.zeros((5, 2))
    with pytest.raises(InputError, match="6 stars are wanted, and there are 5 to choose from"):
        representatives(points, 6)
    with pytest.raises(SettingsError, match="n"):
        representatives(points, 0)
    points[2, 1] = np.nan
    with pytest.raises(InputError, match="not all finite"):
        representatives(points, 2)
