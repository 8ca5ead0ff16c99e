"""Why metal-poor stars, giants above all, err in all labels at once: one cause at a time.

Run from the project root as ``python -m benchmarks.metal_poor [--causes windows scale seen training] [--stars 12000]``. Needs the
real spectra in `TRANSTAR_DATA`. Of MILES the pool is judged; benchmark stars are those that are no test stars. docs/metal-poor.md
discusses what is printed.

- ``windows``: synthetic twins of the real stars at their catalog labels, and what one window of the real spectrum does in them;
  `mock-feh` and its like predict.
- ``scale``: labels of MILES against Gaia benchmark stars and against temperatures by colour (infrared flux method).
- ``seen``: twins of another line spread, another S/N, less carbon.
- ``training``: networks that have learnt from other mock stars (`benchmarks.metal_poor_training`), some minutes.
"""

from __future__ import annotations

import argparse
import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks import metal_poor_training
from benchmarks.common import DATA
from benchmarks.through import real_set
from transtar.models import Estimator, load_estimator
from transtar.models.named import JOINT
from transtar.preprocess import preprocess
from transtar.simulate.emulator.emulator import Emulator
from transtar.simulate.emulator.emulator_storage import load_emulator
from transtar.simulate.emulator.model_spectra import ModelSpectra
from transtar.simulate.instruments.effects import Effects
from transtar.simulate.instruments.instrument import INSTRUMENTS, Instrument
from transtar.simulate.instruments.lsf import LineSpread
from transtar.simulate.instruments.observe import observe
from transtar.simulate.mocks.balmer_cores import CORES
from transtar.simulate.mocks.line_correction import load_lines
from transtar.simulate.mocks.twins import average_stars
from transtar.surveys import get_survey, stream

LABELS = ("teff", "logg", "feh")

MILES_SNR = 150.0
"""Taken for spectra without inverse variance."""

BANDPASSES = {
    "B": (3600.0, (0, 30, 134, 567, 920, 978, 1000, 978, 935, 853, 740, 640, 536, 424, 325, 235, 150, 95, 43, 9, 0)),
    "V": (4700.0, (0, 30, 163, 458, 780, 967, 1000, 973, 898, 792, 684, 574, 461, 359, 270, 197, 135, 81, 45, 25, 17,
                   13, 9, 0)),
}  # fmt: skip
"""Response in steps of 100 A, per mille (Bessell 1990, PASP 102, 1181)."""

COLOUR_TO_TEFF = {
    "giant": (0.4967, 0.7260, -0.1563, 0.0255, -0.0585, -0.0061),
    "dwarf": (0.5725, 0.4722, 0.0086, -0.0628, -0.0038, -0.0051),
}
"""5040 K / Teff of B - V and [Fe/H], infrared flux method (Gonzalez Hernandez & Bonifacio 2009, A&A 497, 497, tables 4, 5)."""


@dataclass(frozen=True)
class Judged:
    """Real stars to judge predictions on.

    Parameters
    ----------
    name : str
    flux : ndarray, shape (n, n_grid), float32
    labels : ndarray, shape (n, 3), float64
        `LABELS`.
    snr : ndarray, shape (n,)
    files : ndarray of str, shape (n,)
    """

    name: str
    flux: np.ndarray
    labels: np.ndarray
    snr: np.ndarray
    files: np.ndarray

    @property
    def columns(self) -> dict[str, np.ndarray]:
        """The labels by name."""
        return dict(zip(LABELS, self.labels.T, strict=True))


def kinds(labels: np.ndarray) -> dict[str, np.ndarray]:
    """Rows of each kind of star."""
    giant, feh = labels[:, 1] < 3.5, labels[:, 2]
    return {
        "giants below -1": giant & (feh < -1),
        "giants -1 to -0.5": giant & (feh >= -1) & (feh < -0.5),
        "dwarfs below -1": ~giant & (feh < -1),
        "others": (giant & (feh >= -0.5)) | (~giant & (feh >= -1)),
    }


