import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from transtar.trust.misfit import DEGREE, FLOOR, fit_models, smoothed

N_PIXELS = 400
X = np.linspace(-1, 1, N_PIXELS)
BASIS = np.polynomial.legendre.legvander(X, DEGREE).T.copy()
PRIORS = np.array([1.0, 1.0, 0.01, 0.1])


@pytest.fixture(scope="module")
def model():
    """A spectrum with lines, and what two labels would add."""
    generator = np.random.default_rng(0)
    places, depths = generator.uniform(0, N_PIXELS, 40), generator.uniform(0.02, 0.4, 40)
    lines = depths[:, None] * np.exp(-0.5 * ((np.arange(N_PIXELS) - places[:, None]) / 1.5) ** 2)
    flux = 1 - lines.sum(axis=0).clip(0, 0.9)
    return np.stack([flux, -0.02 * lines[::2].sum(axis=0), 0.02 * lines[1::3].sum(axis=0)])


def fit(flux, model, variance=None, per_depth=0.05):
    fitted, results = np.empty((1, N_PIXELS)), np.empty((1, 4))
    variance = np.zeros((1, N_PIXELS)) if variance is None else variance[None]
    fit_models(flux[None], variance, model[None], np.array([per_depth]), BASIS, PRIORS, fitted, results)
    return fitted[0], results[0]


@pytest.mark.parametrize("sigma", [0.0, 0.5, 1.7, 4.5])
def test_smoothing_is_scipys(model, sigma):
    out = np.empty_like(model)
    smoothed(model, sigma, out)
    expected = (
        gaussian_filter1d(model, sigma, mode="nearest", truncate=np.ceil(3.5 * sigma) / sigma) if sigma else model
    )
    np.testing.assert_allclose(out, expected, atol=1e-12)


def test_width_shift_and_continuum_are_found(model):
    wide = gaussian_filter1d(model[0], 2.0, mode="nearest")
    moved = np.interp(np.arange(N_PIXELS) - 0.3, np.arange(N_PIXELS), wide) * (1 + 0.03 * X - 0.02 * X**2)
    fitted, (misfit, shift, shift_err, sigma) = fit(moved, model)
    assert sigma == pytest.approx(2.0, abs=0.1)
    assert shift == pytest.approx(0.3, abs=0.03)
    assert 0 < shift_err < 0.2
    assert misfit < 0.02
    np.testing.assert_allclose(fitted[20:-20], moved[20:-20], atol=0.01)


def test_fit_is_that_of_least_squares(model):
    """The last pass again, as numpy solves it for the width that was found."""
    generator = np.random.default_rng(1)
    flux = gaussian_filter1d(model[0], 1.5, mode="nearest") + generator.normal(0, 0.02, N_PIXELS)
    variance = np.full(N_PIXELS, 0.02**2)
    variance[50:60] = np.inf
    fitted, (misfit, shift, shift_err, sigma) = fit(flux, model, variance)
    smooth = np.empty_like(model)
    smoothed(model, sigma, smooth)
    weights = 1 / (variance + FLOOR**2 + (0.05 * np.clip(1 - smooth[0], 0, 1)) ** 2)
    weights[:8] = weights[-8:] = 0
    slope, bend = np.gradient(smooth[0]), np.zeros(N_PIXELS)
    bend[1:-1] = np.diff(smooth[0], 2)
    slope[[0, -1]] = 0
    terms = np.concatenate([BASIS * smooth[0], smooth[1:], [slope, bend]])
    held = np.zeros((4, len(terms)))
    held[range(4), range(DEGREE + 1, DEGREE + 5)] = np.sqrt(PRIORS)
    design = np.concatenate([(terms * np.sqrt(weights)).T, held])
    solved = np.linalg.lstsq(design, np.concatenate([flux * np.sqrt(weights), np.zeros(4)]), rcond=None)[0]
    np.testing.assert_allclose(fitted, solved @ terms, atol=1e-7)
    counted = np.isfinite(variance[8:-8])
    pulls = (weights * (flux - solved @ terms) ** 2)[8:-8][counted]
    assert misfit == pytest.approx(pulls.mean(), rel=1e-6)
    assert shift == pytest.approx(-solved[-2] / solved[0], abs=1e-7)
    assert shift_err == pytest.approx(np.sqrt(np.linalg.inv(design.T @ design)[-2, -2]) / solved[0], rel=1e-5)


def test_noise_alone_has_a_misfit_of_one(model):
    generator = np.random.default_rng(2)
    values = []
    for _ in range(40):
        flux = gaussian_filter1d(model[0], 1.2, mode="nearest") + generator.normal(0, 0.05, N_PIXELS)
        values.append(fit(flux, model, np.full(N_PIXELS, 0.05**2), per_depth=0.0)[1][0])
    # Terms of the fit take ten of 384 degrees of freedom, and the floor is in the variance.
    expected = (1 - 10 / 384) * 0.05**2 / (0.05**2 + FLOOR**2)
    assert np.mean(values) == pytest.approx(expected, abs=4 * np.std(values) / np.sqrt(len(values)))


def test_spectra_without_a_pixel_that_counts_have_none(model):
    _, (misfit, *_) = fit(model[0], model, np.full(N_PIXELS, np.inf))
    assert np.isnan(misfit)


def test_any_width_is_followed(model):
    """The width is improved by steps; what is left when they end is taken by the term of smoothing."""
    for sigma, near in ((0.6, 0.1), (1.2, 0.1), (2.5, 0.2), (3.5, 0.6)):
        misfit, _, _, found = fit(gaussian_filter1d(model[0], sigma, mode="nearest"), model)[1]
        assert found == pytest.approx(sigma, abs=near)
        assert misfit < 0.05
