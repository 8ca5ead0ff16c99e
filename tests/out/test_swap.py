"""A new folder for an old one, killed after every single step: one of them is whole, and the user's things are there."""

import os
import shutil
from pathlib import Path

import pytest

from transtar.errors import InputError
from transtar.files import LIST, atomic_folder
from transtar.out import swap as module
from transtar.out.stages import TEMPORARY, discard_temporaries

OWN = ("one", "two", "both")


class Killed(BaseException):
    """Nothing may catch it, or clean up after it."""


def make(path, *files):
    with atomic_folder(path, own=OWN) as temporary:
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


def test_killed_anywhere(old, monkeypatch):
    step, seen = 0, set()
    keep = old.parent / "keep"
    shutil.copytree(old, keep)
    while killed_at(step, monkeypatch, lambda: make(old, "two", "both")):
        discard_temporaries(old.parent, "f")
        found = without_list(content(old))
        assert found in (BEFORE, AFTER), step
        seen.add(found == AFTER)
        # And once more to the end.
        make(old, "two", "both")
        assert without_list(content(old)) == AFTER
        assert sorted(path.name for path in old.parent.iterdir()) == ["f", "keep"]
        shutil.rmtree(old)
        shutil.copytree(keep, old)
        step += 1
    assert step > 2
    assert seen == {True, False}


def test_what_comes_late_is_kept(old):
    with atomic_folder(old, own=OWN) as temporary:
        (temporary / "two").touch()
        (old / "late").write_text("mine")
    assert (old / "late").read_text() == "mine"


def test_where_hard_links_cannot_be(old, monkeypatch):
    def refuse(*arguments, **options):
        raise PermissionError

    monkeypatch.setattr(os, "link", refuse)
    make(old, "two", "both")
    assert without_list(content(old)) == AFTER


@pytest.mark.parametrize("text", ["", "[]", '{"name": "../../x", "new": 1, "goes": []}', '{"name": "f", "new": 1}'])
def test_a_journal_that_is_none(tmp_path, text):
    folder = tmp_path / "in" / f"{TEMPORARY}abcdefgh"
    (folder / "old").mkdir(parents=True)
    (folder / ".swap.json").write_text(text)
    discard_temporaries(tmp_path / "in")
    assert not list((tmp_path / "in").iterdir())
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_what_is_ours_and_was_changed_is_not_lost(old):
    (old / "both").write_text("better")
    with pytest.raises(InputError, match="both: exists and has been changed since transtar wrote it"):
        make(old, "two", "both")
    assert (old / "both").read_text() == "better"


def test_permissions_stay(old):
    old.chmod(0o700)
    make(old, "two", "both")
    assert old.stat().st_mode & 0o777 == 0o700
