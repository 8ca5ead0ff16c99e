import numpy as np
import pytest

from transtar.grids import BLUE
from transtar.preprocess import preprocess
from transtar.preprocess.correlation import SMOOTHED, USUAL, at_lag, resampled_correlation, smoothed_correlation
from transtar.spectra import SpectrumBatch


def drawn(log_wave, grid, shift, n=4000):
    """Correlation of neighbouring points of white noise, resampled, averaged over the grid."""
    noise = np.random.default_rng(0).normal(size=(n, len(log_wave)))
    points = np.stack([np.interp(grid + shift, log_wave, one) for one in noise])
    points /= points.std(axis=0)
    return (points[:, 1:] * points[:, :-1]).mean()


@pytest.mark.parametrize("step", [0.6e-4, 1e-4, 2.3e-4])
@pytest.mark.parametrize("shift", [0.0, 0.3e-4, 0.5e-4])
def test_it_is_that_of_noise_drawn(step, shift):
    log_wave, grid = np.arange(3.6, 3.65, step), np.arange(3.602, 3.64, 1e-4)
    (told,) = resampled_correlation(log_wave, grid, np.array([10**shift]))
    assert told == pytest.approx(drawn(log_wave, grid, shift), abs=0.02)


def test_pixels_like_those_of_the_grid():
    """None where points sit on pixels, a half midway; the usual one is the mean over all places between."""
    log_wave = np.arange(3.6, 3.65, 1e-4)
    shares = np.linspace(0, 1, 200)
    told = resampled_correlation(log_wave, log_wave[20:400], 10 ** (1e-4 * shares))
    assert told[0] == pytest.approx(0, abs=1e-6)
    assert told.max() == pytest.approx(0.5, abs=1e-3)
    both, one = np.mean(shares * (1 - shares)), np.mean(shares**2 + (1 - shares) ** 2)
    assert both / one == pytest.approx(USUAL, abs=0.005)


def test_smoothing_makes_a_gaussian_of_it():
    index = np.arange(200)
    sigma = 2 / 2.3548
    smoothing = np.exp(-0.5 * ((index[:, None] - index) / sigma) ** 2)
    white = smoothing @ smoothing.T
    assert white[100, 101] / white[100, 100] == pytest.approx(SMOOTHED, abs=0.004)
    assert smoothed_correlation(smoothing) > SMOOTHED
    for lag in (2, 3):
        assert at_lag(np.array([SMOOTHED]), lag)[0] == pytest.approx(white[100, 100 + lag] / white[100, 100], abs=0.01)
    assert at_lag(np.array([0.4]), 2) == 0


def test_the_chain_tells_it_of_spectra_with_errors_alone():
    """As it is for the velocity of each; that of smoothing where pixels are finer than the grid's."""
    wave = BLUE.wave[0] * 10 ** (1e-4 * np.arange(-500, 2000))
    flux = np.ones((2, len(wave)), np.float32)
    velocity = np.array([0.0, 0.5e-4 * np.log(10) * 299792.458])

    def told(wave, ivar):
        batch = SpectrumBatch(
            wave, np.ones((2, len(wave)), np.float32), ivar, np.zeros((2, len(wave)), bool), np.array([1, 2]), "x"
        )
        return preprocess(batch, velocity=velocity).correlation

    np.testing.assert_allclose(told(wave, np.full(flux.shape, 100, np.float32)), [0, 0.5], atol=0.01)
    assert told(wave, None) is None
    fine = np.linspace(3800, 5800, 20001)
    np.testing.assert_allclose(told(fine, np.full((2, len(fine)), 100, np.float32)), SMOOTHED)
