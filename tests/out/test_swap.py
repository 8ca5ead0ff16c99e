"""A new folder for an old one, killed after every single step: one of them is whole, and the user's things are there."""

import json
import os
import shutil
from pathlib import Path
from types import MappingProxyType

import pytest

from transtar.errors import InputError
from transtar.files import LIST, Marker, atomic_folder, files_to_go, write_text
from transtar.out import swap as module
from transtar.out.stages import TEMPORARY, discard_temporaries
from transtar.out.written import describe, write_list

OWN = ("one", "two", "both")


class Killed(BaseException):
    """Nothing may catch it, or clean up after it."""


def make(path, *files):
    with atomic_folder(path, files=OWN) as temporary:
        for name in files:
            (temporary / name).write_text(name + files[0])


def content(folder):
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(params=[True, False], ids=["exchange", "two renames"])
def old(request, tmp_path, monkeypatch):
    """A folder of ours with things of the user's in it."""
    if not request.param:
        monkeypatch.setattr(module, "_exchange", lambda one, other: False)
    elif module._renameat2() is None:
        pytest.skip("this system cannot exchange names")
    make(tmp_path / "f", "one", "both")
    (tmp_path / "f/plots").mkdir()
    (tmp_path / "f/plots/a.png").write_text("mine")
    (tmp_path / "f/notes").write_text("mine")
    return tmp_path / "f"


USERS = {"plots/a.png": "mine", "notes": "mine"}
BEFORE = {"one": "oneone", "both": "bothone"} | USERS
AFTER = {"two": "twotwo", "both": "bothtwo"} | USERS


def without_list(found):
    return {name: text for name, text in found.items() if name != LIST}


def test_swap(old):
    make(old, "two", "both")
    assert without_list(content(old)) == AFTER
    assert [path.name for path in old.parent.iterdir()] == ["f"]


def killed_at(step, monkeypatch, work):
    """Do `work` until the given call that changes names; True if it was killed there."""
    calls = 0

    def counted(function):
        def call(*arguments, **options):
            nonlocal calls
            calls += 1
            if calls > step:
                raise Killed
            return function(*arguments, **options)

        return call

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", counted(Path.rename))
        patched.setattr(module, "_exchange", counted(module._exchange))
        patched.setattr(os, "link", counted(os.link))
        # What a killed process would have done is not done.
        patched.setattr("transtar.out.stages._remove", lambda path: None)
        try:
            work()
        except Killed:
            return True
    return False


def test_killed_anywhere(old, tmp_path, monkeypatch):
    step, seen = 0, set()
    keep = old.parent / "keep"
    shutil.copytree(old, keep)
    while killed_at(step, monkeypatch, lambda: make(old, "two", "both")):
        # A copy is brought to an end as well, although its files are others and hard links are gone.
        copy = tmp_path / "copies" / str(step)
        shutil.copytree(old.parent, copy, symlinks=True, ignore=shutil.ignore_patterns("copies", "keep"))
        discard_temporaries(copy, "f")
        assert without_list(content(copy / "f")) in (BEFORE, AFTER), step
        make(copy / "f", "two", "both")
        assert without_list(content(copy / "f")) == AFTER
        assert [path.name for path in copy.iterdir()] == ["f"]
        discard_temporaries(old.parent, "f")
        found = without_list(content(old))
        assert found in (BEFORE, AFTER), step
        seen.add(found == AFTER)
        # And once more to the end.
        make(old, "two", "both")
        assert without_list(content(old)) == AFTER
        assert sorted(path.name for path in old.parent.iterdir()) == ["copies", "f", "keep"]
        shutil.rmtree(old)
        shutil.copytree(keep, old)
        step += 1
    assert step > 2
    assert seen == {True, False}


def test_what_comes_late_is_kept(old):
    with atomic_folder(old, files=OWN) as temporary:
        (temporary / "two").touch()
        (old / "late").write_text("mine")
    assert (old / "late").read_text() == "mine"


def test_where_hard_links_cannot_be(old, monkeypatch):
    def refuse(*arguments, **options):
        raise PermissionError

    monkeypatch.setattr(os, "link", refuse)
    make(old, "two", "both")
    assert without_list(content(old)) == AFTER


