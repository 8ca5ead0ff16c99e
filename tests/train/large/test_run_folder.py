import csv

import pytest
import torch

from transtar.errors import InputError, MismatchError
from transtar.train.large import RunFolder, run_folder_of
from transtar.train.large.checkpoints import load_checkpoint, save_checkpoint
from transtar.train.large.run_folder import LOSSES, RECORD, differences, read_losses, read_record, result_of

WHAT, EXECUTION = {"settings": {"seed": 0, "clip": 1.0}, "data": {"sets": ["ab"]}}, {"processes": 2}


def stopped(path, what=WHAT):
    with RunFolder(path, what, EXECUTION) as run:
        save_checkpoint(run.path, 3, {}, {"a": torch.zeros(1)})


def test_it_lies_beside_what_it_makes(tmp_path):
    assert run_folder_of("sets/encoder").as_posix() == "sets/encoder.training"
    assert run_folder_of(tmp_path / "v1.2").name == "v1.2.training"


def test_what_stopped_goes_on_with_the_same_alone(tmp_path):
    path = tmp_path / "run"
    stopped(path)
    with RunFolder(path, WHAT, EXECUTION) as run:
        assert load_checkpoint(run.path, lambda state: {"a": torch.zeros(1)})[0] == {}
    other = {"settings": {"seed": 1, "clip": None}, "data": {"sets": ["ab"]}}
    message = r"settings\.seed was 0, is 1; settings\.clip was 1\.0, is None; give the command as it was"
    with pytest.raises(MismatchError, match=message), RunFolder(path, other, EXECUTION):
        pass
    with RunFolder(path, WHAT, EXECUTION) as run:
        run.finish({"encoder": "abc"})
    assert read_record(path)["finished"] == result_of(path, WHAT) == {"encoder": "abc"}
    assert result_of(path, other) == {}
    # What is finished gives way to anything.
    with RunFolder(path, other, EXECUTION) as run:
        assert load_checkpoint(run.path, lambda state: {}) is None
    assert read_record(path)["what"] == other


def test_other_processes_are_told(tmp_path, caplog):
    stopped(tmp_path / "run")
    with RunFolder(tmp_path / "run", WHAT, {"processes": 1}):
        pass
    assert "losses agree up to rounding: processes was 2, is 1" in caplog.text


def test_one_command_at_a_time(tmp_path):
    with RunFolder(tmp_path / "run", WHAT, EXECUTION), pytest.raises(InputError, match="another command trains in it"):
        stopped(tmp_path / "run")
    stopped(tmp_path / "run")


def test_losses_are_a_table(tmp_path):
    with RunFolder(tmp_path / "run", WHAT, EXECUTION) as run:
        run.write_losses(["step", "loss"], [[0, None], [1, 0.1 + 0.2]])
    with (tmp_path / "run" / LOSSES).open() as file:
        rows = list(csv.DictReader(file))
    assert rows[0] == {"step": "0", "loss": ""}
    assert read_losses(tmp_path / "run") == [{"step": 0, "loss": None}, {"step": 1, "loss": 0.1 + 0.2}]
    assert float(rows[1]["loss"]) == 0.1 + 0.2


def test_what_is_not_a_training_is_left_alone(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / RECORD).write_text('{"format": "another"}')
    with (
        pytest.raises(InputError, match="exists and is not the folder of a training"),
        RunFolder(folder, WHAT, EXECUTION),
    ):
        pass
    (folder / RECORD).write_text('{"format": "transtar-training", "format_version": 1}')
    with pytest.raises(InputError, match="checksum does not fit"), RunFolder(folder, WHAT, EXECUTION):
        pass
    (folder / RECORD).write_text('{"format": "transtar-training", "format_version": 2}')
    with pytest.raises(InputError, match="of another version"), RunFolder(folder, WHAT, EXECUTION):
        pass
    (folder / RECORD).write_text("")
    with pytest.raises(InputError, match=r"not a JSON file.*; delete the folder"):
        read_record(folder)


def test_differences_are_named_with_their_places():
    assert differences({"a": {"b": 1}, "c": 2}, {"a": {"b": 1}, "c": 2}) == []
    assert differences({"a": {"b": 1}}, {"a": {"b": 2}, "d": 0}) == ["a.b was 1, is 2", "d was None, is 0"]


def test_what_a_kill_left_half_written_goes(tmp_path):
    stopped(tmp_path / "run")
    left = tmp_path / "run" / ".transtar-tmp-abcd1234"
    left.mkdir()
    for name in (".lock", "checkpoint-9.safetensors"):
        (left / name).write_bytes(b"half")
    stopped(tmp_path / "run")
    assert not left.exists()
