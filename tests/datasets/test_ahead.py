import threading
import time

import pytest

from transtar.datasets.ahead import ahead


def readers() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("transtar-reading")]


def wait_for(condition) -> None:
    end = time.monotonic() + 10
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    assert condition()


@pytest.mark.parametrize("n", [0, 1, 3, 50])
def test_all_items_in_their_order(n):
    assert list(ahead(iter(range(20)), n, threading.Event())) == list(range(20))
    assert list(ahead(iter(()), n, threading.Event())) == []
    assert not readers()


def test_so_many_items_ahead_and_no_more():
    made = []

    def make():
        for i in range(20):
            made.append((i, threading.current_thread().name))
            yield i

    items = ahead(make(), 2, threading.Event())
    assert next(items) == 0
    assert [i for i, _ in made] == [0]
    assert made[0][1] == threading.current_thread().name
    assert next(items) == 1
    wait_for(lambda: len(made) == 4)
    time.sleep(0.05)
    assert [i for i, _ in made] == [0, 1, 2, 3]
    assert all(name.startswith("transtar-reading") for _, name in made[1:])
    items.close()
    assert not readers()


@pytest.mark.parametrize("n", [0, 1, 3])
def test_an_error_comes_after_the_items_before_it(n):
    def make():
        yield 1
        yield 2
        raise ValueError("three")

    stop = threading.Event()
    items, got = ahead(make(), n, stop), []
    with pytest.raises(ValueError, match="three"):
        got.extend(items)
    assert got == [1, 2]
    assert not readers()


def test_who_stops_early_leaves_no_thread():
    stop, made = threading.Event(), []

    def make():
        while not stop.is_set():
            made.append(len(made))
            yield made[-1]

    for item in (items := ahead(make(), 2, stop)):
        if item == 5:
            break
    items.close()
    assert stop.is_set()
    assert not readers()
    assert len(made) <= 9


def test_an_interrupt_while_it_waits_ends_the_thread(monkeypatch):
    stop, started = threading.Event(), threading.Event()

    def make():
        yield 0
        started.set()
        stop.wait(10)
        yield 1

    def interrupted(self, timeout=None):
        started.wait(10)
        raise KeyboardInterrupt

    items = ahead(make(), 1, stop)
    assert next(items) == 0
    monkeypatch.setattr("concurrent.futures.Future.result", interrupted)
    with pytest.raises(KeyboardInterrupt):
        next(items)
    assert not readers()
