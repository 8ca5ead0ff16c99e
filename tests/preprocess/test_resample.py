import numpy as np
import pytest

from transtar.grids import BLUE, SPEED_OF_LIGHT
from transtar.preprocess.resample import Lookup, resample, resample_variance, smoothing_matrix

from .made import LAMOST_WAVE, WAVES

# The last is the log grid with another step, which must not take the road of equal steps.
ALL = {**WAVES, "other log": 10 ** (3.5682 + 2.3e-4 * np.arange(1700))}
STRETCH = 1 + np.array([0.0, 30.0, -250.0, 999.9]) / SPEED_OF_LIGHT


def test_each_kind_takes_its_own_road():
    lookups = {kind: Lookup.on(wave) for kind, wave in ALL.items()}
    assert lookups["log"].log_step == pytest.approx(1e-4)
    assert lookups["linear"].step == pytest.approx(0.8)
    assert lookups["irregular"].step is lookups["irregular"].log_step is None
    assert lookups["other log"].log_step == pytest.approx(2.3e-4)


@pytest.mark.parametrize("kind", list(ALL))
def test_interpolation_in_log_wavelength(kind):
    wave = ALL[kind]
    values = np.random.default_rng(0).random((len(STRETCH), len(wave))).astype(np.float32)
    below, weight, covered = Lookup.on(wave).find(BLUE, STRETCH)
    ours = resample(values, below, weight)
    assert covered.all()
    for row, stretch in enumerate(STRETCH):
        expected = np.interp(BLUE.log_wave + np.log10(stretch), np.log10(wave), values[row])
        np.testing.assert_allclose(ours[row], expected, atol=2e-5)


@pytest.mark.parametrize("kind", list(ALL))
def test_what_the_native_pixels_do_not_cover(kind):
    wave = ALL[kind]
    wave = wave[(wave > 4100) & (wave < 5400)]
    below, weight, covered = Lookup.on(wave).find(BLUE, STRETCH)
    for row, stretch in enumerate(STRETCH):
        there = (BLUE.wave * stretch >= wave[0] * (1 - 1e-9)) & (BLUE.wave * stretch <= wave[-1] * (1 + 1e-9))
        np.testing.assert_array_equal(covered[row], there)
    values = np.ones((len(STRETCH), len(wave)), np.float32)
    assert (resample(values, below, weight) == 1).all()


def test_native_pixels_on_the_grid_stay_as_they_are():
    values = np.random.default_rng(0).random((1, 3909)).astype(np.float32)
    below, weight, covered = Lookup.on(LAMOST_WAVE).find(BLUE, np.ones(1))
    assert covered.all()
    np.testing.assert_array_equal(resample(values, below, weight), values[:, 338:1800])
    np.testing.assert_array_equal(resample_variance(values, below, weight), values[:, 338:1800])
    ends = Lookup.on(BLUE.wave).find(BLUE, np.ones(1))
    assert ends[2].all()
    np.testing.assert_array_equal(resample(values[:, :1462], *ends[:2]), values[:, :1462])


@pytest.mark.parametrize("kind", list(ALL))
def test_variance_against_a_plain_loop(kind):
    wave = ALL[kind]
    rng = np.random.default_rng(2)
    variance = rng.random((len(STRETCH), len(wave))).astype(np.float32)
    variance[rng.random(variance.shape) < 0.05] = np.inf
    below, weight, _ = Lookup.on(wave).find(BLUE, STRETCH)
    ours = resample_variance(variance, below, weight)
    for row in range(len(STRETCH)):
        for i in range(0, BLUE.size, 7):
            low, w = below[row, i], float(weight[row, i])
            expected = 0.0
            for part, pixel in ((1 - w, low), (w, low + 1)):
                if part > 0:
                    expected += part**2 * float(variance[row, pixel])
            assert ours[row, i] == pytest.approx(expected, rel=1e-5)


def test_variance_against_monte_carlo():
    wave = WAVES["linear"]
    rng = np.random.default_rng(3)
    sigma = rng.uniform(0.5, 2, len(wave))
    noise = (sigma * rng.standard_normal((4000, len(wave)))).astype(np.float32)
    below, weight, _ = Lookup.on(wave).find(BLUE, np.full(4000, STRETCH[1]))
    measured = resample(noise, below, weight).var(axis=0)
    expected = resample_variance((sigma**2)[None, :].astype(np.float32), below[:1], weight[:1])[0]
    ratio = measured / expected
    assert ratio.mean() == pytest.approx(1, abs=0.01)
    assert ratio.std() == pytest.approx(np.sqrt(2 / 4000), rel=0.15)


def test_smoothing_lowers_the_resolution_as_asked():
    native, wanted = 3000.0, 1800.0
    matrix = smoothing_matrix(BLUE, native, wanted)
    np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-6)
    centre = BLUE.wave[700]
    width = centre / native / (2 * np.sqrt(2 * np.log(2)))
    line = np.exp(-0.5 * ((BLUE.wave - centre) / width) ** 2)
    smooth = matrix @ line
    mean = np.average(BLUE.wave, weights=smooth)
    measured = np.sqrt(np.average((BLUE.wave - mean) ** 2, weights=smooth))
    assert mean == pytest.approx(centre, abs=0.1)
    assert centre / (measured * 2 * np.sqrt(2 * np.log(2))) == pytest.approx(wanted, rel=0.01)
    assert smoothing_matrix(BLUE, 1800.0, 1800.0) is None
    assert smoothing_matrix(BLUE, 1800.0, 3000.0) is None
