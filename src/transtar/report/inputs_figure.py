"""Scores of networks that take different inputs against the number of fine-tuning stars."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..errors import TooFew
from ..evaluate.summaries import select
from ..glossary import display
from .sample_size import REGIME_NAMES, ZERO_SHOT, mark_below, spread, value_range, with_room
from .style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PAGE_WIDTH,
    PURPLE,
    SKY,
    VERMILION,
    as_text,
    in_order,
    new_figure,
    paper_style,
    strategy_title,
)

_LOOKS: tuple[dict[str, Any], ...] = (
    {"color": BLACK, "marker": "o", "ls": "-"},
    {"color": ORANGE, "marker": "s", "ls": "--"},
    {"color": GREY, "marker": "x", "ls": ":"},
    {"color": BLUE, "marker": "^", "ls": "-"},
    {"color": VERMILION, "marker": "D", "ls": "-."},
    {"color": GREEN, "marker": "p", "ls": "--"},
    {"color": PURPLE, "marker": "P", "ls": "-"},
    {"color": SKY, "marker": "*", "ls": "-."},
)
"""By position: told apart by colour, marker and line, whichever of these a reader sees."""


def against_inputs(
    summary: Iterable[Mapping],
    label: str,
    inputs: Sequence[str],
    strategies: Sequence[str] | None = None,
    regimes: Sequence[str] = ("all", "poor", "rich"),
) -> Figure:
    """Draw R2 of each input against the number of fine-tuning stars, a row of panels by regime and a column by strategy.

    Points are means and bars standard deviations over seeds; n = 0 is zero-shot, where a strategy starts from it. What lies below
    the axis is an arrow on its edge with its value.

    Parameters
    ----------
    summary : iterable of mapping
        Rows as from `transtar.evaluate.summarise`, of one target, split and variant.
    label : str
        Canonical name.
    inputs : sequence of str
        In the order of the legend.
    strategies : sequence of str, optional
        By default all that learn from stars of the target.
    regimes : sequence of str

    Returns
    -------
    Figure

    Raises
    ------
    TooFew
        If there are no results of that label.
    """
    rows = select(summary, label=label, input=set(inputs), regime=set(regimes))
    names = in_order([row["strategy"] for row in rows if row["n_finetune"] > 0])
    names = [name for name in names if strategies is None or name in strategies]
    if not names:
        raise TooFew(f"no results for label '{label}'")
    shown = [name for name in regimes if any(row["regime"] == name for row in rows)]
    sizes = sorted({row["n_finetune"] for row in rows})
    with paper_style():
        figure = new_figure(PAGE_WIDTH, 1.9 * len(shown) + 0.7)
        grid = figure.subplots(len(shown), len(names), squeeze=False, sharex=True, sharey="row")
        for regime, line in zip(shown, grid, strict=True):
            of_regime = select(rows, regime=regime)
            drawn = [row for row in of_regime if row["strategy"] in (*names, ZERO_SHOT)]
            low, high = with_room(*value_range(drawn, "r2"))
            line[0].set_ylim(low, high)
            # Of which stars stands beside the axis: inside, it would cover what is marked on the edge.
            line[0].set_ylabel(f"{REGIME_NAMES.get(regime, regime)}\n$R^2$ of {display(label, False)}", fontsize=7.5)
            for name, axes in zip(names, line, strict=True):
                of_panel = [row for row in of_regime if row["strategy"] in (name, *start_of(name))]
                _draw(axes, of_panel, inputs, sizes, low)
        for name, axes in zip(names, grid[0], strict=True):
            axes.set_title(strategy_title(name))
        for axes in grid[-1]:
            axes.set_xticks(range(len(sizes)), [str(size) for size in sizes])
            axes.set_xlim(-0.4, len(sizes) - 0.6)
            axes.set_xlabel("fine-tuning stars $n$")
        handles = [Line2D([], [], ms=4.5, label=as_text(name), **_look(k)) for k, name in enumerate(inputs)]
        figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 6), columnspacing=1.4)
    return figure


def _look(position: int) -> dict[str, Any]:
    return _LOOKS[position % len(_LOOKS)]


def start_of(strategy: str) -> tuple[str, ...]:
    """Name of zero-shot where a strategy starts from the network that has it; empty where it starts from nothing."""
    from ..train import find_strategy

    kind = find_strategy(strategy)
    return (ZERO_SHOT,) if kind is None or kind.uses_model else ()


def _draw(axes: Axes, rows: Sequence[Mapping], inputs: Sequence[str], sizes: Sequence[int], low: float) -> None:
    below: dict[int, int] = {}
    for position, name in enumerate(inputs):
        chosen = sorted(select(rows, input=name), key=lambda row: row["n_finetune"])
        # Beside each other, so that their bars do not hide one another.
        # With two numbers of stars, as much of the width of a panel as with many.
        shift = min(0.09, 0.02 * len(sizes)) * (position - (len(inputs) - 1) / 2)
        x = np.array([sizes.index(row["n_finetune"]) + shift for row in chosen])
        y = np.array([row["r2"] for row in chosen], float)
        axes.errorbar(x, y, [spread(row, "r2") for row in chosen], ms=4, elinewidth=0.9, **_look(position))
        for row, at, value in zip(chosen, x, y, strict=True):
            if value < low:
                level = below.setdefault(row["n_finetune"], 0)
                below[row["n_finetune"]] += 1
                mark_below(axes, at, value, _look(position)["color"], level)
    axes.grid(axis="y", color="#DDDDDD", lw=0.5)
    axes.set_axisbelow(True)
