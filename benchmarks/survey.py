"""Whole surveys: DESI coadds on disk to a catalog, stage by stage, in time and memory, and what four million stars would take.

Run from the project root: ``python -m benchmarks.survey`` (``--million`` for a million stars, too; ``--threads 1``). Files are
hard links to one coadd of 500 targets with its redrock file, in the cache of the operating system. Rates are of wall time;
processor time beside them says what a busy machine hides.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import re
import resource
import tempfile
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from benchmarks.common import report, seconds
from benchmarks.desi import TARGETS, write_file
from transtar.catalog import CatalogWriter, predict_batches, predict_files
from transtar.catalog import predict as predicting
from transtar.datasets import open_flow, preprocess_batch
from transtar.models import Estimator, load_models
from transtar.quality import Quality
from transtar.surveys import find_files, get_survey, stream
from transtar.trust import StarErrors, Witnesses, witnesses_for
from transtar.trust.side_by_side import side_by_side

MODELS = ("mock-feh", "mock-alphafe")
BATCH = 2048
SURVEY = 4_000_000
"""Stars of DESI DR1's Milky Way Survey, about."""

LASP, RVSPECFIT = 397, (20, 40)
"""Published, for comparison: stars a second that the LAMOST pipeline in Python labels on an A100, and seconds of a core that
rvspecfit takes for each star."""


class Nothing(StarErrors):
    """In the place of errors, where labels and the gate alone are timed."""

    def columns(self, spectra, predicted, survey="", passes=None):
        """No column, and no flag."""
        return {}, np.zeros(len(spectra), np.int32)


