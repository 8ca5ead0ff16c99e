import bz2
import gzip
import lzma
import os
import socket

import numpy as np
import pytest

from transtar.content import EXPANSION, FREE, open_bytes, read_bytes
from transtar.errors import InputError
from transtar.regular import open_regular

MODULES = {"gzip": gzip, "bzip2": bz2, "xz": lzma}
CONTENT = np.random.default_rng(1).bytes(300_000) + b"a" * 3_000_000


@pytest.mark.parametrize("name", MODULES)
def test_compressed_content_whole_and_in_several_streams(tmp_path, name):
    packed = MODULES[name].compress(CONTENT)
    path = tmp_path / "a"
    path.write_bytes(packed)
    assert read_bytes(path) == CONTENT
    path.write_bytes(packed + MODULES[name].compress(b"more") + bytes(5000))
    assert read_bytes(path) == CONTENT + b"more"
    with open_bytes(path) as file:
        assert [file.read(5), file.read(300_000 - 5)] == [CONTENT[:5], CONTENT[5:300_000]]


@pytest.mark.parametrize("name", MODULES)
def test_damage_never_shortens_a_compressed_file(tmp_path, name):
    """The standard library takes a damaged second stream of bzip2 or xz for the end of the file."""
    packed = MODULES[name].compress(CONTENT)
    path = tmp_path / "a"
    bad = {
        "truncated": [packed[:-1], packed[: len(packed) // 2], packed[:12], packed + packed[:-4]],
        "damaged": [packed + b"X" + packed[1:], packed + b"junk" * 9, packed[:2000] + b"?" + packed[2001:]],
    }
    for problem, contents in bad.items():
        for content in contents:
            path.write_bytes(content)
            with pytest.raises(InputError, match=f"{problem} {name} file") as caught:
                read_bytes(path)
            assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize("name", MODULES)
def test_bombs(tmp_path, name, monkeypatch):
    monkeypatch.setattr("transtar.content.FREE", 1 << 20)
    path = tmp_path / "a"
    path.write_bytes(MODULES[name].compress(bytes(1 << 24)))
    assert path.stat().st_size * EXPANSION < 1 << 24
    with pytest.raises(InputError, match="nothing of stars shrinks as far"):
        read_bytes(path)
    assert FREE == 1 << 28


def test_only_regular_files_are_opened(tmp_path):
    """Opening a pipe would wait for ever, reading a device never end."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "circle").symlink_to("circle")
    with socket.socket(socket.AF_UNIX) as server:
        # The path of a socket must be short.
        before = os.getcwd()
        os.chdir(tmp_path)
        server.bind("socket")
        os.chdir(before)
        for name in ("pipe", "socket"):
            with pytest.raises(InputError, match="a pipe, socket or device, not a file"):
                open_regular(tmp_path / name)
    with pytest.raises(InputError, match="a folder, not a file"):
        open_regular(tmp_path)
    with pytest.raises(InputError, match="no such file"):
        open_regular(tmp_path / "absent")
    with pytest.raises(InputError, match=r"cannot be read \(Too many levels of symbolic links\)"):
        open_regular(tmp_path / "circle")
