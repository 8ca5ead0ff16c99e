import numpy as np
from scipy.optimize import least_squares

from transtar.grids import SPEED_OF_LIGHT
from transtar.velocity.refine import LEAN, PIVOT, PRIOR, Fit
from transtar.velocity.templates import load_templates


def test_the_fit_is_that_of_scipy():
    """The same model, all of its parameters free at once, by a fit that knows nothing of ours but the templates."""
    templates = load_templates(1800.0)
    row, velocity = 24, 37.0
    wave = np.exp(np.linspace(np.log(4320), np.log(5500), 1200))
    random = np.random.default_rng(5)
    star = np.interp(np.log(wave) - np.log1p(velocity / SPEED_OF_LIGHT), templates.log_wave, templates.flux[row])
    sigma = 0.02
    flux = (star * (1 + 0.1 * (wave - 4900) / 600) + sigma * random.standard_normal(len(wave))).astype(np.float32)
    fit = Fit.on(wave, templates)
    fit.mismatch[:] = 0
    weight = np.full((1, len(wave)), sigma**-2, np.float32)
    log_stretch, error, _, _ = fit.run(flux[None], weight, np.array([row]), np.array([20.0]))

    near = fit.neighbours[row]
    lean = np.log(wave / PIVOT) / 0.1

    def residuals(p):
        shift, leaning, wider = p[:3]
        place = np.log(wave) - shift - leaning * lean
        at = [np.interp(place, templates.log_wave, templates.flux[k]) for k in (row, *near)]
        step = 3 * templates.step
        sides = [np.interp(place + s, templates.log_wave, templates.flux[row]) for s in (-step, step)]
        model = at[0] * (p[3 : 3 + len(fit.basis)] @ fit.basis) + wider * (sides[0] - 2 * at[0] + sides[1])
        model += sum(c * (other - at[0]) for c, other in zip(p[-len(near) :], at[1:], strict=True))
        prior = np.append(p[-len(near) :] / PRIOR, leaning * SPEED_OF_LIGHT / LEAN)
        return np.append((flux - model) / sigma, prior)

    start = np.zeros(3 + len(fit.basis) + len(near))
    start[3] = 1
    solved = least_squares(residuals, start, x_scale=np.append([1e-4, 1e-5, 0.1], np.ones(len(start) - 3)))
    expected_error = np.sqrt(np.linalg.inv(solved.jac.T @ solved.jac)[0, 0])
    # Here templates are interpolated linearly, there by a cubic.
    assert abs(log_stretch[0] - solved.x[0]) < 0.25 * expected_error
    np.testing.assert_allclose(error[0], expected_error, rtol=0.1)


def test_lines_that_are_too_wide_are_measured():
    templates, wide = load_templates(1800.0), load_templates(1500.0)
    wave = np.exp(np.linspace(np.log(4320), np.log(5500), 1200))
    flux = np.interp(np.log(wave), templates.log_wave, wide.flux[24])[None].astype(np.float32)
    fit = Fit.on(wave, templates)
    weight = np.full(flux.shape, 1e6, np.float32)
    *_, wider = fit.run(flux, weight, np.array([24]), np.array([0.0]))
    np.testing.assert_allclose(wider * 8 * np.log(2), 1500.0**-2 - 1800.0**-2, rtol=0.25)


def test_too_few_pixels_are_nan():
    fit = Fit.on(np.linspace(4500, 5500, 800), load_templates(1800.0))
    weight = np.zeros((1, 800), np.float32)
    weight[0, :30] = 1
    _, error, gain, _ = fit.run(np.ones((1, 800), np.float32), weight, np.array([3]), np.array([0.0]))
    assert np.isnan(error[0])
    assert np.isnan(gain[0])
