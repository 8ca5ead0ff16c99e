from collections import Counter

import numpy as np
import pytest

from transtar.datasets import Repeats


def table(survey, star, ids):
    return {"survey": np.array(survey), "star": np.array(star), "id": np.array(ids, np.int64)}


def test_star_counts_then_id_then_nothing():
    rows = table(["a"] * 8, ["x", "x", "", "", "7", "", "", ""], [1, 2, 7, 7, 9, -1, -1, 2**62 + 1])
    assert Repeats().mark(rows).tolist() == [True] * 4 + [False] * 4


def test_surveys_are_told_apart_and_a_batch_remembers_those_before():
    repeats = Repeats()
    first = table(["a", "b"], ["x", "x"], [-1, -1])
    assert repeats.mark(first).tolist() == [False, False]
    assert not repeats.came_again
    assert repeats.mark(table(["b", "c"], ["x", "x"], [-1, -1])).tolist() == [True, False]
    assert repeats.came_again
    assert repeats.mark_late(first).tolist() == [False, True]


def test_large_ids_are_exact():
    repeats = Repeats()
    assert not repeats.mark({"survey": np.array("a"), "id": 2**62 + np.arange(4)}).any()
    assert not repeats.mark_late({"survey": np.array("a"), "id": 2**62 + np.arange(4)}).any()


@pytest.mark.parametrize("size", [1, 7, 100, 3000])
def test_as_a_plain_count_of_names_says_whatever_the_batches(size):
    rng = np.random.default_rng(0)
    rows = table(rng.choice(["a", "b"], 3000), rng.choice(["", "s", "t"], 3000), rng.integers(-1, 900, 3000))
    rows["star"] = np.where(rows["star"] == "", "", np.char.add(rows["star"], rng.integers(0, 500, 3000).astype(str)))
    keys = list(zip(*(column.tolist() for column in rows.values()), strict=True))
    names = [(survey, star) if star else (survey, number) if number != -1 else None for survey, star, number in keys]
    times = Counter(names)
    wanted = [name is not None and times[name] > 1 for name in names]
    repeats = Repeats()
    marked = np.zeros(3000, bool)
    parts = [slice(start, start + size) for start in range(0, 3000, size)]
    for part in parts:
        marked[part] = repeats.mark({name: column[part] for name, column in rows.items()})
    assert (marked | repeats.mark_late(rows)).tolist() == wanted
    assert sum(len(run) for run in repeats._runs) == len(times) - (None in times)
    assert len(repeats._runs) <= 12
