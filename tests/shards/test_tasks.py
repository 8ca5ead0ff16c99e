import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transtar.errors import SettingsError
from transtar.shards import Part, Source, group_files, list_sources, plan_tasks
from transtar.shards import tasks as of_tasks
from transtar.shards.tasks import FEWEST_FILES, MANY_TASKS, MOST_BYTES, MOST_FILES


def sources(sizes):
    return [Source(f"/{number}", size, number) for number, size in enumerate(sizes)]


@given(st.lists(st.sampled_from([-1, 0, 10**5, MOST_BYTES // 3, MOST_BYTES, 2 * MOST_BYTES]), max_size=400))
def test_every_file_is_in_one_task_in_its_order(sizes):
    tasks = group_files(sources(sizes))
    assert [one for task in tasks for one in task.sources] == sources(sizes)
    assert [task.number for task in tasks] == list(range(len(tasks)))
    for task in tasks:
        assert 1 <= len(task.sources) <= FEWEST_FILES
        assert len(task.sources) == 1 or sum(max(one.size, 0) for one in task.sources) <= MOST_BYTES


def test_many_small_files_make_larger_tasks():
    assert len(group_files(sources([10] * FEWEST_FILES))) == 1
    assert len(group_files(sources([10] * (FEWEST_FILES + 1)))) == 2
    assert len(group_files(sources([10] * 65_000))) == MANY_TASKS


def test_a_task_is_never_of_too_many_files(monkeypatch):
    monkeypatch.setattr(of_tasks, "MANY_TASKS", 2)
    tasks = group_files(sources([10] * 3 * MOST_FILES))
    assert [len(task.sources) for task in tasks] == [MOST_FILES] * 3


@given(st.integers(1, 60), st.integers(0, 300))
def test_parts_have_every_task_once(n, count):
    tasks = group_files(sources([MOST_BYTES] * count))
    parts = [Part(number, n).of(tasks) for number in range(1, n + 1)]
    assert sorted(task.number for part in parts for task in part) == list(range(count))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_parts_are_read():
    assert Part.parse(" 3/50 ") == Part(3, 50)
    assert str(Part(3, 50)) == "3/50"
    for text in ("3", "0/5", "6/5", "a/5", "1/0", "-1/5", "3/50/2"):
        with pytest.raises(SettingsError, match="part"):
            Part.parse(text)


def test_sources_are_files_as_they_are(tmp_path, monkeypatch):
    (tmp_path / "a").write_text("abc")
    os.utime(tmp_path / "a", ns=(5, 7))
    monkeypatch.chdir(tmp_path)
    assert list_sources(["a", "b"]) == [Source(str(tmp_path / "a"), 3, 7), Source(str(tmp_path / "b"), -1, 0)]


@given(st.integers(0, 1000), st.integers(1, 300))
def test_rows_of_a_table_are_in_one_task_each(n, each):
    (source,) = sources([10])
    tasks = plan_tasks([source], {"rows": {"all": n, "each": each}})
    assert [row for task in tasks for row in range(*task.rows)] == list(range(n))
    assert all(task.sources == (source,) and task.rows[1] - task.rows[0] <= each for task in tasks)
    assert plan_tasks(sources([10]), {}) == group_files(sources([10]))
