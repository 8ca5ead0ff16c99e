from dataclasses import replace

import numpy as np
import pytest
import torch

from transtar.encoders.alignment import Alignment, new_alignment, partner_ranks
from transtar.errors import InputError, MismatchError
from transtar.networks.alignment_heads import AttentionHead, LatentHead
from transtar.networks.alignment_settings import VARIANTS
from transtar.preprocess import Preprocessing

from .aligned import SETTINGS, star_spectra, tiny_alignment, tiny_encoders
from .examples import small_encoder

WIDTHS = {"base": 8, "pr": 8, "split": 12}
NAMES = {"base": "embed-align", "pr": "embed-align", "split": "embed-split"}


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_the_sides_of_a_variant_give(variant):
    alignment = tiny_alignment(variant)
    for side, flux in zip(("lrs", "xp"), star_spectra(5), strict=True):
        encoder = alignment.side(side)
        embedding = encoder.encode(flux)
        assert embedding.shape == (5, WIDTHS[variant])
        shared = alignment.shared(flux, side)
        assert shared.shape == (5, 8)
        np.testing.assert_array_equal(shared, embedding[:, :8])
        with torch.inference_mode():
            np.testing.assert_allclose(shared, encoder.network.shared(torch.from_numpy(flux)), atol=1e-6)
        np.testing.assert_allclose(encoder.encode(flux[1:2]), embedding[1:2], atol=1e-5)
    assert (alignment.lrs.name, alignment.xp.name) == (NAMES[variant], f"{NAMES[variant]}-xp")
    assert f"Alignment '{variant}'" in repr(alignment)


def test_heads_look_at_tokens_where_there_are_any():
    alignment = tiny_alignment()
    assert isinstance(alignment.lrs.network.heads[0], AttentionHead)
    assert isinstance(alignment.xp.network.heads[0], LatentHead)
    # Any encoder that can be stored can be aligned.
    other = new_alignment(small_encoder(), tiny_encoders()[1], SETTINGS["base"])
    assert isinstance(other.lrs.network.heads[0], LatentHead)
    np.testing.assert_array_equal(other.lrs.flux_std, small_encoder().flux_std)
    assert other.lrs.decoder is None


def test_encoders_are_copied_and_seeds_decide():
    lrs, xp = tiny_encoders()
    one, same, other = (new_alignment(lrs, xp, SETTINGS["pr"], seed) for seed in (0, 0, 1))
    assert one.lrs.network.backbone is not lrs.network
    flux = star_spectra(3)[0]
    np.testing.assert_array_equal(one.translate(flux, "lrs", "xp"), same.translate(flux, "lrs", "xp"))
    assert not np.allclose(one.shared(flux, "lrs"), other.shared(flux, "lrs"))
    torch.manual_seed(5)
    before = torch.get_rng_state()
    new_alignment(lrs, xp, SETTINGS["pr"])
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("variant", ["pr", "split"])
def test_spectra_cross_over_and_come_back(variant):
    alignment = tiny_alignment(variant)
    lrs, xp = star_spectra(4)
    assert alignment.translate(lrs, "lrs", "xp").shape == alignment.give_back(xp, "xp").shape == (4, 343)
    assert alignment.translate(xp, "xp", "lrs").shape == alignment.give_back(lrs, "lrs").shape == (4, 1462)
    lrs[1, 7] = np.nan
    given = alignment.translate(lrs, "lrs", "xp")
    assert np.isnan(given[1]).all()
    assert np.isfinite(given[[0, 2, 3]]).all()
    with torch.inference_mode():
        shared = torch.from_numpy(alignment.shared(xp, "xp"))
        np.testing.assert_allclose(
            alignment.translate(xp, "xp", "lrs"), alignment.crossings.across["lrs"](shared), atol=1e-5
        )
    assert alignment.translate(lrs[:0], "lrs", "xp").shape == (0, 343)


def test_what_cannot_be_translated_is_told():
    lrs, _ = star_spectra(2)
    with pytest.raises(InputError, match="variant 'base' gives no spectra"):
        tiny_alignment("base").translate(lrs, "lrs", "xp")
    with pytest.raises(InputError, match="not from 'lrs' to 'lrs'"):
        tiny_alignment().translate(lrs, "lrs", "lrs")
    with pytest.raises(InputError, match="sides lrs and xp"):
        tiny_alignment().translate(lrs, "desi", "xp")


def test_encoders_that_are_no_pair_are_refused():
    lrs, xp = tiny_encoders()
    with pytest.raises(InputError, match="in this order; 'embed' takes spectra on the grid 'blue', 'embed' on 'blue'"):
        new_alignment(lrs, lrs, SETTINGS["base"])
    with pytest.raises(InputError, match="'embed-xp' takes spectra on the grid 'xp', 'embed' on 'blue'"):
        new_alignment(xp, lrs, SETTINGS["base"])
    with pytest.raises(InputError, match="no heads"):
        Alignment(lrs, xp, SETTINGS["base"])
    whole = tiny_alignment()
    with pytest.raises(InputError, match="'pr' needs decoders"):
        replace(whole, crossings=None)
    with pytest.raises(InputError, match="variant 'base' has no decoders"):
        replace(whole, settings=SETTINGS["base"])
    with pytest.raises(InputError, match=r"heads of \[8\] values, its settings say \[8, 4\]"):
        replace(whole, settings=SETTINGS["split"])


def test_the_side_is_that_of_the_preprocessing():
    alignment = tiny_alignment("base")
    assert alignment.side_of(alignment.lrs.preprocessing, "a.set") == "lrs"
    assert alignment.side_of(alignment.xp.preprocessing, "a.set") == "xp"
    with pytest.raises(MismatchError, match="frame is rest against observed"):
        alignment.side_of(Preprocessing(frame="observed"), "a.set")


@pytest.mark.parametrize("side", ["lrs", "xp"])
def test_gradients_go_through_to_the_spectrum(side):
    flux = torch.from_numpy(dict(zip(("lrs", "xp"), star_spectra(3), strict=True))[side]).requires_grad_()
    tiny_alignment("split").side(side).network(flux).square().sum().backward()
    assert bool(torch.isfinite(flux.grad).all())
    assert float((flux.grad != 0).float().mean()) > 0.9


def test_ranks_of_partners():
    generator = np.random.default_rng(0)
    one, other = generator.normal(size=(2, 30, 5)).astype(np.float32)
    ranks = partner_ranks(one, other)
    cosines = (one @ other.T) / np.linalg.norm(one, axis=1)[:, None] / np.linalg.norm(other, axis=1)
    expected = [int(np.sum(row > row[star])) for star, row in enumerate(cosines)]
    assert ranks.tolist() == expected
    assert not partner_ranks(one, 3 * one).any()
    # Embeddings that are all alike find nobody.
    assert (partner_ranks(np.ones((4, 2), np.float32), np.ones((4, 2), np.float32)) == 3).all()
