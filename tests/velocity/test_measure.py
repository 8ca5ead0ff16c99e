import numpy as np
import pytest

from tests.velocity.made import DESI_WAVE, LAMOST_WAVE, batch_of, observed
from transtar.errors import SettingsError
from transtar.grids import SPEED_OF_LIGHT
from transtar.velocity import measure_velocities
from transtar.velocity.templates import load_templates

VELOCITIES = np.array([-612.0, -300.0, -121.0, -3.0, 0.0, 44.0, 180.0, 295.0, 640.0])


@pytest.fixture(scope="module")
def rows():
    """Templates from cool to hot."""
    return np.linspace(0, len(load_templates(1800.0).names) - 1, len(VELOCITIES)).astype(int)


@pytest.mark.parametrize("wave", [LAMOST_WAVE, DESI_WAVE], ids=["log", "linear"])
@pytest.mark.parametrize("ivar", [True, False])
def test_known_velocities_come_out(rows, wave, ivar):
    measured = measure_velocities(observed(rows, VELOCITIES, wave, ivar=ivar, slope=0.3), resolution=1800.0)
    assert measured.good.all()
    difference = measured.velocity - VELOCITIES
    assert np.abs(difference).max() < 6
    assert np.sqrt(np.mean((difference / measured.error) ** 2)) < 1.6
    assert (measured.peak > 0.9).all()


def test_errors_are_those_of_repeats():
    rows, n = np.repeat([20, 40], 150), 300
    measured = measure_velocities(observed(rows, 50.0, snr=12.0), resolution=1800.0)
    assert measured.good.mean() > 0.98
    pull = (measured.velocity - 50.0) / measured.error
    within = np.mean(np.abs(pull[measured.good]) < 1)
    assert abs(within - 0.683) < 4 * np.sqrt(0.683 * 0.317 / n)


def test_wrong_errors_of_pixels_are_seen_in_the_residuals():
    batch = observed([20, 40, 60], 50.0, snr=15.0)
    right = measure_velocities(batch, resolution=1800.0)
    batch.ivar[:] *= 100
    wrong = measure_velocities(batch, resolution=1800.0)
    np.testing.assert_allclose(wrong.error, right.error, rtol=0.15)


def test_rows_without_errors_among_others():
    batch = observed([5, 20, 40, 60], 77.0)
    batch.ivar[1::2] = np.nan
    measured = measure_velocities(batch, resolution=1800.0)
    assert measured.good.all()
    np.testing.assert_allclose(measured.velocity, 77, atol=5)


@pytest.mark.parametrize(
    "name", ["noise", "weak noise", "flat", "zero", "nan", "negative", "spike", "emission", "huge"]
)
def test_what_is_no_star_gets_nan(name):
    random = np.random.default_rng(1)
    flux = np.ones((40, len(LAMOST_WAVE)))
    if "noise" in name:
        flux += random.standard_normal(flux.shape) * (0.01 if name == "weak noise" else 0.3)
    elif name == "emission":
        # A quasar: broad lines on a power law.
        for center in (4200.0, 4700.0, 5400.0):
            flux += 2 * np.exp(-0.5 * ((LAMOST_WAVE - center) / random.uniform(20, 60, (40, 1))) ** 2)
        flux *= (LAMOST_WAVE / 5000) ** -1.5
        flux += random.standard_normal(flux.shape) * 0.02
    else:
        flux *= {"flat": 1, "zero": 0, "nan": np.nan, "negative": -1, "spike": 1, "huge": 1e37}[name]
        if name == "spike":
            flux[:, 1500] = 1e6
    measured = measure_velocities(batch_of(flux, ivar=1.0))
    assert np.isnan(measured.velocity).all()
    assert np.isnan(measured.error).all()
    assert not measured.good.any()


def test_too_few_pixels_are_no_error():
    for wave in (np.linspace(6000, 9000, 900), np.linspace(3000, 3880, 900), np.array([4000.0, 5000.0])):
        measured = measure_velocities(batch_of(np.ones((2, len(wave))), wave))
        assert len(measured) == 2
        assert np.isnan(measured.velocity).all()
        assert (measured.template == "").all()
    assert len(measure_velocities(observed([3], 0.0).select(slice(0, 0)))) == 0


