"""What is refused before the work begins."""

import json
import os

import pytest

from transtar.errors import InputError
from transtar.files import LIST, Marker, atomic_folder, check_files, check_replaceable, check_writable, write_text
from transtar.out.check import refuse_inputs
from transtar.seal import file_hash, is_as_noted, sealed

MARKER = Marker(
    "set.json",
    "a set",
    files=("set.json", "*.parquet"),
    says={"format": "ours"},
    keys=("n",),
    vouched=lambda folder, found: ["a.parquet"] if is_as_noted(folder / "a.parquet", found["a"]) else [],
)
OURS = {"format": "ours", "n": 1}


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_may_be_replaced(tmp_path, monkeypatch):
    for name in ("empty", "set", "other"):
        (tmp_path / name).mkdir()
    (tmp_path / "set/set.json").write_text(json.dumps(sealed(OURS | {"a": ""})))
    (tmp_path / "other/thesis.tex").touch()
    for name in ("new", "empty", "set"):
        check_replaceable(tmp_path / name, MARKER)
    for name in ("other", "other/thesis.tex", "/"):
        with pytest.raises(InputError, match="exists and is not a set; choose another name for --out"):
            check_replaceable(tmp_path / name, MARKER)
    for name in ("a\0b", "x" * 300):
        with pytest.raises(InputError, match="cannot be written"):
            check_replaceable(tmp_path / name, MARKER)
    monkeypatch.chdir(tmp_path / "set")
    for name in (".", "../set", tmp_path / "set"):
        with pytest.raises(InputError, match="the command runs in it"):
            check_replaceable(name, MARKER)
    assert names(tmp_path) == ["empty", "other", "set"]


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"name": "my-app", "version": 3}', '{"format": "theirs", "n": 1}', '{"format": "ours"}']
)
def test_a_marker_must_be_ours_by_content(tmp_path, text):
    (tmp_path / "f").mkdir()
    (tmp_path / "f/set.json").write_text(text)
    (tmp_path / "f/a.parquet").write_text("mine")
    with pytest.raises(InputError, match="exists and is not a set"):
        check_replaceable(tmp_path / "f", MARKER)
    with pytest.raises(InputError, match="exists and is not a set"), atomic_folder(tmp_path / "f", marker=MARKER):
        pass
    assert (tmp_path / "f/set.json").read_text() == text
    assert (tmp_path / "f/a.parquet").read_text() == "mine"


def test_a_marker_that_changes_during_the_work(tmp_path):
    (tmp_path / "f").mkdir()
    with pytest.raises(InputError, match="is not a set"), atomic_folder(tmp_path / "f", marker=MARKER) as temporary:  # noqa: PT012
        (temporary / "set.json").write_text(json.dumps(OURS))
        (tmp_path / "f/set.json").write_text("{}")
    assert (tmp_path / "f/set.json").read_text() == "{}"
    assert names(tmp_path) == ["f"]


def make(folder):
    with atomic_folder(folder, marker=MARKER) as temporary:
        (temporary / "a.parquet").write_text("data")
        write_text(
            temporary / "set.json", json.dumps(sealed(OURS | {"a": file_hash(temporary / "a.parquet")})), ours=True
        )


def test_a_copy_without_its_list_is_known_by_its_checksums(tmp_path):
    make(tmp_path / "f")
    (tmp_path / "f/notes").write_text("mine")
    (tmp_path / "f" / LIST).unlink()
    check_replaceable(tmp_path / "f", MARKER)
    with atomic_folder(tmp_path / "f", marker=MARKER) as temporary:
        (temporary / "set.json").write_text(json.dumps(OURS))
    assert names(tmp_path / "f") == [LIST, "notes", "set.json"]


def edit(folder):
    (folder / "a.parquet").write_text("better")


def plant(folder):
    (folder / "set.json").write_text(json.dumps(OURS))


def link(folder):
    (folder / "a.parquet").rename(folder.parent / "elsewhere")
    (folder / "a.parquet").symlink_to(folder.parent / "elsewhere")


def add(folder):
    (folder / "b.parquet").write_text("mine")


@pytest.mark.parametrize("change", [edit, plant, link, add])
def test_a_copy_without_its_list_is_the_users_where_no_checksum_fits(tmp_path, change):
    """Also a description without a checksum of itself, as anybody can write it, and the first layouts had."""
    make(tmp_path / "f")
    (tmp_path / "f" / LIST).unlink()
    change(tmp_path / "f")
    before = {path.name: path.read_bytes() for path in (tmp_path / "f").iterdir()}
    with pytest.raises(InputError, match=r"exists and cannot be told to be as transtar wrote it .*; move or delete it"):
        check_replaceable(tmp_path / "f", MARKER)
    with pytest.raises(InputError, match="cannot be told"):
        make(tmp_path / "f")
    assert {path.name: path.read_bytes() for path in (tmp_path / "f").iterdir()} == before


