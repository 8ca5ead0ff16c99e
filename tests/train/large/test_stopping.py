import os
import signal
import threading

import pytest

from transtar.processes import Ended, ending_cleanly
from transtar.train.large.stopping import Stopping


def interrupted(times, done, error=None):
    with Stopping() as stopping:
        for _ in range(times):
            os.kill(os.getpid(), signal.SIGINT)
        assert stopping.asked
        done.append(1)
        if error is not None:
            raise error


def test_an_interrupt_waits_for_the_end():
    done = []
    with pytest.raises(KeyboardInterrupt):
        interrupted(1, done)
    assert done == [1]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_one_does_not_wait():
    done = []
    with pytest.raises(KeyboardInterrupt):
        interrupted(2, done)
    assert done == []


def test_the_command_line_learns_which_signal_it_was():
    with pytest.raises(Ended) as ended, ending_cleanly(), Stopping():
        os.kill(os.getpid(), signal.SIGTERM)
    assert ended.value.number == signal.SIGTERM


def test_an_error_comes_first():
    with pytest.raises(ValueError, match="first"):
        interrupted(1, [], ValueError("first"))


def test_nothing_happens_where_nothing_comes():
    with Stopping() as stopping:
        pass
    assert not stopping.asked
    thread = threading.Thread(target=lambda: Stopping().__enter__())
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
