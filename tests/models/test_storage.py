import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from transtar.errors import InputError
from transtar.files import read_json
from transtar.models import Estimator, ResidualNetwork, ResidualSettings, build_head, storage
from transtar.preprocess import Preprocessing

from ..hostile import try_hostile_values
from .examples import N_INPUTS, flux, small_estimator


@pytest.fixture
def folder(tmp_path):
    small_estimator(preprocessing=Preprocessing(frame="observed")).save(tmp_path / "model")
    return tmp_path / "model"


def edit(folder, **changes):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))


def test_a_model_comes_back_bit_for_bit(folder):
    before, after = small_estimator(preprocessing=Preprocessing(frame="observed")), Estimator.load(folder)
    np.testing.assert_array_equal(after.predict(flux()), before.predict(flux()))
    np.testing.assert_array_equal(after.domain_distance(flux()), before.domain_distance(flux()))
    for name in ("label_names", "surveys", "provenance", "domain_limit", "preprocessing"):
        assert getattr(after, name) == getattr(before, name)
    for name in ("label_min", "label_max", "label_mean", "label_std", "input_mean", "input_std"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name))
    for name, column in before.trained_on.items():
        assert after.trained_on[name].tolist() == column.tolist()
    assert after.trained_on["id"].dtype == np.int64


def test_files_of_a_model(folder):
    assert sorted(p.name for p in folder.iterdir()) == [
        ".transtar.json", "README.md", "config.json", "model.safetensors", "trained_on.parquet",
    ]  # fmt: skip
    text = (folder / "README.md").read_text()
    assert "feh" in text
    assert "OUT_OF_DOMAIN" in text
    assert "cpu" not in (folder / "config.json").read_text()


def test_nested_residual_networks_come_back(tmp_path):
    network = small_estimator().network
    for hidden in (5, 3):
        head = build_head(N_INPUTS, 2, ResidualSettings(hidden))
        torch.nn.init.normal_(head[-1].weight)
        network = ResidualNetwork(network, head)
    model = small_estimator(network=network)
    model.save(tmp_path / "m")
    np.testing.assert_array_equal(Estimator.load(tmp_path / "m").predict(flux()), model.predict(flux()))


def test_half_precision_halves_the_weights_and_hardly_moves_predictions(tmp_path):
    model = small_estimator()
    model.save(tmp_path / "m", dtype="float16")
    after = Estimator.load(tmp_path / "m")
    assert all(p.dtype == torch.float32 for p in after.network.parameters())
    np.testing.assert_array_equal(after.input_std, model.input_std)
    np.testing.assert_allclose(after.predict(flux()), model.predict(flux()), rtol=0.02, atol=0.01)


def test_saving_replaces_and_leaves_nothing_else(folder):
    small_estimator(seed=5).save(folder)
    np.testing.assert_array_equal(Estimator.load(folder).predict(flux()), small_estimator(seed=5).predict(flux()))
    assert [p.name for p in folder.parent.iterdir()] == ["model"]


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "trained_on.parquet"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(InputError, match=name):
        Estimator.load(folder)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "trained_on.parquet"])
@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"\x80\x04 not it" * 9])
def test_a_damaged_file_is_named(folder, name, damage):
    path = folder / name
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match=name) as caught:
        Estimator.load(folder)
    assert "\n" not in str(caught.value)


