"""What measured velocities cost the labels: shipped models on the same spectra, with known and with measured velocities.

Run from the project root as ``python -m benchmarks.velocity_labels``; with the folder of a simulated universe as its
argument, mock DESI is judged as well (``transtar simulate --scale small --out FOLDER``).
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.common import DATA
from benchmarks.velocity_judge import SHIFTS, labels_of, read_csv, shifted, spectra_of
from transtar.catalog import predict_spectra
from transtar.evaluate.metrics import r2
from transtar.flags import BAD
from transtar.spectra import SpectrumBatch

MODELS = ("mock-feh", "mock-teff", "mock-logg")
LABELS = ("feh", "teff", "logg")


def compare(name: str, batches: list[SpectrumBatch], table: dict[str, np.ndarray], rows: np.ndarray) -> None:
    """Print R2 of each label with the velocities of the batches and with measured ones, over stars that have both."""
    given, measured = (predict_spectra(MODELS, batches, velocities=how).columns for how in (None, "measure"))
    for label in LABELS:
        both = rows & np.isfinite(given[label]) & np.isfinite(measured[label]) & np.isfinite(table[label])
        both &= (given["flags"] & int(BAD)) == 0
        scores = [r2(table[label][both], columns[label][both]) for columns in (given, measured)]
        lost = int((rows & np.isfinite(given[label]) & ~np.isfinite(measured[label])).sum())
        print(
            f"  {name:8s} {label:5s} n {both.sum():5d}  R2 given {scores[0]:.4f}  measured {scores[1]:.4f}  "
            f"difference {scores[1] - scores[0]:+.4f}; {lost} without a measured velocity",
            flush=True,
        )


def moved(batch: SpectrumBatch) -> list[SpectrumBatch]:
    """Each spectrum of a library at rest as it would look at one of `SHIFTS`, which it knows; in the order of the batch."""
    parts = []
    for row in range(len(batch)):
        shift = SHIFTS[row % len(SHIFTS)]
        one = batch.select([row])
        parts.append(replace(shifted(one, shift), meta={**one.meta, "velocity": np.array([shift])}))
    return parts


def main(universe: Path | None) -> None:
    """Judge all that is at hand."""
    print("R2 with given and with measured velocities (bar: within 0.005)")
    if (DATA / "lamost_dr10").is_dir():
        batch = spectra_of("lamost", DATA / "lamost_dr10" / "spectra")
        table = labels_of(batch, read_csv(DATA / "lamost_dr10" / "labels.csv"))
        compare("LAMOST", [batch], table, np.ones(len(batch), bool))
        compare("S/N > 20", [batch], table, table["snrg"] > 20)
    if (DATA / "miles").is_dir():
        batch = spectra_of("miles", DATA / "miles" / "spectra")
        table = labels_of(batch, read_csv(DATA / "miles" / "labels.csv"))
        chosen = (table["teff"] > 4000) & (table["teff"] < 7000)
        batch = batch.select(chosen)
        compare("MILES", moved(batch), {k: v[chosen] for k, v in table.items()}, np.ones(len(batch), bool))
    if universe is not None:
        import pyarrow.parquet as pq

        batch = spectra_of("desi", universe / "desi")
        truth = {k: np.array(v) for k, v in pq.read_table(universe / "truth.parquet").to_pydict().items()}
        place = {int(name): i for i, name in enumerate(truth["source_id"])}
        at = np.array([place[int(name.split()[-1])] for name in batch.meta["star"]])
        table = {name: truth[name][at].astype(float) for name in (*LABELS, "radial_velocity")}
        batch = replace(batch, meta={**batch.meta, "velocity": table["radial_velocity"]})
        compare("DESI", [batch], table, np.ones(len(batch), bool))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