def link(path: Path, folder: Path, n: int) -> Path:
    """`n` coadds with their redrock files, in folders as DESI has them."""
    for number in range(n):
        place = folder / "healpix" / "main" / "bright" / str(number // 100) / str(number)
        place.mkdir(parents=True)
        for kind in ("coadd", "redrock"):
            os.link(path.with_name(path.name.replace("coadd", kind)), place / f"{kind}-main-bright-{number}.fits")
    return folder


def peak() -> float:
    """Largest memory of this process so far, in MiB."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"VmHWM:\s*(\d+)", status.read_text())[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def whole(folder: Path, warm: Path, threads: int) -> tuple[int, float, float, float]:
    """`predict_files` in a new process: spectra, wall and processor seconds, peak memory in MiB."""
    torch.set_num_threads(threads)
    out = folder / "catalog.parquet"
    predict_files(MODELS, "desi", warm, out, threads=threads)
    wall, cpu = time.perf_counter(), time.process_time()
    result = predict_files(MODELS, "desi", folder, out, threads=threads)
    return result.n_spectra, time.perf_counter() - wall, time.process_time() - cpu, peak()


def in_new_process(*work):
    """Results of calls of `whole`, each in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        return pool.starmap(whole, work, chunksize=1)


def labels_and_gate(estimators, folder: Path, out: Path, threads: int, errors: bool, second: bool) -> float:
    """Stars a second from files to a catalog, with or without errors and the second opinion."""
    settings = estimators[0].preprocessing
    known = witnesses_for(settings)
    witnesses = known if second else Witnesses(known.gate, None)
    original, predicting.StarErrors = predicting.StarErrors, StarErrors if errors else Nothing
    try:
        start, n = time.perf_counter(), 0
        flow = open_flow("desi", [folder], settings, batch_size=BATCH, threads=threads)
        with CatalogWriter(out) as writer:
            for columns in predict_batches(estimators, flow.batches(), witnesses=witnesses, threads=threads):
                writer.append(columns)
                n += len(columns["flags"])
        return n / (time.perf_counter() - start)
    finally:
        predicting.StarErrors = original


def stages(estimators, folder: Path, out: Path, threads: int) -> None:
    """Each stage alone, on the same spectra: milliseconds of wall and processor time for 1,000 stars."""
    survey, settings, quality = get_survey("desi"), estimators[0].preprocessing, Quality()
    files = find_files(survey, folder)[: BATCH // TARGETS]
    (batch,) = stream(survey, files, BATCH)
    spectra = preprocess_batch(batch, survey, settings, threads=threads)
    errors, witnesses = StarErrors(estimators), witnesses_for(settings)
    trunks, n = errors.trunks, len(batch)
    labels = {one.label_names[0]: one.predict(spectra.flux)[:, 0].astype(float) for one in estimators}
    (columns,) = predict_batches(estimators, [(batch, spectra)], threads=threads)

    def some(rows):
        return {name: values[rows] for name, values in labels.items()}

    def judged(which):
        return lambda rows: which.judge(spectra.flux[rows], spectra.ivar[rows], some(rows), quality)

    def write():
        with CatalogWriter(out) as writer:
            for _ in range(4):
                writer.append(columns)

    with side_by_side(threads) as run:
        work = {
            "reading (in a thread beside the others)": (lambda: list(stream(survey, files, BATCH)), n),
            "preparing": (lambda: preprocess_batch(batch, survey, settings, threads=threads), n),
            "predicting": (
                lambda: run(lambda rows: [trunks.over(spectra.flux[rows]).predict(one) for one in estimators[:1]], n),
                n,
            ),
            "errors, with predicting": (
                lambda: run(lambda rows: errors.columns(spectra.select(rows), some(rows), "desi"), n),
                n,
            ),
            "gate": (lambda: run(judged(replace(witnesses, second=None)), n), n),
            "second opinion": (lambda: run(judged(replace(witnesses, gate=None)), n), n),
            "writing": (write, 4 * n),
        }
        for name, (one, spectra_done) in work.items():
            cpu = np.inf
            wall = seconds(one)
            for _ in range(3):
                start = time.process_time()
                one()
                cpu = min(cpu, time.process_time() - start)
            print(f"  {name:42s} {1e6 * wall / spectra_done:7.0f} ms, {1e6 * cpu / spectra_done:7.0f} ms of processors")


def ensemble(model: Estimator, n: int) -> list[Estimator]:
    """Models of one label that have nothing in common, though they predict nearly the same."""
    members = []
    for number in range(n):
        (member,), _ = load_models(["mock-feh"])
        torch.manual_seed(number)
        with torch.no_grad():
            for weight in member.network.parameters():
                weight.mul_(1 + 1e-3 * torch.randn_like(weight))
        members.append(member)
    return members


def bench_listing(folder: Path) -> None:
    """How long files in one folder take to be found."""
    folder.mkdir()
    first = folder / "coadd-main-bright-0.fits"
    first.touch()
    for number in range(1, 100_000):
        # Filing systems allow some 60,000 links to a file.
        if number % 50_000 == 0:
            first = folder / f"coadd-main-bright-{number}.fits"
            first.touch()
        else:
            os.link(first, folder / f"coadd-main-bright-{number}.fits")
    taken = seconds(lambda: find_files("desi", folder), 1)
    report("listing 100,000 files of one folder, seconds", taken, 10, "", at_most=True)


def main() -> None:
    """Print rates, the split, memory, and what a survey would take."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--million", action="store_true", help="a million stars, too (default: 10^4 and 10^5)")
    parser.add_argument("--threads", type=int, default=2, help="(default: %(default)s)")
    arguments = parser.parse_args()
    sizes, threads = [10_000, 100_000, *([1_000_000] if arguments.million else [])], arguments.threads
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        path = write_file(top / "one")
        folders = [link(path, top / f"{n}", n // TARGETS) for n in sizes]
        estimators, _ = load_models(MODELS)
        torch.set_num_threads(threads)
        out = top / "catalog.parquet"
        print(f"1,000 stars, two labels, {threads} threads:")
        stages(estimators, folders[0], out, threads)
        flux = np.random.default_rng(0).normal(1, 0.1, (8192, estimators[0].n_inputs)).astype(np.float32)
        network = len(flux) / seconds(lambda: estimators[0].predict(flux))
        gate = max(labels_and_gate(estimators, folders[0], out, threads, False, False) for _ in range(2))
        report(
            "survey: thousand stars/s, labels and gate", gate / 1000, 3, f"{gate / network:.2f} of the network alone"
        )
        five = labels_and_gate(ensemble(estimators[0], 5), folders[0], out, threads, True, True)
        report("survey: thousand stars/s, five models", five / 1000, None, "an ensemble, errors and second opinion")
        results = in_new_process(*((folder, folders[0] / "healpix/main/bright/0/0", threads) for folder in folders))
        for n, wall, cpu, memory in results:
            rate = n / wall
            detail = f"{n:,} stars, {1e6 * cpu / n:,.0f} core-s per million, {memory:,.0f} MiB"
            report("survey: thousand stars/s, all columns", rate / 1000, 2, detail)
        for (n, wall, _, memory), (more, longer, _, larger) in pairwise(results):
            report(f"survey: seconds per star, {more:,} / {n:,}", longer / more / (wall / n), 1.2, "", at_most=True)
            report(f"survey: peak memory, {more:,} / {n:,}", larger / memory, 1.1, f"{larger:,.0f} MiB", at_most=True)
        report("survey: peak memory in GB", results[-1][3] * 2**20 / 1e9, 1.3, "", at_most=True)
        hours = SURVEY / (results[-1][0] / results[-1][1]) / 3600
        fits = "-".join(f"{SURVEY * each / 3600 / threads:,.0f}" for each in RVSPECFIT)
        detail = f"LAMOST's pipeline on an A100: {SURVEY / LASP / 3600:.1f}; rvspecfit on {threads} cores: {fits}"
        report("survey: hours for four million stars", hours, None, detail)
        bench_listing(top / "many")


if __name__ == "__main__":
    main()
