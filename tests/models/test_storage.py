import contextlib
import json
import resource
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save

from transtar.errors import InputError
from transtar.files import read_json
from transtar.models import Estimator, storage
from transtar.networks import LoRASettings, ResidualNetwork, ResidualSettings, add_lora, build_head, merge_lora
from transtar.networks.lora import lora_factors
from transtar.preprocess import Preprocessing
from transtar.seal import sealed

from ..hostile import flip_bits, not_files, seal_again, try_hostile_values
from .examples import N_INPUTS, flux, small_estimator


@pytest.fixture
def folder(tmp_path):
    small_estimator(preprocessing=Preprocessing(frame="observed")).save(tmp_path / "model")
    return tmp_path / "model"


def edit(folder, **changes):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(sealed(config | changes)))


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
    as_first(folder, format_version=0)
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
        (folder / "config.json").write_text(json.dumps(sealed(changed)))
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
    edit(folder, **changes)
    with pytest.raises(InputError, match=message):
        Estimator.load(folder)


@pytest.mark.parametrize("name", ["../up", "a/b", "flags", "file", "id", "feh_err", "", "\x1b[31m", "<script>\n"])
def test_a_label_that_is_none(folder, name):
    content = read_json(folder / "config.json")
    content["labels"][0]["name"] = name
    (folder / "config.json").write_text(json.dumps(sealed(content)))
    with pytest.raises(InputError, match="label: "):
        Estimator.load(folder)


def test_nested_without_end(folder):
    content = read_json(folder / "config.json")
    network = {"kind": "linear"}
    for _ in range(900):
        network = {"kind": "residual", "hidden": 1, "base": network}
    with contextlib.suppress(RecursionError):
        content = sealed(content | {"network": network})
    text = json.dumps(content | {"network": "NETWORK"})
    deep = '{"kind": "residual", "hidden": 1, "base": ' * 900 + '{"kind": "linear"}' + "}" * 900
    (folder / "config.json").write_text(text.replace('"NETWORK"', deep))
    with pytest.raises(
        InputError, match=r"not the description of a model|not a JSON file|does not fit config.json|nested deeper"
    ):
        Estimator.load(folder)


def as_first(folder, **changes):
    """Describe a model as the first version of the layout did."""
    content = json.loads((folder / "config.json").read_text())
    rest = {name: value for name, value in content.items() if name not in ("files", "input", "encoders", "sha256")}
    (folder / "config.json").write_text(json.dumps(rest | {"format_version": 1} | changes))


def as_second(folder):
    """Describe a model as the second version did, which knew no input but the flux."""
    content = json.loads((folder / "config.json").read_text())
    rest = {name: value for name, value in content.items() if name not in ("input", "encoders", "sha256")}
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


def same_model(one, other):
    """Whether two models are the same, bit for bit."""
    parts = ("label_names", "surveys", "provenance", "domain_limit", "preprocessing")
    arrays = ("input_mean", "input_std", "label_mean", "label_std", "label_min", "label_max")
    weights = zip(one.network.state_dict().items(), other.network.state_dict().items(), strict=True)
    return (
        all(getattr(one, name) == getattr(other, name) for name in parts)
        and all(np.array_equal(getattr(one, name), getattr(other, name)) for name in arrays)
        and all(mine[0] == theirs[0] and torch.equal(mine[1], theirs[1]) for mine, theirs in weights)
        and all(np.array_equal(column, other.trained_on[name]) for name, column in one.trained_on.items())
        and (one.adapter is None) == (other.adapter is None)
        and all(np.array_equal(array, other.adapter[name]) for name, array in (one.adapter or {}).items())
    )


@pytest.fixture
def adapted(tmp_path):
    model = small_estimator(preprocessing=Preprocessing())
    wrapped = add_lora(model.network, LoRASettings(2, 4))
    replace(model, network=merge_lora(wrapped), adapter=lora_factors(wrapped)).save(tmp_path / "adapted")
    return tmp_path / "adapted"


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "adapter.safetensors", "trained_on.parquet"])
def test_one_flipped_bit_is_told(adapted, name):
    whole = Estimator.load(adapted)
    told, harmless, faults = flip_bits(
        adapted / name, lambda: Estimator.load(adapted), lambda found: same_model(found, whole), 300
    )
    assert not faults
    assert told > 0.9 * (told + harmless)
    assert same_model(Estimator.load(adapted), whole)


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


