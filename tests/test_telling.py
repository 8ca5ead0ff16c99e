import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from transtar.cli import main
from transtar.errors import InputError
from transtar.telling import LOGGER, logged, note, shown_on_stderr, tell


def test_one_message_of_a_kind_is_shown_and_the_others_are_counted(capsys):
    with shown_on_stderr():
        for i in range(3):
            tell(f"a{i}.csv: no line feed ends row {i}")
        tell("generic: something else")
        tell("generic: something else")
    assert capsys.readouterr().err.splitlines() == [
        "a0.csv: no line feed ends row 0",
        "generic: something else",
        "(2 more like it: no line feed ends row 0)",
    ]


def test_what_was_told_before_is_told_again(capsys):
    for _ in range(2):
        with shown_on_stderr():
            tell("again")
    assert capsys.readouterr().err == "again\nagain\n"


@contextmanager
def silent() -> Iterator[logging.Logger]:
    """The logger without what the tests before have added to it."""
    handlers = LOGGER.handlers[:]
    LOGGER.handlers.clear()
    yield LOGGER
    LOGGER.handlers[:] = handlers


def test_a_log_has_what_is_told_and_noted_with_times_and_how_it_ended(tmp_path, capsys):
    path = tmp_path / "run.log"
    with silent(), shown_on_stderr():
        with logged(path, "transtar predict"):
            tell("generic: doubtful\nindeed")
            note("half of it done")
        with pytest.raises(InputError), logged(path, "transtar prepare"):
            raise InputError("no such file")
    lines = [
        re.fullmatch(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (\w+) (.*)", line) for line in path.read_text().splitlines()
    ]
    assert [line.group(2, 3) for line in lines] == [
        ("INFO", "transtar predict"),
        ("WARNING", "generic: doubtful indeed"),
        ("INFO", "half of it done"),
        ("INFO", "done in 0 s"),
        ("INFO", "transtar prepare"),
        ("ERROR", "stopped by InputError: no such file"),
    ]
    # The command line shows what it showed before there were logs.
    assert capsys.readouterr().err == "generic: doubtful indeed\n"
    assert LOGGER.level == logging.NOTSET


def test_a_log_is_written_over_no_other_file(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("file,feh\na.fits,-1\n")
    with pytest.raises(InputError, match=r"labels\.csv.* another file.*--log"), logged(path, "transtar"):
        pass
    assert path.read_text() == "file,feh\na.fits,-1\n"
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path, tmp_path / "absent" / "log", tmp_path / "pipe"):
        with pytest.raises(InputError, match=f"{place}: no log"), logged(place, "transtar"):
            pass


def test_every_verb_takes_a_log(tmp_path, capsys):
    path = tmp_path / "log"
    assert main(["models", "show", "mock-feh", "--log", str(path)]) == 0
    shown = capsys.readouterr()
    assert main(["models", "show", "mock-feh"]) == 0
    assert capsys.readouterr() == shown
    assert main(["models", "show", "no-such-model", "--log", str(path)]) == 1
    lines = path.read_text().splitlines()
    assert [line.split(" ", 3)[2] for line in lines] == ["INFO", "INFO", "INFO", "ERROR"]
    assert "models show no-such-model" in lines[2]
    assert "no-such-model" in lines[3]


def test_without_a_handler_python_itself_prints_warnings_and_no_information(capsys):
    with silent():
        LOGGER.propagate, before = False, LOGGER.propagate
        tell("doubtful")
        note("half of it done")
        LOGGER.propagate = before
    assert capsys.readouterr().err == "doubtful\n"


def test_records_say_which_module_told():
    records: list[logging.LogRecord] = []
    listener = logging.Handler()
    listener.emit = records.append
    LOGGER.addHandler(listener)
    tell("once")
    LOGGER.removeHandler(listener)
    assert [record.module for record in records] == ["test_telling"]