def say(sample: str, change: str, error: np.ndarray, labels: np.ndarray) -> None:
    """Print mean, its standard error and scatter of errors (n, 3), a line for each kind of star."""
    for kind, rows in kinds(labels).items():
        n = int(rows.sum())
        if n < 3:
            continue
        mean, scatter = error[rows].mean(axis=0), error[rows].std(axis=0, ddof=1)
        spread = scatter / n**0.5
        print(
            f"{sample:10s} {change:38s} {kind:18s} {n:4d}  Teff {mean[0]:+5.0f} +- {spread[0]:3.0f} ({scatter[0]:3.0f})  "
            f"log g {mean[1]:+.2f} +- {spread[1]:.2f} ({scatter[1]:.2f})  "
            f"[Fe/H] {mean[2]:+.2f} +- {spread[2]:.2f} ({scatter[2]:.2f})",
            flush=True,
        )


def real_stars(scratch: Path) -> tuple[Judged, Judged, Judged]:
    """The pool of MILES, LAMOST DR10 from 4500 to 6800 K, and benchmark stars in MILES that are no test stars."""
    samples = []
    for survey, folder in (("miles", "miles"), ("lamost", "lamost_dr10")):
        prepared = real_set(survey, folder, scratch)
        labels = np.asarray(prepared.targets(LABELS), float)
        snr = np.nan_to_num(np.asarray(prepared.columns["snr"], float), nan=MILES_SNR)
        split = np.asarray(prepared.columns["split"])
        files = np.asarray(prepared.columns["file"]).astype(str)
        usable = np.isfinite(labels).all(axis=1) & np.isfinite(prepared.flux).all(axis=1)
        hot = (labels[:, 0] > 4500) & (labels[:, 0] < 6800)
        rows = usable & (split == "pool" if survey == "miles" else hot)
        samples.append(Judged(survey, prepared.flux[rows], labels[rows], snr[rows], files[rows]))
        if survey == "miles":
            rows = usable & (split != "test")
            known = benchmark_labels()
            rows &= np.array([file in known for file in files])
            benchmark = np.array([known[file] for file in files[rows]])
            samples.append(Judged("benchmark", prepared.flux[rows], benchmark, snr[rows], files[rows]))
    miles, benchmark_stars, lamost = samples
    return miles, lamost, benchmark_stars


def benchmark_labels() -> dict[str, tuple[float, float, float]]:
    """Teff, log g and [Fe/H] of Gaia benchmark stars by file of MILES; 4000 to 7000 K."""
    henry_draper = {}
    with open(DATA / "labels" / "gaia_benchmark_stars_v3.csv") as file:
        for row in csv.DictReader(file):
            number = re.search(r"\d+", row["HD"])
            if number and all(row[name].strip() for name in ("Teff", "logg", "[Fe/H]")):
                henry_draper[int(number[0])] = tuple(float(row[name]) for name in ("Teff", "logg", "[Fe/H]"))
    matched = {}
    with open(DATA / "miles" / "labels.csv") as file:
        for row in csv.DictReader(file):
            number = re.fullmatch(r"HD0*(\d+)", row["name"].strip())
            labels = henry_draper.get(int(number[1])) if number else None
            if labels and 4000 < labels[0] < 7000:
                matched[row["file"]] = labels
    return matched


def seen(
    stars: Judged, emulator: Emulator, instrument: Instrument, snr: np.ndarray | None = None, carbon: float = 0.0
) -> np.ndarray:
    """Twins of stars at their labels, corrected by lamost-dr10, with `carbon` added to [C/Fe]; see `twins`."""
    table = average_stars(stars.columns)
    table["cfe"] += carbon
    wanted = emulator.clip(np.stack([np.asarray(table[name], float) for name in emulator.label_names], axis=1))
    model = ModelSpectra.from_emulator(emulator, wanted)
    batches = [observe(instrument, model, table, seed=0, effects=Effects.only("lsf"))]
    if snr is not None:
        batches.append(observe(instrument, model, table, seed=0, effects=Effects.only("lsf", "noise"), snr=snr))
    clean, *noisy = (preprocess(batch).flux for batch in batches)
    return load_lines("lamost-dr10").apply(noisy[0] if noisy else clean, stars.columns, depth=1 - clean)


