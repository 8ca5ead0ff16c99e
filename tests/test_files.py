import errno
import os

import pytest

from transtar.errors import InputError, TranstarError
from transtar.files import atomic_folder, atomic_path, content_hash, discard_temporaries, read_json, write_json


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_atomic_path(tmp_path):
    path = tmp_path / "new" / "a.tar.gz"
    with atomic_path(path) as temporary:
        assert temporary.parent == path.parent
        assert temporary.name.endswith(".tar.gz")
        temporary.write_text("one")
        assert not path.exists()
    assert path.read_text() == "one"
    assert path.stat().st_mode & 0o777 == 0o666 & ~current_umask()
    assert names(path.parent) == ["a.tar.gz"]


def current_umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_atomic_folder_replaces(tmp_path):
    for text in ("one", "two"):
        with atomic_folder(tmp_path / "f") as temporary:
            (temporary / text).touch()
        assert names(tmp_path) == ["f"]
        assert names(tmp_path / "f") == [text]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, OSError(errno.EIO, "broken")])
@pytest.mark.parametrize("manager", [atomic_path, atomic_folder])
def test_an_error_leaves_the_old(tmp_path, manager, error):
    def write(error=None):
        with manager(tmp_path / "x") as temporary:
            target = temporary / "in" if temporary.is_dir() else temporary
            target.write_text("new" if error else "old")
            if error:
                raise error

    write()
    with pytest.raises(error if isinstance(error, type) else type(error)):
        write(error)
    assert names(tmp_path) == ["x"]
    old = tmp_path / "x"
    assert (old / "in" if old.is_dir() else old).read_text() == "old"


@pytest.mark.parametrize("manager", [atomic_path, atomic_folder])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EFBIG, errno.EDQUOT])
def test_a_full_disk_is_one_clear_line(tmp_path, manager, code):
    def write():
        with manager(tmp_path / "x"):
            raise OSError(code, os.strerror(code))

    with pytest.raises(TranstarError, match=f"x: not written, {os.strerror(code).lower()}; what stood there") as caught:
        write()
    assert "\n" not in str(caught.value)
    assert not names(tmp_path)


def test_a_parent_that_is_a_file(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be made a folder"):
        write_json(tmp_path / "file" / "a.json", 1)


def test_discard_temporaries(tmp_path):
    (tmp_path / ".a-xyz.parquet").touch()
    (tmp_path / ".b-xyz").mkdir()
    (tmp_path / "keep-me").touch()
    (tmp_path / ".hidden").touch()
    discard_temporaries(tmp_path)
    assert names(tmp_path) == [".hidden", "keep-me"]
    discard_temporaries(tmp_path / "nowhere")


def test_json(tmp_path):
    write_json(tmp_path / "a.json", {"é": [2**62 + 1, None, 0.1]})
    assert read_json(tmp_path / "a.json") == {"é": [2**62 + 1, None, 0.1]}
    for content in (b"{", b"\xff\xfe"):
        (tmp_path / "b.json").write_bytes(content)
        with pytest.raises(InputError, match="not a JSON file"):
            read_json(tmp_path / "b.json")
    with pytest.raises(InputError, match="no such file"):
        read_json(tmp_path / "c.json")


def test_content_hash():
    assert content_hash({"a": 1, "b": [2]}) == content_hash({"b": [2], "a": 1})
    assert content_hash({"a": 1}) != content_hash({"a": 2})
    assert len(content_hash(None)) == 16