def test_no_folder_and_no_model(tmp_path):
    with pytest.raises(InputError, match="no such model"):
        Estimator.load(tmp_path / "nothing")
    with pytest.raises(InputError, match="missing"):
        Estimator.load(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": 99}, "format 99 is not known"),
        ({"format": "other"}, "not the description"),
        ({"n_inputs": 21}, "has shape"),
        ({"labels": []}, "it has no labels"),
        ({"network": {"kind": "mlp", "hidden": [8, 7]}}, "has shape"),
        ({"network": {"kind": "mlp", "hidden": [8]}}, "does not fit"),
        ({"network": {"kind": "tree"}}, "no network of kind"),
        ({"network": 3}, "not the description"),
        ({"domain": None}, "not the description"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(folder, changes, message):
    edit(folder, **changes)
    with pytest.raises(InputError, match=message):
        Estimator.load(folder)


def test_older_formats_are_migrated(folder, monkeypatch):
    monkeypatch.setitem(storage.MIGRATIONS, 0, lambda config: config | {"format_version": 1, "surveys": ["migrated"]})
    edit(folder, format_version=0)
    assert Estimator.load(folder).surveys == ("migrated",)


def test_pickled_weights_are_not_read(folder):
    torch.save(small_estimator().network.state_dict(), folder / "model.safetensors")
    with pytest.raises(InputError, match="safetensors"):
        Estimator.load(folder)


def test_a_full_disk_leaves_the_old_model_and_no_rubbish(folder):
    before = Estimator.load(folder).predict(flux())
    # A file-size limit stops the writing as a full disk would.
    code = (
        "import resource, signal, sys\n"
        "from tests.models.examples import small_estimator\n"
        "from transtar.errors import TranstarError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (700, 700))\n"
        "try:\n"
        "    small_estimator(seed=9).save(sys.argv[1])\n"
        "except TranstarError as error:\n"
        "    print(error)\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code, folder], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "not written" in done.stdout
    np.testing.assert_array_equal(Estimator.load(folder).predict(flux()), before)
    assert [p.name for p in folder.parent.iterdir()] == ["model"]


def test_stated_errors_come_back(tmp_path):
    """With the model, in its card, and with one label of it; a model without stays without."""
    small_estimator(label_error=np.array([0.2, np.nan])).save(tmp_path / "model")
    again = Estimator.load(tmp_path / "model")
    np.testing.assert_array_equal(again.label_error, [0.2, np.nan])
    np.testing.assert_array_equal(again.only("feh").label_error, [0.2])
    assert (
        "Error of feh (1 sigma, bias included, measured on real stars): 0.2"
        in (tmp_path / "model/README.md").read_text()
    )
    small_estimator().save(tmp_path / "other")
    assert Estimator.load(tmp_path / "other").label_error is None


def test_hostile_values_everywhere(folder):
    """In any place of a description, whatever stands there is used, or refused in words."""
    content = read_json(folder / "config.json")

    def use(changed):
        (folder / "config.json").write_text(json.dumps(changed))
        Estimator.load(folder)

    refused, faults = try_hostile_values(use, content)
    assert not faults
    assert refused > 300


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_inputs": 10**12}, "n_inputs must be a whole number from 1"),
        ({"n_inputs": 10**9}, "has shape"),
        ({"network": {"kind": "mlp", "hidden": [100_000, 10_000]}}, "has shape"),
        ({"surveys": ["../../up"]}, "'../../up' cannot be a name"),
        ({"surveys": "lamost"}, "surveys must be a list"),
        ({"provenance": [{"mock": {"lines": ["/etc/passwd"]}}]}, "provenance: mock, lines must be text"),
    ],
)
def test_a_model_of_a_stranger(folder, changes, message):
    """It takes no memory that its weights do not have, and its names lead nowhere."""
    (folder / "config.json").write_text(json.dumps(read_json(folder / "config.json") | changes))
    with pytest.raises(InputError, match=message):
        Estimator.load(folder)


@pytest.mark.parametrize("name", ["../up", "a/b", "flags", "file", "id", "feh_err", "", "\x1b[31m", "<script>\n"])
def test_a_label_that_is_none(folder, name):
    content = read_json(folder / "config.json")
    content["labels"][0]["name"] = name
    (folder / "config.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="label: "):
        Estimator.load(folder)


def test_nested_without_end(folder):
    content = read_json(folder / "config.json")
    text = json.dumps(content | {"network": "NETWORK"})
    deep = '{"kind": "residual", "hidden": 1, "base": ' * 900 + '{"kind": "linear"}' + "}" * 900
    (folder / "config.json").write_text(text.replace('"NETWORK"', deep))
    with pytest.raises(InputError, match=r"not the description of a model|not a JSON file|does not fit config.json"):
        Estimator.load(folder)
