"""Shipped models whose network is stored once: each is what it would be alone, and its copies need nothing else."""

import shutil

import numpy as np
import pytest

from transtar.cli import main
from transtar.errors import InputError
from transtar.files import read_json
from transtar.models import content_of, export_model, find_model, import_model, load_estimator, named_models
from transtar.models.named import JOINT, SHIPPED, joint_network
from transtar.seal import file_hash

NAMES = sorted(path.parent.name for path in SHIPPED.glob("*/config.json"))


def spectra() -> np.ndarray:
    return np.random.default_rng(0).normal(1, 0.1, (7, 1462)).astype(np.float32)


def test_all_shipped_networks_are_stored_once():
    assert NAMES == ["mock-alphafe", "mock-feh", "mock-logg", "mock-teff"]
    assert {joint_network(SHIPPED / name) for name in NAMES} == {JOINT / "mock"}
    assert [path.parent.name for path in SHIPPED.parent.rglob("*.safetensors")] == ["mock"]
    assert "mock" not in named_models()


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_one_output_of_the_network(name):
    """Its description, which lies in a folder of its own, is that of the output."""
    joint, single = load_estimator(JOINT / "mock"), load_estimator(name)
    label = name.removeprefix("mock-")
    place = joint.label_names.index(label)
    assert single.label_names == (label,)
    np.testing.assert_allclose(single.predict(spectra()), joint.predict(spectra())[:, [place]], rtol=1e-5, atol=1e-4)
    config, whole = read_json(SHIPPED / name / "config.json"), read_json(JOINT / "mock" / "config.json")
    assert config["labels"] == [whole["labels"][place]]
    varying = ("labels", "errors", "files", "sha256")
    assert {k: v for k, v in config.items() if k not in varying} == {k: v for k, v in whole.items() if k not in varying}
    assert config["errors"] == {name: table for name, table in whole["errors"].items() if name == label}
    assert single.error_tables == {name: table for name, table in joint.error_tables.items() if name == label}


@pytest.mark.parametrize("name", NAMES)
def test_a_copy_is_whole(name, tmp_path):
    copy = export_model(name, tmp_path / "copy")
    one, other = load_estimator(name), load_estimator(copy)
    assert joint_network(copy) is None
    np.testing.assert_array_equal(one.predict(spectra()), other.predict(spectra()))
    assert (copy / "README.md").read_text() == (SHIPPED / name / "README.md").read_text()
    assert (one.provenance, one.label_error) == (other.provenance, other.label_error)
    assert one.error_tables == other.error_tables
    for column, values in one.trained_on.items():
        np.testing.assert_array_equal(values, other.trained_on[column])
    # The weights that the description names, which it had when they lay beside it.
    assert (
        file_hash(copy / "model.safetensors") == read_json(SHIPPED / name / "config.json")["files"]["model.safetensors"]
    )
    assert content_of(SHIPPED / name).startswith((copy / "model.safetensors").read_bytes())
    assert content_of(copy) == (copy / "model.safetensors").read_bytes() + (copy / "config.json").read_bytes()


def test_a_copy_in_the_store(tmp_path, monkeypatch):
    monkeypatch.setenv("TRANSTAR_MODELS", str(tmp_path / "store"))
    import_model("mock-feh", "mine")
    np.testing.assert_array_equal(
        load_estimator("mine").predict(spectra()), load_estimator("mock-feh").predict(spectra())
    )
    with pytest.raises(InputError, match="is the name of a model that ships"):
        import_model("mine", "mock-feh")


def test_no_folder_elsewhere_leads_to_the_network(tmp_path):
    """A stranger's folder of that layout reads nothing but itself, and a copy by hand says what is missing."""
    folder = tmp_path / "shipped" / "mock-feh"
    shutil.copytree(SHIPPED / "mock-feh", folder)
    shutil.copytree(JOINT / "mock", tmp_path / "joint" / "mock")
    assert joint_network(folder) is None
    with pytest.raises(InputError, match=r"model\.safetensors is missing; transtar models export mock-feh --out"):
        load_estimator(folder)


def test_the_verb(tmp_path, capsys):
    assert main(["models", "export", "mock-teff", "--out", str(tmp_path / "m")]) == 0
    assert load_estimator(tmp_path / "m").label_names == ("teff",)
    assert main(["models", "export", str(tmp_path / "m"), "--out", str(tmp_path / "n")]) == 0
    assert content_of(tmp_path / "n") == content_of(tmp_path / "m")
    capsys.readouterr()
    assert main(["models", "path", "mock-teff"]) == 0
    folder = capsys.readouterr().out.strip()
    assert folder == str(find_model("mock-teff"))
    assert load_estimator(folder).label_names == ("teff",)
    assert main(["models", "export", "mock-teff"]) == 2
    assert "models export needs --out FOLDER" in capsys.readouterr().err
    assert main(["models", "path", "mock-teff", "--out", "x"]) == 2
    assert main(["models", "export", "mock-teff", "--out", str(tmp_path)]) == 1
    assert "exists and is not a model" in capsys.readouterr().err
