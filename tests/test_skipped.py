import pytest

from transtar.skipped import MOST_KINDS, Skipped


def told(*notes):
    lines = []
    with Skipped(lines.append) as skipped:
        for path, message in notes:
            skipped.add(path, message)
        assert len(skipped) == len(notes)
    return lines


def test_the_same_is_told_once_with_the_count():
    notes = [(f"in/star{n}.csv", f"in/star{n}.csv: wavelengths run from {n} to 7{n}.5 nm") for n in range(20)]
    assert told(*notes) == ["skipped 20 files, the first: in/star0.csv: wavelengths run from 0 to 70.5 nm"]


def test_different_messages_are_all_told():
    notes = [("a.csv", "a.csv: no flux"), ("b.csv", "b.csv: empty"), ("c.csv", "c.csv: empty")]
    assert told(*notes) == [
        "skipped 2 files, the first: b.csv: empty",
        "skipped: a.csv: no flux",
        "3 files could not be used",
    ]
    assert told() == []


def test_messages_without_end():
    notes = [(f"{word}.csv", f"{word}.csv: {word} is odd") for word in ("x" * n for n in range(1, 101))]
    notes = [(path, f"a: {message[:-3]}{'y' * number}") for number, (path, message) in enumerate(notes)]
    lines = told(*notes)
    assert len(lines) == MOST_KINDS + 2
    assert lines[-2] == f"skipped {100 - MOST_KINDS} more files, for {100 - MOST_KINDS} more reasons"


def test_an_error_does_not_hide_them():
    lines = []
    with pytest.raises(ValueError, match="end"), Skipped(lines.append) as skipped:  # noqa: PT012
        skipped.add("a", "a: bad")
        raise ValueError("end")
    assert lines == ["skipped: a: bad"]
