import os
import random
import zipfile

import pytest
import torch

from transtar.errors import InputError
from transtar.networks import checkpoint_archive
from transtar.networks.checkpoint_archive import CheckpointArchive


@pytest.fixture
def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.BatchNorm1d(7))


@pytest.fixture
def checkpoint(tmp_path, network):
    path = tmp_path / "a.ckpt"
    torch.save(
        {"state_dict": network.state_dict(), "hyper_parameters": {"heads": 3, "net": network, "rate": 0.5}}, path
    )
    return path


def read(path, names=None):
    with CheckpointArchive(path) as archive:
        state = archive.state()
        return archive.tensors(state, {name: state[name].shape for name in names or state})


def rewritten(path, change):
    """The archive with its members changed: a function of name and content that gives new content, or None to leave it out."""
    with zipfile.ZipFile(path) as old:
        members = {name: old.read(name) for name in old.namelist()}
    with zipfile.ZipFile(path, "w") as new:
        for name, content in members.items():
            content = change(name.partition("/")[2], content)
            if content is not None:
                new.writestr(name, content)
    return path


def test_tensors_as_they_were_saved(checkpoint, network):
    given = read(checkpoint)
    expected = network.state_dict()
    assert set(given) == set(expected)
    assert all(torch.equal(given[name], expected[name]) for name in expected)
    assert given["1.num_batches_tracked"].dtype == torch.int64


def test_settings_that_are_plain_and_no_others(checkpoint):
    with CheckpointArchive(checkpoint) as archive:
        assert archive.setting("heads") == 3
        assert archive.setting("rate") == 0.5
        assert archive.setting("net") is None
        assert archive.setting("nothing") is None


def test_parts_of_a_storage_and_other_orders(tmp_path):
    whole = torch.randn(4, 3)
    saved = {
        "part": whole[1:3],
        "turned": whole.T,
        "half": whole.half(),
        "rough": whole.bfloat16(),
        "double": whole.double(),
    }
    torch.save(saved, tmp_path / "a.pt")
    given = read(tmp_path / "a.pt")
    for name, values in saved.items():
        assert given[name].dtype == torch.float32
        assert torch.equal(given[name], values.float())
    assert given["turned"].is_contiguous()


def test_a_file_on_a_link_is_read(checkpoint, tmp_path):
    (tmp_path / "link.ckpt").symlink_to(checkpoint)
    assert set(read(tmp_path / "link.ckpt")) == set(read(checkpoint))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300])
def test_numbers_that_are_not_finite_are_refused(tmp_path, value):
    torch.save({"w": torch.tensor([1.0, value], dtype=torch.float64)}, tmp_path / "a.pt")
    with pytest.raises(InputError, match=r"a.pt: w has values that are not finite; not imported"):
        read(tmp_path / "a.pt")


def test_the_shape_is_compared_before_memory_is_taken(tmp_path):
    # A single number that declares itself a thousand million.
    torch.save({"w": torch.zeros(1).expand(1_000_000_000)}, tmp_path / "a.pt")
    with CheckpointArchive(tmp_path / "a.pt") as archive:
        with pytest.raises(InputError, match=r"w has shape \(1000000000,\), \(5,\) is needed"):
            archive.tensors(archive.state(), {"w": (5,)})
        with pytest.raises(InputError, match="w does not lie without gaps in its storage of 1 numbers"):
            archive.tensors(archive.state(), {"w": (1_000_000_000,)})
        with pytest.raises(InputError, match="v is not there"):
            archive.tensors(archive.state(), {"v": (5,)})


def test_a_type_that_weights_are_not(tmp_path):
    torch.save({"w": torch.zeros(2, dtype=torch.complex64)}, tmp_path / "a.pt")
    with pytest.raises(InputError, match="w is of type ComplexFloatStorage, which weights are not"):
        read(tmp_path / "a.pt")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "has no weights under names"),
        ({"state_dict": {}}, "has no weights under names"),
        ({"state_dict": {"a": 1}}, "among its weights is a, which is no tensor"),
        ({"state_dict": {3: torch.zeros(1)}}, "something without a name, which is no tensor"),
        ({"state_dict": torch.nn.Linear(1, 1)}, "has no weights under names"),
    ],
)
def test_what_holds_no_weights(tmp_path, content, message):
    torch.save(content, tmp_path / "a.pt")
    with pytest.raises(InputError, match=message):
        read(tmp_path / "a.pt")


