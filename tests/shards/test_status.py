import csv

from transtar.shards.status import COLUMNS, RunLog, write_status
from transtar.telling import tell

from .runs import made_files, run, small_tasks


def test_a_line_for_each_file(tmp_path, monkeypatch):
    small_tasks(monkeypatch)
    records, folder = run(tmp_path / "out", made_files(tmp_path / "in", bad=[0]))
    write_status(tmp_path / "out", folder.tasks, [record for record in records if record.number != 4])
    with (tmp_path / "out" / "status.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert [row["state"] for row in rows] == ["failed", *["done"] * 7, "waiting"]
    assert [row["n"] for row in rows] == ["0", *["1"] * 7, ""]
    assert rows[0]["message"] == f"{tmp_path / 'in' / 'bad-0'}: is bad"
    assert rows[3]["shard"] == "1"
    assert int(rows[3]["size"]) == 1


def test_the_log_has_what_is_told_and_how_it_ended(tmp_path):
    for number in (1, 2):
        try:
            with RunLog(tmp_path, f"{number}/2") as log:
                log.note("begins")
                tell("a file is odd")
                tell("a file is odd")
                if number == 2:
                    raise KeyboardInterrupt
        except KeyboardInterrupt:
            pass
    lines = [line.split(" ", 2)[2] for line in (tmp_path / "log.txt").read_text().splitlines()]
    assert lines == [
        "part 1/2 begins", "part 1/2 a file is odd", "part 2/2 begins", "part 2/2 a file is odd",
        "part 2/2 stopped by KeyboardInterrupt",
    ]  # fmt: skip
