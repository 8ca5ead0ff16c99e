"""Training the runs of a study: fleets spread over processes, each as soon as its pre-training is there."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import replace
from pathlib import Path

from ..datasets import read_set
from ..files import discard_temporaries
from ..processes import start_worker, stop
from ..progress import progress_bar
from ..train import Strategy, TrainSettings, group_members, make_strategy
from .job import Job
from .jobs import run_jobs

FLEET_MEMORY = 6e8
"""Bytes that runs trained together may take: some ten adapters at the paper's numbers; a kill costs no more than these."""

DEVICE_MEMORY = 2e10
"""The same where they do not train on the CPU, and all are best together."""


def train_jobs(jobs: list[Job], runs: Path, workers: int) -> dict[str, str]:
    """Train in parallel, fine-tunings in fleets, each as soon as its pre-training is there.

    Parameters
    ----------
    jobs : list of Job
    runs : Path
        Folder for what they predict.
    workers : int
        Processes of one thread each.

    Returns
    -------
    dict of str to str
        By key of the runs that failed, what was wrong; all others are done.
    """
    failed: dict[str, str] = {}
    if not jobs:
        return failed
    waiting, ready = _in_order(jobs, workers)
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(workers, len(jobs)), mp_context=context, initializer=start_worker)
    try:
        with progress_bar(total=len(jobs), unit="run", desc="train") as bar:
            pending: dict[Future, list[Job]] = {pool.submit(run_jobs, fleet, str(runs)): fleet for fleet in ready}
            while pending:
                done, _ = wait(pending, return_when=FIRST_COMPLETED)
                for future in done:
                    fleet = pending.pop(future)
                    failed |= future.result()
                    bar.update(len(fleet))
                    followers = waiting.pop(fleet[0].key, []) if fleet[0].strategy == "pretrain" else []
                    if fleet[0].key in failed:
                        failed |= {job.key: "its pre-training failed" for job in followers}
                        bar.update(len(followers))
                        continue
                    for follower in fleets(followers, workers):
                        pending[pool.submit(run_jobs, follower, str(runs))] = follower
    except BaseException:
        stop(pool)
        for folder in {runs, *(Path(job.base).parent for job in jobs if job.base)}:
            discard_temporaries(folder)
        raise
    pool.shutdown()
    return failed


def _in_order(jobs: Iterable[Job], workers: int) -> tuple[dict[str, list[Job]], list[list[Job]]]:
    """Fine-tunings by the pre-training that they wait for, and what can begin at once."""
    first = {job.key: job for job in jobs if job.strategy == "pretrain"}
    waiting: dict[str, list[Job]] = {}
    free: list[Job] = []
    for job in jobs:
        if job.strategy != "pretrain":
            base = job.base.rsplit("-", 1)[-1]
            (waiting.setdefault(base, []) if base in first else free).append(job)
    return waiting, [*fleets(free, workers), *([job] for job in first.values())]


def fleets(jobs: list[Job], workers: int) -> list[list[Job]]:
    """Runs that share stars and their augmented spectra together, those of most work first."""
    if not jobs:
        return []
    strategies = [_strategy(job) for job in jobs]
    on_cpu = all(getattr(strategy, "device", "cpu") == "cpu" for strategy in strategies)
    groups = group_members(
        strategies,
        [(job.target, job.split, job.n_finetune, job.seed, job.input_key) for job in jobs],
        [job.n_finetune for job in jobs],
        n_inputs=read_set(jobs[0].target).flux.shape[1],
        workers=workers if on_cpu else 1,
        memory=FLEET_MEMORY if on_cpu else DEVICE_MEMORY,
    )
    return [[jobs[number] for number in group] for group in groups]


def _strategy(job: Job) -> Strategy:
    strategy: Strategy = make_strategy(job.strategy, **job.settings)
    return replace(strategy, seed=job.seed) if isinstance(strategy, TrainSettings) else strategy
