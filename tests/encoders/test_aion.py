"""What needs no package: with it, AION is tried in tests/extras/test_aion.py."""

import sys

import pytest

from transtar.encoders import encoder_names, load_encoder, named_encoder, register_encoder
from transtar.encoders.aion import aion_by_name, aion_encoder
from transtar.encoders.outside import OutsideEncoder
from transtar.errors import InputError, SettingsError, TranstarError


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "codecs/spectrum").mkdir(parents=True)
    for part in ("", "codecs/spectrum/"):
        (tmp_path / f"{part}config.json").write_text("{}")
        (tmp_path / f"{part}model.safetensors").write_bytes(b"")
    return tmp_path


@pytest.fixture(autouse=True)
def _no_folder(monkeypatch):
    monkeypatch.delenv("TRANSTAR_AION", raising=False)


def test_names_are_known_where_the_environment_names_a_folder(folder, monkeypatch):
    assert "aion-desi" not in encoder_names()
    monkeypatch.setenv("TRANSTAR_AION", str(folder))
    assert {"aion-desi", "aion-sdss"} <= set(encoder_names())
    assert aion_by_name("aion-2mass") is None


def test_without_a_folder_it_is_said_what_to_do():
    with pytest.raises(
        SettingsError, match=r"the encoder 'aion-sdss' needs the folder of AION's weights: set TRANSTAR_AION"
    ):
        load_encoder("aion-sdss")


def test_the_names_are_no_one_elses():
    with pytest.raises(SettingsError, match="TRANSTAR_AION"):
        register_encoder(OutsideEncoder("aion-desi", lambda flux: flux, "ab" * 32))


@pytest.mark.parametrize("file", ["config.json", "codecs/spectrum/config.json", "codecs/spectrum/model.safetensors"])
def test_a_folder_that_lacks_a_file(folder, monkeypatch, file):
    (folder / file).unlink()
    monkeypatch.setenv("TRANSTAR_AION", str(folder))
    with pytest.raises(InputError, match=f"{file}: no such file"):
        named_encoder("aion-desi")


def test_another_modality(folder):
    with pytest.raises(SettingsError, match="modality must be one of desi, sdss, not 'lamost'"):
        aion_encoder(folder, "lamost")


def test_a_missing_package_names_the_extra(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "aion", None)
    with pytest.raises(TranstarError, match=r"pip install 'transtar\[aion\]'"):
        aion_encoder(folder)
