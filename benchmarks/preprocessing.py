"""Speed of the preprocessing: against a plain per-spectrum loop, against specutils, and against the network it feeds.

Run from the project root: ``python -m benchmarks.preprocessing``. Every ratio comes from this one run.
"""

from __future__ import annotations

import warnings

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from benchmarks.common import desi_like, lamost_spectra, report, seconds
from tests.reference.continuum import envelope
from transtar.grids import BLUE, SPEED_OF_LIGHT
from transtar.models import MLPSettings, build_mlp
from transtar.preprocess import Preprocessing, preprocess
from transtar.preprocess.continuum import Envelope, median_filter, median_pixels
from transtar.preprocess.pixels import fill_bad, good_pixels

THREADS = 2
SKY = ((5570.0, 5590.0),)


def continuum_only(wave, flux, stretch, width, blocks=64):
    """The batched envelope on filled flux, in threads, as the chain runs it."""
    from concurrent.futures import ThreadPoolExecutor

    plan = Envelope.on(wave)
    first = np.searchsorted(wave, 3900 * stretch)
    last = np.searchsorted(wave, 5700 * stretch, side="right")

    def block(start):
        rows = slice(start, start + blocks)
        return plan.fit(median_filter(flux[rows], width), first[rows], last[rows], stretch[rows])

    with threadpool_limits(1), ThreadPoolExecutor(THREADS) as pool:
        return np.concatenate(list(pool.map(block, range(0, len(flux), blocks))))


def bench_continuum(batch, name):
    """Envelope continuum: ours in batches on two threads, against numpy.polyfit per spectrum on one."""
    inside = slice(*np.searchsorted(batch.wave, [3870, 5730]))
    wave = batch.wave[inside]
    flux = np.ascontiguousarray(batch.flux[:, inside], dtype=np.float32)
    good = good_pixels(wave, flux, batch.ivar[:, inside], batch.mask[:, inside], SKY)
    fill_bad(wave, flux, good)
    scale = np.median(flux, axis=1)
    keep = scale > 0
    flux, scale = flux[keep] / scale[keep, None], scale[keep]
    stretch = 1 + np.nan_to_num(batch.meta["velocity"][keep]) / SPEED_OF_LIGHT
    width = median_pixels(wave, 8.0)
    few = range(0, min(len(flux), 400), 4)
    with threadpool_limits(1):
        plain = seconds(lambda: [envelope(wave / stretch[i], flux[i].astype(float), width) for i in few], 1) / len(few)
    ours = seconds(lambda: continuum_only(wave, flux, stretch, width)) / len(flux)
    result = continuum_only(wave, flux, stretch, width)
    worst = 0.0
    for i in few:
        x, expected = envelope(wave / stretch[i], flux[i].astype(float), width)
        start = np.searchsorted(wave / stretch[i], x[0])
        worst = max(worst, float(np.abs(result[i, start : start + len(x)] / expected - 1).max()))
    report(f"continuum, {name}: plain / ours", plain / ours, 30, f"{1 / ours:,.0f} against {1 / plain:,.0f} spectra/s")
    report(f"continuum, {name}: worst difference / 1e-5", worst / 1e-5, 1, f"{worst:.1e} relative", at_most=True)


def bench_chain(batch, name, mlp_rate):
    """Native pixels to grid, against the rate of the network's own prediction."""
    rate = len(batch) / seconds(lambda: preprocess(batch, Preprocessing(), sky_lines=SKY, threads=THREADS))
    report(
        f"chain, {name}: ours / MLP prediction", rate / mlp_rate, 0.4, f"{rate:,.0f} against {mlp_rate:,.0f} spectra/s"
    )
    return rate


def bench_mlp():
    """Prediction rate of the paper's network: float32, batches of 8192, two threads."""
    torch.set_num_threads(THREADS)
    network = build_mlp(BLUE.size, 1, MLPSettings()).eval()
    flux = torch.randn(8192, BLUE.size)
    with torch.inference_mode():
        return len(flux) / seconds(lambda: network(flux), 5)


def bench_specutils(batch, rate):
    """Time specutils, object by object: a generic continuum fit, division, and linear resampling."""
    import astropy.units as u
    from specutils import Spectrum
    from specutils.fitting import fit_generic_continuum
    from specutils.manipulation import LinearInterpolatedResampler

    resampler, grid = LinearInterpolatedResampler(), BLUE.wave * u.AA
    inside = slice(*np.searchsorted(batch.wave, [3870, 5730]))
    wave = batch.wave[inside] * u.AA

    def one(i):
        spectrum = Spectrum(spectral_axis=wave, flux=batch.flux[i, inside] * u.dimensionless_unscaled)
        continuum = fit_generic_continuum(spectrum, median_window=7)
        return resampler(spectrum / continuum(wave), grid)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        each = seconds(lambda: [one(i) for i in range(10)], 1) / 10
    report("chain, lamost: ours / specutils", rate * each, None, f"{rate:,.0f} against {1 / each:,.1f} spectra/s")


def main():
    """Print every ratio with its bar."""
    lamost = lamost_spectra(8192)
    desi = desi_like(lamost.select(slice(0, 4096)))
    bench_continuum(lamost, "lamost")
    bench_continuum(desi, "0.8 A pixels")
    mlp_rate = bench_mlp()
    rate = bench_chain(lamost, "lamost", mlp_rate)
    bench_chain(desi, "0.8 A pixels", mlp_rate)
    bench_specutils(lamost, rate)


if __name__ == "__main__":
    main()
