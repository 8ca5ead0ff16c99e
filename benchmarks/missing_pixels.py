"""What LAMOST's pixels without weight hold, what it is worth to use them, and what missing pixels do to labels.

Run from the project root as ``python -m benchmarks.missing_pixels [--parts hold labels masks] [--repeats 2]``, about two minutes.
Needs the real spectra in `TRANSTAR_DATA`. docs/missing-pixels.md discusses what is printed.

- ``hold``: fluxes of pixels without inverse variance, against principal components of clean spectra fitted to the pixels that
  have one.
- ``labels``: labels of the shipped models against LASP's, with and without those pixels.
- ``masks``: masks of the worst spectra laid over good ones, and other gaps; the labels' change against the error predicted by
  `transtar.trust.missing`.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np

from benchmarks.common import DATA
from transtar.explain.saliency import gradients
from transtar.models import load_estimator
from transtar.models.named import JOINT
from transtar.preprocess import GridSpectra, Preprocessing, preprocess
from transtar.spectra import SpectrumBatch
from transtar.surveys import get_survey, stream
from transtar.trust.missing import missing_variance
from transtar.trust.typical import typical_spectra

LAMOST = get_survey("lamost")

AS_WRITTEN = replace(LAMOST, judge_unweighted=False)

CLEAN = 0.98
"""Least share of good pixels of a spectrum that counts as clean; the sky line at 5577 A alone takes 1.3 per cent."""

BINS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.45, 0.7, 1.0)
"""Of the share of the grid that is missing."""

REGIMES = ("all", "poor", "rich", "giants", "below 0.8", "0.8 to 0.95", "above 0.95")


def spectra_of(survey, folder: str) -> SpectrumBatch:
    """All spectra of a folder of real LAMOST spectra, 1024 at most."""
    return next(stream(survey, DATA / folder, batch_size=1024, on_error=lambda path, message: None))


def prepared(batch: SpectrumBatch, **settings) -> GridSpectra:
    """The batch on the grid, by the default settings but for some."""
    return preprocess(batch, Preprocessing(**settings), sky_lines=LAMOST.sky_lines)


def hold() -> None:
    """Print how far fluxes without weight, and those with, are from a fit, in units of the error of their neighbours."""
    samples = {}
    clean = prepared(spectra_of(AS_WRITTEN, "lamost_dr10/spectra"))
    model = _components(clean.flux[(clean.good_fraction > CLEAN) & (clean.snr > 25)], 25)
    for folder in ("lamost_dr10/spectra", "lamost_dr1"):
        written, judged = (spectra_of(survey, folder) for survey in (AS_WRITTEN, LAMOST))
        known = np.isfinite(written.meta["velocity"])
        written, judged = written.select(known), judged.select(known)
        spectra = prepared(written)
        unweighted = (written.ivar == 0) & ~written.mask & (written.flux != 0)
        everything = replace(written, ivar=np.where(unweighted, np.float32(1), written.ivar))
        distance = _distances(
            spectra, prepared(written, continuum="none"), prepared(everything, continuum="none"), model
        )
        usable = (spectra.snr > 8)[:, None] & np.isfinite(distance)
        with_weight = prepared(judged).ivar > 0
        asked = ~(spectra.ivar > 0) & (prepared(everything).ivar > 0)
        samples |= {
            f"{folder}: with weight": distance[usable & (spectra.ivar > 0)],
            f"{folder}: without": distance[usable & asked],
            f"{folder}: accepted": distance[usable & asked & with_weight],
            f"{folder}: refused": distance[usable & asked & ~with_weight],
        }
    print(f"{'fluxes':34s} {'n':>8s} {'median':>7s} {'1.48 MAD':>8s} {'beyond 5':>8s} {'beyond 10':>9s}")
    for name, values in samples.items():
        size = np.abs(values)
        print(
            f"{name:34s} {len(values):8d} {np.median(values):7.2f} {1.4826 * np.median(size):8.2f} "
            f"{(size > 5).mean():8.4f} {(size > 10).mean():9.4f}"
        )


def _components(flux: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray]:
    mean = flux.mean(axis=0, dtype=np.float64)
    return mean, np.linalg.svd(flux - mean, full_matrices=False)[2][:number]


def _distances(spectra: GridSpectra, filled: GridSpectra, everything: GridSpectra, model) -> np.ndarray:
    """Fluxes less the fit to the good ones, over the error of the good ones near; NaN where there is no flux.

    `filled` and `everything` are divided by their medians instead of the continuum, without and with the pixels in question.
    """
    mean, parts = model
    good = spectra.ivar > 0
    distance = np.full(spectra.flux.shape, np.nan)
    pixels = np.arange(spectra.flux.shape[1])
    for row in np.flatnonzero(good.sum(axis=1) > 300):
        use = good[row]
        level = np.median(everything.flux[row, use] / filled.flux[row, use])
        flux = everything.flux[row] / level * (spectra.flux[row] / filled.flux[row])
        for _ in range(3):
            amplitudes = np.linalg.lstsq(parts[:, use].T, flux[use] - mean[use], rcond=None)[0]
            rest = flux - mean - amplitudes @ parts
            use = good[row] & (np.abs(rest) < 5 * 1.4826 * np.median(np.abs(rest[good[row]])))
        error = np.interp(pixels, pixels[good[row]], spectra.ivar[row, good[row]]) ** -0.5
        ratio = rest / error
        distance[row] = ratio / (1.4826 * np.median(np.abs(ratio[good[row]])))
    distance[~(everything.ivar > 0)] = np.nan
    return distance


def labels() -> None:
    """Print scores of the shipped models against LASP's labels, with IVAR as written and with its zeros judged."""
    with (DATA / "lamost_dr10" / "labels.csv").open(newline="") as file:
        reference = {row["file"]: row for row in csv.DictReader(file)}
    before, after = (spectra_of(survey, "lamost_dr10/spectra") for survey in (AS_WRITTEN, LAMOST))
    rows = [reference[name] for name in before.meta["file"].tolist()]
    spectra = [prepared(before), prepared(after)]
    snr, fraction = spectra[0].snr, spectra[0].good_fraction
    network = load_estimator(JOINT / "mock")
    predicted = [network.predict(one.flux) for one in spectra]
    for name, one in zip(("as written", "judged"), spectra, strict=True):
        least = np.sort(one.good_fraction)[:3].round(2)
        print(
            f"{name}: {np.sum((one.good_fraction < 0.8) & (snr > 20))} of {np.sum(snr > 20)} spectra with S/N above 20 have a"
        )
        print(f"  good fraction below 0.8; the least: {', '.join(map(str, least))}")
    feh, logg = (np.array([float(row[label]) for row in rows]) for label in ("feh", "logg"))
    regimes = (
        feh > -9, feh < -1, feh >= -1, logg < 3.5, fraction < 0.8, (fraction >= 0.8) & (fraction < 0.95), fraction >= 0.95,
    )  # fmt: skip
    for label in ("feh", "teff", "logg"):
        truth = np.array([float(row[label]) for row in rows])
        number = network.label_names.index(label)
        for regime, chosen in zip(REGIMES, regimes, strict=True):
            scores = [_scores(values[chosen, number], truth[chosen]) for values in predicted]
            print(f"{label:5s} {regime:12s} n {chosen.sum():4d}  as written {scores[0]}  judged {scores[1]}")


