from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from transtar.datasets import preprocess_batch
from transtar.models import folded, load_estimator
from transtar.preprocess import GridSpectra
from transtar.surveys import read
from transtar.trust.photon_noise import (
    BLOCK,
    block_size,
    flux_model,
    label_gradient,
    noise_variance,
    photon_noise,
    with_common_parts,
)

from ..models.encoded import embedding_model, grid_flux, small_encoder
from ..models.examples import N_INPUTS, flux, small_estimator


def spectra(n=6, ivar=400.0, correlation=None):
    values = flux(n)
    ones = np.ones(n, np.float32)
    return GridSpectra(
        values, None if ivar is None else np.full(values.shape, ivar, np.float32), ones, 20 * ones, np.zeros(n, np.int32),
        correlation=correlation,
    )  # fmt: skip


def test_gradients_are_differences():
    model = small_estimator(network=nn.Sequential(nn.Linear(N_INPUTS, 8), nn.GELU(), nn.Linear(8, 2)))
    values = flux(3)
    told = label_gradient(model, values)
    for pixel in (0, 7, N_INPUTS - 1):
        step = np.zeros(N_INPUTS, np.float32)
        step[pixel] = 1e-2
        difference = (model.predict(values + step) - model.predict(values - step)) / 2e-2
        np.testing.assert_allclose(told[:, :, pixel], difference, rtol=0.02, atol=0.02 * np.abs(told).max())


def test_the_variance_is_that_of_resampled_noise_drawn():
    """A smooth gradient, as a line has, on white noise that linear resampling has averaged, and on noise that was smoothed."""
    rng = np.random.default_rng(1)
    gradient = np.exp(-0.5 * ((np.arange(60) - 30) / 2.0) ** 2)[None, None]
    white = rng.normal(0, 0.1, (20_000, 70))
    for kernel, correlation in (
        ([0.5, 0.5], 0.5),
        ([0.25, 0.75], 0.3),
        (np.exp(-((np.arange(-4, 5)) ** 2) / 1.4427), 2**-0.5),
    ):
        noise = np.stack([np.convolve(one, kernel, "valid")[:60] for one in white])
        ivar = np.full((1, 60), 1 / (0.01 * np.sum(np.square(kernel))))
        (told,) = np.sqrt(noise_variance(gradient, ivar, np.array([correlation])))[0]
        assert told == pytest.approx((noise @ gradient[0, 0]).std(), rel=0.03)
    # Independent pixels would say a quarter less of the first.
    assert noise_variance(gradient, ivar, np.array([0.0])) < 0.6 * noise_variance(gradient, ivar, np.array([2**-0.5]))


def test_bad_pixels_add_nothing_and_spectra_without_errors_are_not_known():
    gradient = np.ones((2, 1, 10), np.float32)
    ivar = np.full((2, 10), 4.0)
    ivar[0, 5:], ivar[1] = 0, 0
    np.testing.assert_allclose(noise_variance(gradient, ivar, np.zeros(2)), [[5 / 4], [np.nan]])
    assert np.isnan(photon_noise([small_estimator()], spectra(ivar=None))["feh"]).all()


def test_an_unknown_correlation_is_the_usual_one():
    gradient, ivar = np.ones((1, 1, 10), np.float32), np.ones((1, 10))
    usual = noise_variance(gradient, ivar, np.array([0.25]))
    np.testing.assert_array_equal(noise_variance(gradient, ivar, np.array([np.nan])), usual)
    np.testing.assert_array_equal(noise_variance(gradient, ivar), usual)


def test_of_an_ensemble_it_is_that_of_the_mean():
    """Not smaller for many members, as their errors come from the one spectrum; of opposite ones nothing is left."""
    model = small_estimator()
    opposite = small_estimator()
    with torch.no_grad():
        list(opposite.network.parameters())[-2].mul_(-1)
    some = spectra(correlation=np.zeros(6))
    single = photon_noise([model], some)
    np.testing.assert_allclose(photon_noise([model, model, model], some)["feh"], single["feh"], rtol=1e-5)
    np.testing.assert_allclose(photon_noise([model, opposite], some)["feh"], 0, atol=1e-6)
    # Twice the noise gives twice the error.
    np.testing.assert_allclose(
        photon_noise([model], spectra(ivar=100.0, correlation=np.zeros(6)))["teff"], 2 * single["teff"], rtol=1e-5
    )


def test_it_looks_through_an_encoder():
    values, ones = grid_flux(4), np.ones(4, np.float32)
    encoder = small_encoder()
    seen = folded(embedding_model(encoder, "flux+seer"), encoder)
    assert label_gradient(seen, values).shape == (4, 2, values.shape[1])
    some = GridSpectra(values, np.full(values.shape, 900, np.float32), ones, 30 * ones, np.zeros(4, np.int32))
    assert (photon_noise([seen], some)["feh"] > 0).all()
    assert flux_model(small_estimator(input="somebody")) is None
    assert flux_model(object()) is None


def test_outputs_of_one_network_are_differentiated_together():
    """And give the same; not those of another network, nor two models of one label."""
    model = small_estimator()
    one, other, stranger = model.only("feh"), model.only("teff"), small_estimator(seed=1).only("teff")
    (merged,) = with_common_parts([one, other])
    some = spectra()
    for label, noise in photon_noise([model], some).items():
        np.testing.assert_allclose(photon_noise([merged], some)[label], noise, rtol=1e-5)
    assert [each.label_names for each in with_common_parts([one, stranger, one])] == [("feh",), ("teff",), ("feh",)]
    shipped = [load_estimator(f"mock-{label}") for label in ("feh", "logg", "teff")]
    assert [each.label_names for each in with_common_parts(shipped)] == [("feh", "logg", "teff")]


def test_large_networks_take_few_spectra_at_a_time():
    assert block_size([small_estimator()]) == BLOCK
    with torch.device("meta"):
        large = nn.Linear(10_000, 10_000)
    assert block_size([small_estimator(), SimpleNamespace(network=large)]) == 5


@pytest.mark.parametrize("snr", [20.0, 60.0])
def test_noise_drawn_anew_through_the_whole_chain(snr, data):
    """A real spectrum, made noisier a hundred times: labels scatter by what is told."""
    model = load_estimator("mock-feh")
    read_in = [read("lamost", path) for path in sorted((data / "lamost_dr10" / "spectra").glob("*.fits.gz"))[:25]]
    gridded = [preprocess_batch(batch, "lamost", model.preprocessing) for batch in read_in]
    best = max((one for one in range(25) if gridded[one].flags[0] == 0), key=lambda one: gridded[one].snr[0])
    many = read_in[best].select(np.zeros(160, int))
    good = many.ivar[0] > 0
    sigma = np.where(good, 1 / np.sqrt(np.where(good, many.ivar[0], 1)), 0) * gridded[best].snr[0] / snr
    noise = np.random.default_rng(2).normal(size=many.flux.shape) * sigma
    ivar = np.where(good, 1 / np.where(good, sigma, 1) ** 2, 0)
    noisy = replace(
        many, flux=(many.flux + noise).astype(np.float32), ivar=np.broadcast_to(ivar, noise.shape).astype(np.float32)
    )
    drawn = preprocess_batch(noisy, "lamost", model.preprocessing)
    told = photon_noise([model], drawn.select(slice(0, 16)))["feh"].mean()
    # 160 draws tell a standard deviation to 6 %.
    assert told == pytest.approx(model.predict(drawn.flux)[:, 0].std(ddof=1), rel=0.15)
