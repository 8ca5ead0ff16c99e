import numpy as np
import pytest

from transtar.errors import SettingsError
from transtar.simulate.instruments.instrument import (
    DESI,
    LAMOST,
    LAMOST_MEASURED,
    LAMOST_NOMINAL,
    MILES,
    MILES_MEASURED,
)
from transtar.simulate.instruments.lsf import (
    FWHM_PER_SIGMA,
    LIMB_DARKENING,
    REACH,
    LineSpread,
    into_pixels,
    pixel_edges,
    rotate,
    sample,
)

from ..made import STEP, WAVE

LN_STEP = STEP * np.log(10)
ARMS = {"lamost": LAMOST.arms[0], "desi b": DESI.arms[0], "miles": MILES.arms[0]}


def seen(flux, pixels, spread, velocity=0.0, intrinsic=12_000.0):
    edges = pixel_edges(pixels)
    sigma = np.zeros(len(edges)) if spread is None else spread.applied(edges, intrinsic)
    out = np.full((len(flux), len(pixels)), np.nan)
    shift = np.full(len(flux), np.log1p(velocity / 299_792.458))
    into_pixels(flux, np.log(WAVE[0]), LN_STEP, np.log(edges), sigma, shift, REACH, out)
    return out


def line_at(wave, resolution=12_000.0):
    """Emission line of 10 A equivalent width and the intrinsic width of the models."""
    sigma = 1 / resolution / FWHM_PER_SIGMA
    profile = np.exp(-0.5 * ((np.log(WAVE / wave)) / sigma) ** 2)
    return 10 * profile / (profile * np.gradient(WAVE)).sum()


def moments(pixels, flux):
    """Flux, centre and FWHM of a line; the centre and width from the moments within 6 A."""
    width = np.diff(pixel_edges(pixels))
    good = np.isfinite(flux)
    weight = np.where(good, flux, 0) * width
    centre = (weight * pixels).sum() / weight.sum()
    near = np.abs(pixels - centre) < 12
    sigma = np.sqrt((weight * (pixels - centre) ** 2)[near].sum() / weight.sum())
    return weight.sum(), centre, FWHM_PER_SIGMA * sigma


@pytest.mark.parametrize("name", ARMS)
@pytest.mark.parametrize("wave", [3950.0, 4200.3, 4600.0, 5000.7, 5400.0, 5650.0])
def test_a_line_gets_the_width_asked_for_and_keeps_its_flux(name, wave):
    arm = ARMS[name]
    flux = line_at(wave)[None]
    total, centre, fwhm = moments(arm.pixels, seen(flux, arm.pixels, arm.line_spread)[0])
    assert total == pytest.approx(10, rel=1e-5)
    assert centre == pytest.approx(wave, abs=0.02)
    assert fwhm == pytest.approx(arm.line_spread.fwhm(wave), rel=0.02)


def test_widths_of_the_instruments():
    assert 3.6 < LAMOST_MEASURED.fwhm(4200) < 4.2 > LAMOST_MEASURED.fwhm(5400) > 3.4
    assert LAMOST_NOMINAL.fwhm(5400.0) == pytest.approx(3.0)
    assert MILES_MEASURED.fwhm(5000) == 2.8
    wave = np.array([3600.0, 5800.0])
    np.testing.assert_allclose(wave / DESI.arm("b").line_spread.fwhm(wave), [2000, 3200])


def test_shift_is_exact():
    """A shift moves a line by the full Doppler factor, by whole pixels or parts of one."""
    pixels = LAMOST.arms[0].pixels
    for velocity in (-420.0, -3.0, 0.0, 1.0, 69.03, 350.0):
        _, centre, _ = moments(pixels, seen(line_at(4800.0)[None], pixels, LAMOST_MEASURED, velocity)[0])
        assert centre / 4800 == pytest.approx(1 + velocity / 299_792.458, abs=2e-6)


