import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage

from tests.reference import chain
from transtar.grids import BLUE, SPEED_OF_LIGHT
from transtar.preprocess.kernels import bridge, fill_bad, find_good, locate, median_filter, mirror, resample
from transtar.preprocess.plan import cells

from .made import LAMOST_WAVE, WAVES

ALL = {
    **WAVES,
    "other log": 10 ** (3.5682 + 2.3e-4 * np.arange(1700)),
    "two nearly the same": np.insert(3700 + 0.9 * np.arange(2300), 1000, 3700 + 0.9 * 999 + 1e-7),
}
SHIFTS = np.log10(1 + np.array([0.0, 30.0, -250.0, 999.9]) / SPEED_OF_LIGHT)


def median(flux, width):
    half = width // 2
    padded, out = np.empty(len(flux) + 2 * half), np.empty(len(flux))
    padded[half : half + len(flux)] = flux
    mirror(padded, half)
    median_filter(padded, width, out)
    return out


@pytest.mark.parametrize("width", [*range(1, 16, 2), 51])
def test_median_filter_is_that_of_scipy(width):
    rng = np.random.default_rng(width)
    for flux in (rng.standard_normal(600), np.round(rng.standard_normal(600))):
        np.testing.assert_array_equal(median(flux, width), ndimage.median_filter(flux, width))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 9), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_median_filter_of_anything(half, n, seed):
    """Also of spectra shorter than the filter."""
    flux = np.random.default_rng(seed).integers(-3, 4, n).astype(float)
    width = 2 * half + 1
    padded = np.pad(flux, half, mode="symmetric")
    expected = np.median(np.lib.stride_tricks.sliding_window_view(padded, width), axis=1)
    np.testing.assert_array_equal(median(flux, width), expected)


@settings(max_examples=200, deadline=None)
@given(st.data(), st.integers(2, 12))
def test_fill_bad_is_numpy_interp(data, size):
    good = data.draw(arrays.arrays(bool, size))
    flux = data.draw(arrays.arrays(np.float64, size, elements=st.floats(-1e3, 1e3)))
    steps = data.draw(arrays.arrays(np.float64, size, elements=st.floats(0.1, 3)))
    wave, filled = 4000 + np.cumsum(steps), np.empty(size)
    any_good = fill_bad(wave, np.where(good, flux, np.nan), good, filled)
    expected = np.interp(wave, wave[good], flux[good]) if good.any() else np.zeros(size)
    assert any_good == good.any()
    np.testing.assert_allclose(filled, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("with_ivar", [True, False])
def test_find_good(with_ivar):
    wave = np.linspace(5560, 5600, 41)
    rng = np.random.default_rng(1)
    flux, ivar = rng.random((2, 41))
    flux[:3] = np.nan, np.inf, -np.inf
    ivar[3:7] = 0, -1, np.nan, np.inf
    mask = rng.random(41) < 0.2
    lines = ((5570.0, 5590.0),)
    good = np.empty(41, bool)
    find_good(flux, ivar if with_ivar else np.empty(0), mask, np.searchsorted(wave, lines), good)
    np.testing.assert_array_equal(good, chain.good_pixels(wave, flux, ivar if with_ivar else None, mask, lines))
    assert good[wave > 5591].any()


def test_a_window_beyond_the_spectrum_is_not_bridged():
    wave = np.linspace(4100, 4500, 400)
    flux = np.random.default_rng(0).random(400)
    before = flux.copy()
    bridge(wave, flux, 1.0, 4030.0, 4160.0)
    np.testing.assert_array_equal(flux, before)
    bridge(wave, flux, 1.0, 4270.0, 4410.0)
    changed = flux != before
    assert changed.any()
    assert 4270 <= wave[changed][0] <= wave[changed][-1] <= 4410


def on_grid(wave, values, variance, shift):
    out, ivar = np.empty((2, BLUE.size))
    log_wave, below = np.log10(wave), np.empty(BLUE.size, np.uint64)
    locate(log_wave, *cells(log_wave), BLUE.log_wave, shift, below)
    place = np.searchsorted(log_wave[1:-1], BLUE.log_wave + shift, side="right")
    np.testing.assert_array_equal(below, place)
    resample(log_wave, 1 / np.diff(log_wave), values, 1 / variance, BLUE.log_wave, shift, below, out, ivar)
    return out, ivar


@pytest.mark.parametrize("shift", SHIFTS)
@pytest.mark.parametrize("kind", list(ALL))
def test_resampling_against_numpy_and_a_plain_loop(kind, shift):
    wave = ALL[kind]
    rng = np.random.default_rng(2)
    values, variance = rng.random((2, len(wave)))
    variance[rng.random(len(wave)) < 0.05] = np.inf
    out, ivar = on_grid(wave, values, variance, shift)
    target, log_wave = BLUE.log_wave + shift, np.log10(wave)
    np.testing.assert_allclose(out, np.interp(target, log_wave, values), atol=2e-5)
    position = np.interp(target, log_wave, np.arange(len(wave)))
    for i in range(0, BLUE.size, 7):
        low = int(position[i])
        expected = 0.0
        for weight, pixel in ((1 - position[i] + low, low), (position[i] - low, low + 1)):
            if weight > 1e-5:
                expected += weight**2 * variance[pixel]
        assert ivar[i] == pytest.approx(1 / expected, rel=1e-4)


@pytest.mark.parametrize("shift", SHIFTS)
@pytest.mark.parametrize("kind", list(ALL))
def test_what_the_native_pixels_do_not_cover(kind, shift):
    wave = ALL[kind]
    wave = wave[(wave > 4100) & (wave < 5400)]
    out, ivar = on_grid(wave, np.ones(len(wave)), np.ones(len(wave)), shift)
    asked = 10 ** (BLUE.log_wave + shift)
    np.testing.assert_array_equal(ivar > 0, (asked >= wave[0] * (1 - 1e-9)) & (asked <= wave[-1] * (1 + 1e-9)))
    covered = ivar > 0
    np.testing.assert_allclose(out[covered], 1, rtol=1e-12)


def test_native_pixels_on_the_grid_stay_as_they_are():
    values, variance = np.random.default_rng(0).random((2, 3909))
    for wave, inside in ((LAMOST_WAVE, slice(338, 1800)), (BLUE.wave, slice(0, 1462))):
        out, ivar = on_grid(wave, values[: len(wave)], variance[: len(wave)], 0.0)
        np.testing.assert_array_equal(out, values[inside])
        np.testing.assert_array_equal(ivar, 1 / variance[inside])


def test_variance_against_monte_carlo():
    wave = WAVES["linear"]
    rng = np.random.default_rng(3)
    sigma = rng.uniform(0.5, 2, len(wave))
    drawn = np.array([on_grid(wave, sigma * rng.standard_normal(len(wave)), sigma, SHIFTS[1])[0] for _ in range(4000)])
    ratio = drawn.var(axis=0) * on_grid(wave, sigma, sigma**2, SHIFTS[1])[1]
    assert ratio.mean() == pytest.approx(1, abs=0.01)
    assert ratio.std() == pytest.approx(np.sqrt(2 / 4000), rel=0.15)
