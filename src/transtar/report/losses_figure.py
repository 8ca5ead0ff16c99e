"""The course of a training: losses over steps, and the learning rate below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from .corners import clear_legends
from .style import BLACK, COLUMN_WIDTH, GREY, VERMILION, new_figure, paper_style

LINES = {"train_loss": (GREY, "training"), "validation_loss": (VERMILION, "validation")}
"""Colour and title of each loss."""


def draw_losses(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw how the losses of a training fall.

    Parameters
    ----------
    rows : sequence of mapping
        ``step``, ``train_loss``, ``validation_loss`` and ``learning_rate`` of each look, as of
        `transtar.train.large.LargeHistory.rows`; None where there is no value.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with paper_style():
        figure = new_figure(COLUMN_WIDTH, 3.2)
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        for name, (colour, title) in LINES.items():
            known = [row for row in rows if row[name] is not None]
            marker = "o" if len(known) < 30 else None
            if known:
                above.plot(
                    [row["step"] for row in known], [row[name] for row in known], color=colour, label=title, marker=marker, ms=2.5
                )  # fmt: skip
        above.set_yscale("log")
        above.set_ylabel("loss")
        if above.get_lines():
            above.legend()
        below.plot([row["step"] for row in rows], [row["learning_rate"] for row in rows], color=BLACK)
        below.set_ylabel("learning rate")
        below.set_xlabel("step")
        figure.align_ylabels([above, below])
        clear_legends(figure)
    return figure
