import numpy as np
import pytest
from scipy import ndimage
from threadpoolctl import threadpool_limits

from tests.reference.chain import normalised
from tests.reference.continuum import envelope, peaks_blue
from transtar.grids import BLUE, SPEED_OF_LIGHT
from transtar.preprocess import Preprocessing, preprocess
from transtar.preprocess.continuum import Envelope, median_pixels
from transtar.preprocess.kernels import fit_continuum
from transtar.surveys import get_survey, stream

from .made import DESI_WAVE, LAMOST_WAVE, WAVES, random_batch


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
    wave, flux = wave[inside].copy(), batch.flux[:, inside].astype(np.float64)
    first, last = np.searchsorted(wave, 3900 * stretch), np.searchsorted(wave, 5700 * stretch, side="right")
    plan = Envelope.on(wave)
    inverse = plan.inverse(first, last)
    n_hot = 0
    for i in range(len(flux)):
        ours = np.empty(len(wave))
        fit_continuum(wave, np.pad(flux[i], 3), 3, plan.x, inverse[i], first[i], last[i], stretch[i], 10, ours)
        x, expected = envelope(wave / stretch[i], flux[i], 7)
        np.testing.assert_allclose(ours[first[i] : last[i]], expected, rtol=1e-9)
        n_hot += peaks_blue(x, ndimage.median_filter(flux[i], 7)[first[i] : last[i]])
    assert 5 < n_hot < 35


@pytest.mark.parametrize("degree", [1, 3, 5, 6, 8])
def test_envelope_of_any_degree(degree):
    """Also where there are fewer terms or more than are handled in one sweep."""
    rng = np.random.default_rng(degree)
    wave = np.linspace(3900, 5700, 1500)
    scaled = (wave - 4800) / 900
    smooth = 20 + np.polynomial.chebyshev.chebval(scaled, rng.standard_normal(degree + 1))
    plan = Envelope.on(wave, degree)
    first, last = np.array([0]), np.array([1500])
    inverse, ours = plan.inverse(first, last)[0], np.empty(1500)
    # Redwards-rising, so that no Balmer line is bridged.
    for flux in (smooth + 10 * scaled, smooth + 10 * scaled + rng.standard_normal(1500)):
        fit_continuum(wave, flux.copy(), 0, plan.x, inverse, 0, 1500, 1.0, 10, ours)
        expected = envelope(wave, flux, 1, degree=degree)[1]
        np.testing.assert_allclose(ours, expected, rtol=1e-5)
    fit_continuum(wave, smooth.copy(), 0, plan.x, inverse, 0, 1500, 1.0, 0, ours)
    if smooth.argmax() > 750:
        np.testing.assert_allclose(ours, smooth, rtol=1e-9)