def test_what_would_be_read_as_part_of_it_is_in_the_way(tmp_path):
    """With a list, too: the new folder would be described without it, and not be readable."""
    make(tmp_path / "f")
    (tmp_path / "f/b.parquet").write_text("mine")
    with pytest.raises(InputError, match=r"b\.parquet: exists and was not written by transtar"):
        check_replaceable(tmp_path / "f", MARKER)
    (tmp_path / "f/b.parquet").unlink()
    (tmp_path / "f/b.parquet").mkdir()
    with pytest.raises(InputError, match=r"b\.parquet: is in the way"):
        check_replaceable(tmp_path / "f", MARKER)


def test_a_card_that_the_user_has_written_on(tmp_path):
    with atomic_folder(tmp_path / "f", marker=MARKER) as temporary:
        (temporary / "set.json").write_text(json.dumps(OURS))
    (tmp_path / "f/set.json").write_text(json.dumps(OURS | {"mine": "a note"}))
    with pytest.raises(InputError, match=r"set\.json: exists and has been changed since transtar wrote it"):
        check_replaceable(tmp_path / "f", MARKER)


def test_inputs(tmp_path, monkeypatch):
    """Under whatever name: relative, a link, a hard link, a pattern, with a column or a kind."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stars.csv").write_text("mine")
    (tmp_path / "link.csv").symlink_to("stars.csv")
    os.link("stars.csv", "hard.csv")
    for given in (
        "stars.csv",
        tmp_path / "stars.csv",
        "./link.csv",
        "hard.csv",
        "st*.csv",
        "stars.csv:rv",
        "lamost=stars.csv",
    ):
        for out in ("stars.csv", "link.csv", "hard.csv"):
            with pytest.raises(InputError, match="is read and cannot be written over"):
                check_files([out], [None, given])
    refuse_inputs(tmp_path / "other.csv", ["stars.csv", "no.csv", "a\0b", "no*.csv", "", "x" * 5000])


def test_inside_of_what_is_read(tmp_path):
    (tmp_path / "set/sub").mkdir(parents=True)
    (tmp_path / "set/set.json").touch()
    (tmp_path / "link").symlink_to(tmp_path / "set")
    for out in ("set/new.csv", "set/sub/new.csv", "link/new.csv"):
        with pytest.raises(InputError, match="belongs to a prepared set or model that is read"):
            check_files([tmp_path / out], [tmp_path / "set"])
    refuse_inputs(tmp_path / "new.csv", [tmp_path / "set"])
    with pytest.raises(InputError, match=r"holds .*set\.json, which is read"):
        refuse_inputs(tmp_path / "set", [tmp_path / "set/set.json"], replaced=True)


def test_files(tmp_path):
    write_text(tmp_path / "ours", "x")
    (tmp_path / "theirs").write_text("x")
    check_files([tmp_path / "ours", tmp_path / "new", tmp_path / "new-folder/new"])
    for name, message in (
        ("theirs", "was not written by transtar"),
        (".", "is a folder"),
        ("ours/new", "cannot be made"),
    ):
        with pytest.raises(InputError, match=message):
            check_files([tmp_path / "ours", tmp_path / name])
    assert names(tmp_path) == [LIST, "ours", "theirs"]


@pytest.mark.parametrize(
    "check", [lambda path: check_files([path / "new"]), lambda path: check_replaceable(path, MARKER)]
)
def test_where_nothing_can_be_written(tmp_path, monkeypatch, check):
    """Found before the work: the parent that exists is tried, and nothing stays there."""

    def refuse(*arguments, **options):
        raise OSError(30, "Read-only file system")

    check(tmp_path / "not/yet")
    assert names(tmp_path) == []
    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    with pytest.raises(InputError, match=r"cannot be written \(read-only file system"):
        check(tmp_path / "not/yet")


def test_what_a_killed_check_left_goes_with_the_next(tmp_path):
    """Where a folder is replaced, its own leftovers, too; where none is yet, those in the place that was tried."""
    for place in (tmp_path / "f", tmp_path):
        make(tmp_path / "f")
        (place / ".transtar-tmp-abcdefgh").mkdir()
        (place / ".transtar-tmp-abcdefgh/.lock").touch()
        check_replaceable(tmp_path / ("f" if place.name == "f" else "a/b/c"), MARKER)
        assert not list(tmp_path.rglob(".transtar-tmp-*"))


def test_names_that_cannot_be_written_down(tmp_path):
    name = os.fsdecode(b"c\xfe.csv")
    for check in (lambda path: check_files([path]), lambda path: check_replaceable(path, MARKER), check_writable):
        for path in (tmp_path / name, tmp_path / name / "new"):
            with pytest.raises(InputError, match="is no name in UTF-8") as caught:
                check(path)
            str(caught.value).encode()
    assert names(tmp_path) == []


def test_a_folder_that_goes_by_its_parent(tmp_path):
    for name in ("new/sub/..", "..", "f/.."):
        with pytest.raises(InputError, match=r"ends in '\.\.'; give the name of the folder itself"):
            check_replaceable(tmp_path / name, MARKER)
    assert names(tmp_path) == []


def test_all_files_in_the_way_are_named(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.csv").write_text("mine")
    with pytest.raises(InputError, match=r"a/x\.csv: exists .* \(so are 3 files: a/x\.csv, b/x\.csv, c/x\.csv\)"):
        check_files([tmp_path / name / "x.csv" for name in ("a", "b", "c")])
