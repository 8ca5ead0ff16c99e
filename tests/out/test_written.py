"""The list by which transtar knows its own files."""

import json
import os

import pytest

from transtar.errors import InputError
from transtar.files import atomic_folder, atomic_path, write_text
from transtar.out import written
from transtar.out.written import LIST, read_written


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_we_wrote_may_be_replaced(tmp_path):
    for text in ("one", "two", "two", "three"):
        write_text(tmp_path / "a.csv", text)
        assert (tmp_path / "a.csv").read_text() == text
    assert names(tmp_path) == [LIST, "a.csv"]
    assert list(read_written(tmp_path)) == ["a.csv"]


def test_what_another_wrote_may_not(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with (
        pytest.raises(InputError, match=r"thesis.tex: exists and was not written by transtar; move or delete it, or"),
        atomic_path(tmp_path / "thesis.tex"),
    ):
        pytest.fail("the work has begun")
    assert names(tmp_path) == ["thesis.tex"]
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_what_was_changed_may_not(tmp_path):
    write_text(tmp_path / "a.csv", "one")
    os.utime(tmp_path / "a.csv", (1, 1))
    write_text(tmp_path / "a.csv", "two")
    (tmp_path / "a.csv").write_text("my")
    with pytest.raises(InputError, match="has been changed since transtar wrote it"):
        write_text(tmp_path / "a.csv", "three")
    (tmp_path / "a.csv").write_text("mio")
    with pytest.raises(InputError, match="has been changed since transtar wrote it"):
        write_text(tmp_path / "a.csv", "three")
    assert (tmp_path / "a.csv").read_text() == "mio"


def test_what_came_during_the_work_may_not(tmp_path):
    with pytest.raises(InputError, match="was not written"), atomic_path(tmp_path / "a.csv") as temporary:  # noqa: PT012
        temporary.write_text("ours")
        (tmp_path / "a.csv").write_text("theirs")
    assert (tmp_path / "a.csv").read_text() == "theirs"
    assert names(tmp_path) == ["a.csv"]


def test_nothing_is_lost_by_these(tmp_path):
    """An empty file, and one that has the new content already."""
    (tmp_path / "empty").touch()
    write_text(tmp_path / "empty", "new")
    with atomic_path(tmp_path / "same") as temporary:
        temporary.write_text("new")
        (tmp_path / "same").write_text("new")
    assert (tmp_path / "same").read_text() == "new"


def test_a_link_to_our_own_file_is_the_users(tmp_path):
    (tmp_path / "here").mkdir()
    write_text(tmp_path / "here/a.csv", "one")
    (tmp_path / "here/a.csv").rename(tmp_path / "b.csv")
    (tmp_path / "here/a.csv").symlink_to(tmp_path / "b.csv")
    with pytest.raises(InputError, match="exists and"):
        write_text(tmp_path / "here/a.csv", "two")
    assert (tmp_path / "b.csv").read_text() == "one"


def test_killed_between_the_list_and_the_file(tmp_path, monkeypatch):
    """The old file stands there, and is still known; so is the new one."""
    write_text(tmp_path / "a.csv", "one")

    class Killed(BaseException):
        pass

    replace = written.Path.replace

    def kill(self, target):
        if self.name == "a.csv":
            raise Killed
        return replace(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(written.Path, "replace", kill)
        with pytest.raises(Killed):
            write_text(tmp_path / "a.csv", "two")
    assert (tmp_path / "a.csv").read_text() == "one"
    write_text(tmp_path / "a.csv", "three")
    assert (tmp_path / "a.csv").read_text() == "three"


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", json.dumps({"format": "transtar-written", "files": {"a": [1]}}), '{"files": {}}']
)
def test_a_damaged_list(tmp_path, text):
    (tmp_path / LIST).write_text(text)
    with pytest.raises(InputError) as caught:
        write_text(tmp_path / "a.csv", "one")
    assert str(tmp_path / LIST) in str(caught.value)
    assert names(tmp_path) == [LIST]


def test_a_copy_is_known(tmp_path):
    """By its content: times and inodes are others."""
    (tmp_path / "one").mkdir()
    write_text(tmp_path / "one/a.csv", "one")
    (tmp_path / "two").mkdir()
    for name in (LIST, "a.csv"):
        (tmp_path / "two" / name).write_bytes((tmp_path / "one" / name).read_bytes())
    write_text(tmp_path / "two/a.csv", "two")


def test_large_files_are_not_read_again(tmp_path, monkeypatch):
    monkeypatch.setattr(written, "LARGE", 3)
    write_text(tmp_path / "a.csv", "one")
    entries = read_written(tmp_path)
    monkeypatch.setattr(written, "describe", lambda path: pytest.fail("it was read"))
    assert written.current(tmp_path / "a.csv", entries) == entries["a.csv"][0]


def test_a_file_that_its_owner_has_made_read_only_stays(tmp_path):
    write_text(tmp_path / "a.csv", "one")
    (tmp_path / "a.csv").chmod(0o444)
    with pytest.raises(InputError, match=r"a\.csv: is read-only; make it writable"):
        write_text(tmp_path / "a.csv", "two")
    assert (tmp_path / "a.csv").read_text() == "one"


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root may give files away")
def test_owner_and_group_stay(tmp_path):
    with atomic_folder(tmp_path / "f", files=("*",)) as temporary:
        (temporary / "a").write_text("one")
    write_text(tmp_path / "b", "one")
    for path in (tmp_path / "f", tmp_path / "f/a", tmp_path / "b"):
        os.chown(path, 1234, 4321)
    (tmp_path / "f").chmod(0o2775)
    with atomic_folder(tmp_path / "f", files=("*",)) as temporary:
        (temporary / "a").write_text("two")
    write_text(tmp_path / "b", "two")
    for path in (tmp_path / "f", tmp_path / "f/a", tmp_path / "b"):
        assert (path.stat().st_uid, path.stat().st_gid) == (1234, 4321)
    assert (tmp_path / "f").stat().st_mode & 0o7777 == 0o2775
    assert (tmp_path / "f/a").read_text() == (tmp_path / "b").read_text() == "two"
