"""Speed of the preprocessing: against a plain per-spectrum loop, against specutils, and against the network it feeds.

Run from the project root: ``python -m benchmarks.preprocessing``. Every ratio comes from this one run.
"""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import torch
from threadpoolctl import threadpool_limits

from benchmarks.common import desi_like, lamost_spectra, report, seconds
from tests.reference.continuum import envelope
from transtar.grids import BLUE, SPEED_OF_LIGHT
from transtar.networks import MLPSettings, build_mlp
from transtar.preprocess import Preprocessing, preprocess
from transtar.preprocess.chain import BLOCK
from transtar.preprocess.continuum import Envelope, median_pixels
from transtar.preprocess.kernels import fill_bad, find_good, fit_continuum

THREADS = 2
SKY = ((5570.0, 5590.0),)


@numba.njit(nogil=True)
def fit_block(wave, flux, half, x, inverse, first, last, stretch, out):
    """The envelope of a few spectra, as the chain fits it."""
    padded = np.empty(len(wave) + 2 * half)
    for i in range(len(flux)):
        padded[half : half + len(wave)] = flux[i]
        fit_continuum(wave, padded, half, x, inverse[i], first[i], last[i], stretch[i], 10, out[i])


def continuum_only(wave, flux, stretch, width):
    """The envelope on filled flux, in threads, as the chain runs it."""
    plan, out = Envelope.on(wave), np.empty(flux.shape)
    first = np.searchsorted(wave, 3900 * stretch)
    last = np.searchsorted(wave, 5700 * stretch, side="right")

    def block(start):
        rows = slice(start, start + BLOCK)
        inverse = plan.inverse(first[rows], last[rows])
        fit_block(wave, flux[rows], width // 2, plan.x, inverse, first[rows], last[rows], stretch[rows], out[rows])

    with threadpool_limits(1), ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(block, range(0, len(flux), BLOCK)))
    return out


def bench_continuum(batch, name):
    """Envelope continuum: ours on two threads, against numpy.polyfit per spectrum on one."""
    inside = slice(*np.searchsorted(batch.wave, [3870, 5730]))
    wave, stretch = batch.wave[inside].copy(), 1 + np.nan_to_num(batch.meta["velocity"]) / SPEED_OF_LIGHT
    flux, good = np.empty((len(batch), len(wave))), np.empty(len(wave), bool)
    sky = np.searchsorted(wave, SKY)
    for i in range(len(batch)):
        find_good(batch.flux[i, inside], batch.ivar[i, inside], batch.mask[i, inside], sky, good)
        fill_bad(wave, batch.flux[i, inside], good, flux[i])
    keep = np.median(flux, axis=1) > 0
    flux, stretch = flux[keep], stretch[keep]
    width = median_pixels(wave, 8.0)
    few = range(0, min(len(flux), 400), 4)
    with threadpool_limits(1):
        plain = seconds(lambda: [envelope(wave / stretch[i], flux[i], width) for i in few], 1) / len(few)
    ours = seconds(lambda: continuum_only(wave, flux, stretch, width)) / len(flux)
    result = continuum_only(wave, flux, stretch, width)
    worst = 0.0
    for i in few:
        x, expected = envelope(wave / stretch[i], flux[i], width)
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
