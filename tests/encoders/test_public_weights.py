import hashlib
import os

import numpy as np
import pytest
import torch

from transtar.encoders import load_encoder, save_encoder
from transtar.encoders.public_weights import read_public_encoder
from transtar.errors import InputError
from transtar.networks.lrs import LRSTransformer

from .public_standins import (
    GRID,
    LRS_SETTINGS,
    POINTS,
    SomeClass,
    draw,
    lrs_shapes,
    lrs_tokens,
    save_lightning,
    xp_latent,
    xp_shapes,
)


@pytest.fixture
def flux():
    return (1 + 0.1 * np.random.default_rng(0).normal(size=(5, GRID))).astype(np.float32)


@pytest.fixture
def xp_flux():
    return (3 + 0.3 * np.random.default_rng(1).normal(size=(5, POINTS))).astype(np.float32)


def test_the_lrs_encoder_gives_what_the_public_one_would(tmp_path, flux):
    state = draw(lrs_shapes())
    encoder = read_public_encoder(save_lightning(tmp_path / "lrs_encoder.ckpt", state, LRS_SETTINGS))
    tokens = lrs_tokens(state, flux)
    assert tokens.shape == (5, 146, 24)
    np.testing.assert_allclose(encoder.encode(flux), tokens.mean(axis=1), atol=1e-5)
    # In the order of the public tokens, that of the scatter first.
    with torch.inference_mode():
        np.testing.assert_allclose(encoder.network.tokens(torch.from_numpy(flux)), tokens, atol=2e-5)


def test_the_xp_encoder_gives_what_the_public_one_would(tmp_path, xp_flux):
    state = draw(xp_shapes())
    encoder = read_public_encoder(save_lightning(tmp_path / "xp_encoder_mlp.ckpt", state))
    np.testing.assert_allclose(encoder.encode(xp_flux), xp_latent(state, xp_flux), atol=1e-5)


@pytest.mark.parametrize("mended", [{"keeps_mean": True}, {"doubly_scaled": False}, {"covers_end": True}], ids=str)
def test_a_mended_network_with_these_weights_would_give_something_else(tmp_path, flux, mended):
    from dataclasses import replace

    state = draw(lrs_shapes())
    encoder = read_public_encoder(save_lightning(tmp_path / "a.ckpt", state, LRS_SETTINGS))
    network = LRSTransformer(GRID, replace(encoder.network.settings, **mended))
    network.load_state_dict(encoder.network.state_dict())
    with torch.inference_mode():
        given = network(torch.from_numpy(flux)).numpy()
    assert np.abs(given - lrs_tokens(state, flux).mean(axis=1)).max() > 1e-4


def test_how_spectra_were_prepared_and_where_the_weights_are_from_is_noted(tmp_path):
    encoder = read_public_encoder(save_lightning(tmp_path / "a.ckpt", draw(lrs_shapes()), LRS_SETTINGS))
    assert encoder.name == "embed"
    assert encoder.preprocessing.grid == "blue"
    assert encoder.preprocessing.frame == "observed"
    assert encoder.preprocessing.continuum == "envelope-specclip"
    (step,) = encoder.provenance
    assert step["step"] == "imported"
    assert step["file"] == "a.ckpt"
    assert step["file_sha256"] == hashlib.sha256((tmp_path / "a.ckpt").read_bytes()).hexdigest()
    assert "no list is public" in step["stars"]
    xp = read_public_encoder(save_lightning(tmp_path / "b.ckpt", draw(xp_shapes())), name="mine")
    assert xp.name == "mine"
    assert xp.preprocessing.grid == "xp"


def test_on_disk_it_is_an_encoder_as_others(tmp_path, flux):
    encoder = read_public_encoder(save_lightning(tmp_path / "a.ckpt", draw(lrs_shapes()), LRS_SETTINGS))
    stored = save_encoder(encoder, tmp_path / "embed", dtype="float32")
    again = load_encoder(tmp_path / "embed")
    assert again.sha256 == stored.sha256
    np.testing.assert_array_equal(again.encode(flux), encoder.encode(flux))


