"""The extra `aion`: AION-1 by the package polymathic-aion, here small and of random weights."""

import json
import sys

import numpy as np
import pytest
import torch

aion = pytest.importorskip("aion", reason="polymathic-aion is not installed: pip install 'transtar[aion]'")

from aion.codecs.spectrum import SpectrumCodec  # noqa: E402
from aion.modalities import DESISpectrum, SDSSSpectrum  # noqa: E402

from transtar.cli import main  # noqa: E402
from transtar.encoders import encoder_names, load_encoder, named_encoder, registry  # noqa: E402
from transtar.encoders.aion import aion_encoder  # noqa: E402
from transtar.errors import InputError, SettingsError, TranstarError  # noqa: E402

from ..made_surveys import made_lamost  # noqa: E402

KINDS = {"desi": DESISpectrum, "sdss": SDSSSpectrum}

MODEL = {
    "domains_in": ["tok_spectrum_desi", "tok_spectrum_sdss"], "domains_out": ["tok_spectrum_desi"], "dim": 24, "encoder_depth": 1,
    "decoder_depth": 1, "num_heads": 2, "mlp_ratio": 2.0, "qkv_bias": False, "proj_bias": False, "mlp_bias": False,
    "norm_bias": False, "act_layer": "SiLU", "gated_mlp": True, "share_modality_embeddings": True,
}  # fmt: skip

CODEC = {
    "encoder_depths": [1, 1, 1, 1], "encoder_dims": [4, 4, 8, 8], "decoder_depths": [1, 1, 1, 1], "decoder_dims": [8, 4, 4, 1],
    "latent_channels": 8, "embedding_dim": 10, "codebook_size": 1024, "dim": 10,
}  # fmt: skip


def write(folder, seed=0):
    """A folder as AION's are published."""
    from safetensors.torch import save_model

    torch.manual_seed(seed)
    model, codec = aion.AION(MODEL), SpectrumCodec(**CODEC)
    for name, network, config in (("", model, MODEL), ("codecs/spectrum", codec, CODEC)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / "config.json").write_text(json.dumps(config))
        for values in network.parameters():  # large enough that spectra differ in their tokens
            torch.nn.init.normal_(values, std=0.3)
        save_model(network, folder / name / "model.safetensors")
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write(tmp_path_factory.mktemp("aion"))


@pytest.fixture(autouse=True)
def _registries(monkeypatch):
    for name in ("_REGISTERED", "_SHIPPED", "_BY_HASH"):
        monkeypatch.setattr(registry, name, {})


@pytest.fixture(scope="module")
def spectra():
    draws = np.random.default_rng(0)
    wave = np.linspace(3600, 9824, 1500)
    flux = (10 + 5 * draws.normal(size=(11, wave.size))).astype(np.float32)
    ivar = np.full(flux.shape, 4, np.float32)
    ivar[:, 100:120] = 0
    flux[3, 100:120] = np.nan
    return flux, ivar, wave


def directly(folder, modality, flux, ivar, wave):
    """The package, called by itself as its page shows, but for the codec, whose description it overlooks in a local folder."""
    from safetensors.torch import load_model

    model = aion.AION.from_pretrained(str(folder)).eval()
    kind = KINDS[modality]
    codec = SpectrumCodec(**CODEC).eval()
    load_model(codec, folder / "codecs/spectrum/model.safetensors")
    values = [torch.tensor(np.nan_to_num(flux)), torch.tensor(ivar), torch.tensor(ivar == 0)]
    waves = torch.tensor(np.tile(wave, (len(flux), 1)), dtype=torch.float32)
    with torch.no_grad():
        tokens = codec.encode(kind(flux=values[0], ivar=values[1], mask=values[2], wavelength=waves))
        return tokens, model.encode({kind.token_key: tokens}, num_encoder_tokens=600).mean(dim=1).numpy()


@pytest.mark.parametrize("modality", ["desi", "sdss"])
def test_it_gives_what_the_package_gives_of_the_same_weights(folder, spectra, modality):
    encoder = aion_encoder(folder, modality)
    tokens, expected = directly(folder, modality, *spectra)
    assert tokens.shape == (11, 273)
    assert len({tuple(row) for row in tokens.tolist()}) > 1
    given = encoder.encode(*spectra)
    assert given.dtype == np.float32
    assert encoder.native
    np.testing.assert_allclose(given, expected, rtol=1e-5, atol=1e-5)
    assert np.ptp(given, axis=0).max() > 1e-3