def _scores(values: np.ndarray, truth: np.ndarray) -> str:
    off = values - truth
    r2 = 1 - np.sum(off**2) / np.sum((truth - truth.mean()) ** 2)
    return f"R2 {r2:6.3f} rms {np.sqrt(np.mean(off**2)):8.4g} bias {off.mean():8.3g} worst {np.abs(off).max():8.3g}"


def masks(repeats: int, seed: int = 0) -> None:
    """Print changes of labels by masks, and their predicted errors, by the share of the grid that is missing."""
    random = np.random.default_rng(seed)
    written, judged = (spectra_of(survey, "lamost_dr10/spectra") for survey in (AS_WRITTEN, LAMOST))
    whole = prepared(judged)
    clean = random.permutation(np.flatnonzero((whole.good_fraction > CLEAN) & (whole.snr > 40)))[:200]
    worst = np.argsort(prepared(written).good_fraction)[:60]
    bad = {name: ~(one.ivar > 0) | one.mask | (one.flux == 0) for name, one in (("old", written), ("new", judged))}
    n, pixels = len(clean), np.arange(len(judged.wave))

    def blocks(length: int) -> np.ndarray:
        start = random.integers(350, 1780 - length, n)[:, None]
        return (pixels >= start) & (pixels < start + length)

    kinds: dict[str, Callable[[], np.ndarray]] = {
        "masks as written": lambda: bad["old"][random.choice(worst, n)],
        "masks as judged": lambda: bad["new"][random.choice(worst, n)],
        "2 to 6 masks together": lambda: np.array(
            [bad["old"][random.choice(worst, random.integers(2, 7))].any(axis=0) for _ in range(n)]
        ),
        **{f"one run of {length}": lambda length=length: blocks(length) for length in (20, 50, 100, 200, 400, 700)},
    }
    print(
        f"{'label':8s} {'missing':>22s} {'n':>4s} {'change':>8s} {'predicted':>9s} {'ratio':>5s} {'68 %':>5s} {'95 %':>5s}"
    )
    for kind, draw in kinds.items():
        results = [list(_changes(judged.select(clean), whole.select(clean), draw())) for _ in range(repeats)]
        for parts in zip(*results, strict=True):
            label = parts[0][0]
            share, change, predicted = (np.concatenate(values) for values in list(zip(*parts, strict=True))[1:])
            _table(label, kind, share, change, predicted)


