"""The ten nearest of a million embeddings: time, memory, and against scikit-learn's exact search.

Run from the project root: ``python -m benchmarks.search``. The ratio is of one run, both sides on the same vectors, queries and
threads. Ours reads them from a file, a block at a time; scikit-learn (NearestNeighbors, metric cosine, brute force) has them all
in memory. Rows must be equal but where scikit-learn's cosines, in single precision, are so close that they cannot tell.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from sklearn.neighbors import NearestNeighbors

from benchmarks.common import report
from benchmarks.mmd import peak
from transtar.datasets.nearest import BLOCK, top_k

N, WIDTH, K = 1_000_000, 128, 10
N_QUERIES = 500


def write_vectors(path: Path) -> None:
    """Vectors that all point roughly one way, as embeddings do."""
    random = np.random.default_rng(0)
    mean = random.normal(size=WIDTH)
    with path.open("wb") as file:
        for _ in blocks_of(N):
            (mean + random.normal(size=(BLOCK, WIDTH))).astype(np.float32).tofile(file)


def blocks_of(n: int) -> Iterator[slice]:
    """Slices of blocks of n rows."""
    return (slice(start, min(start + BLOCK, n)) for start in range(0, n, BLOCK))


def stored(path: Path, n: int) -> Iterator[np.ndarray]:
    """The vectors in blocks, as they are read from the file."""
    with path.open("rb") as file:
        for rows in blocks_of(n):
            yield np.fromfile(file, np.float32, (rows.stop - rows.start) * WIDTH).reshape(-1, WIDTH)


def main():
    """Print time, memory and the ratio."""
    random = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vectors"
        write_vectors(path)
        queries = next(stored(path, N))[random.permutation(BLOCK)[:N_QUERIES]]
        top_k(queries[:9], stored(path, BLOCK), K)
        grown = []
        for n in (N // 10, N):
            before, start = peak(), time.perf_counter()
            ours = top_k(queries, stored(path, n), K)
            wall = time.perf_counter() - start
            grown.append(peak() - before)
        before, start = peak(), time.perf_counter()
        vectors = np.concatenate(list(stored(path, N)))
        search = NearestNeighbors(n_neighbors=K, metric="cosine", algorithm="brute").fit(vectors)
        distances, rows = search.kneighbors(queries)
        wall_of_sklearn = time.perf_counter() - start
        memory = peak() - before
    what = f"{N_QUERIES} queries among {N:,} vectors of {WIDTH}, {os.cpu_count()} processors"
    report(
        "search: scikit-learn / ours",
        wall_of_sklearn / wall,
        1,
        f"{wall_of_sklearn:.1f} s against {wall:.1f} s; {what}",
    )
    report("search: peak memory, MB, a tenth of them", grown[0], None, "more than before")
    more = f"more than before, for all; scikit-learn {memory:.0f} MB"
    report("search: peak memory, MB, ten times as many", grown[1], 20, more, at_most=True)
    same = rows == ours.rows
    worst = np.abs(1 - distances - ours.scores).max()
    report("search: worst difference of cosines / 1e-6", worst / 1e-6, 2, f"{worst:.1e}", at_most=True)
    close = np.abs(np.diff(ours.scores, axis=1, append=ours.scores[:, -1:] - 1)) < 2e-6
    close[:, 1:] |= close[:, :-1]
    n_other = int((~same & ~close).sum())
    report(
        "search: rows that differ without a near tie",
        n_other,
        0,
        f"{(~same).sum()} of {same.size} with one",
        at_most=True,
    )


if __name__ == "__main__":
    main()
