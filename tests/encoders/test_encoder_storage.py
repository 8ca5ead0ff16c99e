import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from transtar.encoders import encoder_hash, encoder_storage, load_encoder, save_encoder
from transtar.errors import InputError, SettingsError
from transtar.networks import MLPSettings, build_mlp
from transtar.preprocess import Preprocessing
from transtar.seal import file_hash, sealed

from ..hostile import flip_bits, try_hostile_values
from .examples import flux, seen_stars, small_encoder


@pytest.fixture
def folder(tmp_path):
    save_encoder(small_encoder(trained_on=seen_stars()), tmp_path / "encoder")
    return tmp_path / "encoder"


def edit(folder, **changes):
    config = json.loads((folder / "config.json").read_text()) | changes
    (folder / "config.json").write_text(json.dumps(sealed(config)))


def test_an_encoder_comes_back_and_keeps_its_hash(folder, tmp_path):
    before, after = small_encoder(), load_encoder(folder)
    assert (after.name, after.preprocessing, after.provenance) == (before.name, before.preprocessing, before.provenance)
    # Rounded to half precision, once.
    np.testing.assert_allclose(after.encode(flux()), before.encode(flux()), atol=0.02)
    np.testing.assert_array_equal(after.flux_mean, before.flux_mean)
    np.testing.assert_allclose(after.reconstruct(flux()), before.reconstruct(flux()), atol=0.02)
    assert after.trained_on["id"].tolist() == [2**62 + 1]
    assert after.place == str(folder)
    for dtype in ("float16", "float32"):
        again = save_encoder(after, tmp_path / dtype, dtype=dtype)
        assert again.sha256 == after.sha256 == load_encoder(tmp_path / dtype).sha256 == encoder_hash(after)
        np.testing.assert_array_equal(again.encode(flux()), after.encode(flux()))
    sizes = [(tmp_path / dtype / "encoder.safetensors").stat().st_size for dtype in ("float16", "float32")]
    assert sizes[0] < 0.7 * sizes[1]


def test_the_hash_is_of_what_it_gives_and_of_nothing_else(folder):
    encoder = load_encoder(folder)
    same = replace(encoder, name="other", place="", provenance=(), trained_on={}, sha256="")
    assert encoder_hash(same) == encoder.sha256
    weights = small_encoder(seed=1)
    hashes = {encoder.sha256, encoder_hash(weights)}
    hashes.add(encoder_hash(replace(encoder, flux_std=encoder.flux_std * np.float32(1.1))))
    hashes.add(encoder_hash(replace(encoder, preprocessing=Preprocessing(frame="observed"))))
    hashes.add(encoder_hash(replace(encoder, decoder=None, target_mean=None, target_std=None)))
    # The same weights behind another activation.
    hashes.add(encoder_hash(small_encoder(activation="gelu")))
    hashes.add(encoder_hash(small_encoder(activation="relu")))
    assert len(hashes) == 7
    card = folder / "README.md"
    card.write_text("other words")
    assert load_encoder(folder).sha256 == encoder.sha256


def test_files_of_an_encoder(folder):
    assert sorted(p.name for p in folder.iterdir()) == [
        ".transtar.json", "README.md", "config.json", "encoder.safetensors", "trained_on.parquet",
    ]  # fmt: skip
    card = (folder / "README.md").read_text()
    config = json.loads((folder / "config.json").read_text())
    assert config["content_sha256"] in card
    assert "grid 'blue', rest frame" in card
    assert str(folder) not in (folder / "config.json").read_text()


def test_what_stands_there_is_kept_unless_it_is_an_encoder(folder, tmp_path):
    save_encoder(small_encoder(seed=1), folder)
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("all")
    with pytest.raises(InputError, match="thesis"):
        save_encoder(small_encoder(), tmp_path / "thesis")
    assert (tmp_path / "thesis" / "chapter.tex").read_text() == "all"