class TestFoldersWithin:
    """A folder of ours with one within, which goes with it."""

    INNER = Marker("about", "an inner one", files=("about", "weights"))
    OUTER = Marker("about", "an outer one", files=("about",), folders={"inner": INNER})
    USERS = MappingProxyType({"inner/plots/a.png": "mine", "inner/notes": "mine", "notes": "mine"})

    @pytest.fixture
    def outer(self, request, old):
        shutil.rmtree(old)
        self.write(old, "1")
        (old / "inner/plots").mkdir()
        for name, text in self.USERS.items():
            (old / name).write_text(text)
        return old

    def write(self, path, text):
        with atomic_folder(path, marker=self.OUTER) as temporary:
            inner = temporary / "inner"
            inner.mkdir()
            (inner / "about").write_text("{}")
            (inner / "weights").write_text(text)
            write_list(inner, {name: [describe(inner / name)] for name in ("about", "weights")})
            (temporary / "about").write_text(json.dumps({"says": text}))

    def expected(self, text):
        return {"about": json.dumps({"says": text}), "inner/about": "{}", "inner/weights": text} | dict(self.USERS)

    def content(self, path):
        return {name: text for name, text in content(path).items() if LIST not in name}

    def test_killed_anywhere(self, outer, tmp_path, monkeypatch):
        keep, step, seen = outer.parent / "keep", 0, set()
        shutil.copytree(outer, keep)
        while killed_at(step, monkeypatch, lambda: self.write(outer, "2")):
            discard_temporaries(outer.parent, "f")
            whole = self.content(outer)
            assert whole in (self.expected("1"), self.expected("2")), step
            seen.add(whole == self.expected("2"))
            self.write(outer, "2")
            assert self.content(outer) == self.expected("2")
            assert sorted(path.name for path in outer.parent.iterdir()) == ["f", "keep"]
            shutil.rmtree(outer)
            shutil.copytree(keep, outer)
            step += 1
        assert step > 4
        assert seen == {True, False}

    def test_what_others_of_ours_wrote_there_stays_ours(self, outer):
        write_text(outer / "inner/table.csv", "1")
        outer.chmod(0o700)
        (outer / "inner").chmod(0o750)
        self.write(outer, "2")
        assert (outer / "inner").stat().st_mode & 0o777 == 0o750
        write_text(outer / "inner/table.csv", "2")
        assert (outer / "inner/table.csv").read_text() == "2"

    def test_what_was_changed_is_not_lost(self, outer):
        (outer / "inner/weights").write_text("better")
        with pytest.raises(InputError, match="inner/weights: exists and has been changed since transtar wrote it"):
            self.write(outer, "2")
        assert self.content(outer) == self.expected("1") | {"inner/weights": "better"}


@pytest.mark.parametrize("text", ["", "[]", '{"name": "../../x", "new": 1, "goes": []}', '{"name": "f", "new": 1}'])
def test_a_journal_that_is_none(tmp_path, text):
    folder = tmp_path / "in" / f"{TEMPORARY}abcdefgh"
    (folder / "old").mkdir(parents=True)
    (folder / ".lock").touch()
    (folder / ".swap.json").write_text(text)
    discard_temporaries(tmp_path / "in")
    assert not list((tmp_path / "in").iterdir())
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_what_is_ours_and_was_changed_is_not_lost(old):
    (old / "both").write_text("better")
    with pytest.raises(InputError, match="both: exists and has been changed since transtar wrote it"):
        make(old, "two", "both")
    assert (old / "both").read_text() == "better"


def test_what_cannot_be_told_apart_is_left_alone(old, monkeypatch, caplog):
    """As where a copy lacks the lists: neither folder has the mark of the journal."""
    assert killed_at(2, monkeypatch, lambda: make(old, "two"))
    for path in old.parent.rglob(LIST):
        path.unlink()
    before = content(old.parent)
    for _ in range(2):
        discard_temporaries(old.parent, "f")
        assert content(old.parent) == before
    assert "it cannot be told what in it is the old" in caplog.text


@pytest.fixture
def stuck(monkeypatch):
    """A folder that cannot be moved, as one that is read-only cannot by anybody but root."""
    rename = Path.rename

    def refuse(self, target):
        if self.name == "stuck":
            raise PermissionError(13, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    return "stuck"


def test_a_swap_that_fails_puts_the_old_folder_back(old, stuck):
    (old / stuck).mkdir()
    (old / stuck / "a").write_text("mine")
    before = content(old)
    with pytest.raises(InputError, match=r"could not be taken over \(Permission denied\); it is as it was before"):
        make(old, "two", "both")
    assert content(old) == before
    assert [path.name for path in old.parent.iterdir()] == ["f"]


def test_what_can_go_neither_way_is_put_aside(old, stuck, monkeypatch):
    def refuse(old, path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(module, "_put_back", refuse)
    (old / stuck).mkdir()
    (old / stuck / "a").write_text("mine")
    with pytest.raises(InputError, match=r"could not be moved over .*; it lies in .*transtar-old-"):
        make(old, "two", "both")
    discard_temporaries(old.parent)
    assert [path.read_text() for path in old.parent.rglob("stuck/a")] == ["mine"]


def test_a_folder_that_cannot_be_moved_is_refused_at_the_beginning(old, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "plots")
    with pytest.raises(
        InputError, match=r"plots: is read-only, .* make it writable \(chmod u\+w\), move it, or choose"
    ):
        files_to_go(old, (), OWN)


def test_permissions_stay(old):
    old.chmod(0o700)
    make(old, "two", "both")
    assert old.stat().st_mode & 0o777 == 0o700
