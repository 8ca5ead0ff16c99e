from dataclasses import asdict

import numpy as np
import pytest
import torch

from transtar.encoders.specclip import new_encoder
from transtar.networks.masking import draw_masks
from transtar.networks.xp_autoencoder import XPSettings
from transtar.train.large import Autoencoding, MaskedSegments

from .large_sets import LRS, TINY, XP, fluxes


@pytest.fixture(scope="module")
def masked():
    return MaskedSegments(new_encoder("lrs", TINY).network)


@pytest.fixture(scope="module")
def autoencoding():
    return Autoencoding(new_encoder("xp", XPSettings(hidden=12, latent=4), XP).network)


@torch.no_grad()
def test_masked_segments_derived_anew(masked):
    """Tokens of 100 pixels every 50, of which the masked are given back, against numpy."""
    flux, seeds = fluxes(5, LRS.wavelengths.size), torch.arange(5)
    std = flux.std(axis=1, ddof=1, keepdims=True)
    scaled = (flux - flux.mean(axis=1, keepdims=True)) / std
    starts = [*range(0, 1462 - 99, 50), 1462 - 100]
    tokens = np.zeros((5, 1 + len(starts), 101), np.float32)
    tokens[:, 0, 0], tokens[:, 0, 1] = np.log10(std[:, 0]), flux.mean(axis=1)
    tokens[:, 1:, 1:] = np.stack([scaled[:, start : start + 100] for start in starts], axis=1)
    mask = draw_masks(seeds, tokens.shape[1], 3, 2).numpy()
    assert (mask.sum(axis=1) == 6).all()
    network = masked.network
    given = network.give_back(network.run(torch.from_numpy(np.where(mask[..., None], 0, tokens)))).numpy()
    changed = mask[..., None] & (tokens != 0)
    batch = {"flux": torch.from_numpy(flux)}
    assert masked.counts(batch, seeds)["loss"] == changed.sum()
    expected = ((given - tokens)[changed].astype(np.float64) ** 2).sum()
    assert masked(batch, seeds)["loss"].item() == pytest.approx(expected, rel=1e-4)


@torch.no_grad()
def test_autoencoding_derived_anew(autoencoding):
    """Mean, deviation and standardised flux over that at 550 nm, all 345 values, against numpy."""
    flux = fluxes(4, 343) * 7
    divided = flux / flux[:, 107:108]
    mean, std = divided.mean(axis=1, keepdims=True), divided.std(axis=1, ddof=1, keepdims=True)
    values = np.concatenate([mean, std, (divided - mean) / std], axis=1)
    batch, seeds = {"flux": torch.from_numpy(flux)}, torch.arange(4)
    network = autoencoding.network
    given = network.decode(network.encode(torch.from_numpy(values))).numpy()
    assert autoencoding.counts(batch, seeds) == {"loss": 4 * 345}
    assert autoencoding(batch, seeds)["loss"].item() == pytest.approx(((given - values) ** 2).sum(), rel=1e-4)


def test_a_row_has_its_loss_whatever_stands_beside_it(masked):
    flux, seeds = torch.from_numpy(fluxes(6, LRS.wavelengths.size)), torch.arange(6)
    with torch.no_grad():
        whole = masked({"flux": flux}, seeds)["loss"]
        parts = [masked({"flux": flux[rows]}, seeds[rows])["loss"] for rows in (slice(2), slice(2, 6))]
    assert whole.item() == pytest.approx(sum(parts).item(), rel=1e-5)


def test_what_cannot_be_learnt_from(masked, autoencoding):
    flux = fluxes(3, LRS.wavelengths.size)
    flux[1] = 1.0
    assert masked.accepts("flux", flux).tolist() == [True, False, True]
    flux = fluxes(4, 343)
    flux[0, 107], flux[1] = -1.0, 2.0
    assert autoencoding.accepts("flux", flux).tolist() == [False, False, True, True]


def test_it_says_what_decides_the_loss(masked):
    network = asdict(masked.network.settings)
    assert masked.describe() == {"kind": "MaskedSegments", "weights": {"loss": 1.0}, "network": network}
