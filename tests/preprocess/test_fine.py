import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits
from scipy.ndimage import gaussian_filter1d

from transtar.flags import Flag
from transtar.grids import BLUE, SPEED_OF_LIGHT, XP
from transtar.preprocess import Preprocessing, preprocess
from transtar.preprocess.fine import SIGMA, describe, is_finer, resolving_power, smooth
from transtar.surveys.air import air_to_vacuum

from .made import WAVES, batch_of, star

WINDOW = (3900.0, 5700.0)
FINE = np.arange(3850.0, 5760.0, 0.02)
NO_LINES = np.empty((0, 2))


def forest(wave):
    """Lines much narrower than the grid's pixels, on a slope."""
    flux = 1 + (wave - 4800) / 4000
    for centre, depth, width in zip(
        np.arange(3960, 5640, 7.3), np.linspace(0.2, 0.9, 231), np.linspace(0.02, 0.3, 231), strict=False
    ):
        near = slice(*np.searchsorted(wave, [centre - 2, centre + 2]))
        flux[near] *= 1 - depth * np.exp(-0.5 * ((wave[near] - centre) / width) ** 2)
    return flux


def convolved(wanted):
    """The same by another way: a Gaussian filter of scipy on a log grid 100 times as fine."""
    log_wave = np.arange(np.log10(3860), np.log10(5750), BLUE.step / 100)
    smooth_flux = gaussian_filter1d(forest(10**log_wave), 100 * SIGMA, truncate=6)
    return np.interp(np.log10(wanted), log_wave, smooth_flux)


@pytest.mark.parametrize("kind", list(WAVES))
def test_surveys_are_not_smoothed(kind):
    assert not is_finer(WAVES[kind], BLUE)
    assert not is_finer(3540.5 + 0.9 * np.arange(4300), BLUE)
    assert not is_finer(XP.wave, XP)
    assert is_finer(WAVES[kind], XP)
    assert is_finer(FINE, BLUE)
    assert is_finer(np.arange(4000, 5600, 0.5), BLUE)
    assert not is_finer(np.arange(4000, 5600, 0.6), BLUE)


@pytest.mark.parametrize(
    "wave",
    [FINE, 3850 + np.cumsum(np.linspace(0.01, 0.03, 96000)), 10 ** np.arange(np.log10(3850), np.log10(5760), 3e-6)],
)
def test_against_a_convolution_by_scipy(wave):
    """Whatever the sampling, the grid's own points hold the convolved flux."""
    part = smooth(batch_of(forest(wave), wave), BLUE, WINDOW, 1.0, NO_LINES)
    inside = (part.wave > 3999) & (part.wave < 5600)
    np.testing.assert_allclose(part.wave[inside], BLUE.wave, rtol=1e-12)
    np.testing.assert_allclose(part.flux[0, inside], convolved(part.wave[inside]), atol=1e-3)
    assert part.frame == "rest"
    assert resolving_power(BLUE) == pytest.approx(2171, abs=1)


def test_velocities_are_undone_without_interpolation():
    speed = np.array([-250.0, 0.0, 33.3])
    flux = np.stack([forest(FINE / (1 + v / SPEED_OF_LIGHT)) for v in speed])
    spectra = preprocess(batch_of(flux, FINE, velocity=speed))
    assert [Flag(int(value)) for value in spectra.flags] == [Flag(0)] * 3
    np.testing.assert_allclose(spectra.flux[[0, 2]], spectra.flux[[1, 1]], atol=1e-3)
    # Nothing depends on how the work is divided.
    alone = preprocess(batch_of(flux[2], FINE, velocity=speed[2]))
    np.testing.assert_array_equal(alone.flux[0], spectra.flux[2])
    np.testing.assert_array_equal(alone.ivar[0], spectra.ivar[2])
    assert Flag.NO_VELOCITY in Flag(int(preprocess(batch_of(flux[1], FINE, velocity=np.nan)).flags[0]))


def test_inverse_variances_are_those_of_the_noise():
    """Monte Carlo: noise that differs from pixel to pixel, one pixel in five bad."""
    rng = np.random.default_rng(4)
    wave = np.arange(3990.0, 4200.0, 0.05)
    sigma = rng.uniform(0.01, 0.2, wave.shape)
    noisy = 1 + sigma * rng.standard_normal((4000, len(wave)))
    batch = batch_of(noisy, wave, ivar=sigma**-2.0)
    batch.mask[:] = rng.random(len(wave)) < 0.2
    batch.flux[batch.mask] = 1e6
    part = smooth(batch, BLUE, (4000.0, 4190.0), 1.0, NO_LINES)
    inner = (part.wave > 4000) & (part.wave < 4190)
    ratio = part.flux[:, inner].std(axis=0) * np.sqrt(part.ivar[0, inner])
    assert not part.mask[:, inner].any()
    assert np.abs(part.flux[:, inner].mean(axis=0) - 1).max() < 0.01
    assert np.median(ratio) == pytest.approx(1, abs=0.01)
    assert np.abs(ratio - 1).max() < 0.06


