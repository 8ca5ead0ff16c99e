import numpy as np
import pytest

from transtar.errors import InputError
from transtar.train import Ridge
from transtar.train.strategies.ridge import fit_ridge


@pytest.mark.parametrize("shape", [(30, 80), (80, 30)])
def test_ridge_is_that_of_scikit_learn(shape):
    linear_model = pytest.importorskip("sklearn.linear_model")
    random = np.random.default_rng(1)
    x = random.normal(size=shape)
    y = x[:, :2] @ random.normal(size=(2, 2)) + 3 + random.normal(0, 0.5, (shape[0], 2))
    settings = Ridge(log_alpha_min=-2, log_alpha_max=4, n_alpha=25)
    weight, bias, alphas = fit_ridge(x, y, settings)
    for index in range(2):
        theirs = linear_model.RidgeCV(alphas=np.logspace(-2, 4, 25)).fit(x, y[:, index])
        assert alphas[index] == pytest.approx(theirs.alpha_)
        np.testing.assert_allclose(weight[index], theirs.coef_, rtol=1e-6, atol=1e-9)
        assert bias[index] == pytest.approx(theirs.intercept_, rel=1e-7)


def test_ridge_leaves_out_missing_labels():
    random = np.random.default_rng(2)
    x, y = random.normal(size=(40, 6)), random.normal(size=(40, 1))
    y[30:] = np.nan
    for got, expected in zip(fit_ridge(x, y, Ridge()), fit_ridge(x[:30], y[:30], Ridge()), strict=True):
        np.testing.assert_allclose(got, expected)
    with pytest.raises(InputError, match="at least two"):
        fit_ridge(x, np.full((40, 1), np.nan), Ridge())
