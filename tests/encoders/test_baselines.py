"""Principal components and untrained encoders."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from torch import nn

from transtar.encoders import Encoder, principal_components, untrained
from transtar.errors import InputError
from transtar.preprocess import Preprocessing

from .examples import WIDTH, small_encoder

SETTINGS = Preprocessing()
SIZE = SETTINGS.wavelengths.size


def spectra(n=60, seed=0):
    """Spectra that six vectors make, with noise."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(6, SIZE))
    return (1 + 0.05 * rng.normal(size=(n, 6)) @ vectors + 1e-3 * rng.normal(size=(n, SIZE))).astype(np.float32)


def test_components_are_those_of_scikit_learn():
    flux = spectra()
    encoder = principal_components(flux, 4, SETTINGS)
    other = PCA(4, svd_solver="full").fit(flux.astype(np.float64))
    expected = other.transform(flux.astype(np.float64)) / encoder.flux_std[0]
    assert encoder.width == 4
    # Either direction is one.
    ours = encoder.encode(flux)
    np.testing.assert_allclose(np.abs(ours), np.abs(expected), atol=2e-3)
    given = encoder.reconstruct(flux)
    np.testing.assert_allclose(given, other.inverse_transform(other.transform(flux)), atol=2e-4)
    np.testing.assert_array_equal(principal_components(flux, 4, SETTINGS).encode(flux), ours)


def test_spectra_that_are_not_finite_are_left_out():
    flux = spectra()
    damaged = np.concatenate([flux, np.full((2, SIZE), np.nan, np.float32)])
    ours = principal_components(damaged, 3, SETTINGS).encode(damaged)
    np.testing.assert_allclose(ours[:-2], principal_components(flux, 3, SETTINGS).encode(flux), atol=1e-5)
    assert np.isnan(ours[-2:]).all()


@pytest.mark.parametrize(
    ("flux", "n", "message"),
    [
        (spectra(5), 5, "5 principal components of 5 spectra of 1462 pixels; there are at most 4"),
        (spectra(1), 1, "of 1 spectra of 1462 pixels; there are at most 0"),
        (np.ones((9, SIZE), np.float32), 2, "all 9 spectra are equal"),
        (spectra(5), 0, "0 principal components"),
    ],
)
def test_components_that_cannot_be(flux, n, message):
    with pytest.raises(InputError, match=message):
        principal_components(flux, n, SETTINGS)


def test_untrained_weights_are_drawn_by_the_seed():
    encoder, flux = small_encoder(seed=5), spectra(7)
    before = encoder.encode(flux)
    state = torch.get_rng_state()
    first, again, other = (untrained(encoder, seed).encode(flux) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3
    assert np.abs(first - before).max() > 1e-3
    assert first.shape == (7, WIDTH)
    np.testing.assert_array_equal(encoder.encode(flux), before)
    assert torch.equal(torch.get_rng_state(), state)


def test_weights_that_nobody_draws_are_no_random_ones():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.factor = nn.Parameter(torch.ones(SIZE))

        def forward(self, x):
            return x * self.factor

    encoder = Encoder("odd", Scaled(), np.zeros(SIZE, np.float32), np.ones(SIZE, np.float32), SETTINGS)
    with pytest.raises(InputError, match="'odd' has weights that cannot be drawn again"):
        untrained(encoder, 0)
