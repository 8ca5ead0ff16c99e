"""Runs of a study in the process that asks for them: to start processes takes longer than what tests train.

All else is as `transtar.studies.workers.train_jobs` does it: order, fleets, and failures. That runs are trained in processes,
which end with the study and leave nothing, is tested in tests/studies/test_run.py, tests/cli/test_quickstart.py and
tests/test_killing.py.
"""

import contextlib
from concurrent.futures import Future

import pytest
import torch

from transtar.studies.rows import load_model, load_set


class Here:
    """A pool of no processes: what is submitted is done at once."""

    def __init__(self, workers, **_):
        # As in processes that begin anew.
        for cached in (load_set, load_model):
            cached.cache_clear()

    def submit(self, function, *arguments):
        future = Future()
        try:
            future.set_result(function(*arguments))
        except Exception as error:
            future.set_exception(error)
        return future

    def shutdown(self, *_, **__):
        pass


@contextlib.contextmanager
def trained_in_process():
    """Within it, studies train in this process, on one thread as their processes do."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("transtar.studies.workers.ProcessPoolExecutor", Here)
            yield
    finally:
        torch.set_num_threads(threads)
