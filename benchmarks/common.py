"""What the benchmarks share: spectra to work on, and fair timing of two things in turn."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from transtar.datasets import SetWriter
from transtar.preprocess import GridSpectra, Preprocessing
from transtar.spectra import SpectrumBatch
from transtar.surveys import get_survey, stream

DATA = Path(os.environ.get("TRANSTAR_DATA", Path(__file__).parents[2] / "shared" / "data"))


def lamost_spectra(n: int, seed: int = 0) -> SpectrumBatch:
    """`n` spectra on LAMOST pixels: the real DR10 ones repeated with small velocities, or made up where they are absent."""
    random = np.random.default_rng(seed)
    folder = DATA / "lamost_dr10" / "spectra"
    if folder.is_dir():
        batch = next(stream(get_survey("lamost"), folder, batch_size=1024))
        rows = np.resize(np.arange(len(batch)), n)
        batch = batch.select(rows)
        velocity = batch.meta["velocity"] + random.normal(0, 30, n)
    else:
        print("no real spectra at hand: using made-up ones")
        wave = 10 ** (3.5682 + 1e-4 * np.arange(3909))
        flux = np.ones((n, len(wave)))
        for center, depth in zip(random.uniform(3800, 5800, 300), random.uniform(0, 0.6, 300), strict=True):
            flux *= 1 - random.uniform(0.5, 1, (n, 1)) * depth * np.exp(-0.5 * ((wave - center) / 2) ** 2)
        flux *= 1 + random.normal(0, 0.3, (n, 1)) * (wave - 5000) / 2000
        flux = (flux + random.normal(0, 0.02, flux.shape)).astype(np.float32)
        bad = random.random(flux.shape) < 0.02
        batch = SpectrumBatch(
            wave, flux, np.full_like(flux, 2500), bad, np.arange(n), "lamost", meta={"file": np.arange(n).astype(str)}
        )
        velocity = random.normal(0, 40, n)
    return SpectrumBatch(
        batch.wave, batch.flux, batch.ivar, batch.mask, batch.ids, "lamost", meta={**batch.meta, "velocity": velocity}
    )


def desi_like(lamost: SpectrumBatch) -> SpectrumBatch:
    """The same spectra on the linear 0.8 A pixels of the blue arm of DESI, so that resampling has work to do."""
    wave = 3600 + 0.8 * np.arange(2751)
    flux = np.array([np.interp(wave, lamost.wave, row) for row in np.nan_to_num(lamost.flux)], dtype=np.float32)
    nearest = np.clip(np.searchsorted(lamost.wave, wave), 0, len(lamost.wave) - 1)
    # Picking columns gives arrays in column order; those that a reader takes from a file lie row by row.
    ivar, mask = (np.ascontiguousarray(values[:, nearest]) for values in (lamost.ivar, lamost.mask))
    return SpectrumBatch(wave, flux, ivar, mask, lamost.ids, "desi", meta=lamost.meta)


def write_set(path: Path, settings: Preprocessing, blocks: Iterable[np.ndarray]) -> None:
    """A prepared set of spectra (n, n_grid), block by block, all of them in its pool and each of a star of its own."""
    start = 0
    with SetWriter(path, settings, {"by": "benchmark"}) as writer:
        for flux in blocks:
            n, flux = len(flux), flux.astype(np.float32, copy=False)
            rows = np.arange(start, start + n)
            columns = {
                "file": np.array([f"{row}.fits" for row in rows]), "id": rows, "survey": np.full(n, "made"),
                "snr": np.ones(n), "good_fraction": np.ones(n), "flags": np.zeros(n, np.int32),
            }  # fmt: skip
            spectra = GridSpectra(flux, np.ones_like(flux), columns["good_fraction"], columns["snr"], columns["flags"])
            writer.append(spectra, columns)
            start += n
        writer.finish(writer.columns() | {"split": np.full(start, "pool")}, ())


def seconds(work: Callable[[], object], rounds: int = 3) -> float:
    """Least wall time of `work` over a few rounds, after one that is not counted."""
    work()
    best = np.inf
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def report(name: str, ratio: float, bar: float | None, detail: str, at_most: bool = False) -> None:
    """Print one line: what, ratio, bar, whether it is met, and the absolute figures."""
    met = "" if bar is None else (" met" if (ratio <= bar if at_most else ratio >= bar) else " MISSED")
    bar_text = "" if bar is None else f" (bar {'at most' if at_most else 'at least'} {bar:g}:{met})"
    print(f"{name:44s} {ratio:9.2f}{bar_text}  {detail}", flush=True)