def test_a_row_does_not_depend_on_the_others_and_one_without_errors_has_none(folder, spectra):
    flux, ivar, wave = spectra
    encoder, without = aion_encoder(folder), ivar.copy()
    alone = np.vstack([encoder.encode(flux[i : i + 1], ivar[i : i + 1], wave) for i in range(3)])
    np.testing.assert_allclose(encoder.encode(flux, ivar, wave)[:3], alone, rtol=1e-5, atol=1e-5)
    without[0], without[1] = np.nan, 0
    given = encoder.encode(flux, without, wave)
    assert np.isnan(given[:2]).all()
    assert np.isfinite(given[2:]).all()
    assert np.isnan(encoder.encode(flux, None, wave)).all()
    assert encoder.encode(flux[:0], ivar[:0], wave).shape == (0, 24)


def test_the_hash_is_of_the_weights_and_the_modality(folder, tmp_path):
    hashes = {aion_encoder(folder).sha256, aion_encoder(folder, "sdss").sha256, aion_encoder(write(tmp_path, 1)).sha256}
    assert len(hashes) == 3
    assert aion_encoder(folder).sha256 in hashes


def test_by_name_where_the_environment_names_the_folder(folder, monkeypatch):
    monkeypatch.delenv("TRANSTAR_AION", raising=False)
    assert "aion-desi" not in encoder_names()
    with pytest.raises(SettingsError, match="set TRANSTAR_AION to it"):
        load_encoder("aion-desi")
    monkeypatch.setenv("TRANSTAR_AION", str(folder))
    assert {"aion-desi", "aion-sdss"} <= set(encoder_names())
    assert load_encoder("aion-sdss").sha256 == aion_encoder(folder, "sdss").sha256
    assert named_encoder("aion-desi").place == "aion-desi"


def test_from_files_to_a_prepared_set(folder, tmp_path, monkeypatch):
    from transtar.datasets import read_set

    monkeypatch.setenv("TRANSTAR_AION", str(folder))
    spectra = made_lamost(tmp_path / "lamost", n=3) / "spectra"
    command = [
        "prepare",
        "--survey",
        "lamost",
        "--spectra",
        str(spectra),
        "--input",
        "aion-sdss",
        "--out",
        str(tmp_path / "set"),
    ]
    assert main(command) == 0
    prepared = read_set(tmp_path / "set")
    assert prepared.inputs["aion-sdss"].shape == (3, 24)
    assert np.isfinite(prepared.inputs["aion-sdss"]).all()
    assert np.ptp(prepared.inputs["aion-sdss"], axis=0).max() > 1e-3


def test_by_the_entry_point_of_a_package_of_ones_own(folder, tmp_path, monkeypatch):
    (tmp_path / "myaion.py").write_text(
        f"from transtar.encoders.aion import aion_encoder\nENCODER = aion_encoder({str(folder)!r}, 'desi', 'mine')\n"
    )
    (tmp_path / "myaion-1.0.dist-info").mkdir()
    (tmp_path / "myaion-1.0.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: myaion\nVersion: 1.0\n")
    (tmp_path / "myaion-1.0.dist-info/entry_points.txt").write_text("[transtar.encoders]\nmine = myaion:ENCODER\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "mine" in encoder_names()
    assert load_encoder("mine").sha256 == aion_encoder(folder).sha256


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("config.json", "[]", "not the description of a network of AION"),
        ("config.json", json.dumps(MODEL | {"dim": 32}), "no network of AION can be made of it"),
        ("config.json", json.dumps({"x": 1}), "no network of AION can be made of it"),
        ("model.safetensors", "abc", "damaged or not a safetensors file"),
        (
            "codecs/spectrum/config.json",
            json.dumps(CODEC | {"encoder_dims": [4, 4, 4, 8]}),
            "no network of AION can be made of it",
        ),
        ("codecs/spectrum/model.safetensors", None, "codecs/spectrum/model.safetensors: no such file"),
    ],
)
def test_a_folder_that_is_none_is_refused_in_one_line(tmp_path, file, content, message):
    write(tmp_path)
    (tmp_path / file).unlink()
    if content is not None:
        (tmp_path / file).write_text(content)
    with pytest.raises(InputError, match=message) as error:
        aion_encoder(tmp_path)
    assert "\n" not in str(error.value)


def test_weights_that_are_not_finite_or_missing(folder, tmp_path):
    from safetensors.torch import load_file, save_file

    write(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    name = "encoder_norm.weight"
    save_file(weights | {name: torch.full_like(weights[name], torch.nan)}, tmp_path / "model.safetensors")
    with pytest.raises(InputError, match=r"encoder_norm\.weight has values that are not finite"):
        aion_encoder(tmp_path)
    del weights[name]
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(InputError, match=r"no network of AION can be made of it .*encoder_norm\.weight"):
        aion_encoder(tmp_path)


def test_a_missing_package_names_the_extra(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "aion", None)
    with pytest.raises(TranstarError, match=r"pip install 'transtar\[aion\]'"):
        aion_encoder(folder)
