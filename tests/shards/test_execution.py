from concurrent.futures import ThreadPoolExecutor

import pytest

from transtar.errors import InputError, TranstarError
from transtar.shards.execution import MOST_TRIES

from . import works
from .runs import made_files, run, shards, small_tasks


@pytest.fixture(autouse=True)
def small(monkeypatch):
    small_tasks(monkeypatch)


def test_processes_make_what_one_makes(tmp_path):
    files = made_files(tmp_path / "in", bad=[2])
    run(tmp_path / "one", files)
    records, _ = run(tmp_path / "two", files, workers=2)
    assert shards(tmp_path / "two") == shards(tmp_path / "one")
    assert [record.told for record in sorted(records, key=lambda one: one.number)].count(
        ("1 bad files in shard 0",)
    ) == 1


@pytest.mark.parametrize("always", [False, True])
def test_a_worker_that_dies_costs_its_shard_a_try_and_no_other(tmp_path, always):
    files = made_files(tmp_path / "in")
    plan = None if always else str(tmp_path / "died")
    records, _ = run(tmp_path / "out", files, works.dying, plan, workers=2)
    by_number = {record.number: record for record in records}
    assert sorted(by_number) == [0, 1, 2, 3, 4]
    assert [record.state for record in by_number.values()].count("failed") == always
    if always:
        assert "died (out of memory?)" in by_number[1].message
        assert "000001.txt" not in shards(tmp_path / "out")
        again, _ = run(tmp_path / "out", files)
        assert [record.number for record in again] == [1]
    run(tmp_path / "other", files)
    assert shards(tmp_path / "out") == shards(tmp_path / "other")


def test_any_executor_will_do(tmp_path):
    files = made_files(tmp_path / "in", 40)

    class Counting(ThreadPoolExecutor):
        most = under_way = 0

        def submit(self, *given):
            future = super().submit(*given)
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            future.add_done_callback(lambda _: setattr(self, "under_way", self.under_way - 1))
            return future

    run(tmp_path / "one", files)
    with Counting(2) as executor:
        records, _ = run(tmp_path / "out", files, executor=executor, workers=2)
        assert executor.submit(int, "3").result() == 3
        assert executor.most <= 8
    assert len(records) == 20
    assert shards(tmp_path / "out") == shards(tmp_path / "one")


@pytest.mark.parametrize("once", [True, False])
def test_a_file_that_is_written_to_meanwhile_is_read_again(tmp_path, once):
    files, plan = made_files(tmp_path / "in", 2), str(tmp_path / "grown") if once else None
    (record,), _ = run(tmp_path / "out", files, works.growing, plan)
    if once:
        assert record.state == "done"
        assert shards(tmp_path / "out")["000000.txt"].splitlines()[0] == "spec-0 0+"
    else:
        assert record.state == "failed"
        assert "spec-0: changed while it was read" in record.message


def test_what_hinders_all_ends_the_run_and_keeps_what_is_done(tmp_path):
    files = made_files(tmp_path / "in")
    with pytest.raises(TranstarError, match="no space left"):
        run(tmp_path / "out", files, works.full)
    assert list(shards(tmp_path / "out")) == ["000000.txt"]
    with pytest.raises(InputError, match="was replaced"), ThreadPoolExecutor(2) as executor:
        run(tmp_path / "out", files, works.refusing, executor=executor, workers=2)
    records, _ = run(tmp_path / "out", files)
    assert [record.number for record in records] == [1, 2, 3, 4]


def test_what_nobody_thought_of_costs_its_shard_alone(tmp_path):
    records, _ = run(tmp_path / "out", made_files(tmp_path / "in"), works.failing)
    assert MOST_TRIES == 2
    assert [(record.number, record.state) for record in records] == [
        (0, "done"), (2, "done"), (3, "done"), (4, "done"), (1, "failed"),
    ]  # fmt: skip
    assert records[-1].message == "MemoryError: too little"
    assert all(one.state == "failed" for one in records[-1].files)