def windows(wave: np.ndarray) -> dict[str, np.ndarray]:
    """Pixels of each window."""

    def within(low: float, high: float) -> np.ndarray:
        return (wave > low) & (wave < high)

    cores = np.any([np.abs(wave - line) < 6 for line in CORES], axis=0)
    balmer = within(4070, 4135) | within(4310, 4372) | within(4815, 4910)
    carbon = (within(4280, 4310) | within(4140, 4216)) & ~balmer
    magnesium = within(5150, 5200)
    rest = ~(balmer | carbon | magnesium)
    return {
        "Balmer cores (6 A)": cores,
        "Balmer wings": balmer & ~cores,
        "G band, CN": carbon,
        "Mg b": magnesium,
        "all else": rest,
    }


def judge_windows(model: Estimator, samples: tuple[Judged, ...], emulator: Emulator, wave: np.ndarray) -> None:
    """What the shipped models err by, and which window of the real spectrum moves a twin as far."""
    for stars in samples:
        twin = seen(stars, emulator, INSTRUMENTS[stars.name], stars.snr)
        real, made = predict(model, stars.flux), predict(model, twin)
        say(stars.name, "real spectra", real - stars.labels, stars.labels)
        say(stars.name, "twins at catalog labels", made - stars.labels, stars.labels)
        for name, window in windows(wave).items():
            mixed = np.where(window, stars.flux, twin)
            say(stars.name, f"twins, real {name}", predict(model, mixed) - made, stars.labels)
            mixed = np.where(window, twin, stars.flux)
            say(stars.name, f"real, twins' {name}", predict(model, mixed) - stars.labels, stars.labels)
        for kind, rows in kinds(stars.labels).items():
            missing = (stars.flux - twin)[rows].mean(axis=0)
            around = {
                line: [missing[np.abs(wave - line - x) < 1.5].mean() for x in range(-18, 19, 3)] for line in CORES
            }
            for line, profile in around.items():
                print(f"{stars.name:10s} real - twin, {kind:18s} {line:.0f} A, -18 to 18 A, 1e-3: "
                      + " ".join(f"{1000 * value:4.0f}" for value in profile))  # fmt: skip


def judge_scale(model: Estimator, miles: Judged, benchmark: Judged) -> None:
    """The labels of MILES against benchmark stars, and temperatures by colour."""
    with open(DATA / "miles" / "labels.csv") as file:
        catalog = {row["file"]: [float(row[name] or "nan") for name in LABELS] for row in csv.DictReader(file)}
    labels = np.array([catalog[name] for name in benchmark.files])
    known = np.isfinite(labels).all(axis=1)
    say("benchmark", "MILES labels", (labels - benchmark.labels)[known], benchmark.labels[known])
    say("benchmark", "shipped models", predict(model, benchmark.flux) - benchmark.labels, benchmark.labels)
    colour = colours(DATA / "miles" / "spectra")
    given = np.array([colour.get(name, np.nan) for name in miles.files])
    teff = np.where(miles.labels[:, 1] < 3.5, *(by_colour(given, miles.labels[:, 2], kind) for kind in COLOUR_TO_TEFF))
    ordinary = kinds(miles.labels)["others"] & np.isfinite(teff)
    giant = miles.labels[:, 1] < 3.5
    zero = np.zeros(len(teff))
    for some in (giant, ~giant):
        zero[some] = np.nanmedian((miles.labels[:, 0] - teff)[ordinary & some])
    kept = np.isfinite(teff)
    apart = np.stack([miles.labels[:, 0] - teff - zero, predict(model, miles.flux)[:, 0] - teff - zero], axis=1)[kept]
    for kind, rows in kinds(miles.labels[kept]).items():
        n, mean, scatter = int(rows.sum()), apart[rows].mean(axis=0), apart[rows].std(axis=0)
        print(
            f"miles      Teff less that of B - V, {kind:18s} {n:4d}  MILES labels {mean[0]:+5.0f} +- {scatter[0] / n**0.5:3.0f}, "
            f"shipped model {mean[1]:+5.0f} +- {scatter[1] / n**0.5:3.0f}"
        )
    print(f"           zero points from the others: giants {zero[giant][0]:+.0f} K, dwarfs {zero[~giant][0]:+.0f} K")


