import numpy as np

from tests.velocity.made import LAMOST_WAVE, observed
from transtar.velocity.correlate import LAGS, STEP, Search, running_mean, triangles
from transtar.velocity.pixels import native
from transtar.velocity.templates import load_templates


def test_coarse_pixels_are_interpolated_linearly():
    wave = np.log(np.linspace(4000, 4400, 90))
    grid = np.arange(wave[2], wave[-3], 1e-4)
    values = np.random.default_rng(0).normal(size=len(wave))
    onto = triangles(wave, grid, 1e-4)
    whole = np.asarray(onto.sum(axis=1)).ravel()
    np.testing.assert_allclose(onto @ values / whole, np.interp(grid, wave, values), atol=0.06)


def test_fine_pixels_are_averaged_and_lines_stay():
    wave = np.log(np.arange(4000, 4400, 0.01))
    grid = np.arange(wave[200], wave[-200], STEP)
    line = np.exp(-0.5 * ((wave - np.log(4200)) / 3e-4) ** 2)
    onto = triangles(wave, grid)
    smooth = onto @ line / np.asarray(onto.sum(axis=1)).ravel()
    assert abs((smooth * grid).sum() / smooth.sum() - np.log(4200)) < 1e-6


def test_correlation_is_that_of_numpy():
    templates = load_templates(1800.0)
    batch = observed([7, 50], [100.0, -200.0], snr=40.0)
    pixels = native(batch.wave)
    search = Search.on(pixels.wave, templates)
    flux, variance, weight, _ = pixels.take(batch, slice(None))
    peaks = search.run(flux, variance, weight > 0)
    values, weight = search.flat(flux, variance, weight > 0)
    grid = search.start + STEP * np.arange(values.shape[1])
    for i in range(2):
        star = templates.flux[peaks.template[i]]
        curve = []
        for lag in range(-LAGS, LAGS + 1):
            moved = np.interp(grid - lag * STEP, templates.log_wave, star)
            moved = moved / running_mean(moved[None], np.ones((1, len(grid))))[0] - 1
            curve.append((weight[i] * values[i] * moved).sum())
            if lag == 0:
                norm = np.sqrt((weight[i] * moved**2).sum() * (weight[i] * values[i] ** 2).sum())
        np.testing.assert_allclose(peaks.curve[i], np.array(curve) / norm, atol=2e-3)
    np.testing.assert_allclose(peaks.velocity, [100, -200], atol=25)


def test_templates_are_moved_once_for_many_wavelengths():
    templates = load_templates(1800.0)
    searches = [Search.on(LAMOST_WAVE[200:1900] * (1 + shift), templates) for shift in (0.0, 1e-5, 1e-3)]
    assert all(search.shifted is searches[0].shifted for search in searches)
    # Where they begin later, on points of the same grid.
    late = Search.on(LAMOST_WAVE[600:1900], templates)
    steps = (late.start - searches[0].start) / STEP
    assert steps > 100
    assert abs(steps - round(steps)) < 1e-6
    assert late.start >= np.log(LAMOST_WAVE[600])


def test_noise_is_told_from_lines():
    templates = load_templates(1800.0)
    search = Search.on(LAMOST_WAVE[200:1850], templates)
    random = np.random.default_rng(2)
    flux = (1 + 0.1 * random.standard_normal((20, 1650))).astype(np.float32)
    assert abs(search.run(flux, None, np.ones(flux.shape, bool)).noise.mean() - 1) < 0.1
    batch = observed([20], 0.0, snr=1000.0)
    peaks = search.run(batch.flux[:, 200:1850] / 300, None, np.ones((1, 1650), bool))
    assert peaks.noise[0] < 0.1
