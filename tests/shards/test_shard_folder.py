import json
import os
import threading

import pytest

from transtar.errors import InputError, MismatchError
from transtar.shards import Part, ShardFolder, list_sources, read_manifest, shard_folder
from transtar.shards.shard_record import read_record

from . import works
from .runs import made_files, run, shards, small_tasks


@pytest.fixture(autouse=True)
def small(monkeypatch):
    small_tasks(monkeypatch)


def test_a_run_from_nothing(tmp_path):
    files = made_files(tmp_path / "in", bad=[3])
    records, folder = run(tmp_path / "out", files)
    assert [record.number for record in records] == [0, 1, 2, 3, 4]
    assert sum(record.n for record in records) == 8
    assert "".join(shards(tmp_path / "out").values()).split() == [
        word for path in sorted(files) if path.name.startswith("spec") for word in (path.name, path.read_text())
    ]
    states = {one.path: one for record in records for one in record.files}
    bad = states[str(tmp_path / "in" / "bad-3")]
    assert (bad.state, bad.n) == ("failed", 0)
    assert "is bad" in bad.message
    assert len(bad.head) == 64
    manifest = read_manifest(tmp_path / "out")
    assert manifest["what"] == {"models": ["a"]}
    assert [one["rows"] for one in manifest["outputs"]] == [record.n for record in folder.all_records()]


def test_what_is_done_is_not_done_again(tmp_path):
    files = made_files(tmp_path / "in")
    run(tmp_path / "out", files)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "shards").iterdir()}
    records, folder = run(tmp_path / "out", files, work=works.refusing)
    assert records == []
    assert len(folder.all_records()) == 5
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "shards").iterdir()} == before


@pytest.mark.parametrize(
    "damage", ["shard gone", "shard shorter", "record gone", "record half", "record of others", "file changed"]
)
def test_what_is_not_as_noted_is_made_anew(tmp_path, damage, caplog):
    files, out = made_files(tmp_path / "in"), tmp_path / "out"
    run(out, files)
    shard, record = out / "shards" / "000002.txt", out / "shards" / "000002.json"
    content = shards(out)
    if damage == "shard gone":
        shard.unlink()
    elif damage == "shard shorter":
        shard.write_text("x")
    elif damage == "record gone":
        record.unlink()
    elif damage == "record half":
        record.write_text(record.read_text()[:100])
    elif damage == "record of others":
        text = record.read_text().replace("spec-4", "spec-7")
        record.write_text(text)
    else:
        files[4].write_text("new")
        content["000002.txt"] = content["000002.txt"].replace("16", "new")
    records, _ = run(out, files)
    assert [one.number for one in records] == [2]
    assert shards(out) == content
    assert (damage == "record gone") == (not caplog.records)


def test_new_files_are_told_and_left_out_and_rows_of_lost_ones_kept(tmp_path, caplog):
    files, out = made_files(tmp_path / "in"), tmp_path / "out"
    run(out, files)
    content = shards(out)
    (tmp_path / "in" / "spec-99").write_text("9")
    files[0].unlink()
    records, _ = run(out, sorted((tmp_path / "in").iterdir()))
    assert records == []
    assert shards(out) == content
    assert "1 files are new since the run began" in caplog.text
    assert "1 files of the run are gone" in caplog.text


def test_other_settings_are_refused_by_name(tmp_path):
    files = made_files(tmp_path / "in")
    run(tmp_path / "out", files, what={"models": ["a"], "quality": {"snr": 10.0}})
    with pytest.raises(MismatchError, match=r"begun with other settings: quality.snr 10.0, now 20.0"):
        run(tmp_path / "out", files, what={"models": ["a"], "quality": {"snr": 20.0}})


def test_folders_of_others_are_refused(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("mine")
    with pytest.raises(InputError, match="is not the folder of a run in shards"):
        run(tmp_path / "out", made_files(tmp_path / "in"))
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="file: exists and is not"):
        run(tmp_path / "file", made_files(tmp_path / "in"))
    assert (tmp_path / "out" / "thesis.tex").read_text() == (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    "left", [("shards",), ("shards", ".lock", "log.txt"), ("shards", ".lock", "log.txt", "inputs.parquet")]
)
def test_what_was_killed_as_it_began_goes_on(tmp_path, left):
    for name in left:
        (tmp_path / "out" / name).mkdir(parents=True) if name == "shards" else (tmp_path / "out" / name).touch()
    records, _ = run(tmp_path / "out", made_files(tmp_path / "in"))
    assert len(records) == 5


