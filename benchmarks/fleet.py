"""Table 1's trained rows as a fleet against the plain loop, one run after the other: a wall-time ratio per strategy.

Ten runs per strategy: two labels, five seeds. As in a study, ours go to worker processes of one thread each. A study starts
them once for hundreds of runs, so that they are started and warm before the clock starts; sending them models and stars,
setting up the runs and finishing them is timed. The plain side is that of `benchmarks.training`: one run after the other,
each on all threads; its inputs come standardised and split, and only its loop is timed. Both see the same stars for the same
number of epochs at the same constant rate, as they are (nothing augmented, so that there is little to share), and keep the
best epoch. The two sides take turns seed by seed, which are the fleets that a study makes of such a table, so that another
load of the machine meets both; the ratio is the median over the turns.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

import numpy as np
import torch

from benchmarks.common import report
from benchmarks.training import AS_PLAIN, EPOCHS, N_HELD_OUT, N_PIXELS, N_STARS, STRATEGIES, mock_stars, plain_loop
from transtar.datasets import Stars, validation_split
from transtar.models import Estimator
from transtar.train import Member, TrainSettings, finetune_fleet, group_members, pretrain

BARS = {"residual": 0.5, "lora": 0.5, "full": 0.7, "scratch": 0.7}
N_SEEDS = 5
GPU_AIM = 60.0


def two_labels(n: int, seed: int, survey: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Mock spectra with [Fe/H], and an [alpha/Fe] that falls with it."""
    flux, feh = mock_stars(n, seed, survey)
    return flux, {"feh": feh, "alphafe": 0.1 - 0.15 * feh + np.random.default_rng(seed).normal(0, 0.03, n)}


def table_rows(name: str, epochs: int, learning_rate: float, device: str = "cpu") -> list[Member]:
    """The runs of one strategy; the paper's 2,069 stars train, a tenth on top of them validates."""
    source, known = two_labels(900, 1, 0)
    flux, labels = two_labels(N_STARS + N_HELD_OUT, 2, 1)
    first = TrainSettings(epochs=4, **AS_PLAIN)
    bases = {label: pretrain(Stars(source, known[label], label, survey="source"), settings=first) for label in labels}
    return [
        Member(
            bases[label], Stars(flux, labels[label], label, survey="target"),
            STRATEGIES[name](epochs=epochs, learning_rate=learning_rate, seed=seed, device=device, **AS_PLAIN),
        )
        for seed in range(N_SEEDS) for label in labels
    ]  # fmt: skip


def start_worker() -> None:
    torch.set_num_threads(1)


def train_fleet(members: list[Member]) -> list[float]:
    """Train in this process; the best validation losses."""
    losses = []
    for model in finetune_fleet(members):
        if not isinstance(model, Estimator):
            raise model
        losses.append(min(model.provenance[-1]["validation_loss"][1:]))
    return losses


def fleet_seconds(members: list[Member], pool: ProcessPoolExecutor, workers: int) -> tuple[float, list[float]]:
    """Wall time of all members over the workers, and their losses."""
    start = time.perf_counter()
    groups = group_members(
        [member.strategy for member in members], ["all"] * len(members), [len(member.stars) for member in members],
        n_inputs=N_PIXELS, workers=workers,
    )  # fmt: skip
    futures = [pool.submit(train_fleet, [members[number] for number in group]) for group in groups]
    losses = [loss for future in futures for loss in future.result()]
    return time.perf_counter() - start, losses


def plain_seconds(name: str, members: list[Member]) -> tuple[float, list[float]]:
    """Wall time of the plain loops, and their losses."""
    seconds, losses = 0.0, []
    for member in members:
        base, settings, stars = member.model, member.strategy, member.stars
        held_out = validation_split(stars.names, stars.feh, settings.validation_fraction, settings.seed)
        inputs = base.standardise(stars.inputs)
        targets = torch.from_numpy(((stars.labels - base.label_mean) / base.label_std).astype(np.float32))
        data = (inputs[~held_out], targets[~held_out], inputs[held_out], targets[held_out])
        start = time.perf_counter()
        losses.append(plain_loop(name, base, data, settings.epochs, settings.learning_rate, settings.seed))
        seconds += time.perf_counter() - start
    return seconds, losses


def time_strategy(name: str, options: argparse.Namespace, pool: ProcessPoolExecutor) -> bool:
    """Print the ratio of a strategy; whether its bar is met."""
    members = table_rows(name, options.epochs, options.lr)
    warm = [replace(member, strategy=replace(member.strategy, epochs=1)) for member in members[:2]]
    fleet_seconds(warm, pool, options.workers)
    plain_seconds(name, warm[:1])
    turns = []
    for first in range(0, len(members), 2):
        part = members[first : first + 2]
        turns.append((*fleet_seconds(part, pool, options.workers), *plain_seconds(name, part)))
    ours, our_losses, plain, plain_losses = zip(*turns, strict=True)
    ratio = statistics.median(a / b for a, b in zip(ours, plain, strict=True))
    report(
        f"fleet/{name}",
        ratio,
        BARS[name],
        f"all runs: ours {sum(ours):.1f} s, plain {sum(plain):.1f} s; "
        f"median validation loss {np.median(our_losses):.4f} against {np.median(plain_losses):.4f}",
        at_most=True,
    )
    return ratio <= BARS[name]


def time_gpu(learning_rate: float) -> bool:
    """Print the time of all of Table 1's trained rows as one fleet on a GPU."""
    members = [member for name in BARS for member in table_rows(name, EPOCHS, learning_rate, "cuda")]
    train_fleet([member for name in BARS for member in table_rows(name, 1, learning_rate, "cuda")])
    start = time.perf_counter()
    train_fleet(members)
    seconds = time.perf_counter() - start
    device = torch.cuda.get_device_name()
    report("fleet/table 1 on a GPU, seconds", seconds, GPU_AIM, f"{len(members)} runs, {device}", at_most=True)
    return seconds <= GPU_AIM


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; exit status 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strategies", nargs="+", choices=list(BARS), default=list(BARS))
    parser.add_argument("--epochs", type=int, default=5, help="epochs to time; the full length is 200")
    parser.add_argument("--lr", type=float, default=1e-4)
    parser.add_argument("--workers", type=int, default=2, help="processes of ours, and threads of the plain side")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.workers)
    print(
        f"fleet/ {2 * N_SEEDS} runs per strategy, {N_STARS} stars x {N_PIXELS}, "
        f"{options.epochs} of {EPOCHS} epochs (a fraction of {options.epochs / EPOCHS:g}), {options.workers} warm workers "
        f"of one thread against one loop of {options.workers} threads",
        flush=True,
    )
    # Fork would take over the threads of this process.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.workers, mp_context=context, initializer=start_worker) as pool:
        met = [time_strategy(name, options, pool) for name in options.strategies]
    if torch.cuda.is_available():
        met.append(time_gpu(options.lr))
    return int(not all(met))


if __name__ == "__main__":
    raise SystemExit(main())
