import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from threadpoolctl import threadpool_limits

from tests.reference.continuum import envelope, peaks_blue
from transtar.grids import BLUE, SPEED_OF_LIGHT
from transtar.preprocess import Preprocessing, preprocess
from transtar.preprocess.continuum import Envelope, bridge_window, median_filter, median_pixels
from transtar.surveys import get_survey, stream

from ..reference.chain import normalised
from .made import DESI_WAVE, LAMOST_WAVE, WAVES, random_batch


@pytest.mark.parametrize("width", range(1, 16, 2))
def test_median_filter_is_that_of_scipy(width):
    rng = np.random.default_rng(width)
    flux = rng.standard_normal((5, 60)).astype(np.float32)
    flux[0] = np.round(flux[0])
    np.testing.assert_array_equal(median_filter(flux, width), ndimage.median_filter(flux, (1, width)))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 7), st.integers(16, 40), st.integers(0, 2**32 - 1))
def test_median_filter_of_anything(half, n, seed):
    flux = np.random.default_rng(seed).integers(-3, 4, (2, n)).astype(np.float32)
    width = 2 * half + 1
    np.testing.assert_array_equal(median_filter(flux, width), ndimage.median_filter(flux, (1, width)))


def test_median_pixels():
    """7 pixels on LAMOST, else the odd number nearest to 8 A at 4800 A."""
    miles = 3541.5 + 0.9 * np.arange(4300)
    assert median_pixels(LAMOST_WAVE, 8.0) == 7
    assert median_pixels(miles, 8.0) == 9
    assert median_pixels(DESI_WAVE, 8.0) == 9
    assert median_pixels(np.arange(4000.0, 5000, 8), 8.0) == 1
    assert median_pixels(np.arange(4000.0, 5000, 100), 8.0) == 1
    for step in (0.3, 0.5, 1.1, 1.3, 2.0, 2.7, 5.0):
        odd = np.arange(1, 60, 2)
        wave = np.arange(4000.0, 5000, step)
        assert median_pixels(wave, 8.0) == odd[np.argmin(np.abs(odd - 8 / step))], step


def real_batch(data, survey):
    folder = {"lamost": "lamost_dr10/spectra", "miles": "miles/spectra"}[survey]
    files = sorted((data / folder).iterdir())[::10]
    (batch,) = stream(get_survey(survey), files)
    return batch


@pytest.fixture
def one_blas_thread():
    """Many small fits in sequence: threads would only get in each other's way."""
    with threadpool_limits(1):
        yield


@pytest.mark.usefixtures("one_blas_thread")
@pytest.mark.parametrize("frame", ["rest", "observed"])
@pytest.mark.parametrize(("survey", "width"), [("lamost", 7), ("miles", 9)])
def test_real_spectra_agree_with_the_plain_chain(data, survey, width, frame):
    batch = real_batch(data, survey)
    sky = get_survey(survey).sky_lines
    ours = preprocess(batch, Preprocessing(frame=frame), sky_lines=sky)
    moves = frame == "rest" and survey == "lamost"
    stretch = 1 + batch.meta["velocity"] * moves / SPEED_OF_LIGHT
    worst, n_hot = 0.0, 0
    for i in range(len(batch)):
        ivar = None if batch.ivar is None else batch.ivar[i]
        expected, good_fraction, hot = normalised(
            batch.wave, batch.flux[i], ivar, batch.mask[i], stretch[i], width, BLUE.wave, sky
        )
        n_hot += hot
        worst = max(worst, np.abs(ours.flux[i] - expected).max())
        assert ours.good_fraction[i] == pytest.approx(good_fraction, abs=1e-6)
    assert worst < 1e-5
    assert 5 < n_hot < len(batch) - 5


@pytest.mark.usefixtures("one_blas_thread")
@pytest.mark.parametrize("kind", list(WAVES))
def test_made_up_spectra_agree_with_the_plain_envelope(kind):
    wave = WAVES[kind]
    batch = random_batch(40, wave, seed=3)
    stretch = 1 + batch.meta["velocity"] / SPEED_OF_LIGHT
    inside = slice(*np.searchsorted(wave, [3850, 5760]))
    wave, flux = wave[inside], np.ascontiguousarray(batch.flux[:, inside])
    flux /= np.median(flux, axis=1, keepdims=True)
    first, last = np.searchsorted(wave, 3900 * stretch), np.searchsorted(wave, 5700 * stretch, side="right")
    ours = Envelope.on(wave).fit(median_filter(flux, 7), first, last, stretch)
    n_hot = 0
    for i in range(len(flux)):
        x, expected = envelope(wave / stretch[i], flux[i], 7)
        np.testing.assert_allclose(ours[i, first[i] : last[i]], expected, rtol=1e-5)
        n_hot += peaks_blue(x, ndimage.median_filter(flux[i].astype(float), 7)[first[i] : last[i]])
    assert 5 < n_hot < 35


def test_envelope_of_a_polynomial_is_the_polynomial():
    wave = np.linspace(3900, 5700, 1500)
    scaled = (wave - 4800) / 900
    flux = (2 + 0.3 * scaled - 0.2 * scaled**2 + 0.1 * scaled**5)[None, :].astype(np.float32)
    n = np.array([len(wave)])
    fit = Envelope.on(wave).fit(flux.copy(), np.zeros(1, int), n, np.ones(1))
    np.testing.assert_allclose(fit, flux, rtol=1e-5)


def test_a_window_beyond_the_spectrum_is_not_bridged():
    wave = np.linspace(4100, 4500, 400)
    flux = np.random.default_rng(0).random((2, 400))
    before = flux.copy()
    bridge_window(wave, flux, np.ones(2), 4030.0, 4160.0)
    np.testing.assert_array_equal(flux, before)
    bridge_window(wave, flux, np.ones(2), 4270.0, 4410.0)
    changed = (flux != before).any(axis=0)
    assert changed.any()
    assert 4270 <= wave[changed][0] <= wave[changed][-1] <= 4410
