"""DESI coadds from disk to the wavelength grid: against desispec with a plain chain, against the network, and memory.

Run from the project root: ``python -m benchmarks.desi``. Every ratio comes from this one run, with the file in the cache of
the operating system. The file is written first: 500 targets in three cameras, with RESOLUTION, 230 MB.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import resource
import tempfile
import warnings
from pathlib import Path

import numpy as np
from astropy.table import Table
from threadpoolctl import threadpool_limits

from benchmarks.common import desi_like, lamost_spectra, report, seconds
from benchmarks.preprocessing import bench_mlp
from tests.reference.continuum import envelope
from transtar.datasets import preprocess_batch
from transtar.grids import BLUE, SPEED_OF_LIGHT
from transtar.preprocess import Preprocessing
from transtar.preprocess.continuum import median_pixels
from transtar.simulate.native import desi as native
from transtar.simulate.native.targets import mock_targetids
from transtar.spectra import SpectrumBatch
from transtar.surveys import get_survey, read, stream

TARGETS, FILES, THREADS = 500, 100, 2


def write_file(folder):
    """One coadd and its redrock file; blue spectra like those of stars, the other cameras flat."""
    blue = desi_like(lamost_spectra(TARGETS))
    number = np.arange(TARGETS) + 1
    random = np.random.default_rng(0)
    rows = Table({
        "targetid": mock_targetids(np.full(TARGETS, 9850), number), "source_id": 2**62 + number,
        "survey": np.full(TARGETS, "main"), "program": np.full(TARGETS, "bright"), "healpix": np.full(TARGETS, 9850),
        "ra": random.uniform(150, 160, TARGETS), "dec": random.uniform(30, 34, TARGETS),
        "g_mag": random.uniform(14, 18, TARGETS), "fault": np.full(TARGETS, ""),
        "radial_velocity": random.normal(0, 60, TARGETS),
    })  # fmt: skip
    arms = {"B": blue}
    for arm in "RZ":
        wave = native.arm_wavelengths(arm)
        flux = random.normal(10, 1, (TARGETS, len(wave))).astype(np.float32)
        arms[arm] = SpectrumBatch(wave, flux, np.ones_like(flux), np.zeros(flux.shape, bool), blue.ids, "desi")
    (path,) = native.write_coadds(arms, rows, folder, {"B": 2500.0, "R": 3500.0, "Z": 4500.0})
    return path


def to_grid(survey, paths):
    """Stream files to the wavelength grid, as `transtar prepare` and `predict` do; the number of spectra."""
    return sum(
        len(preprocess_batch(batch, survey, Preprocessing(), threads=THREADS)) for batch in stream(survey, paths)
    )


def plain_chain(wave, flux, ivar, mask, velocity):
    """One spectrum, with numpy as a user would: bad pixels, rest frame, continuum, grid."""
    good = (mask == 0) & (ivar > 0) & np.isfinite(flux) & (flux != 0) & ~((wave > 5570) & (wave < 5590))
    filled = np.interp(wave, wave[good], flux[good])
    rest = wave / (1 + velocity / SPEED_OF_LIGHT)
    inside, continuum = envelope(rest, filled, median_pixels(wave, 8.0))
    return np.interp(BLUE.log_wave, np.log10(inside), np.interp(inside, rest, filled) / continuum)


def bench_desispec(path, rate):
    """Read with desispec, coadd its cameras, one spectrum after another to the grid."""
    os.environ.setdefault("DESI_LOGLEVEL", "warning")
    from desispec.coaddition import coadd_cameras
    from desispec.io import read_spectra

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reading = seconds(lambda: read_spectra(str(path)), 1)
        spectra = read_spectra(str(path))
        merging = seconds(lambda: coadd_cameras(spectra), 1)
    wave, flux, ivar, mask = (getattr(spectra, name)["b"] for name in ("wave", "flux", "ivar", "mask"))
    few = range(0, TARGETS, 10)
    ours = read(get_survey("desi"), path)
    velocity = ours.meta["velocity"]
    with threadpool_limits(1):
        work = [(wave, flux[i].astype(float), ivar[i], mask[i], velocity[i]) for i in few]
        each = seconds(lambda: [plain_chain(*one) for one in work], 1) / len(few)
    plain = TARGETS / (reading + merging + TARGETS * each)
    detail = f"read {reading:.2f} s, cameras {merging:.2f} s, chain {TARGETS * each:.2f} s for {TARGETS} targets"
    report("desi: ours / desispec and a plain chain", rate / plain, 10, f"{rate:,.0f} against {plain:,.0f} spectra/s")
    print(f"{'':44s} {detail}")
    for name, theirs in (("desi", reading), ("desi-brz", reading + merging)):
        survey = get_survey(name)
        own = seconds(lambda survey=survey: read(survey, path))
        report(f"reading, {name}: desispec / ours", theirs / own, None, f"{theirs:.3f} against {own:.3f} s")
    grid = preprocess_batch(ours, get_survey("desi"), Preprocessing()).flux
    both = [(grid[i], one) for i, one in zip(few, work, strict=True) if np.isfinite(grid[i]).all()]
    worst = max(float(np.abs(fast - plain_chain(*one)).max()) for fast, one in both)
    report("desi: worst difference of the two / 1e-5", worst / 1e-5, 1, f"{worst:.1e} in flux over continuum", True)


def peak_memory(paths):
    """Largest memory of this process in MiB, after streaming files to the grid."""
    to_grid(get_survey("desi"), paths)
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"VmHWM:\s*(\d+)", status.read_text())[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def bench_memory(path, folder):
    """Peak memory of two new processes, for 10 files and for all: links to one file, read anew each."""
    links = []
    for number in range(FILES):
        links.append(folder / f"coadd-main-bright-{number}.fits")
        links[-1].symlink_to(path)
        beside = folder / f"redrock-main-bright-{number}.fits"
        beside.symlink_to(path.with_name(path.name.replace("coadd", "redrock")))
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        few, many = pool.map(peak_memory, [links[:10], links], chunksize=1)
    detail = f"{many:,.0f} against {few:,.0f} MiB, {FILES * TARGETS:,} spectra"
    report(f"peak memory: {FILES} files / 10 files", many / few, 1.1, detail, at_most=True)


def main():
    """Print every ratio with its bar."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = write_file(folder)
        survey = get_survey("desi")
        rate = TARGETS / seconds(lambda: to_grid(survey, path), 5)
        report("desi: thousand spectra/s from file to grid", rate / 1000, 5, f"{TARGETS} targets a file")
        mlp = bench_mlp()
        report("desi: file to grid / MLP prediction", rate / mlp, 0.2, f"{rate:,.0f} against {mlp:,.0f} spectra/s")
        bench_memory(path, folder)
        bench_desispec(path, rate)


if __name__ == "__main__":
    main()
