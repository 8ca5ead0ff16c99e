"""Scores against the number of fine-tuning stars, and by regime."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

from ..errors import TooFew
from ..evaluate.summaries import select
from ..glossary import COLUMNS, display
from .style import GREY, PAGE_WIDTH, in_order, new_figure, paper_style, strategy_style

LOWEST_R2 = -1.0
"""R2 axes go no lower unless all lies below; what lies below is drawn as an arrow on the edge with its value."""

ZERO_SHOT = "zero-shot"

REGIME_NAMES = {"all": "all stars", "poor": "metal-poor, [Fe/H] < −1", "rich": "metal-rich, [Fe/H] ≥ −1"}


def _metric_name(metric: str, label: str, of: str = "") -> str:
    if metric == "r2":
        return rf"$R^2${of}"
    unit = COLUMNS[label].unit if label in COLUMNS else ""
    symbol = r"$\sigma$" if metric == "sigma" else metric
    return f"{symbol}{of} ({unit})" if unit else f"{symbol}{of}"


def _in_a_row(entries: int) -> int:
    """Entries of a legend in a row: eight and more go into two full rows."""
    return entries if entries <= 7 else -(-entries // 2)


def _line(strategy: str) -> dict[str, Any]:
    """Look of a strategy that has one value for all numbers of stars."""
    return {"color": strategy_style(strategy)["color"], "lw": 1.2, "ls": ":"}


def spread(row: Mapping, metric: str) -> float:
    """Length of an error bar."""
    # One seed has no spread: the point is drawn without an error bar.
    error = row[f"{metric}_std"]
    return error if np.isfinite(error) else 0.0


def value_range(rows: Iterable[Mapping], metric: str) -> tuple[float, float]:
    """Lowest and highest end of the error bars of a metric; R2 not below `LOWEST_R2`, unless all is."""
    shown = [(row[metric], spread(row, metric)) for row in rows if np.isfinite(row[metric])]
    low, high = min((v - e for v, e in shown), default=0.0), max((v + e for v, e in shown), default=1.0)
    if metric == "r2":
        # Where all lies below, as of five metal-poor stars it may, the axis goes there.
        low = max(low, LOWEST_R2) if high > LOWEST_R2 else low
    return low, high


def with_room(low: float, high: float) -> tuple[float, float]:
    """Ends of an axis with some room about a range."""
    room = 0.08 * max(high - low, 1e-3)
    return low - room, high + room


def against_sample_size(
    summary: Iterable[Mapping], label: str, regimes: Sequence[str] = ("all", "poor", "rich")
) -> Figure:
    """Draw R2 in each regime and sigma of all stars against the number of fine-tuning stars.

    Points are means and bars standard deviations over seeds; the grey band is zero-shot, a dotted line what else has learnt
    from no star of the target.

    Parameters
    ----------
    summary : iterable of mapping
        Rows as from `transtar.evaluate.summarise`, of one source, target, split and variant.
    label : str
        Canonical name.
    regimes : sequence of str
        Panels of R2, in this order.

    Returns
    -------
    Figure

    Raises
    ------
    TooFew
        If there are no results of that label.
    """
    rows = select(summary, label=label)
    if not rows:
        raise TooFew(f"no results for label '{label}'")
    strategies = in_order([row["strategy"] for row in rows if row["n_finetune"] > 0])
    unadapted = in_order([row["strategy"] for row in rows if row["n_finetune"] == 0])
    sizes = sorted({row["n_finetune"] for row in rows if row["n_finetune"] > 0})
    panels = [("r2", regime) for regime in regimes] + [("sigma", "all")]
    with paper_style():
        columns = 2 if len(panels) > 2 else len(panels)
        figure = new_figure(PAGE_WIDTH, 2.15 * -(-len(panels) // columns) + 0.6)
        grid = figure.subplots(-(-len(panels) // columns), columns, squeeze=False).flat
        for axes, (metric, regime) in zip(grid, panels, strict=False):
            _draw_sizes(axes, select(rows, regime=regime), metric, strategies, sizes)
            axes.set_title(REGIME_NAMES.get(regime, regime))
            axes.set_ylabel(_metric_name(metric, label, f" of {display(label, False)}"))
            axes.set_xlabel("fine-tuning stars $n$")
        for axes in list(grid)[len(panels) :]:
            axes.set_axis_off()
        handles = [Line2D([], [], ms=4.5, label=s, **strategy_style(s, k)) for k, s in enumerate(strategies)]
        for name in unadapted:
            band = {"color": GREY, "lw": 5, "alpha": 0.5}
            handles.append(Line2D([], [], label=name, **(band if name == ZERO_SHOT else _line(name))))
        figure.legend(handles=handles, loc="outside lower center", ncols=_in_a_row(len(handles)), columnspacing=1.2)
    return figure


def _draw_sizes(axes: Axes, rows: list[dict], metric: str, strategies: list[str], sizes: list[int]) -> None:
    # The sides of the box are set first, so that what falls below can be put on the edge.
    low, high = value_range(rows, metric)
    axes.set_ylim(*with_room(low, high))
    for row in rows:
        if row["n_finetune"] == 0 and np.isfinite(row[metric]) and row["strategy"] != ZERO_SHOT:
            axes.axhline(row[metric], **_line(row["strategy"]))
        elif row["n_finetune"] == 0 and np.isfinite(row[metric]):
            value, error = row[metric], spread(row, metric)
            axes.axhspan(value - error, value + error, color=GREY, alpha=0.25, lw=0)
            axes.axhline(value, color=GREY, lw=1)
    below: dict[int, int] = {}
    for position, strategy in enumerate(strategies):
        chosen = sorted(select(rows, strategy=strategy, n_finetune=set(sizes)), key=lambda row: row["n_finetune"])
        # Strategies stand beside each other, so that their bars do not hide one another.
        shift = 1.035 ** (position - (len(strategies) - 1) / 2)
        x = np.array([row["n_finetune"] * shift for row in chosen])
        y = np.array([row[metric] for row in chosen], float)
        style = strategy_style(strategy, position)
        axes.errorbar(x, y, [spread(row, metric) for row in chosen], ms=4, elinewidth=0.9, **style)
        for row, at, value in zip(chosen, x, y, strict=True):
            if value < low:
                level = below.setdefault(row["n_finetune"], 0)
                below[row["n_finetune"]] += 1
                mark_below(axes, at, value, style["color"], level)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(sizes))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0f}")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    if sizes:
        axes.set_xlim(sizes[0] / 1.35, sizes[-1] * 1.35)


def mark_below(axes: Axes, x: float, value: float, color: str, level: int) -> None:
    """An arrow on the lower edge with the value that lies below, the `level`-th at its place."""
    bottom = axes.get_ylim()[0]
    axes.plot([x], [bottom], marker="v", ms=5, color=color, clip_on=False, zorder=5)
    axes.annotate(
        _text(value),
        (x, bottom),
        # To the left, where the last points leave no room on the right.
        xytext=(-5, 4 + 9 * level),
        ha="right",
        textcoords="offset points",
        color=color,
        fontsize=6.5,
        zorder=10,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.5},
    )


def _text(value: float) -> str:
    return f"{value:.1f}".replace("-", "−")


def regime_dots(
    summary: Iterable[Mapping],
    label: str,
    n_finetune: int,
    regimes: Sequence[str] = ("dwarf", "giant", "cool", "warm", "poor-dwarf", "poor-giant"),
) -> Figure:
    """Draw R2, sigma and bias of every strategy in each regime, at one number of fine-tuning stars.

    Parameters
    ----------
    summary : iterable of mapping
        Rows as from `transtar.evaluate.summarise`.
    label : str
    n_finetune : int
        Zero-shot (0) is always shown too.
    regimes : sequence of str
        From top to bottom; those without results are left out.

    Returns
    -------
    Figure

    Raises
    ------
    TooFew
        If there are no such results.
    """
    rows = select(summary, label=label, n_finetune={0, n_finetune}, regime=set(regimes))
    if not rows:
        kinds = f"{', '.join(regimes)} (kinds of few stars have none)"
        raise TooFew(f"no results for label '{label}' with n_finetune {n_finetune} in {kinds}")
    names = [name for name in regimes if any(row["regime"] == name for row in rows)]
    stars = {row["regime"]: row["n_test"] for row in rows}
    strategies = in_order([row["strategy"] for row in rows])
    with paper_style():
        figure = new_figure(PAGE_WIDTH, 0.5 * len(names) + 1.1)
        for axes, metric in zip(figure.subplots(1, 3, sharey=True), ("r2", "sigma", "bias"), strict=True):
            for number in range(1, len(names), 2):
                axes.axhspan(number - 0.5, number + 0.5, color="#F2F2F2", lw=0, zorder=0)
            for position, strategy in enumerate(strategies):
                chosen = select(rows, strategy=strategy)
                offset = 0.7 * (position - (len(strategies) - 1) / 2) / max(len(strategies), 1)
                values = np.array([row[metric] for row in chosen])
                heights = [names.index(row["regime"]) + offset for row in chosen]
                if metric == "r2":
                    for value, height in zip(values, heights, strict=True):
                        if value < LOWEST_R2:
                            color = strategy_style(strategy, position)["color"]
                            axes.annotate(
                                f"◂ {_text(value)}",
                                (LOWEST_R2, height),
                                color=color,
                                fontsize=6,
                                va="center",
                            )
                    values = np.where(values < LOWEST_R2, np.nan, values)
                errors = [spread(row, metric) for row in chosen]
                style = strategy_style(strategy, position)
                axes.errorbar(values, heights, xerr=errors, ls="", ms=3.6, elinewidth=0.9, label=strategy, **style)
            axes.set_xlabel(_metric_name(metric, label))
            axes.tick_params(axis="y", length=0)
            axes.grid(axis="x", color="#DDDDDD", lw=0.5)
            axes.set_axisbelow(True)
            if metric == "bias":
                axes.axvline(0, color="black", lw=0.8, ls="--")
        axes.set_yticks(range(len(names)), [f"{name} ($N$ = {stars[name]})" for name in names])
        axes.set_ylim(len(names) - 0.5, -0.5)
        handles, texts = axes.get_legend_handles_labels()
        figure.legend(handles, texts, loc="outside lower center", ncols=_in_a_row(len(texts)), columnspacing=1.2)
    return figure
