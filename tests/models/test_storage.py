import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from transtar.errors import InputError
from transtar.models import Estimator, storage
from transtar.networks import ResidualNetwork, ResidualSettings, build_head
from transtar.preprocess import Preprocessing
from transtar.seal import sealed

from .examples import N_INPUTS, flux, small_estimator
from .stored import edit, same_model


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


def test_the_card_says_what_the_distance_is_the_mean_of(tmp_path):
    small_estimator().save(tmp_path / "flux")
    small_estimator(input="values").save(tmp_path / "values")
    assert "the mean over pixels of" in (tmp_path / "flux/README.md").read_text()
    assert "the mean over the values of the input of" in (tmp_path / "values/README.md").read_text()


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
    as_first(folder, format_version=0)
    assert Estimator.load(folder).surveys == ("migrated",)


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
        "68 % of the real stars that it was measured on have feh within 0.2, bias included"
        in (tmp_path / "model/README.md").read_text()
    )
    small_estimator().save(tmp_path / "other")
    assert Estimator.load(tmp_path / "other").label_error is None


def as_first(folder, **changes):
    """Describe a model as the first version of the layout did."""
    content = json.loads((folder / "config.json").read_text())
    rest = {
        name: value for name, value in content.items() if name not in ("files", "input", "encoders", "errors", "sha256")
    }
    (folder / "config.json").write_text(json.dumps(rest | {"format_version": 1} | changes))


def as_second(folder):
    """Describe a model as the second version did, which knew no input but the flux."""
    content = json.loads((folder / "config.json").read_text())
    rest = {name: value for name, value in content.items() if name not in ("input", "encoders", "errors", "sha256")}
    (folder / "config.json").write_text(json.dumps(sealed(rest | {"format_version": 2})))


def test_models_of_the_second_format_take_the_flux(folder, caplog):
    before = Estimator.load(folder)
    as_second(folder)
    again = Estimator.load(folder)
    assert same_model(again, before)
    assert again.input == "flux"
    assert not caplog.records


def test_the_input_is_stored(folder):
    model = replace(Estimator.load(folder), input="flux+embedding")
    model.save(folder)
    assert Estimator.load(folder).input == "flux+embedding"
    assert "inputs per star (of the input 'flux+embedding')" in (folder / "README.md").read_text()


def test_models_of_the_first_format_are_read(folder, caplog):
    before = Estimator.load(folder)
    as_first(folder)
    assert same_model(Estimator.load(folder), before)
    assert "a model of an older transtar, without checksums" in caplog.text
    for changes in ({"sha256": "0" * 64}, {"files": {}}, {"note": 1}):
        as_first(folder, **changes)
        with pytest.raises(InputError, match=f"model of format 1: missing or unknown {next(iter(changes))}"):
            Estimator.load(folder)


@pytest.mark.parametrize(
    "changes", [{"files": {}}, {"files": {"model.safetensors": None}}, {"files": 3}, {"files": [1]}]
)
def test_a_model_without_the_hashes_of_its_files(folder, changes):
    edit(folder, **changes)
    with pytest.raises(InputError, match=r"checksum|files"):
        Estimator.load(folder)


def test_an_adapter_of_another_model_is_told(folder, adapted):
    (folder / "adapter.safetensors").write_bytes((adapted / "adapter.safetensors").read_bytes())
    with pytest.raises(InputError, match=r"adapter\.safetensors: damaged, or of another origin"):
        Estimator.load(folder)
    (folder / "adapter.safetensors").unlink()
    Estimator.load(folder)
    (adapted / "adapter.safetensors").unlink()
    assert Estimator.load(adapted).adapter is None


def test_the_file_of_weights_may_go_once_they_are_read(folder):
    model = Estimator.load(folder)
    before = model.predict(flux())
    (folder / "model.safetensors").write_bytes(b"")
    np.testing.assert_array_equal(model.predict(flux()), before)
    assert all(parameter.requires_grad for parameter in model.network.parameters())


def test_loading_draws_no_random_numbers(folder):
    torch.manual_seed(0)
    Estimator.load(folder)
    drawn = torch.rand(1)
    torch.manual_seed(0)
    assert torch.equal(drawn, torch.rand(1))


