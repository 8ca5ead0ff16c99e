"""Pickles are read for what they say. What they would do is written out here, opcode by opcode, and must not happen."""

import argparse
import builtins
import collections
import io
import os
import pathlib
import pickle
import random
import time

import pytest
import torch

from transtar.errors import InputError
from transtar.networks.checkpoint_pickle import Declared, Name, Placeholder, Storage, read_pickle


class Calls:
    """An object whose pickle calls a function when it is loaded."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def read(content):
    return read_pickle(content, "file.ckpt")


def torch_pickle(content):
    """The pickle in an archive that torch writes."""
    import zipfile

    buffer = io.BytesIO()
    torch.save(content, buffer)
    with zipfile.ZipFile(buffer) as archive:
        return archive.read(next(name for name in archive.namelist() if name.endswith("/data.pkl")))


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_plain_data_comes_back_as_it_is(protocol):
    content = {
        "a": [1, -1, 2**40, 1.5, None, True, False, "é", b"x" * 300, "y" * 300],
        "b": ((), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)),
        "c": {1: {2: {3: []}}},
        "d": {1, 2},
    }
    if protocol == 2:  # which writes bytes as a call
        content["a"] = [one for one in content["a"] if not isinstance(one, bytes)]
    if protocol < 4:  # and sets, too
        content["d"] = 0
    shared = [1]
    content["e"] = [shared, shared]
    given = read(pickle.dumps(content, protocol))
    assert given == content
    assert given["e"][0] is given["e"][1]


def test_tensors_are_told_not_made():
    weight = torch.arange(6.0).reshape(2, 3)
    given = read(
        torch_pickle(collections.OrderedDict(w=weight, t=weight.T, p=torch.nn.Parameter(weight[1]), i=torch.tensor(7)))
    )
    assert given["w"] == Declared(Storage("FloatStorage", "0", 6), 0, (2, 3), (3, 1))
    assert given["t"] == Declared(given["w"].storage, 0, (3, 2), (1, 3))
    assert given["p"].offset == 3
    assert given["p"].shape == (3,)
    assert given["i"] == Declared(Storage("LongStorage", given["i"].storage.key, 1), 0, (), ())


def test_objects_of_other_classes_are_placeholders_that_do_nothing():
    content = {
        "path": pathlib.PurePosixPath("a"),
        "settings": argparse.Namespace(a=1),
        "network": torch.nn.Linear(2, 2),
        "dtype": torch.float32,
    }
    given = read(torch_pickle(content))
    assert given["network"].name == "torch.nn.modules.linear.Linear"
    assert isinstance(given["settings"], Placeholder)
    assert isinstance(given["path"], Placeholder)
    assert given["dtype"] == Name("torch", "float32")


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize(
    "function", [os.mkdir, os.system, builtins.eval, builtins.exec], ids=lambda function: function.__name__
)
def test_a_pickle_that_calls_a_function_calls_none(tmp_path, monkeypatch, function, protocol):
    monkeypatch.chdir(tmp_path)
    argument = {"mkdir": "made", "system": "mkdir made"}.get(function.__name__, "__import__('os').mkdir('made')")
    content = pickle.dumps({"weights": [1], "x": Calls(function, argument)}, protocol)
    given = read(content)
    assert isinstance(given["x"], Placeholder)
    assert given["weights"] == [1]
    assert not list(tmp_path.iterdir())
    # The same content is no harmless one.
    pickle.loads(content)
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


def test_no_module_is_imported(tmp_path, monkeypatch):
    (tmp_path / "imported_by_a_pickle.py").write_text("raise SystemExit(3)")
    monkeypatch.syspath_prepend(tmp_path)
    assert read(b"\x80\x02cimported_by_a_pickle\nthing\n.") == Name("imported_by_a_pickle", "thing")
    with pytest.raises(SystemExit):
        pickle.loads(b"\x80\x02cimported_by_a_pickle\nthing\n.")


def test_a_built_state_reaches_no_object():
    """BUILD of a function would set its defaults, of a class its methods; here what is named is no function at all."""
    state = b"N}X\x0c\x00\x00\x00__defaults__X\x04\x00\x00\x00evils\x86b."
    assert read(b"\x80\x02ccollections\nOrderedDict\n" + state) == Name("collections", "OrderedDict")
    assert read(b"\x80\x02ccollections\nOrderedDict\n)R" + state) == {}
    assert collections.OrderedDict.__init__.__doc__ is not None


def test_a_name_that_is_made_of_text_is_no_function():
    # A tuple of the two words of a name that is known calls what a name calls: nothing.
    assert isinstance(read(b"\x80\x02X\x0b\x00\x00\x00collectionsX\x0b\x00\x00\x00OrderedDict\x86)R."), Placeholder)


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x02(ios\nsystem\n.", b"\x80\x02(cos\nsystem\no.", b"\x80\x02\x82\x01.", b"P1\n.", b"I1\n.", b"(lp0\n.",
        b"\x80\x05\x97.",
    ],
    ids=["INST", "OBJ", "EXT1", "PERSID", "INT", "LIST", "NEXT_BUFFER"],
)  # fmt: skip
def test_opcodes_that_torch_does_not_write_are_refused(content):
    with pytest.raises(
        InputError, match=r"^file.ckpt: not a checkpoint as torch writes it \(opcode [A-Z_0-9]+, which no list"
    ):
        read(content)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "breaks off"),
        (b"\x80\x02", "breaks off"),
        (b"\x80\x02.", "an object is taken where there is none"),
        (b"\x80\x02(N0.", "an object is taken"),
        (b"\x80\x02h\x05.", "recalled that was never kept"),
        (b"\x80\x02NNa.", "added to a NoneType"),
        (b"\x80\x02t.", "no mark"),
        (b"\x80\x02}(Nu.", "a key without value"),
        (b"\x80\x02NQ.", "no storage of a tensor"),
        (b"\x80\x04NN\x93.", "a class whose name is no text"),
        (b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n)R.", "a tensor of another form"),
        (b"\x80\x02X\xff\xff\xff\x7fabc.", "breaks off"),
    ],
)
def test_damage_is_told_in_one_line(content, message):
    with pytest.raises(InputError, match=message) as error:
        read(content)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("offset", "shape", "stride"),
    [(-1, (2,), (1,)), (0, (2.0,), (1,)), (0, (2,), (-1,)), (0, (2,), ()), (0, [2], [1]), (True, (2,), (1,))],
)
def test_a_tensor_that_is_none_is_refused(offset, shape, stride):
    content = torch_pickle(torch.zeros(2))
    start = content.index(b"Q") + 1
    arguments = b"".join(pickle.dumps(one, 2)[2:-1] for one in (offset, shape, stride))
    with pytest.raises(InputError, match="a tensor"):
        read(content[:start] + arguments + b"\x89NtR.")


def test_depth_takes_neither_the_stack_nor_the_process():
    deep = b"]" + b"\x85" * 30_000
    assert isinstance(read(b"\x80\x02" + deep + b"."), tuple)
    # As a key, as a function, as a class: wherever something would have to look into it.
    assert [type(key) for key in read(b"\x80\x02}" + deep + b"Ns.")] == [Placeholder]
    assert read(b"\x80\x02" + deep + b")R.").name == read(b"\x80\x02" + deep + b")\x81.").name == "a call of a tuple"


def test_what_has_more_steps_or_bytes_than_any_list_of_weights_is_refused_soon(monkeypatch):
    from transtar.networks import checkpoint_pickle

    monkeypatch.setattr(checkpoint_pickle, "MOST_STEPS", 1000)
    with pytest.raises(InputError, match="more than 1,000 steps"):
        read(b"\x80\x02" + b"N0" * 1000 + b".")
    start = time.perf_counter()
    with pytest.raises(InputError, match="bytes, more than the"):
        read(b"\x80\x02" + b"N0" * (1 << 22) + b".")
    # A place in the memory of pickles that C would take gigabytes for.
    assert read(b"\x80\x02Nr\xff\xff\xff\x7f.") is None
    assert time.perf_counter() - start < 1


def test_whatever_byte_is_changed_it_is_read_or_refused_in_words():
    content = torch_pickle(
        {"state_dict": torch.nn.Linear(2, 3).state_dict(), "settings": [argparse.Namespace(a=1), (2, {"b": 3.5})]}
    )
    draws, said = random.Random(0), []
    for _ in range(600):
        changed = bytearray(content)
        for _ in range(draws.choice([1, 2, 10])):
            changed[draws.randrange(len(changed))] = draws.randrange(256)
        try:
            read(bytes(changed))
        except InputError as error:
            said.append(str(error))
    assert len(said) > 100
    assert not [line for line in said if "\n" in line or len(line) > 400]