def test_one_odd_spectrum_does_not_touch_the_others():
    batch = observed([5, 20, 40], 30.0)
    alone = measure_velocities(batch, resolution=1800.0)
    batch.flux[1] = np.nan
    measured = measure_velocities(batch, resolution=1800.0)
    assert np.isnan(measured.velocity[1])
    np.testing.assert_allclose(measured.velocity[[0, 2]], alone.velocity[[0, 2]], atol=1e-3)


def test_bad_pixels_cosmics_and_the_sky_are_left_out():
    random = np.random.default_rng(3)
    batch = observed([5, 20, 40, 60], 30.0)
    bad = random.random(batch.flux.shape)
    batch.flux[bad < 0.03] = 0
    batch.flux[(bad > 0.03) & (bad < 0.06)] = np.nan
    batch.ivar[(bad > 0.06) & (bad < 0.09)] = 0
    batch.flux[bad > 0.995] *= 6
    masked = (bad > 0.5) & (bad < 0.55)
    batch.mask[masked] = True
    batch.flux[masked] = -500
    sky = (batch.wave > 5100) & (batch.wave < 5200)
    batch.flux[:, sky] = 5000
    measured = measure_velocities(batch, sky_lines=((5095.0, 5205.0),), resolution=1800.0)
    assert measured.good.all()
    np.testing.assert_allclose(measured.velocity, 30, atol=8)


def test_a_part_of_the_range_is_enough():
    for low, high in ((3700, 4500), (4900, 9000), (4500, 5000)):
        batch = observed([10, 24, 40], 120.0)
        keep = (batch.wave > low) & (batch.wave < high)
        measured = measure_velocities(
            batch_of(batch.flux[:, keep], batch.wave[keep], (100 / 300) ** 2), resolution=1800.0
        )
        assert measured.good.all()
        assert (np.abs(measured.velocity - 120) < 4 * measured.error + 1).all()


@pytest.mark.parametrize("resolution", [700.0, 4000.0])
def test_resolving_power_need_not_be_known(resolution):
    rows = [4, 12, 24, 40]
    batch = observed(rows, -90.0, np.arange(3700, 6000, 3000 / resolution), resolution=resolution)
    measured = measure_velocities(batch)
    assert measured.good.all()
    assert (np.abs(measured.velocity + 90) < 4 * measured.error + 1).all()


def test_coarse_pixels_tell_the_resolving_power():
    rows = [4, 12, 24, 40] * 10
    wave = np.exp(np.arange(np.log(3800), np.log(5800), 300 / SPEED_OF_LIGHT))
    measured = measure_velocities(observed(rows, 60.0, wave, resolution=350.0))
    pull = (measured.velocity - 60.0) / measured.error
    assert measured.good.mean() > 0.9
    assert np.sqrt(np.nanmean(pull**2)) < 2


@pytest.mark.parametrize(
    "given", [{"resolution": -5.0}, {"resolution": 0}, {"resolution": np.nan}, {"resolution": "R"}, {"threads": 0}]
)
def test_impossible_numbers_are_refused(given):
    with pytest.raises(SettingsError, match=next(iter(given))):
        measure_velocities(observed([3], 0.0), **given)


@pytest.mark.parametrize("given", [[], [observed([3], 0.0)], np.ones(3), None])
def test_what_is_no_batch_is_refused(given):
    with pytest.raises(SettingsError, match="SpectrumBatch"):
        measure_velocities(given)


def test_the_print_is_short():
    shown = repr(measure_velocities(observed([3, 20], 0.0)))
    assert shown.startswith("MeasuredVelocities: 2 spectra, 2 with a velocity, 2 of them good\n")
    assert len(shown.splitlines()) == 3


def test_very_fine_pixels():
    wave = np.arange(4300, 5500, 0.05)
    batch = observed([4, 24, 40], 15.0, wave, snr=20.0, resolution=5000.0)
    measured = measure_velocities(batch)
    assert measured.good.all()
    np.testing.assert_allclose(measured.velocity, 15, atol=1.0)


def test_threads_and_blocks_change_nothing():
    rows = np.arange(300) % 80
    batch = observed(rows, np.linspace(-250, 250, 300), snr=30.0)
    one = measure_velocities(batch, resolution=1800.0, threads=1)
    two = measure_velocities(batch, resolution=1800.0, threads=2)
    np.testing.assert_array_equal(one.velocity, two.velocity)
    some = measure_velocities(batch.select(slice(100, 140)), resolution=1800.0)
    np.testing.assert_allclose(some.velocity, one.velocity[100:140], atol=1e-2)
