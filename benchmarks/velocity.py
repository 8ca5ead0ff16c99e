"""Velocities: speed, and scatter against specutils and laspec on the same spectra.

Run from the project root: ``python -m benchmarks.velocity``; with ``--laspec PYTHON``, a Python that has laspec (it needs numpy
below 2 and scipy below 1.13, so an environment of its own), that is compared, too. ``--judge`` prints how good velocities are,
class by class; ``--mock FOLDER`` adds mock DESI, as ``transtar simulate --out FOLDER`` writes it.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

from benchmarks.common import DATA, lamost_spectra, report, seconds
from benchmarks.velocity_judge import judge, labels_of, mad, read_csv, spectra_of
from transtar.grids import SPEED_OF_LIGHT
from transtar.velocity import measure_velocities
from transtar.velocity.correlate import STEP, Search, running_mean
from transtar.velocity.pixels import native
from transtar.velocity.templates import load_templates

THREADS = 2
BAR = 1500.0
RESOLUTION = 1800.0
NODES = slice(1, None, 5)
"""Templates for laspec, which compares with each of them."""


def bench_rate(n: int) -> None:
    """Spectra a second on two threads, and the time of processors."""
    batch = lamost_spectra(n)
    best = seconds(lambda: measure_velocities(batch, resolution=RESOLUTION, threads=THREADS), 3)
    start = time.process_time()
    measure_velocities(batch, resolution=RESOLUTION, threads=THREADS)
    each = (time.process_time() - start) / n
    report(
        "velocities, lamost: spectra a second", n / best, BAR, f"{n} spectra, {1e3 * each:.2f} ms of processors each"
    )


def same_spectra(n: int):
    """Real LAMOST spectra of S/N above 20, flux over running mean on an even grid (n, n_grid), and velocities (n,) in km/s."""
    batch = spectra_of("lamost", DATA / "lamost_dr10" / "spectra")
    table = labels_of(batch, read_csv(DATA / "lamost_dr10" / "labels.csv"))
    rows = np.flatnonzero(table["snrg"] > 20)[:n]
    batch = batch.select(rows)
    pixels = native(batch.wave)
    search = Search.on(pixels.wave, load_templates(RESOLUTION))
    flux, variance, weight, _ = pixels.take(batch, slice(None))
    values, _ = search.flat(flux, variance, weight > 0)
    grid = np.exp(search.start + STEP * np.arange(values.shape[1]))
    return batch, grid, 1 + values, SPEED_OF_LIGHT * table["z"][rows]


def bench_specutils(flux: np.ndarray, wave: np.ndarray, names: np.ndarray, known: np.ndarray, ours: float) -> None:
    """Time template_correlate of specutils, with the very template that ours has chosen, a parabola through its peak."""
    import astropy.units as u
    from astropy.nddata import StdDevUncertainty
    from specutils import Spectrum
    from specutils.analysis import template_correlate

    templates = load_templates(RESOLUTION)

    def spectrum(values):
        return Spectrum(
            spectral_axis=wave * u.AA, flux=values * u.dimensionless_unscaled,
            uncertainty=StdDevUncertainty(np.full(len(wave), 0.05)),
        )  # fmt: skip

    velocity = np.empty(len(flux))
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for i, values in enumerate(flux):
            line = templates.flux[templates.names.index(names[i])]
            template = np.interp(np.log(wave), templates.log_wave, line)
            mean = np.polynomial.Polynomial.fit(wave, template, 6)(wave)
            correlation, lags = template_correlate(
                spectrum(values - 1), spectrum(template / mean - 1), apodization_window=0.1, method="FFT"
            )
            height, lag = correlation.value, lags.to_value(u.km / u.s)
            near = np.flatnonzero(np.abs(lag) < 1000)
            k = near[height[near].argmax()]
            bend = height[k - 1] - 2 * height[k] + height[k + 1]
            velocity[i] = lag[k] + 0.5 * (height[k - 1] - height[k + 1]) / bend * (lag[k + 1] - lag[k])
    each = (time.process_time() - start) / len(flux)
    compare("specutils, one template", velocity - known, each, ours)


def bench_laspec(python: str, flux: np.ndarray, wave: np.ndarray, known: np.ndarray, ours: float) -> None:
    """Time laspec, in a Python of its own, with every fifth template of ours, divided by a running mean as the spectra are."""
    templates = load_templates(RESOLUTION)
    log_grid = np.arange(np.log(3870.0), np.log(5730.0), STEP)
    lines = np.array([np.interp(log_grid, templates.log_wave, line) for line in templates.flux[NODES]])
    lines /= running_mean(lines, np.ones_like(lines[:1]))
    with tempfile.TemporaryDirectory() as folder:
        given, answer = Path(folder, "given.npz"), Path(folder, "answer.npz")
        np.savez(given, wave=wave, flux=flux, grid=np.exp(log_grid), templates=lines)
        script = Path(__file__).with_name("velocity_laspec.py")
        done = subprocess.run(
            [python, "-W", "ignore", str(script), str(given), str(answer)], capture_output=True, text=True
        )
        if done.returncode:
            print(f"laspec: fails in {python}: {done.stderr.strip().splitlines()[-1]}")
            return
        content = np.load(answer)
    compare(f"laspec, {len(lines)} templates", content["velocity"] - known, float(content["seconds"]), ours)


def compare(name: str, difference: np.ndarray, each: float, ours: float) -> None:
    """Print scatter and time of a peer."""
    wrong = np.mean(np.abs(difference - np.median(difference)) > 30)
    report(
        f"velocities: {name} / ours", each / ours, None,
        f"{1e3 * each:.2f} against {1e3 * ours:.2f} ms each of a processor; 1.48 MAD {mad(difference):.2f} km/s, "
        f"bias {np.median(difference):+.2f}, beyond 30 km/s {wrong:.1%}",
    )  # fmt: skip


def bench_peers(n: int, laspec: str | None) -> None:
    """Scatter of ours and of peers on the same spectra, and the time that a processor works for each, all on one thread."""
    if not (DATA / "lamost_dr10").is_dir():
        print(f"peers: no real spectra in {DATA}; set TRANSTAR_DATA to their folder")
        return
    batch, wave, flux, known = same_spectra(n)
    measure_velocities(batch, resolution=RESOLUTION, threads=1)
    start = time.process_time()
    measured = measure_velocities(batch, resolution=RESOLUTION, threads=1)
    each = (time.process_time() - start) / len(batch)
    compare("ours, 81 templates", measured.velocity - known, each, each)
    if importlib.util.find_spec("specutils"):
        bench_specutils(flux, wave, measured.template, known, each)
    else:
        print("specutils: not installed (pip install 'transtar[specutils]')")
    if laspec:
        bench_laspec(laspec, flux, wave, known, each)
    else:
        print("laspec: not compared (--laspec PYTHON names a Python that has it)")


def main(arguments: list[str] | None = None) -> None:
    """Print every figure with its bar."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--judge", action="store_true", help="how good velocities are instead of how fast")
    parser.add_argument("--mock", type=Path, help="folder of a mock universe, for --judge")
    parser.add_argument("--part", choices=("pool", "test"), help="of MILES and LAMOST, for --judge; both if not given")
    parser.add_argument("--n", type=int, default=2048, help="spectra whose rate is measured")
    parser.add_argument("--laspec", help="a Python that has laspec")
    given = parser.parse_args(arguments)
    if given.judge:
        judge(given.mock, given.part)
        return
    bench_rate(given.n)
    bench_peers(200, given.laspec)


if __name__ == "__main__":
    main()
