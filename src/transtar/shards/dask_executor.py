"""Workers of Dask as an executor: tasks are handed over one by one, so that a scheduler never has more than a few."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager

from ..errors import InputError, said

PATIENCE = 30
"""Seconds that are waited for the scheduler and its first worker."""


@contextmanager
def dask_executor(address: str) -> Iterator[tuple[Executor, int]]:
    """Connect to a scheduler.

    Parameters
    ----------
    address : str
        ``tcp://HOST:PORT``, or the file that ``dask scheduler --scheduler-file`` writes.

    Yields
    ------
    executor : Executor
        Of ``client.get_executor(pure=False)``: nothing that was done before is taken for the result.
    workers : int

    Raises
    ------
    InputError
        If Dask is not installed, or there is no scheduler or no worker.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise InputError("--scheduler needs Dask: pip install 'transtar[dask]'") from error
    where = {"scheduler_file": address} if address.endswith(".json") else {"address": address}
    try:
        client = Client(**where, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise InputError(f"{address}: no scheduler of Dask answers there ({said(error)})") from error
    with client:
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError as error:
            raise InputError(
                f"{address}: the scheduler has no workers; start some with: dask worker {address}"
            ) from error
        yield client.get_executor(pure=False), len(client.scheduler_info(n_workers=-1)["workers"])
