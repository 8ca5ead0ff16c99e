"""Temporary folders: told apart from the user's, and those of the living from those of the killed."""

import os
import signal
import subprocess
import sys

import pytest

from transtar.out import stages
from transtar.out.stages import TEMPORARY, discard_temporaries, stage

HOLDER = """
import sys, time
from transtar.out.stages import stage
with stage(sys.argv[1]) as folder:
    (folder / "half").write_text("x")
    print(folder, flush=True)
    time.sleep(60)
"""


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_only_what_has_a_name_of_ours_goes(tmp_path):
    (tmp_path / f"{TEMPORARY}abcdefgh").mkdir()
    for name in ("half", ".lock"):
        (tmp_path / f"{TEMPORARY}abcdefgh" / name).touch()
    (tmp_path / f"{TEMPORARY}linklink").symlink_to(tmp_path)
    kept = [
        ".hidden",
        ".my-notes.txt",
        ".pre-commit-config.yaml",
        f"{TEMPORARY}12345678",
        f"{TEMPORARY}notes.txt",
        "keep",
    ]
    for name in kept:
        (tmp_path / name).touch()
    discard_temporaries(tmp_path)
    assert names(tmp_path) == sorted([*kept, f"{TEMPORARY}linklink"])
    discard_temporaries(tmp_path / "nowhere")


def test_a_folder_without_our_lock_is_not_ours(tmp_path):
    (tmp_path / f"{TEMPORARY}thesis_x").mkdir()
    (tmp_path / f"{TEMPORARY}thesis_x/thesis.tex").touch()
    (tmp_path / f"{TEMPORARY}abcdefgh").mkdir()
    discard_temporaries(tmp_path)
    assert names(tmp_path) == [f"{TEMPORARY}thesis_x"]


def test_it_vanishes_with_the_block(tmp_path):
    with pytest.raises(ValueError), stage(tmp_path) as folder:  # noqa: PT012
        assert folder.parent == tmp_path
        raise ValueError
    assert names(tmp_path) == []


def test_of_the_living_and_of_the_killed(tmp_path):
    """Two processes that write into one folder do not hurt each other; what a kill leaves goes."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, tmp_path], stdout=subprocess.PIPE, text=True)
    try:
        folder = process.stdout.readline().strip()
        with stage(tmp_path):
            discard_temporaries(tmp_path)
            assert len(names(tmp_path)) == 2
        assert os.path.exists(f"{folder}/half")
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert len(names(tmp_path)) == 1
    discard_temporaries(tmp_path)
    assert names(tmp_path) == []


def test_a_folder_that_is_discarded_before_it_is_locked(tmp_path, monkeypatch):
    """Another process may come between making and locking: then a second one is made."""
    lock, seen = stages._lock, []

    def late(path):
        seen.append(path)
        if len(seen) == 1:
            path.rmdir()
        return lock(path)

    monkeypatch.setattr(stages, "_lock", late)
    with stage(tmp_path) as folder:
        assert folder.is_dir()
        assert folder != seen[0]


def test_without_locks_leftovers_stay(tmp_path, monkeypatch):
    monkeypatch.setattr(stages, "fcntl", None)
    (tmp_path / f"{TEMPORARY}abcdefgh").mkdir()
    with stage(tmp_path):
        discard_temporaries(tmp_path)
    assert names(tmp_path) == [f"{TEMPORARY}abcdefgh"]
