"""Scores against the number of weights that an adapter trains."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from ...errors import InputError, TooFew
from ...evaluate import select
from ...glossary import display
from ...report.sample_size import REGIME_NAMES
from ...report.style import COLUMN_WIDTH, in_order, new_figure, paper_style, strategy_style

REFERENCES = ("zero-shot", "full")
"""Strategies drawn as lines over the whole axis, as their number of weights is not chosen."""


def against_trainable_weights(
    rows: Iterable[Mapping], label: str, regimes: Sequence[str] = ("all", "rich", "poor")
) -> Figure:
    """Draw R2 against the number of trainable weights, one line for each adapter.

    The form of the paper's Figure A3: points are means and bars standard deviations over seeds; their names are those
    of the settings, such as H384 for a residual head with 384 hidden units and R128 for a LoRA of rank 128.

    Parameters
    ----------
    rows : iterable of mapping
        With `strategy`, `regime`, `r2` and `r2_std` (NaN for one seed); adapters also with `n_weights` and `name`.
        `REFERENCES` become horizontal lines.
    label : str
        Canonical name.
    regimes : sequence of str
        Panels from top to bottom.

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        If a panel has no adapter to be drawn, or a number of weights is not positive.
    """
    rows = [dict(row) for row in rows]
    adapters = in_order([row["strategy"] for row in rows if row["strategy"] not in REFERENCES])
    for regime in regimes:
        if not select(rows, regime=regime, strategy=set(adapters)):
            raise TooFew(f"no adapter has results of {regime} stars to be drawn against its trainable weights")
    wrong = [row for row in select(rows, strategy=set(adapters)) if not row["n_weights"] > 0]
    if wrong:
        raise InputError(f"{wrong[0]['strategy']} {wrong[0]['name']}: {wrong[0]['n_weights']} trainable weights")
    with paper_style():
        figure = new_figure(COLUMN_WIDTH, 1.75 * len(regimes) + 0.7)
        grid = figure.subplots(len(regimes), 1, sharex=True, squeeze=False)[:, 0]
        for axes, regime in zip(grid, regimes, strict=True):
            of_regime = select(rows, regime=regime)
            _draw_references(axes, of_regime)
            drawn = {strategy: select(of_regime, strategy=strategy) for strategy in adapters}
            # Names of the better adapter above its points and of the others below, so that they do not meet.
            best = max(drawn, key=lambda strategy: max((row["r2"] for row in drawn[strategy]), default=-np.inf))
            for position, (strategy, points) in enumerate(drawn.items()):
                _draw_adapter(axes, points, strategy, position, above=strategy == best)
            axes.set(ylabel=rf"$R^2$ of {display(label, False)}", title=REGIME_NAMES.get(regime, regime), xscale="log")
            # Room for the names above and below the points.
            axes.margins(x=0.08, y=0.18)
        grid[-1].set_xlabel("trainable weights")
        handles, names = grid[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=4, columnspacing=1.0, handlelength=1.7)
    return figure


def _draw_references(axes: Axes, rows: list[dict]) -> None:
    for strategy, line in zip(REFERENCES, ("--", ":"), strict=True):
        for row in select(rows, strategy=strategy):
            color = strategy_style(strategy)["color"]
            error = np.nan_to_num(row["r2_std"])
            axes.axhline(row["r2"], color=color, ls=line, lw=1.1, label=strategy)
            axes.axhspan(row["r2"] - error, row["r2"] + error, color=color, alpha=0.15, lw=0)


def _draw_adapter(axes: Axes, rows: list[dict], strategy: str, position: int, above: bool) -> None:
    rows = sorted(rows, key=lambda row: row["n_weights"])
    errors = np.nan_to_num([row["r2_std"] for row in rows])
    x, y = ([row[name] for row in rows] for name in ("n_weights", "r2"))
    axes.errorbar(x, y, errors, ms=4, elinewidth=0.9, capsize=2, label=strategy, **strategy_style(strategy, position))
    side = 1 if above else -1
    halo = [withStroke(linewidth=1.5, foreground="white")]
    for row, error in zip(rows, errors, strict=True):
        axes.annotate(
            row["name"], (row["n_weights"], row["r2"] + side * error), xytext=(0, 2.5 * side),
            textcoords="offset points", ha="center", va="bottom" if above else "top", fontsize=6, color="#333333",
            path_effects=halo, zorder=6,
        )  # fmt: skip
