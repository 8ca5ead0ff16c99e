from dataclasses import replace

import pytest

from transtar.train import Full, LoRA, Recalibrate, Residual, Scratch, group_members

TABLE = [replace(kind(), seed=seed) for seed in range(5) for kind in (Residual, LoRA, Full, Scratch) for _ in range(2)]


def group(strategies, stars=None, **more):
    stars = stars or ["all"] * len(strategies)
    groups = group_members(strategies, stars, [2069] * len(strategies), n_inputs=1462, **more)
    assert sorted(number for part in groups for number in part) == list(range(len(strategies)))
    return groups


def test_runs_that_augment_the_same_stars_stay_together():
    groups = group(TABLE)
    assert sorted(sorted(part) for part in groups) == [list(range(8 * seed, 8 * seed + 8)) for seed in range(5)]
    others = group(TABLE, stars=["some", "others"] * 20)
    assert sorted(map(len, others)) == [4] * 10


@pytest.mark.parametrize("workers", [2, 3, 8])
def test_processes_are_kept_busy(workers):
    # Runs of one kind, so that their number is their cost.
    groups = group([replace(Full(), seed=seed) for seed in range(5) for _ in range(8)], workers=workers)
    sizes = list(map(len, groups))
    assert sizes == sorted(sizes, reverse=True)
    load = [0] * workers
    for size in sizes:
        load[load.index(min(load))] += size
    assert max(load) <= 1.1 * 40 / workers


def test_fleets_fit_into_the_memory():
    # 2,055,809 weights, of which biases are not counted, and 2,069 stars: 97 MB a run.
    groups = group([Full(seed=1) for _ in range(9)], memory=4.1e8)
    assert sorted(map(len, groups)) == [1, 4, 4]


def test_without_augmentation_equal_shapes_stay_together():
    same = [Residual(augmentation=None, seed=seed) for seed in range(3)]
    groups = group([*same, Full(augmentation=None), Recalibrate()])
    assert sorted(map(sorted, groups)) == [[0, 1, 2], [3], [4]]


def test_on_a_gpu_all_go_together():
    groups = group([replace(strategy, device="cuda") for strategy in TABLE], memory=2e10)
    assert len(groups) == 1