def _changes(batch: SpectrumBatch, whole: GridSpectra, mask: np.ndarray) -> Iterator[tuple]:
    """For each label: its name, the share of the grid that is missing, the change and its predicted error."""
    spectra = prepared(replace(batch, ivar=np.where(mask, np.float32(0), batch.ivar)))
    network, typical = load_estimator(JOINT / "mock"), typical_spectra(Preprocessing())
    assert typical is not None
    before, after = network.predict(whole.flux), network.predict(spectra.flux)
    lost = (whole.ivar > 0) & ~(spectra.ivar > 0)
    # Pixels that were bad before shift both labels alike.
    ivar = np.where(lost, 0, np.where(spectra.ivar > 0, spectra.ivar, 1e6))
    for number, label in enumerate(network.label_names):
        slope = gradients(network, spectra.flux, label)
        noise = np.sum(np.where(lost, slope**2 / np.where(lost, whole.ivar, 1), 0), axis=1)
        error = np.sqrt(missing_variance(slope, spectra.flux, ivar, typical) + noise)
        yield label, 1 - spectra.good_fraction, after[:, number] - before[:, number], error


def _table(label: str, kind: str, share: np.ndarray, change: np.ndarray, predicted: np.ndarray) -> None:
    for low, high in [(0.0, 1.0)] if "run" in kind else pairwise(BINS):
        rows = (share >= low) & (share < high)
        if rows.sum() < 20:
            continue
        rms, error = (np.sqrt(np.mean(values[rows] ** 2)) for values in (change, predicted))
        within = [np.mean(np.abs(change[rows]) < times * predicted[rows]) for times in (1, 2)]
        print(
            f"{label:8s} {kind:22s} {share[rows].mean():7.2f} {rows.sum():4d} {rms:8.4g} {error:9.4g} {error / rms:5.2f} "
            f"{within[0]:5.2f} {within[1]:5.2f}"
        )


def main() -> None:
    """Print the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=("hold", "labels", "masks"), default=["hold", "labels", "masks"])
    parser.add_argument("--repeats", type=int, default=2, help="masks drawn for each of 200 spectra (default: 2)")
    arguments = parser.parse_args()
    if "hold" in arguments.parts:
        hold()
    if "labels" in arguments.parts:
        labels()
    if "masks" in arguments.parts:
        masks(arguments.repeats)


if __name__ == "__main__":
    main()
