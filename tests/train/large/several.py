"""Work in several processes that know each other, as `torchrun` starts them."""

import multiprocessing
import os
import traceback
from datetime import timedelta
from queue import Empty

import torch
from torch import distributed


def _child(rank, size, rendezvous, work, results):
    try:
        torch.set_num_threads(1)
        distributed.init_process_group(
            "gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=size, timeout=timedelta(seconds=60)
        )
        results.put((rank, work(rank), None))
    except BaseException:
        results.put((rank, None, traceback.format_exc()))
    results.close()
    results.join_thread()
    os._exit(0)


def in_processes(n, work, folder):
    """What `work(rank)` returns in each of `n` processes, in their order; forked, so that torch need not be imported again."""
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    processes = [context.Process(target=_child, args=(rank, n, folder / "meeting", work, results)) for rank in range(n)]
    for process in processes:
        process.start()
    try:
        given = [results.get(timeout=90) for _ in processes]
    except Empty:
        raise AssertionError("the processes wait for each other for ever") from None
    finally:
        for process in processes:
            process.join(5)
            process.kill()
    (folder / "meeting").unlink(missing_ok=True)
    failed = [text for _, _, text in given if text is not None]
    assert not failed, failed[0]
    return [result for _, result, _ in sorted(given)]