def colours(folder: Path) -> dict[str, float]:
    """B - V of spectra by file; MILES is calibrated and corrected for reddening. The zero point is arbitrary."""
    measured = {}
    for batch in stream(get_survey("miles"), folder, batch_size=1024):
        flux = np.where(batch.mask, 0, batch.flux)
        bands = []
        for start, response in BANDPASSES.values():
            curve = np.interp(batch.wave, start + 100 * np.arange(len(response)), response, left=0, right=0)
            bands.append(flux @ curve / curve.sum())
        with np.errstate(invalid="ignore", divide="ignore"):
            colour = -2.5 * np.log10(bands[0] / bands[1]) + 0.6
        measured.update(zip(np.asarray(batch.meta["file"]).astype(str), colour, strict=True))
    return measured


def by_colour(colour: np.ndarray, feh: np.ndarray, kind: str) -> np.ndarray:
    """Teff by B - V and [Fe/H]."""
    a = COLOUR_TO_TEFF[kind]
    return 5040 / (a[0] + colour * (a[1] + a[2] * colour + a[3] * feh) + feh * (a[4] + a[5] * feh))


def judge_seen(model: Estimator, miles: Judged, emulator: Emulator) -> None:
    """Twins seen otherwise, beside those of the instrument as it is."""
    instrument = INSTRUMENTS["miles"]
    usual = predict(model, seen(miles, emulator, instrument, miles.snr))
    changes: Mapping[str, dict] = {
        "line spread 2.5 A": {"instrument": instrument.with_line_spread(LineSpread((5000.0,), (2.5,), "angstrom"))},
        "line spread 3.1 A": {"instrument": instrument.with_line_spread(LineSpread((5000.0,), (3.1,), "angstrom"))},
        "S/N 30": {"snr": np.full(len(miles.snr), 30.0)},
        "S/N 500": {"snr": np.full(len(miles.snr), 500.0)},
        "[C/Fe] 0.3 less": {"carbon": -0.3},
    }
    for name, change in changes.items():
        given = {"instrument": instrument, "snr": miles.snr, **change}
        say("miles", f"twins, {name}", predict(model, seen(miles, emulator, **given)) - usual, miles.labels)


def predict(model: Estimator, flux: np.ndarray) -> np.ndarray:
    """`LABELS`, shape (n, 3)."""
    columns = [model.label_names.index(name) for name in LABELS]
    return model.predict(np.ascontiguousarray(flux, np.float32))[:, columns]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    causes = ("windows", "scale", "seen", "training")
    parser.add_argument("--causes", nargs="+", choices=causes, default=list(causes))
    parser.add_argument("--stars", type=int, default=12_000, help="mock stars of the networks of 'training'")
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    with TemporaryDirectory() as scratch:
        miles, lamost, benchmark = real_stars(Path(scratch))
    model, emulator = load_estimator(JOINT / "mock"), load_emulator()
    if "windows" in given.causes:
        judge_windows(model, (miles, lamost), emulator, model.preprocessing.wavelengths.wave)
    if "scale" in given.causes:
        judge_scale(model, miles, benchmark)
    if "seen" in given.causes:
        judge_seen(model, miles, emulator)
    if "training" in given.causes:
        metal_poor_training.judge(miles, lamost, benchmark, emulator, given.stars, given.seeds, say)


if __name__ == "__main__":
    main()
