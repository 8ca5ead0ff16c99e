"""Which runs of a study make a fleet: those with work in common, in parts that keep all processes busy."""

from __future__ import annotations

import heapq
import json
from collections.abc import Hashable, Sequence
from dataclasses import replace

from .settings import TrainSettings, plain
from .strategies import Strategy

MEMORY = 2e9
"""Bytes that the runs of a fleet may take by default."""

_IDLE = 1.1  # a longest share of this times the mean one is good enough


def group_members(
    strategies: Sequence[Strategy],
    stars: Sequence[Hashable],
    n_stars: Sequence[int],
    *,
    n_inputs: int,
    hidden: Sequence[int] = (1024, 512, 64),
    workers: int = 1,
    memory: float = MEMORY,
) -> list[list[int]]:
    """Part runs into fleets for `finetune_fleet`, one process each.

    On a CPU, runs that augment the same stars with the same seed belong together; without augmentation, runs of one
    strategy that differ in their stars or seed, which may be stacked. Elsewhere all that fit into the memory. Fleets are cut
    until they fill the processes evenly.

    Parameters
    ----------
    strategies : sequence of strategy settings
        One per run, with its seed and device.
    stars : sequence of hashable
        Equal for runs that are given the same stars, such as the name of their set and their number.
    n_stars : sequence of int
        Stars of each run.
    n_inputs : int
        Inputs per star.
    hidden : sequence of int
        Widths of the hidden layers of the models that are adapted.
    workers : int
        Processes that fleets are spread over.
    memory : float
        Bytes that the runs of one fleet may take together.

    Returns
    -------
    list of list of int
        Numbers of the runs of each fleet, the most costly fleet first; every run is in one.
    """
    weights = [strategy.weights_in_step(n_inputs, hidden) for strategy in strategies]
    costs, sizes = [], []
    for strategy, n, (trained, frozen) in zip(strategies, n_stars, weights, strict=True):
        # A product with a weight that trains has a gradient, too; a step costs something by itself.
        costs.append(float(1 + strategy.passes(n) * n * (3 * trained + 2 * frozen + 100_000)))
        # Weights with two moments, gradient, best and average; spectra, augmented, standardised.
        sizes.append(4.0 * (6 * trained + frozen + 4 * n * n_inputs))
    together: dict[Hashable, list[int]] = {}
    for number, (strategy, run_stars) in enumerate(zip(strategies, stars, strict=True)):
        together.setdefault(_in_common(strategy, run_stars, n_stars[number]), []).append(number)
    groups: list[list[int]] = []
    for group in together.values():
        groups += _within(group, sizes, memory)
    while True:
        groups.sort(key=lambda group: sum(costs[number] for number in group), reverse=True)
        finish = [0.0] * workers
        for group in groups:
            heapq.heapreplace(finish, finish[0] + sum(costs[number] for number in group))
        largest = next((group for group in groups if len(group) > 1), None)
        if largest is None or max(finish) <= _IDLE * sum(finish) / workers:
            return groups
        groups.remove(largest)
        groups += _halves(largest, costs)


def _in_common(strategy: Strategy, stars: Hashable, n: int) -> Hashable:
    if not isinstance(strategy, TrainSettings):
        return "at once", stars
    if strategy.device != "cpu":
        return strategy.device
    if strategy.augmentation is not None:
        return stars, strategy.seed, strategy.augmentation
    # All but what runs that are trained as one may differ in.
    settings = plain(replace(strategy, seed=0, learning_rate=None))
    return strategy.name, json.dumps(settings), n


def _within(group: list[int], sizes: Sequence[float], memory: float) -> list[list[int]]:
    """Cut a group into parts that fit, in order; a run that does not fit by itself is one part."""
    parts: list[list[int]] = []
    for number in group:
        if parts and sum(sizes[other] for other in parts[-1]) + sizes[number] <= memory:
            parts[-1].append(number)
        else:
            parts.append([number])
    return parts


def _halves(group: list[int], costs: Sequence[float]) -> list[list[int]]:
    """Two parts of about equal cost, neither empty."""
    parts: list[list[int]] = [[], []]
    for number in sorted(group, key=lambda number: costs[number], reverse=True):
        min(parts, key=lambda part: sum(costs[other] for other in part)).append(number)
    return parts
