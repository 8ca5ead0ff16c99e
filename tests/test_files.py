import errno
import os

import pytest

from transtar.errors import InputError, TranstarError
from transtar.files import (
    LIST,
    MOST_JSON,
    Marker,
    atomic_folder,
    atomic_path,
    check_replaceable,
    content_hash,
    read_json,
    write_json,
)

MARKER = Marker("set.json", "a set", files=("*.parquet",), says={"format": "a set"})


def names(folder):
    """All but the list of what was written, which is always there."""
    return sorted(path.name for path in folder.iterdir() if path.name != LIST)


def test_atomic_path(tmp_path):
    path = tmp_path / "new" / "a.tar.gz"
    with atomic_path(path) as temporary:
        assert temporary.parent.parent == path.parent
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
        with atomic_folder(tmp_path / "f", files=("o*", "two")) as temporary:
            (temporary / text).touch()
        assert names(tmp_path) == ["f"]
        assert names(tmp_path / "f") == [text]


def test_what_is_not_ours_is_kept(tmp_path):
    """Notes, folders, links and files that came while the new folder was made: all are in it."""
    old = tmp_path / "f"
    with atomic_folder(old, files=("*.parquet",)) as temporary:
        (temporary / "one.parquet").write_text("new")
    (old / "plots").mkdir(parents=True)
    for name in ("mine.parquet", "notes.txt", ".hidden", "plots/a.png"):
        (old / name).write_text("old")
    (tmp_path / "elsewhere").mkdir()
    (old / "link").symlink_to(tmp_path / "elsewhere")
    with atomic_folder(old, files=("*.parquet",)) as temporary:
        (temporary / "two.parquet").write_text("new")
        (old / "late.txt").write_text("old")
    assert names(tmp_path) == ["elsewhere", "f"]
    assert names(old) == [".hidden", "late.txt", "link", "mine.parquet", "notes.txt", "plots", "two.parquet"]
    assert (old / "plots/a.png").read_text() == (old / "late.txt").read_text() == "old"
    assert (old / "link").is_symlink()


def test_a_folder_in_the_way_of_a_file(tmp_path):
    (tmp_path / "f/set.json").mkdir(parents=True)
    (tmp_path / "f/set.json/mine").touch()
    with pytest.raises(InputError, match="in the way"), atomic_folder(tmp_path / "f") as temporary:
        (temporary / "set.json").touch()
    assert names(tmp_path / "f/set.json") == ["mine"]
    assert names(tmp_path) == ["f"]


def test_links_are_not_followed(tmp_path):
    """What OUT links to, outside of it, is neither overwritten nor deleted; nor is the link, which is the user's."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/a").write_text("mine")
    (tmp_path / "file").symlink_to(tmp_path / "outside/a")
    with pytest.raises(InputError, match="file: exists and was not written by transtar"):
        write_json(tmp_path / "file", 1)
    write_json(tmp_path / "file", 1, ours=True)
    assert not (tmp_path / "file").is_symlink()
    for target in ("outside", "nowhere"):
        link = tmp_path / f"to-{target}"
        link.symlink_to(tmp_path / target)
        with pytest.raises(InputError, match="is a link"), atomic_folder(link, files=("a",)):
            pass
        with pytest.raises(InputError, match="is a link"):
            check_replaceable(link, MARKER)
    assert (tmp_path / "outside/a").read_text() == "mine"


@pytest.mark.parametrize("name", ["", ".", "folder", "x" * 300, "a\0b"])
def test_a_name_that_no_file_can_have(tmp_path, monkeypatch, name):
    """Said before the work, not after it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match=r"is a folder|cannot be written"), atomic_path(name):
        pytest.fail("the work has begun")
    assert names(tmp_path) == ["folder"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
@pytest.mark.parametrize("manager", [atomic_path, atomic_folder])
def test_a_folder_that_is_read_only(tmp_path, manager):
    tmp_path.chmod(0o555)
    with pytest.raises(InputError, match="x: cannot be written"), manager(tmp_path / "x"):
        pytest.fail("the work has begun")


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


def test_json(tmp_path):
    write_json(tmp_path / "a.json", {"é": [2**62 + 1, None, 0.1]})
    assert read_json(tmp_path / "a.json") == {"é": [2**62 + 1, None, 0.1]}
    for content in (b"{", b"\xff\xfe"):
        (tmp_path / "b.json").write_bytes(content)
        with pytest.raises(InputError, match="not a JSON file"):
            read_json(tmp_path / "b.json")
    with pytest.raises(InputError, match="no such file"):
        read_json(tmp_path / "c.json")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1, "b": {"a": 1, "a": 2}}', "the key 'a' stands twice"),
        ("[" * 200_000, "not a JSON file"),
        ('{"a":' * 200_000, "not a JSON file"),
        ("9" * 10_000, "not a JSON file"),
        (" " * (MOST_JSON + 1), "longer than"),
    ],
)
def test_json_of_a_stranger(tmp_path, text, message):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_json(tmp_path / "a.json")
    assert len(str(caught.value)) < 500


def test_content_hash():
    assert content_hash({"a": 1, "b": [2]}) == content_hash({"b": [2], "a": 1})
    assert content_hash({"a": 1}) != content_hash({"a": 2})
    assert len(content_hash(None)) == 16