def test_notes_of_the_user_stay(tmp_path):
    files, out = made_files(tmp_path / "in"), tmp_path / "out"
    run(out, files)
    (out / "notes.txt").write_text("mine")
    (out / "shards" / "look.txt").write_text("mine")
    (out / "shards" / "000001.txt").unlink()
    run(out, files)
    assert (out / "notes.txt").read_text() == (out / "shards" / "look.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("first", "second", "free"),
    [
        (Part(), Part(), False),
        (Part(1, 2), Part(2, 2), True),
        (Part(1, 2), Part(1, 2), False),
        (Part(1, 2), Part(), False),
    ],
)
def test_one_process_at_a_time_works_on_a_part(tmp_path, first, second, free):
    with ShardFolder(tmp_path / "out", {}, first):
        if free:
            with ShardFolder(tmp_path / "out", {}, second):
                pass
        else:
            with pytest.raises(InputError, match="another command works"), ShardFolder(tmp_path / "out", {}, second):
                pass
    with ShardFolder(tmp_path / "out", {}, second):
        pass


def test_parts_make_what_the_whole_makes(tmp_path):
    files = made_files(tmp_path / "in")
    run(tmp_path / "whole", files)
    for number in (3, 1, 2):
        records, folder = run(tmp_path / "parts", files, part=Part(number, 3))
        assert {record.number % 3 for record in records} == {number - 1}
    assert shards(tmp_path / "parts") == shards(tmp_path / "whole")
    assert len(folder.all_records()) == 5
    assert read_manifest(tmp_path / "parts")["outputs"] == read_manifest(tmp_path / "whole")["outputs"]


def test_parts_that_begin_together_agree(tmp_path):
    files = made_files(tmp_path / "in", 30)
    threads = [
        threading.Thread(target=run, args=(tmp_path / "out", files), kwargs={"part": Part(number, 4)})
        for number in range(1, 5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(shards(tmp_path / "out")) == 15


@pytest.mark.parametrize("whole", [False, True], ids=["begun", "done"])
def test_another_part_may_begin_while_this_one_looks(tmp_path, monkeypatch, whole):
    """As parts of an array do that start in the same instant."""
    files, out = made_files(tmp_path / "in"), tmp_path / "out"
    check = shard_folder.check_replaceable
    refused = []

    def late(path, marker):
        monkeypatch.setattr(shard_folder, "check_replaceable", check)
        if whole:
            run(out, files, part=Part(2, 2))
        else:
            with ShardFolder(out, {"models": ["a"]}, Part(2, 2), ".txt"):
                pass
        try:
            check(path, marker)
        except InputError as error:
            refused.append(str(error))
            raise

    monkeypatch.setattr(shard_folder, "check_replaceable", late)
    run(out, files, part=Part(1, 2))
    assert len(shards(out)) == (5 if whole else 3)
    assert refused or whole


def test_a_strange_folder_is_refused_still(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").touch()
    with pytest.raises(InputError, match="is not the folder of a run"):
        run(tmp_path / "out", made_files(tmp_path / "in"))


@pytest.mark.parametrize("change", [{"format": "x"}, {"format_version": 9}, {"what": {}}, {"inputs": None}])
def test_a_manifest_that_was_changed_is_refused(tmp_path, change):
    files, out = made_files(tmp_path / "in"), tmp_path / "out"
    run(out, files)
    content = json.loads((out / "manifest.json").read_text())
    (out / "manifest.json").write_text(json.dumps(content | change))
    with pytest.raises(InputError, match=r"manifest.json|is not the folder of a run"):
        run(out, files)


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    files, out = made_files(tmp_path / "in"), tmp_path / "out"
    out.mkdir(mode=0o500)
    with pytest.raises(InputError, match="cannot be"):
        run(out, files)


def test_records_are_read_as_written(tmp_path):
    files = made_files(tmp_path / "in", bad=[0])
    (first, *_), folder = run(tmp_path / "out", files)
    assert read_record(folder.record_path(0)) == first
    assert read_record(tmp_path / "none.json") is None
    assert list_sources(files)[0].size == len(files[0].read_text())