def test_heads_are_those_that_the_checkpoint_notes(tmp_path, flux):
    state = draw(lrs_shapes())
    encoder = read_public_encoder(save_lightning(tmp_path / "a.ckpt", state, LRS_SETTINGS | {"num_heads": 3}))
    np.testing.assert_allclose(encoder.encode(flux), lrs_tokens(state, flux, heads=3).mean(axis=1), atol=1e-5)
    plain = read_public_encoder(save_lightning(tmp_path / "b.ckpt", state, {"num_heads": SomeClass(3)}))
    np.testing.assert_allclose(plain.encode(flux), lrs_tokens(state, flux, heads=6).mean(axis=1), atol=1e-5)
    with pytest.raises(InputError, match="a width of 24 cannot be shared by 5 heads"):
        read_public_encoder(save_lightning(tmp_path / "c.ckpt", state, LRS_SETTINGS | {"num_heads": 5}))


class Touches:
    """Makes a file when it is unpickled as usual."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_nothing_in_a_checkpoint_is_run(tmp_path, flux):
    state, made = draw(lrs_shapes()), tmp_path / "made"
    hidden = {"hyper": LRS_SETTINGS | {"config": Touches(made)}, "callbacks": {"x": Touches(made)}}
    path = save_lightning(
        tmp_path / "a.ckpt", state, hidden["hyper"], callbacks=hidden["callbacks"], network=torch.nn.Linear(2, 2)
    )
    encoder = read_public_encoder(path)
    assert not made.exists()
    np.testing.assert_allclose(encoder.encode(flux), lrs_tokens(state, flux).mean(axis=1), atol=1e-5)
    with pytest.raises(InputError, match=r"among its weights is head.bias, which is no tensor; not imported"):
        read_public_encoder(save_lightning(tmp_path / "b.ckpt", state | {"head.bias": Touches(made)}, LRS_SETTINGS))
    assert not made.exists()
    with pytest.raises(FileExistsError):  # twice in the first one
        torch.load(path, weights_only=False)


def changed(state, **changes):
    """Weights with others put in, or left out where None."""
    state = state | {name.replace("__", "."): value for name, value in changes.items()}
    return {name: value for name, value in state.items() if value is not None}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"head__bias": None}, r"a.ckpt: head.bias is not there; not imported"),
        ({"head__bias": torch.zeros(22)}, r"head.bias has shape \(22,\), \(21,\) is needed; not imported"),
        ({"head__bias": torch.full((21,), torch.nan)}, "head.bias has values that are not finite; not imported"),
        ({"head__bias": torch.zeros(21, dtype=torch.complex64)}, "head.bias is of type ComplexFloatStorage"),
        ({"extra": torch.zeros(1)}, r"1 weights that the public network does not have \(\['extra'\]\)"),
        ({"blocks__7__ln1__bias": torch.zeros(24)}, r"does not have \(\['blocks.7.ln1.bias'\]\)"),
        ({"position_embed__weight": torch.zeros(100, 24)}, "make 146 tokens; positions is 100"),
        ({"position_embed__weight": torch.zeros(24)}, r"position_embed.weight has shape \(24,\), 2 sides are needed"),
        ({"position_embed__weight": None}, "position_embed.weight is not among its weights"),
        ({"data_embed__weight": torch.zeros(24, 3)}, "the transformer of XP spectra, a token for each point"),
        ({"data_embed__weight": torch.zeros(1).expand(9000, 21)}, "width must be"),
        ({"data_embed__weight": None}, "none of the public models of SpecCLIP, by the names of its weights"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_weights_that_do_not_fit_are_refused_in_one_line(tmp_path, changes, message):
    path = save_lightning(tmp_path / "a.ckpt", changed(draw(lrs_shapes()), **changes), LRS_SETTINGS)
    with pytest.raises(InputError, match=message) as error:
        read_public_encoder(path)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 600


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (xp_shapes(points=1461), "an autoencoder of 1463 inputs, not the mean, deviation and 343 points of XP spectra"),
        (xp_shapes() | {"output_proj.bias": (1,)}, r"output_proj.bias has shape \(1,\), \(345,\) is needed"),
        ({name: shape for name, shape in xp_shapes().items() if "encoder_blocks" not in name}, "blocks must be"),
        ({"lamost_lrs_encoder.x": (1,)}, "holds an alignment of two encoders, not one encoder"),
    ],
    ids=["lrs-autoencoder", "bias", "no-blocks", "alignment"],
)
def test_other_networks_are_refused_in_one_line(tmp_path, shapes, message):
    with pytest.raises(InputError, match=message):
        read_public_encoder(save_lightning(tmp_path / "a.ckpt", draw(shapes)))


def test_a_file_that_is_cut_off(tmp_path):
    path = save_lightning(tmp_path / "a.ckpt", draw(lrs_shapes()), LRS_SETTINGS)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(InputError, match=r"a.ckpt: damaged .*; fetch it again"):
        read_public_encoder(path)