def test_a_copy_without_its_list_is_replaced_only_where_it_is_as_it_was_written(folder):
    """The card, too: it is made of config.json, and whatever else it says the user has written."""
    (folder / ".transtar.json").unlink()
    small_estimator(seed=5).save(folder)
    for name, change in (("README.md", b"my notes\n"), ("trained_on.parquet", b"x"), ("adapter.safetensors", b"mine")):
        small_estimator().save(folder)
        (folder / ".transtar.json").unlink()
        with (folder / name).open("ab") as file:
            file.write(change)
        before = (folder / name).read_bytes()
        with pytest.raises(InputError, match=rf"{name}: exists and cannot be told to be as transtar wrote it"):
            small_estimator(seed=5).save(folder)
        assert (folder / name).read_bytes() == before
        (folder / name).unlink()


def test_a_description_that_anybody_may_have_written_is_no_proof(tmp_path):
    (tmp_path / "config.json").write_text('{"format": "transtar-estimator"}')
    (tmp_path / "model.safetensors").write_text("mine")
    with pytest.raises(InputError, match="cannot be told to be as transtar wrote it"):
        small_estimator().save(tmp_path)
    assert (tmp_path / "model.safetensors").read_text() == "mine"


NOTE = {"name": "embedding", "sha256": "0123456789abcdef" * 4, "place": "/somewhere/else"}


def test_the_encoder_is_stored_and_said(folder):
    model = replace(Estimator.load(folder), input="flux+embedding", encoders={"embedding": NOTE})
    model.save(folder)
    again = Estimator.load(folder)
    assert again.encoders == {"embedding": NOTE}
    assert again.only("teff").encoders == {"embedding": NOTE}
    said = "'embedding' (sha256 0123456789abcdef), in /somewhere/else"
    assert said in repr(again)
    assert f"The input 'embedding' is made by the encoder {said}" in (folder / "README.md").read_text()
    assert json.loads((folder / "config.json").read_text())["format_version"] == 5


def test_models_of_the_fourth_format_have_no_errors_of_stars(folder, caplog):
    """The one number that they may have stays what it was: no error of a star."""
    before = replace(Estimator.load(folder), label_error=np.array([0.2, np.nan]))
    before.save(folder)
    content = json.loads((folder / "config.json").read_text())
    rest = {name: value for name, value in content.items() if name not in ("errors", "sha256")}
    (folder / "config.json").write_text(json.dumps(sealed(rest | {"format_version": 4})))
    again = Estimator.load(folder)
    assert same_model(again, before)
    assert again.error_tables == {}
    np.testing.assert_array_equal(again.label_error, [0.2, np.nan])
    assert "no errors of stars; 68 % of those it was measured on are within 0.2 dex" in repr(again)
    assert not caplog.records


@pytest.mark.parametrize(
    "notes",
    [
        {"flux": NOTE}, {"other": NOTE}, {"embedding": NOTE | {"sha256": "x"}}, {"embedding": NOTE | {"place": "a/../b"}},
        {"embedding": NOTE | {"name": "../up"}}, {"embedding": {**NOTE, "more": 1}}, {"embedding": None}, [], None,
    ],
)  # fmt: skip
def test_notes_of_encoders_that_are_none(folder, notes):
    replace(Estimator.load(folder), input="flux+embedding").save(folder)
    edit(folder, encoders=notes)
    with pytest.raises(InputError, match=r"config\.json: not the description of a model"):
        Estimator.load(folder)


def test_models_of_the_third_format_know_no_encoder(folder, caplog):
    before = replace(Estimator.load(folder), input="embedding")
    before.save(folder)
    content = json.loads((folder / "config.json").read_text())
    rest = {name: value for name, value in content.items() if name not in ("encoders", "errors", "sha256")}
    (folder / "config.json").write_text(json.dumps(sealed(rest | {"format_version": 3})))
    again = Estimator.load(folder)
    assert same_model(again, before)
    assert (again.input, again.encoders) == ("embedding", {})
    assert not caplog.records
