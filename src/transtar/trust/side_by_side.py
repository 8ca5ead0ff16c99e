"""Blocks of spectra worked on by several threads side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch
from threadpoolctl import threadpool_limits

from ..processes import usable_threads

T = TypeVar("T")

BLOCK = 512
"""Spectra in a block: what networks make of them on their way stays in the caches of a processor."""


@contextmanager
def side_by_side(threads: int | None = None) -> Iterator[Callable[[Callable[[slice], T], int], list[T]]]:
    """Give a function that works on all blocks of some rows.

    Threads that each do a block of their own share the work better than those of torch, which share each product of matrices: all
    that is not done by torch is shared, too, and nobody waits for others.

    Parameters
    ----------
    threads : int, optional
        All processors if not given.

    Yields
    ------
    callable
        ``run(work, n)`` calls ``work(rows)`` for slices that make up n rows, one at least, and gives the results in their order.
    """
    threads = threads or usable_threads()
    before = torch.get_num_threads()
    # The number of torch's threads is one of each thread, but for threads that have yet to start.
    with ThreadPoolExecutor(threads, "transtar-predicting", torch.set_num_threads, (1,)) as pool:
        ready = False

        def run(work: Callable[[slice], T], n: int) -> list[T]:
            nonlocal ready
            blocks = [slice(start, min(start + BLOCK, n)) for start in range(0, max(n, 1), BLOCK)]
            # Nor is numpy to take several threads for each of ours.
            with threadpool_limits(1, user_api="blas"):
                # What is loaded or compiled for the first block should have no company.
                done = [] if ready else [pool.submit(work, blocks.pop(0)).result()]
                ready = True
                return done + list(pool.map(work, blocks))

        try:
            yield run
        finally:
            torch.set_num_threads(before)
