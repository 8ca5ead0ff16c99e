"""Maximum mean discrepancy of two abundance planes of the paper's sizes: time, memory, and against scikit-learn's kernels.

Run from the project root: ``python -m benchmarks.mmd``. The ratio is of one run, both sides on the same stars and threads;
ours gives an error as well, and takes each two stars of one sample once. scikit-learn has no such estimator: what is timed is
its kernel matrix, a few rows at a time, summed, once for each gamma. It would take minutes on all stars, and both sides get
one star in `PART`.
"""

from __future__ import annotations

import os
import resource
import sys
import time

import numpy as np
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.utils import gen_batches

from benchmarks.common import report, seconds
from transtar.evaluate import GAMMAS, squared_mmds

SIZES = (126_253, 7_608)
PART = 6
"""One star in six, one pair in thirty-six."""

HELD = 2**23
"""Kernels that scikit-learn's side holds at a time, 64 MB."""


def plane(n: int, thick: float, seed: int) -> np.ndarray:
    """[Fe/H] and [alpha/Fe] of made-up stars on two sequences, a share `thick` of them on the upper one."""
    random = np.random.default_rng(seed)
    upper = random.random(n) < thick
    feh = np.where(upper, random.normal(-0.6, 0.3, n), random.normal(-0.25, 0.25, n))
    alphafe = np.where(upper, 0.25, 0.05) - 0.1 * (feh + 0.4) + random.normal(0, 0.04, n)
    return np.stack([feh, alphafe], axis=1)


def plain(x: np.ndarray, y: np.ndarray) -> list[float]:
    """The estimator from scikit-learn's kernel matrices, all pairs of two samples a few rows at a time."""

    def total(a, b, gamma):
        return sum(rbf_kernel(a[rows], b, gamma).sum() for rows in gen_batches(len(a), max(1, HELD // len(b))))

    n, m = len(x), len(y)
    return [
        (total(x, x, gamma) - n) / (n * (n - 1))
        + (total(y, y, gamma) - m) / (m * (m - 1))
        - 2 * total(x, y, gamma) / (n * m)
        for gamma in GAMMAS
    ]


def peak() -> float:
    """Most memory that this process ever held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def main():
    """Print time and memory of the whole, and the ratio on a part."""
    x, y = plane(SIZES[0], 0.4, 0), plane(SIZES[1], 0.35, 1)
    few = x[::PART], y[::PART]
    names = f"gamma = {', '.join(f'{gamma:g}' for gamma in GAMMAS)}"
    squared_mmds(x[:1000], y[:1000])  # compiles
    before, start = peak(), time.perf_counter()
    whole = squared_mmds(x, y)
    wall = time.perf_counter() - start
    grown = peak() - before
    values = ", ".join(f"{one.value:.5f} ± {one.error:.5f}" for one in whole)
    threads = os.cpu_count()
    print(f"mmd/ {SIZES[0]:,} x {SIZES[1]:,} stars, {names}: {wall:.1f} s on {threads} threads; MMD^2 {values}")
    found = squared_mmds(*few)
    ours = seconds(lambda: squared_mmds(*few))
    before, expected = peak(), plain(*few)
    theirs = seconds(lambda: plain(*few), 1)
    part = f"{len(few[0]):,} x {len(few[1]):,} stars, the same gammas and threads"
    report("mmd: scikit-learn / ours", theirs / ours, None, f"{theirs:.1f} s against {ours:.2f} s for {part}")
    worst = max(abs(one.value - other) for one, other in zip(found, expected, strict=True))
    report("mmd: worst difference / 1e-12", worst / 1e-12, 1, f"{worst:.1e}", at_most=True)
    memory = f"more than before, for all stars; scikit-learn for a part {peak() - before:.0f} MB"
    report("mmd: peak memory, MB", grown, None, memory)


if __name__ == "__main__":
    main()