def test_constant_and_straight_spectra_pass_unchanged():
    pixels = DESI.arms[0].pixels
    flux = np.stack([np.ones_like(WAVE), WAVE / 5000])
    out = seen(flux, pixels, DESI.arms[0].line_spread)
    good = np.isfinite(out[0])
    assert good.sum() > 2300
    np.testing.assert_allclose(out[0, good], 1, rtol=1e-6)
    np.testing.assert_allclose(out[1, good], pixels[good] / 5000, rtol=1e-6)


def test_against_a_plain_convolution():
    """A sum over the product of Gaussian and pixel box, written out."""
    rng = np.random.default_rng(0)
    flux = 1 - 0.5 * rng.random(len(WAVE)) ** 4
    pixels = LAMOST.arms[0].pixels
    edges = pixel_edges(pixels)
    sigma = LAMOST_MEASURED.applied(edges, 12_000.0)
    out = seen(flux[None], pixels, LAMOST_MEASURED)[0]
    for i in (400, 900, 1500):
        fine = np.log(np.linspace(edges[i], edges[i + 1], 41))
        weight = np.exp(-0.5 * ((np.log(WAVE) - fine[:, None]) / sigma[i]) ** 2) * np.gradient(WAVE)
        expected = (weight @ flux / weight.sum(axis=1)).mean()
        assert out[i] == pytest.approx(expected, abs=3e-4)


def test_without_spread_pixels_hold_the_mean_of_the_model():
    rng = np.random.default_rng(1)
    flux = rng.random(len(WAVE))
    pixels = WAVE[600:9000].reshape(-1, 12).mean(axis=1)
    out = seen(flux[None], pixels, None)[0]
    width, edges = np.gradient(WAVE), pixel_edges(pixels)
    for i in (10, 300):
        inside = (edges[i] < WAVE) & (edges[i + 1] > WAVE)
        assert out[i] == pytest.approx((flux * width)[inside].sum() / width[inside].sum(), abs=0.12)
    total = (out * np.diff(edges)).sum()
    near = (edges[0] < WAVE) & (edges[-1] > WAVE)
    assert total == pytest.approx((flux * width)[near].sum(), rel=1e-3)


def test_a_model_too_coarse_is_not_sharpened():
    edges = pixel_edges(LAMOST.arms[0].pixels)
    assert (LineSpread((5000.0,), (50_000.0,)).applied(edges, 12_000.0) == 0).all()


def test_rotation_profile():
    """Variance 0.225 (v sin i)^2 at a limb darkening of 0.6, equivalent width kept, nothing beyond v sin i."""
    flux = np.zeros((4, len(WAVE)))
    flux[:, 5000] = 1
    speeds = np.array([0.0, 20.0, 100.0, 300.0])
    rotate(flux, speeds / 299_792.458, LN_STEP, LIMB_DARKENING)
    velocity = (np.arange(len(WAVE)) - 5000) * LN_STEP * 299_792.458
    np.testing.assert_allclose(flux.sum(axis=1), 1, rtol=1e-12)
    assert flux[0, 5000] == 1
    for row, speed in zip(flux[1:], speeds[1:], strict=True):
        pixel = LN_STEP * 299_792.458
        variance = (row * velocity**2).sum() - pixel**2 / 12
        assert variance == pytest.approx(0.225 * speed**2, rel=0.02)
        assert (row[np.abs(velocity) > speed + pixel] == 0).all()
        np.testing.assert_allclose(row[4900:5101], row[4900:5101][::-1], atol=1e-12)


def test_sample_is_linear_interpolation():
    rng = np.random.default_rng(2)
    wave, flux = np.cumsum(rng.uniform(1, 5, 50)) + 4000, rng.random((3, 50))
    pixels, stretch = np.linspace(3990, 4200, 300), np.array([1.0, 1.001, 0.999])
    out = np.empty((3, 300))
    sample(wave, flux, pixels, stretch, out)
    for row in range(3):
        np.testing.assert_allclose(out[row], np.interp(pixels / stretch[row], wave, flux[row]))


def test_wrong_line_spread():
    with pytest.raises(SettingsError, match="as many positive"):
        LineSpread((5000.0,), (1800.0, 2000.0))
    with pytest.raises(SettingsError, match="unit 'km/s'"):
        LineSpread((5000.0,), (1800.0,), "km/s")