def test_gaps_ends_and_sky_lines_are_masked():
    flux = forest(FINE)
    flux[(FINE > 4400) & (FINE < 4433)] = 0
    flux[FINE < 4005] = 0
    batch = batch_of(flux, FINE)
    batch.mask[0, (FINE > 5000) & (FINE < 5003)] = True
    spectra = preprocess(batch, sky_lines=((5570.0, 5590.0),))
    bad = spectra.ivar[0] == 0
    expected = np.zeros(BLUE.size, bool)
    for low, high in ((0, 4005), (4400, 4433), (5000, 5003), (5570, 5590)):
        expected |= (BLUE.wave > low) & (BLUE.wave < high)
    # A pixel on the edge of a gap may be either.
    edges = np.flatnonzero(bad != expected)
    assert len(edges) <= 7
    assert all(expected[i - 1] != expected[i + 1] for i in edges)
    clean = preprocess(batch_of(forest(FINE), FINE))
    away = ~(bad | np.roll(bad, 3) | np.roll(bad, -3))
    np.testing.assert_allclose(spectra.flux[0, away], clean.flux[0, away], atol=0.02)


def test_a_gap_of_the_wavelengths_is_no_wide_pixel():
    keep = (FINE < 4500) | (FINE > 4530)
    spectra = preprocess(batch_of(forest(FINE)[keep], FINE[keep]))
    assert (spectra.ivar[0, (BLUE.wave > 4501) & (BLUE.wave < 4529)] == 0).all()
    assert spectra.good_fraction[0] == pytest.approx(1 - 30 / 1.04 / 1462, abs=0.002)


def test_without_errors_and_resolution():
    bare = preprocess(batch_of(forest(FINE), FINE, ivar=None))
    assert bare.ivar is None
    assert Flag(int(bare.flags[0])) == Flag.NO_IVAR
    np.testing.assert_array_equal(bare.flux, preprocess(batch_of(forest(FINE), FINE)).flux)
    # What the grid holds of R = 100,000 is 2171; to 1000 it is as far as from there.
    low = preprocess(batch_of(forest(FINE), FINE), Preprocessing(resolution=1000), resolution=1e5)
    sigma = SIGMA * np.sqrt((2171 / 1000) ** 2 - 1)
    np.testing.assert_allclose(low.flux[0, 20:-20], gaussian_filter1d(bare.flux[0], sigma)[20:-20], atol=1e-3)


def test_it_is_said_once_a_batch(caplog):
    preprocess(batch_of(np.stack([forest(FINE)] * 3), FINE, velocity=np.array([0, 1.0, 2])))
    assert caplog.messages == ["made: " + describe(FINE, BLUE)]
    assert describe(FINE, BLUE) == (
        "pixels of 0.02 A are much finer than those of the grid 'blue'; smoothed to R = 2170"
    )


def test_on_a_grid_that_is_not_logarithmic():
    """A slope comes out as a slope on the grid of Gaia XP, whose steps are even in wavelength."""
    wave = np.arange(3300.0, 10300.0, 2.0)
    spectra = preprocess(batch_of(wave / 5000, wave, frame="rest"), Preprocessing(grid="xp", continuum="none"))
    inner = slice(3, -3)
    np.testing.assert_allclose(spectra.flux[0, inner] / spectra.flux[0, 100], XP.wave[inner] / XP.wave[100], rtol=2e-4)
    assert (spectra.ivar[0] > 0).all()


def test_zeros_in_place_of_gaps():
    wave = WAVES["log"]
    for n in (1, 4, 40):
        batch = batch_of(star(wave), wave)
        batch.flux[0, 900 : 900 + n] = 0
        spectra = preprocess(batch)
        assert np.count_nonzero(spectra.ivar[0] == 0) == n
        assert (spectra.flux[0] != 0).all()
    padded = batch_of(star(wave), wave)
    padded.flux[0, :500] = padded.flux[0, 1600:] = 0
    kept = preprocess(replace(padded, mask=padded.flux == 0))
    np.testing.assert_array_equal(preprocess(padded).flux, kept.flux)


def test_the_sun_as_harps_sees_it(data):
    """313,000 pixels of 0.01 A, rest frame, air; between the two detectors the file holds zeros."""
    path = data / "public/highres/Sun_HARPS.fits.gz"
    if not path.is_file():
        pytest.skip("no spectrum of HARPS")
    with fits.open(path) as hdus:
        header, flux = hdus[0].header, hdus[0].data.astype(np.float64)
    wave = air_to_vacuum(header["CRVAL1"] + header["CDELT1"] * np.arange(len(flux)))
    tracemalloc.start()
    spectra = preprocess(batch_of(flux, wave, ivar=1e6, frame="rest"))
    assert tracemalloc.get_traced_memory()[1] < 30e6
    tracemalloc.stop()
    gap = (BLUE.wave > 5307) & (BLUE.wave < 5338)
    assert (spectra.ivar[0, gap] == 0).all()
    assert (spectra.ivar[0, (BLUE.wave < 5305) | (BLUE.wave > 5340)] > 0).all()
    log_wave = np.arange(np.log10(3900), np.log10(5300), BLUE.step / 100)
    expected = gaussian_filter1d(np.interp(log_wave, np.log10(wave), flux), 100 * SIGMA, truncate=6)
    inner = (BLUE.wave > 4010) & (BLUE.wave < 5290)
    ratio = spectra.flux[0, inner] / np.interp(BLUE.log_wave[inner], log_wave, expected)
    # Their ratio is one over the continuum, which is smooth.
    fit = np.polynomial.Polynomial.fit(BLUE.wave[inner], 1 / ratio, 5)
    np.testing.assert_allclose(ratio * fit(BLUE.wave[inner]), 1, atol=3e-3)
