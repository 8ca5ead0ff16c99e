"""The extra `dask`: workers of a cluster make the shards, and one that dies costs its shard a try."""

import logging
import os
import signal
import sys
import threading
import time

import pytest

from transtar.errors import InputError
from transtar.shards.dask_executor import dask_executor

from ..shards.runs import made_files, run, shards, small_tasks
from ..shards.works import lines

distributed = pytest.importorskip("distributed")


@pytest.fixture
def cluster(monkeypatch):
    small_tasks(monkeypatch)
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=logging.CRITICAL
    ) as cluster:
        yield cluster


def test_shards_are_those_of_one_process(tmp_path, cluster):
    files = made_files(tmp_path / "in", 24, bad=[5])
    run(tmp_path / "one", files)
    with dask_executor(cluster.scheduler_address) as (executor, n):
        assert n == 2
        records, _ = run(tmp_path / "out", files, lines, 0.01, executor=executor, workers=n)
    assert len(records) == 12
    assert shards(tmp_path / "out") == shards(tmp_path / "one")


def test_a_worker_that_is_killed_in_mid_run(tmp_path, cluster):
    files = made_files(tmp_path / "in", 40)
    pids = [worker.pid for worker in cluster.workers.values()]
    thread = threading.Thread(target=lambda: (time.sleep(0.5), os.kill(pids[0], signal.SIGKILL)))
    with dask_executor(cluster.scheduler_address) as (executor, n):
        thread.start()
        records, _ = run(tmp_path / "out", files, lines, 0.05, executor=executor, workers=n)
    thread.join()
    assert {record.state for record in records} == {"done"}
    run(tmp_path / "one", files)
    assert shards(tmp_path / "out") == shards(tmp_path / "one")


def test_no_scheduler_is_told(monkeypatch):
    monkeypatch.setattr("transtar.shards.dask_executor.PATIENCE", 1)
    with pytest.raises(InputError, match="no scheduler of Dask answers there"), dask_executor("tcp://127.0.0.1:1"):
        pass
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"pip install 'transtar\[dask\]'"), dask_executor("tcp://127.0.0.1:1"):
        pass
