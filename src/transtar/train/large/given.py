"""What frozen encoders make of pairs of spectra, held in memory where it fits, so that it is made once and not in every epoch."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ...networks.crossing import SIDES
from .aligning import GIVEN, Aligning
from .ranks import Ranks
from .streams import Stream

MOST_HELD = 1 << 31
"""Bytes of it that are held."""

BLOCK = 256
"""Spectra that go through an encoder together; always the same ones, so that a training that goes on has the same bits."""


@torch.no_grad()
def hold_given(
    objective: Aligning,
    stream: Stream,
    device: str,
    most: int = MOST_HELD,
    progress: Callable[[int, int], None] | None = None,
) -> bool:
    """Put what the encoders make of all pairs beside them in the stream.

    Only on the processor and by one process: elsewhere an encoder is quick, and every process would hold all.

    Parameters
    ----------
    objective : Aligning
        On the processor.
    stream : Stream
        Of the names 'lrs' and 'xp'.
    device : str
        Where it is to be trained.
    most : int
        Bytes of both kinds together that may be held.
    progress : callable, optional
        Called with the number of spectra done, and of all.

    Returns
    -------
    bool
        Whether they are there now.
    """
    n = len(stream.rows["lrs"])
    if device != "cpu" or Ranks.current().size > 1:
        return False
    objective.eval()
    sizes = {name: objective.given(torch.ones(1, stream.sources[name].n_grid), name).numel() for name in SIDES}
    if 4 * n * sum(sizes.values()) > most:
        return False
    for place, name in enumerate(SIDES):
        held: torch.Tensor | None = None
        for start in range(0, n, BLOCK):
            flux = stream.sources[name].read(stream.rows[name][start : start + BLOCK])
            given = objective.given(torch.from_numpy(flux), name)
            if held is None:
                held = torch.empty((n, *given.shape[1:]), dtype=torch.float32)
            held[start : start + BLOCK] = given
            if progress is not None:
                progress(place * n + min(start + BLOCK, n), 2 * n)
        assert held is not None
        stream.beside[name + GIVEN] = held
    return True