def with_tensors(folder, **changes):
    """Replace tensors of a model, and note the new hash."""
    path = folder / "model.safetensors"
    path.write_bytes(save(load_file(path) | {name.replace("__", "."): tensor for name, tensor in changes.items()}))
    seal_again(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"network__0__weight": torch.full((8, N_INPUTS), float("nan"))}, "not finite"),
        ({"network__0__bias": torch.full((8,), float("inf"))}, "not finite"),
        ({"network__0__bias": torch.full((8,), 1e300, dtype=torch.float64)}, "not finite"),
        ({"input_mean": torch.full((N_INPUTS,), float("nan"))}, "input_mean has values that are not finite"),
        ({"input_std": torch.zeros(N_INPUTS)}, "input_std must be positive"),
        ({"input_std": torch.full((N_INPUTS,), -1.0)}, "input_std must be positive"),
        ({"input_std": torch.full((N_INPUTS,), 1e-44)}, "input_std must be positive"),
        ({"input_std": torch.ones(N_INPUTS, dtype=torch.int64)}, "is of type torch.int64"),
        ({"network__0__weight": torch.ones((8, N_INPUTS), dtype=torch.uint8)}, "which weights are not"),
        ({"network__0__weight": torch.ones((8, N_INPUTS + 1))}, "has shape"),
    ],
)
def test_values_that_no_model_has(folder, changes, message):
    with_tensors(folder, **changes)
    with pytest.raises(InputError, match=message):
        Estimator.load(folder)


def test_weights_may_be_of_other_floats(folder):
    weight = load_file(folder / "model.safetensors")["network.0.weight"].clone()
    for dtype in (torch.float64, torch.bfloat16):
        with_tensors(folder, network__0__weight=weight.to(dtype))
        assert torch.equal(Estimator.load(folder).network[0].weight, weight.to(dtype).float())


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ({"std": 0.0}, "std of a label must be positive"),
        ({"std": -1.0}, "std of a label must be positive"),
        ({"std": 1e-60}, "std of a label must be positive"),
        ({"mean": 1e300}, "mean of a label is too large"),
        ({"mean": float("nan")}, "mean of a label must be a number"),
        ({"min": 1.0, "max": 0.0}, "min of a label is above its max"),
        ({"error": -0.1}, "error of a label must not be negative"),
    ],
)
def test_scalers_that_no_label_has(folder, label, message):
    content = read_json(folder / "config.json")
    content["labels"][0] |= label
    edit(folder, labels=content["labels"])
    with pytest.raises(InputError, match=message):
        Estimator.load(folder)


def safetensors(header, content=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + content


def tensor(shape, start, end, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (struct.pack("<Q", 1 << 62) + b"{}", "a header of 4611686018427387904 bytes in a file of 10"),
        (struct.pack("<Q", 3) + b"{}", "a header of 3 bytes"),
        (b"", "a header of 0 bytes"),
        (safetensors(b'{"a": 1, "a": 2}'), "stands twice"),
        (safetensors(b"[1]"), "damaged"),
        (safetensors(b"{" * 5000), "damaged"),
        (safetensors({"a": tensor([10**15], 0, 4 * 10**15)}), "0 bytes of tensors where the header has 4000000000000000"),
        (safetensors({"a": tensor([2**32, 2**32], 0, 0)}), "has 0 bytes for a shape of"),
        (safetensors({"a": tensor([2**62, 4], 0, 0)}), "has 0 bytes for a shape of"),
        (safetensors({"a": tensor([-1, -1], 0, 4)}, bytes(4)), "of another kind"),
        (safetensors({"a": tensor([1.0], 0, 4)}, bytes(4)), "of another kind"),
        (safetensors({"a": tensor([1], 0, 4), "b": tensor([1], 0, 4)}, bytes(4)), "overlap"),
        (safetensors({"a": tensor([1], 0, 4), "b": tensor([1], 8, 12)}, bytes(12)), "overlap or leave a gap"),
        (safetensors({"a": tensor([1], 0, 4)}, bytes(8)), "8 bytes of tensors where the header has 4"),
        (safetensors({"a": tensor([1], 0, 4)}, bytes(2)), "2 bytes of tensors where the header has 4"),
        (safetensors({"a": tensor([1], 0, 4, "STR")}, bytes(4)), "which weights are not"),
        (safetensors({"a": {"dtype": "F32"}}), "damaged"),
    ],
)  # fmt: skip
def test_headers_that_lie(folder, content, message):
    """Before memory is taken for what they claim."""
    (folder / "model.safetensors").write_bytes(content)
    seal_again(folder)
    with pytest.raises(InputError, match=message) as caught:
        Estimator.load(folder)
    assert "\n" not in str(caught.value)


def test_a_description_of_a_million_units_takes_no_memory(folder):
    edit(folder, network={"kind": "mlp", "hidden": [31_000, 31_000]}, n_inputs=1_000_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match=r"has shape|does not fit"):
        Estimator.load(folder)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "adapter.safetensors", "trained_on.parquet"])
def test_only_regular_files_are_opened(adapted, name):
    for kind in not_files(adapted / name):
        if (name, kind) == ("adapter.safetensors", "circle"):
            continue
        with pytest.raises(InputError, match="adapted"):
            Estimator.load(adapted)


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
    assert json.loads((folder / "config.json").read_text())["format_version"] == 4


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
    rest = {name: value for name, value in content.items() if name not in ("encoders", "sha256")}
    (folder / "config.json").write_text(json.dumps(sealed(rest | {"format_version": 3})))
    again = Estimator.load(folder)
    assert same_model(again, before)
    assert (again.input, again.encoders) == ("embedding", {})
    assert not caplog.records
