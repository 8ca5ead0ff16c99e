"""New encoders of SpecCLIP's family: how they are made, what they do with bad spectra, and that they come back from disk."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from transtar import grids
from transtar.encoders import Encoder, encoder_hash, load_encoder, new_encoder, save_encoder, untrained
from transtar.errors import InputError, SettingsError
from transtar.networks import LRSSettings, LRSTransformer, XPAutoencoder, XPSettings, count_weights
from transtar.preprocess import Preprocessing
from transtar.seal import sealed

from .examples import flux

LRS = LRSSettings(width=8, layers=1, heads=2, token=100, stride=50, chunks=3, chunk_tokens=3, positions=40)
XP = XPSettings(hidden=6, latent=5, blocks=1)
TINY = {"lrs": LRS, "xp": XP}
SIZE = {"lrs": 1462, "xp": 343}


def tiny(kind, **changes):
    return new_encoder(kind, TINY[kind], **changes)


def spectra(kind, n=6, seed=1):
    return flux(n, seed, SIZE[kind])


@pytest.mark.parametrize(
    ("kind", "network", "name", "grid", "frame", "continuum"),
    [
        ("lrs", LRSTransformer, "embed", "blue", "rest", "envelope"),
        ("xp", XPAutoencoder, "embed-xp", "xp", "observed", "none"),
    ],
)
def test_what_is_made(kind, network, name, grid, frame, continuum):
    made = new_encoder(kind)
    settings = made.preprocessing
    assert isinstance(made, Encoder)
    assert isinstance(made.network, network)
    assert (made.name, settings.grid, settings.frame, settings.continuum) == (name, grid, frame, continuum)
    assert (made.width, made.decoder, made.trained_on) == (128, None, {})
    # The network standardises by itself.
    assert set(made.flux_mean) == {0.0}
    assert set(made.flux_std) == {1.0}
    assert made.encode(spectra(kind)).shape == (6, 128)
    assert count_weights(made.network) < 1_500_000
    assert made.provenance == ({"step": "new weights", "kind": kind, "seed": 0},)


@pytest.mark.parametrize("kind", ["lrs", "xp"])
def test_weights_are_those_of_the_seed(kind):
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    hashes = [encoder_hash(tiny(kind, seed=seed)) for seed in (1, 1, 2)]
    assert torch.equal(torch.random.get_rng_state(), before)
    assert hashes[0] == hashes[1] != hashes[2]


@pytest.mark.parametrize("kind", ["lrs", "xp"])
def test_one_row_does_not_change_another(kind):
    made, flux_ = tiny(kind, name="mine"), spectra(kind)
    flux_[2, 150], flux_[4, 0] = np.nan, np.inf
    together = made.encode(flux_)
    assert np.isnan(together).all(axis=1).tolist() == [False, False, True, False, True, False]
    assert np.isfinite(np.delete(together, [2, 4], axis=0)).all()
    for row in (0, 5):
        np.testing.assert_allclose(made.encode(flux_[row : row + 1])[0], together[row], rtol=1e-4, atol=1e-5)
    assert made.encode(flux_[:0]).shape == (0, made.width)
    assert np.isfinite(made.encode(np.ones((2, SIZE[kind])))).all()
    with pytest.raises(InputError, match="gives no spectra back"):
        made.reconstruct(flux_)


def test_xp_spectra_are_divided_at_550_nm():
    made, flux_ = tiny("xp"), spectra("xp")
    assert made.preprocessing.wavelengths.wave[new_encoder("xp").network.settings.reference] == 5500
    np.testing.assert_allclose(made.encode(flux_ * 7), made.encode(flux_), rtol=1e-3, atol=1e-4)
    flux_[1, 107] = -1e-3
    assert np.isnan(made.encode(flux_)).all(axis=1).tolist() == [False, True, *[False] * 4]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"kind": "desi"}, "kind must be one of lrs, xp, not 'desi'"),
        ({"kind": "lrs", "size": "huge"}, "size must be one of paper, small, not 'huge'"),
        ({"kind": "xp", "size": "huge"}, "size must be one of paper, small, not 'huge'"),
        ({"kind": "lrs", "size": XP}, "kind 'lrs' takes a size or LRSSettings"),
        ({"kind": "xp", "size": LRS}, "kind 'xp' takes a size or XPSettings"),
        ({"kind": "xp", "size": replace(XP, reference=343)}, "reference is pixel 343 of 343"),
        ({"kind": "lrs", "preprocessing": Preprocessing(grid="xp", continuum="none"), "seed": -1}, "seed must be"),
    ],
)
def test_what_cannot_be_made(given, message):
    with pytest.raises(SettingsError, match=message):
        new_encoder(**given)


def test_a_grid_without_550_nm(monkeypatch):
    monkeypatch.setattr(grids, "_REGISTERED", dict(grids._REGISTERED))
    for name, start in (("ultraviolet", 3000.0), ("visible", 4998.0)):
        grids.register_grid(grids.WaveGrid(name, start + 2 * np.arange(300)))
    with pytest.raises(SettingsError, match="the grid 'ultraviolet' has no point at 550 nm"):
        new_encoder("xp", "small", Preprocessing(grid="ultraviolet", continuum="none"))
    visible = Preprocessing(grid="visible", continuum="none")
    assert new_encoder("xp", "small", visible).network.settings.reference == 251
    assert tiny("xp", preprocessing=visible).network.settings == XP


def test_a_transformer_of_another_grid():
    made = new_encoder("lrs", replace(LRS, token=20, stride=10), Preprocessing(grid="xp", continuum="none"))
    assert made.encode(spectra("xp")).shape == (6, 8)


@pytest.mark.parametrize("kind", ["lrs", "xp"])
def test_encoders_come_back_from_disk(kind, tmp_path):
    before = tiny(kind)
    stored = save_encoder(before, tmp_path / "half")
    whole = save_encoder(before, tmp_path / "whole", dtype="float32")
    assert whole.sha256 == encoder_hash(before)
    for name, encoder in (("half", stored), ("whole", whole)):
        again = load_encoder(tmp_path / name)
        assert (again.sha256, type(again.network)) == (encoder.sha256, type(before.network))
        assert again.network.settings == TINY[kind]
        np.testing.assert_array_equal(again.encode(spectra(kind)), encoder.encode(spectra(kind)))
    np.testing.assert_allclose(stored.encode(spectra(kind)), before.encode(spectra(kind)), atol=0.02)
    np.testing.assert_array_equal(whole.encode(spectra(kind)), before.encode(spectra(kind)))


def test_settings_make_another_encoder_of_the_same_weights(tmp_path):
    weights = tiny("lrs").network.state_dict()
    hashes = {encoder_hash(tiny("lrs"))}
    poolings = [{"pooling": "flux-mean"}, {"pooling": "parts"}]
    for changes in ({"doubly_scaled": True}, {"keeps_mean": False}, {"covers_end": False}, *poolings):
        other = new_encoder("lrs", replace(LRS, **changes))
        other.network.load_state_dict(weights)
        hashes.add(encoder_hash(other))
    assert len(hashes) == 6


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("lrs", {"width": 10**12}),
        ("lrs", {"width": 16}),
        ("lrs", {"layers": 128, "width": 8192, "heads": 64}),
        ("lrs", {"positions": 10**7}),
        ("lrs", {"positions": 3}),
        ("lrs", {"stride": 0}),
        ("lrs", {"token": 1000}),
        ("lrs", {"pooling": {"mean": 1}}),
        ("lrs", {"keeps_mean": None}),
        ("lrs", {"layers": 2}),
        ("xp", {"hidden": 10**9}),
        ("xp", {"blocks": 10**6}),
        ("xp", {"reference": 400}),
        ("xp", {"reference": "550 nm"}),
        ("xp", {"latent": 9}),
    ],
)
def test_hostile_descriptions_are_refused(kind, changes, tmp_path):
    save_encoder(tiny(kind), tmp_path / "encoder")
    path = tmp_path / "encoder" / "config.json"
    config = json.loads(path.read_text())
    config["network"] |= changes
    path.write_text(json.dumps(sealed(config)))
    with pytest.raises(InputError):
        load_encoder(tmp_path / "encoder")


@pytest.mark.parametrize("kind", ["lrs", "xp"])
def test_untrained_ones_have_the_layers_and_none_of_the_weights(kind):
    made = tiny(kind)
    with torch.no_grad():
        for weight in made.network.parameters():
            weight.fill_(0.5)
    random = untrained(made, seed=3)
    assert encoder_hash(random) == encoder_hash(untrained(made, seed=3)) != encoder_hash(untrained(made, seed=4))
    # Drawn as a new one is, not as torch draws its layers by default.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        fresh = type(made.network)(SIZE[kind], TINY[kind], device="meta").to_empty(device="cpu")
        fresh.reset_parameters()
    for one, other in zip(random.network.parameters(), fresh.parameters(), strict=True):
        assert torch.equal(one, other)
