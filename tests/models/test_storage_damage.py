"""Models that are damaged, or that a stranger has made up: refused in a line, before they cost memory."""

import contextlib
import json
import resource
import struct

import pytest
import torch
from safetensors.torch import load_file, save

from transtar.errors import InputError
from transtar.files import read_json
from transtar.models import Estimator
from transtar.seal import sealed

from ..hostile import flip_bits, not_files, seal_again, try_hostile_values
from .examples import N_INPUTS, small_estimator
from .stored import edit, same_model


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "trained_on.parquet"])
@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"\x80\x04 not it" * 9])
def test_a_damaged_file_is_named(folder, name, damage):
    path = folder / name
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match=name) as caught:
        Estimator.load(folder)
    assert "\n" not in str(caught.value)


def test_pickled_weights_are_not_read(folder):
    torch.save(small_estimator().network.state_dict(), folder / "model.safetensors")
    with pytest.raises(InputError, match="safetensors"):
        Estimator.load(folder)


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


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "adapter.safetensors", "trained_on.parquet"])
def test_one_flipped_bit_is_told(adapted, name):
    whole = Estimator.load(adapted)
    told, harmless, faults = flip_bits(
        adapted / name, lambda: Estimator.load(adapted), lambda found: same_model(found, whole), 300
    )
    assert not faults
    assert told > 0.9 * (told + harmless)
    assert same_model(Estimator.load(adapted), whole)


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