def test_networks_and_settings_that_cannot_be_stored(tmp_path):
    class Odd(torch.nn.Module):
        def forward(self, inputs):
            return inputs[:, :3]

    with pytest.raises(InputError, match="cannot be described"):
        save_encoder(small_encoder(network=Odd(), decoder=False), tmp_path / "odd")
    with pytest.raises(SettingsError, match="float32, float16, not 'int8'"):
        save_encoder(small_encoder(), tmp_path / "odd", dtype="int8")
    large = small_encoder()
    with torch.no_grad():
        large.network[0].weight[0, 0] = 1e6
    with pytest.raises(InputError, match=r"^encoder 'small': network\.0\.weight has values .*dtype='float32'"):
        save_encoder(large, tmp_path / "odd")
    assert save_encoder(large, tmp_path / "large", dtype="float32").network[0].weight[0, 0] == 1e6
    assert not (tmp_path / "odd").exists()


@pytest.mark.parametrize("kind", ["residual", "linear"])
def test_other_networks(kind, tmp_path):
    from transtar.networks import ResidualNetwork, ResidualSettings, build_head

    network = torch.nn.Linear(1462, 4)
    if kind == "residual":
        network = ResidualNetwork(build_mlp(1462, 4, MLPSettings((5,))), build_head(1462, 4, ResidualSettings(3)))
    stored = save_encoder(small_encoder(network=network, decoder=False), tmp_path / "e")
    np.testing.assert_array_equal(load_encoder(tmp_path / "e").encode(flux()), stored.encode(flux()))


def test_damaged_files_are_refused(folder):
    before = load_encoder(folder)

    def same(encoder):
        return encoder.sha256 == before.sha256 and encoder.trained_on["id"].tolist() == [2**62 + 1]

    for name in ("encoder.safetensors", "trained_on.parquet", "config.json"):
        assert not flip_bits(folder / name, lambda: load_encoder(folder), same, 25)[2]
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) // 2])
        with pytest.raises(InputError):
            load_encoder(folder)
        (folder / name).unlink()
        with pytest.raises(InputError, match="missing"):
            load_encoder(folder)
        (folder / name).write_bytes(content)
    load_encoder(folder)


def test_pickles_and_weights_of_others_are_refused(folder):
    path = folder / "encoder.safetensors"
    weights = {name: tensor.clone() for name, tensor in load_file(path).items()}
    for content in (pickle.dumps({"network": 1}), b""):
        path.write_bytes(content)
        edit(folder, files={name: file_hash(folder / name) for name in ("encoder.safetensors", "trained_on.parquet")})
        with pytest.raises(InputError, match="safetensors"):
            load_encoder(folder)
    # Weights of an encoder of the same shape, with a checksum that fits, are another encoder.
    weights["network.0.bias"] += 1
    save_file(weights, path)
    edit(folder, files={name: file_hash(folder / name) for name in ("encoder.safetensors", "trained_on.parquet")})
    with pytest.raises(InputError, match="its hash is not the one noted"):
        load_encoder(folder)
    weights["flux_std"][0] = 0
    save_file(weights, path)
    edit(folder, files={name: file_hash(folder / name) for name in ("encoder.safetensors", "trained_on.parquet")})
    with pytest.raises(InputError, match="flux_std must be positive"):
        load_encoder(folder)


def test_hostile_descriptions(folder):
    whole = json.loads((folder / "config.json").read_text())
    # The settings of the preprocessing have tests of their own.
    content = {
        name: whole[name] for name in ("name", "network", "width", "decoder", "preprocessing_hash", "provenance")
    }
    content |= {"preprocessing": "x", "files": {}}

    def use(changed):
        (folder / "config.json").write_text(json.dumps(sealed(whole | changed)))
        load_encoder(folder)

    refused, faults = try_hostile_values(use, content)
    assert not faults, faults[:5]
    assert refused > 200


def test_a_newer_format_is_refused(folder):
    edit(folder, format_version=2)
    with pytest.raises(InputError, match="encoder format 2 is not known to this transtar, which reads 1"):
        load_encoder(folder)
    edit(folder, format_version=1, format="transtar-estimator")
    with pytest.raises(InputError, match="not the description of a transtar encoder"):
        load_encoder(folder)
    assert encoder_storage.FORMAT_VERSION == 1
