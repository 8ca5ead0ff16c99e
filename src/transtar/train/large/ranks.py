"""The processes that train together: how they find each other, what one tells the others, rows of all of them in one array."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import distributed

from ...devices import check_device
from ...errors import SettingsError, TranstarError, shown
from ...telling import LOGGER

T = TypeVar("T")

VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
"""Of the environment, by which `torchrun` tells a process which one it is."""


class OtherProcessFailed(TranstarError):
    """Another of the processes has failed, and says why itself."""


@dataclass(frozen=True)
class Ranks:
    """Which of the processes this one is.

    Parameters
    ----------
    rank : int
        From 0; the first process alone writes and prints.
    size : int
        Processes in all.
    """

    rank: int = 0
    size: int = 1

    @classmethod
    def current(cls) -> Ranks:
        """Of the process group of torch; without one this process is alone."""
        if not (distributed.is_available() and distributed.is_initialized()):
            return cls()
        return cls(distributed.get_rank(), distributed.get_world_size())

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes and prints."""
        return self.rank == 0

    def device(self, name: str) -> torch.device:
        """The device of this process.

        Parameters
        ----------
        name : str
            As `EncoderTraining.device`.

        Raises
        ------
        SettingsError
            If there is none, or one device is named for several processes.
        """
        if self.size > 1 and ":" in name:
            raise SettingsError(f"device '{shown(name)}': {self.size} processes cannot share it; give its kind alone")
        if self.size > 1 and name == "cuda":
            name = f"cuda:{os.environ.get('LOCAL_RANK', self.rank)}"
        return torch.device(check_device(name))


@contextmanager
def joined_processes(device: str) -> Iterator[Ranks]:
    """Join the processes that `torchrun` has started; alone without it. Of several the first alone tells anything.

    Parameters
    ----------
    device : str
        They speak by nccl on 'cuda', by gloo elsewhere.

    Yields
    ------
    Ranks

    Raises
    ------
    SettingsError
        If the environment names only some of `VARIABLES`, or there is no such device.
    """
    given = [name for name in VARIABLES if name in os.environ]
    if distributed.is_initialized() or "RANK" not in given:
        yield Ranks.current()
        return
    if len(given) < len(VARIABLES):
        missing = ", ".join(name for name in VARIABLES if name not in given)
        raise SettingsError(f"the environment has RANK, but not {missing}; start the processes by torchrun")
    kind = device.partition(":")[0]
    if kind == "cuda":
        torch.cuda.set_device(Ranks(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])).device(device))
    distributed.init_process_group("nccl" if kind == "cuda" else "gloo")
    ranks, was_disabled = Ranks.current(), LOGGER.disabled
    LOGGER.disabled = was_disabled or not ranks.is_first
    try:
        yield ranks
    finally:
        LOGGER.disabled = was_disabled
        distributed.destroy_process_group()


def from_first(make: Callable[[], T]) -> T:
    """What the first process makes, for all of them.

    Parameters
    ----------
    make : callable
        Called in the first process alone; returns plain data.

    Raises
    ------
    TranstarError
        What `make` raises, in the first process; `OtherProcessFailed` in the others.
    """
    ranks = Ranks.current()
    if ranks.size == 1:
        return make()
    sent: list = [None, None]
    failure: TranstarError | None = None
    if ranks.is_first:
        try:
            sent[0] = make()
        except TranstarError as error:
            failure, sent[1] = error, str(error)
    distributed.broadcast_object_list(sent, src=0)
    if failure is not None:
        raise failure
    if sent[1] is not None:
        raise OtherProcessFailed(sent[1])
    return sent[0]


def together(make: Callable[[], T]) -> T:
    """What every process makes for itself; where one fails, all do.

    Parameters
    ----------
    make : callable

    Raises
    ------
    TranstarError
        What `make` raises, in the first process that fails; `OtherProcessFailed` in the others.
    """
    ranks = Ranks.current()
    if ranks.size == 1:
        return make()
    made, failure = None, None
    try:
        made = make()
    except TranstarError as error:
        failure = error
    messages: list = [None] * ranks.size
    distributed.all_gather_object(messages, None if failure is None else str(failure))
    failed = [rank for rank, message in enumerate(messages) if message is not None]
    if not failed:
        return made  # type: ignore[return-value]
    if failure is not None and ranks.rank == failed[0]:
        raise failure
    raise OtherProcessFailed(messages[failed[0]])


def add_up(values: torch.Tensor) -> torch.Tensor:
    """Replace values by their sums over all processes, in place; without gradients."""
    if Ranks.current().size > 1:
        distributed.all_reduce(values)
    return values


def send_from_first(tensors: Iterator[torch.Tensor] | list[torch.Tensor]) -> None:
    """Give all processes the first one's values of some tensors, in place."""
    if Ranks.current().size > 1:
        for tensor in tensors:
            distributed.broadcast(tensor, src=0)


def gather_rows(rows: torch.Tensor) -> torch.Tensor:
    """Rows of all processes, one process after another, through which gradients flow back to each.

    A loss of which every process adds a part has, added up, the gradients of one process that has all rows.

    Parameters
    ----------
    rows : Tensor, shape (n, ...)
        Of one shape in all processes, and in the same order of calls.

    Returns
    -------
    Tensor, shape (n_processes * n, ...)
        `rows` itself where this process is alone.
    """
    if Ranks.current().size == 1:
        return rows
    return _GatherRows.apply(rows)


class _GatherRows(torch.autograd.Function):
    """All rows forward; backward the sum, over the processes, of the gradients of this process's rows."""

    @staticmethod
    def forward(context, rows: torch.Tensor) -> torch.Tensor:
        context.n = len(rows)
        parts = [torch.empty_like(rows) for _ in range(distributed.get_world_size())]
        distributed.all_gather(parts, rows.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(context, *gradients: torch.Tensor) -> torch.Tensor:
        total = gradients[0].contiguous().clone()
        distributed.all_reduce(total)
        start = distributed.get_rank() * context.n
        return total[start : start + context.n]
