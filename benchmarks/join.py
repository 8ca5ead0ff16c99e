"""Seconds and memory of `transtar join`: ``python -m benchmarks.join [rows] [rows of the table]``, a million each by default.

A made-up catalog with the columns of predictions for DESI, and a made-up table of Gaia with ten columns, of which nine tenths of
the catalog's stars are; one tenth of the stars were observed twice. Each join runs in a process of its own, so that its
peak of memory is its own.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Mapping
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from transtar.catalog import join_catalog, write_catalog

GIB = 2**20
"""Kilobytes."""


def write_tables(folder: Path, n: int, m: int) -> None:
    """A catalog of `n` rows and a table of `m`."""
    random = np.random.default_rng(0)
    ra, dec = random.uniform(0, 360, m), np.degrees(np.arcsin(random.uniform(-0.3, 0.95, m)))
    source_id = random.permutation(m).astype(np.int64) * 4096 + 2**62
    pm = random.normal(0, 10, (2, m))
    gaia = {
        "source_id": source_id, "ref_epoch": np.full(m, 2016.0), "ra": ra, "dec": dec, "pmra": pm[0], "pmdec": pm[1],
        "parallax": random.exponential(1, m), "phot_g_mean_mag": random.uniform(12, 19, m).astype(np.float32),
        "bp_rp": random.uniform(0, 2, m).astype(np.float32), "ruwe": random.uniform(0.9, 1.4, m).astype(np.float32),
    }  # fmt: skip
    write_catalog(folder / "gaia.parquet", gaia)
    star = random.integers(0, m, n)
    star[: n // 10] = star[n // 10 : 2 * (n // 10)]
    lost = random.random(n) < 0.1
    labels = {f"{label}{end}": random.uniform(1, 2, n).astype(np.float32)
              for label in ("teff", "logg", "feh", "alphafe") for end in ("", "_err", "_lo", "_hi", "_noise")}  # fmt: skip
    catalog = {
        "file": np.array([f"coadd-main-dark-{row // 300}.fits" for row in range(n)]), "id": np.arange(n) + 39627000000000000,
        "survey": np.full(n, "desi"), "star": np.full(n, ""), "ra": ra[star], "dec": dec[star] - np.where(lost, 0.01, 0),
        "velocity": np.zeros(n, np.float32), "SURVEY": np.full(n, "main"), "PROGRAM": np.full(n, "dark"),
        "HEALPIX": np.arange(n) // 300, "source_id": np.where(lost, -1, source_id[star]), **labels,
        "snr": np.ones(n, np.float32), "good_fraction": np.ones(n, np.float32), "flags": np.zeros(n, np.int32),
    }  # fmt: skip
    write_catalog(folder / "catalog.parquet", catalog, {"models": ["made up"]})


def _join(folder: Path, how: Mapping[str, str], send) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    joined = join_catalog(folder / "catalog.parquet", folder / "gaia.parquet", folder / f"{how['out']}", by=how["by"])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    send.send((time.perf_counter() - start, peak / GIB, before / GIB, str(joined)))


def main() -> None:
    """Print a row for each kind of join."""
    n, m = (int(text) for text in (*sys.argv[1:], "1000000", "1000000")[:2])
    context = get_context("spawn")
    print(
        "| join | seconds | peak memory (GiB), of it the program itself | what became of the rows |\n|---|---|---|---|"
    )
    with TemporaryDirectory() as name:
        writer = context.Process(target=write_tables, args=(Path(name), n, m))
        writer.start()
        writer.join()
        for by in ("id", "position"):
            for suffix in ("parquet", "fits"):
                receive, send = context.Pipe(duplex=False)
                work = context.Process(target=_join, args=(Path(name), {"by": by, "out": f"{by}.{suffix}"}, send))
                work.start()
                send.close()
                seconds, peak, base, said = receive.recv()
                work.join()
                print(f"| {by}, {suffix} | {seconds:.1f} | {peak:.2f}, {base:.2f} | {said} |", flush=True)


if __name__ == "__main__":
    main()
