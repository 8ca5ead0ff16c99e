import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch

from transtar.errors import InputError

from .examples import WIDTH, flux, small_encoder


def test_rows_do_not_depend_on_each_other_and_what_is_not_finite_stays_its_own():
    encoder, spectra = small_encoder(), flux(50)
    spectra[3, 7], spectra[4, 0] = np.nan, np.inf
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        together = encoder.encode(spectra)
    assert (together.shape, together.dtype) == ((50, WIDTH), np.float32)
    assert np.isnan(together).any(axis=1).nonzero()[0].tolist() == [3, 4]
    for row in (0, 3, 49):
        alone = encoder.encode(spectra[row : row + 1])
        np.testing.assert_allclose(alone[0], together[row], rtol=1e-5, atol=1e-6)
    order = np.random.default_rng(0).permutation(50)
    np.testing.assert_allclose(encoder.encode(spectra[order]), together[order], rtol=1e-5, atol=1e-6)
    # What it is given is left as it was, and may be of any kind of number.
    np.testing.assert_allclose(encoder.encode(spectra.astype(">f8")), together, rtol=1e-5, atol=1e-6)
    assert np.isfinite(spectra).all(axis=1).sum() == 48


def test_constant_spectra_and_none():
    encoder = small_encoder()
    for level in (0.0, 1.0, 1e30):
        constant = encoder.encode(np.full((2, 1462), level, np.float32))
        assert np.isfinite(constant).all()
        np.testing.assert_allclose(constant[0], constant[1], rtol=1e-5, atol=1e-5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for level in (3e38, 1e300):
            assert np.isnan(encoder.encode(np.full((1, 1462), level))).all()
    assert encoder.encode(np.empty((0, 1462), np.float32)).shape == (0, WIDTH)
    assert encoder.reconstruct(np.empty((0, 1462), np.float32)).shape == (0, 1462)


@pytest.mark.parametrize("name", ["flux_mean", "flux_std", "target_std"])
def test_scalers_that_divide_by_zero_or_are_none(name):
    encoder = small_encoder()
    broken = getattr(encoder, name).copy()
    broken[5] = np.nan if name.endswith("mean") else 0
    with pytest.raises(InputError, match=f"encoder 'small': {name} must be finite"):
        replace(encoder, **{name: broken})
    with pytest.raises(InputError, match=rf"{name} has shape \(3,\), its grid needs \(1462,\)"):
        replace(encoder, **{name: broken[:3]})


def test_of_another_grid():
    with pytest.raises(InputError, match=r"takes spectra of shape \(stars, 1462\), got \(5, 400\)"):
        small_encoder().encode(flux(size=400))


def test_what_it_gives_back():
    encoder, spectra = small_encoder(), flux()
    with torch.inference_mode():
        values = encoder.decoder(torch.from_numpy(encoder.encode(spectra))).numpy()
    np.testing.assert_allclose(encoder.reconstruct(spectra), values * 0.1 + 0.9, rtol=1e-4)
    with pytest.raises(InputError, match="gives no spectra back"):
        small_encoder(decoder=False).reconstruct(spectra)


def test_the_width_is_asked_of_the_network_once():
    encoder = small_encoder()
    calls = []
    encoder.network.register_forward_hook(lambda *_: calls.append(1))
    assert [encoder.width, encoder.width] == [WIDTH, WIDTH]
    assert len(calls) == 1
