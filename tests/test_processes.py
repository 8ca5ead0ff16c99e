"""Workers without a parent, and signals that end a command."""

import os
import signal
import subprocess
import sys
import time

import pytest

from transtar.processes import ENDING, Ended, ending_cleanly

# A parent that has a worker busy, says its process, and waits.
PARENT = """
import os, sys, time
from concurrent.futures import ProcessPoolExecutor
import multiprocessing
from transtar.processes import end_with_parent
if sys.argv[1] == "pipe":  # in the worker, too, which imports this
    sys.platform = "other"
if __name__ == "__main__":
    pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"), initializer=end_with_parent)
    print(pool.submit(os.getpid).result(), flush=True)
    pool.submit(time.sleep, 120)
    time.sleep(120)
"""


@pytest.mark.parametrize("way", ["prctl", "pipe"])
def test_workers_of_a_killed_parent_end(tmp_path, way):
    (tmp_path / "parent.py").write_text(PARENT)
    parent = subprocess.Popen([sys.executable, tmp_path / "parent.py", way], stdout=subprocess.PIPE, text=True)
    worker = int(parent.stdout.readline())
    os.kill(worker, 0)
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    for _ in range(200):
        if not is_alive(worker):
            return
        time.sleep(0.05)
    os.kill(worker, signal.SIGKILL)
    pytest.fail("the worker lives on")


def is_alive(process):
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_ends_the_block(number):
    before = signal.getsignal(number)
    signal.signal(number, signal.SIG_DFL)
    try:
        with pytest.raises(Ended) as caught, ending_cleanly():  # noqa: PT012
            os.kill(os.getpid(), number)
            time.sleep(5)
            pytest.fail("it went on")
        assert caught.value.name == signal.Signals(number).name
        assert signal.getsignal(number) is signal.SIG_DFL
        signal.signal(number, signal.SIG_IGN)
        # As under nohup.
        with ending_cleanly():
            os.kill(os.getpid(), number)
    finally:
        signal.signal(number, before)


@pytest.mark.parametrize("number", ENDING)
def test_a_swallowed_signal_explains_the_error_it_leads_to(number):
    before = signal.getsignal(number)
    signal.signal(number, signal.SIG_DFL)
    try:
        with pytest.raises(Ended) as caught, ending_cleanly():  # noqa: PT012
            try:
                os.kill(os.getpid(), number)
                time.sleep(5)
            except BaseException:  # as modules do that import what they can
                pass
            raise AttributeError("partially initialized module")
    finally:
        signal.signal(number, before)
    assert caught.value.number == number
    assert isinstance(caught.value.__cause__, AttributeError)


def test_an_error_without_a_signal_stays_what_it_is():
    with pytest.raises(AttributeError, match="plain"), ending_cleanly():
        raise AttributeError("plain")


def test_an_error_that_an_interrupt_led_to_is_one():
    class Slow:
        def __set_name__(self, owner, name):
            raise KeyboardInterrupt

    def define():
        class Defined:
            slow = Slow()

        return Defined

    # Python 3.11 wraps what is raised there in a RuntimeError, whatever it is.
    with pytest.raises(KeyboardInterrupt), ending_cleanly():
        define()
    with pytest.raises(KeyboardInterrupt) as caught, ending_cleanly():  # noqa: PT012
        try:
            raise KeyboardInterrupt
        finally:
            raise AttributeError("cleaning up")
    assert isinstance(caught.value.__cause__, AttributeError)


def test_errors_that_name_each_other_are_raised_as_any_other():
    """Going along their causes has an end."""
    first, second = ValueError("first"), KeyError("second")
    first.__cause__, second.__cause__ = second, first
    with pytest.raises(ValueError, match="first"), ending_cleanly():
        raise first
