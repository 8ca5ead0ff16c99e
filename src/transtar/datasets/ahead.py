"""Reading ahead: an iterator that runs in a thread of its own while its items are worked on."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import Any, TypeVar

T = TypeVar("T")

_END: Any = object()


def ahead(items: Iterator[T], n: int, stop: Event) -> Generator[T, None, None]:
    """Give the items of an iterator in their order, while a thread makes those that come next.

    Parameters
    ----------
    items : iterator
        After the first item it runs in a thread.
    n : int
        Items that are made ahead of the one that was given last; 0 for none, and no thread.
    stop : Event
        Is set when nobody wants more items, by an error or an interrupt, too. `items` should then come to an end: before the
        thread has ended nothing returns.

    Yields
    ------
    object
        The items. What `items` raises is raised here, at the same place.
    """
    if n < 1:
        yield from items
        return
    # The first is worked on alone: whatever is imported or compiled for it should have no company.
    item = next(items, _END)
    if item is _END:
        return
    yield item
    waiting: deque[Future[T]] = deque()
    with ThreadPoolExecutor(1, thread_name_prefix="transtar-reading") as pool:
        try:
            while True:
                item = (waiting.popleft() if waiting else pool.submit(next, items, _END)).result()
                if item is _END:
                    return
                while len(waiting) < n:
                    waiting.append(pool.submit(next, items, _END))
                yield item
        finally:
            stop.set()
            for future in waiting:
                future.cancel()