def test_a_bomb_is_not_unpacked(checkpoint):
    with zipfile.ZipFile(checkpoint) as old:
        members = {name: old.read(name) for name in old.namelist()}
    with zipfile.ZipFile(checkpoint, "w", zipfile.ZIP_DEFLATED) as new:
        for name, content in members.items():
            new.writestr(name, content if name.endswith("data.pkl") else b"\0" * 1_000_000)
    with pytest.raises(InputError, match="is compressed or encrypted, which torch does not write; not read"):
        read(checkpoint)


def test_members_that_do_not_fit_what_is_declared(checkpoint):
    rewritten(checkpoint, lambda name, content: content + b"\0" * 4 if name == "data/0" else content)
    with pytest.raises(InputError, match=r"0\.weight declares 35 numbers where 144 bytes lie"):
        read(checkpoint)
    rewritten(checkpoint, lambda name, content: None if name == "data/0" else content)
    with pytest.raises(InputError, match="damaged, data/0 is not in it"):
        read(checkpoint)


def test_the_other_byte_order(checkpoint):
    rewritten(checkpoint, lambda name, content: b"big" if name == "byteorder" else content)
    with pytest.raises(InputError, match="its numbers are of byte order b'big', only little is read"):
        read(checkpoint)


def test_a_pickle_of_gigabytes_is_not_read(checkpoint, monkeypatch):
    monkeypatch.setattr(checkpoint_archive, "MOST_PICKLE", 100)
    with pytest.raises(InputError, match=r"data.pkl has [\d,]+ bytes, at most 100 are read"):
        read(checkpoint)


def test_a_list_of_members_of_gigabytes_is_not_read(checkpoint, monkeypatch):
    monkeypatch.setattr(checkpoint_archive, "MOST_DIRECTORY", 100)
    with pytest.raises(InputError, match=r"damaged \(a list of members of [\d,]+ bytes\)"):
        read(checkpoint)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name(checkpoint):
    with zipfile.ZipFile(checkpoint, "a") as archive:
        archive.writestr("a/data.pkl", b"N.")
    with pytest.raises(InputError, match="two of one name"):
        read(checkpoint)


def test_another_archive(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.ckpt", "w") as archive:
        archive.writestr("x", "y")
    with pytest.raises(InputError, match="an archive, but not one of torch"):
        read(tmp_path / "a.ckpt")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty, or nothing but zeros"),
        (b"\0" * 100, "empty, or nothing but zeros"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n",
            "only the pointer to a file that Git LFS keeps",
        ),
        (b"<!DOCTYPE html>", "a page or text, not a checkpoint"),
        (b"\x93NUMPY\x01", "not a checkpoint of torch"),
    ],
)
def test_other_files(tmp_path, content, message):
    (tmp_path / "a.ckpt").write_bytes(content)
    with pytest.raises(InputError, match=message):
        read(tmp_path / "a.ckpt")


def test_the_layout_before_torch_1_6(tmp_path):
    torch.save({"w": torch.zeros(2)}, tmp_path / "a.pt", _use_new_zipfile_serialization=False)
    with pytest.raises(InputError, match=r"a pickle as torch wrote before version 1\.6"):
        read(tmp_path / "a.pt")


def test_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name, message in (("pipe", "a pipe, socket or device"), (".", "a folder"), ("none", "no such file")):
        with pytest.raises(InputError, match=message):
            read(tmp_path / name)


def test_whatever_is_cut_off_or_changed_it_is_read_or_refused_in_words(checkpoint, tmp_path, network):
    content, path = checkpoint.read_bytes(), tmp_path / "changed.ckpt"
    shapes = {name: tuple(values.shape) for name, values in network.state_dict().items()}
    draws, said = random.Random(0), []
    for turn in range(150):
        changed = bytearray(content)
        if turn % 3:
            for _ in range(draws.choice([1, 2, 30])):
                changed[draws.randrange(len(changed))] = draws.randrange(256)
        else:
            changed = changed[: draws.randrange(len(changed))]
        path.write_bytes(changed)
        try:
            with CheckpointArchive(path) as archive:
                archive.tensors(archive.state(), shapes)
        except InputError as error:
            said.append(str(error))
    assert len(said) > 75
    assert not [line for line in said if "\n" in line or len(line) > 900]
