import threading
import time

import numpy as np
import pytest
import torch

from transtar.trust.side_by_side import BLOCK, side_by_side


def test_all_rows_in_their_order():
    for threads in (1, 3):
        with side_by_side(threads) as run:
            for n in (0, 1, BLOCK, 3 * BLOCK + 7):
                parts = run(lambda rows: np.arange(rows.start, rows.stop), n)
                np.testing.assert_array_equal(np.concatenate(parts), np.arange(n))


def test_blocks_run_beside_each_other_and_torch_with_one_thread_in_each():
    """All but the first, which loads and compiles."""
    before = torch.get_num_threads()
    both = threading.Barrier(2, timeout=20)
    threads_of_torch = []

    def work(rows):
        threads_of_torch.append(torch.get_num_threads())
        if rows.start:
            both.wait()

    with side_by_side(2) as run:
        run(work, 3 * BLOCK)
    assert threads_of_torch == [1, 1, 1]
    assert torch.get_num_threads() == before


def test_an_error_ends_it_and_leaves_no_thread():
    done = []

    def work(rows):
        if rows.start == BLOCK:
            raise KeyboardInterrupt
        time.sleep(0.05)
        done.append(rows.start)

    with pytest.raises(KeyboardInterrupt), side_by_side(1) as run:
        run(work, 50 * BLOCK)
    assert len(done) < 10
    assert not [one for one in threading.enumerate() if one.name.startswith("transtar-predicting")]
