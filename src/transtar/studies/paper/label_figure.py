"""Response matrices of several networks, and their signed gradients at known lines."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D

from ...explain.lines import Line, read_lines
from ...explain.response import PhysicalTest, Response
from ...explain.saliency import Saliency
from ...glossary import display
from ...report.response_figure import COLORS
from ...report.saliency_figure import WINDOWS
from ...report.style import BLACK, BLUE, GREY, ORANGE, PAGE_WIDTH, as_text, new_figure, paper_style
from ...simulate.mocks.moved import STEPS, UNITS

LOOKS: tuple[dict[str, Any], ...] = ({"color": ORANGE, "ls": "-"}, {"color": BLUE, "ls": (0, (4, 1))})
"""Of the networks of one label, and of that of all: told apart by colour and line."""


BEST: dict[str, Any] = {"color": BLACK, "lw": 0.9, "ls": ":"}
"""Look of the weights of the linear estimator."""

MATRIX, ROW = 2.4, 1.15
"""Inches of the matrices, and of each row of gradients."""


def label_responses_figure(
    responses: Sequence[Response], gradients: Sequence[Saliency], tests: Sequence[PhysicalTest], regime: str = "all"
) -> Figure:
    """Draw a matrix for each network, and below them a row of windows for each label.

    A cell is the change of the predicted label when the true one changes by its step, in steps of the predicted label; its colour
    is what is too much of it.

    Parameters
    ----------
    responses : sequence of Response
        Of several labels by the same networks.
    gradients : sequence of Saliency
        Of each label.
    tests : sequence of PhysicalTest
        Of each label, for the weights of the linear estimator.
    regime : str
        Stars of the matrices.

    Returns
    -------
    Figure
    """
    shown = [one for one in responses if one.regime == regime]
    wave = gradients[0].wave
    windows = [name for name, (low, high) in WINDOWS.items() if wave[0] < low and high < wave[-1]]
    heights = [MATRIX, ROW * len(gradients) + 0.5] if windows else [MATRIX]
    with paper_style():
        figure = new_figure(PAGE_WIDTH, sum(heights))
        upper, *below = figure.subfigures(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
        _matrices(upper, shown)
        for lower in below:
            _gradients(lower, gradients, tests, windows)
    return figure


def _matrices(figure: SubFigure, shown: Sequence[Response]) -> None:
    networks = list(dict.fromkeys(one.model for one in shown))
    labels = list(dict.fromkeys(one.label for one in shown))
    moved = in_label_order({one.moved for one in shown}, labels)
    grid = figure.subplots(1, len(networks), squeeze=False, sharey=True)[0]
    for axes, network in zip(grid, networks, strict=True):
        _matrix(axes, [one for one in shown if one.model == network], labels, moved)
        axes.set_title(as_text(network))
    grid[0].set_yticks(range(len(labels)), [display(name, False) for name in labels])
    grid[0].set_ylabel("predicted label")
    bar = figure.colorbar(grid[-1].images[0], ax=list(grid), aspect=15, pad=0.01)
    bar.set_label("off the ideal (steps)", fontsize=7.5)
    bar.ax.tick_params(labelsize=6.5)


def in_label_order(moved: Collection[str], labels: Sequence[str]) -> list[str]:
    """Moved labels in the order of those predicted, so that the diagonal of a matrix is one, and then all others."""
    return [
        *(name for name in labels if name in moved),
        *(name for name in STEPS if name in moved and name not in labels),
    ]


def in_steps(response: Response) -> float:
    """Change of the predicted label in its steps when the moved one changes by one of its own."""
    per_step = STEPS[response.moved] / UNITS[response.moved]
    return response.mean * per_step / (STEPS[response.label] / UNITS[response.label])


def _matrix(axes: Axes, responses: Sequence[Response], labels: Sequence[str], moved: Sequence[str]) -> None:
    values = np.full((len(labels), len(moved)), np.nan)
    ideal = np.array([[float(label == name) for name in moved] for label in labels])
    for one in responses:
        values[labels.index(one.label), moved.index(one.moved)] = in_steps(one)
    off = values - ideal
    axes.imshow(off, cmap=COLORS, norm=Normalize(-1, 1), aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        ink = "white" if abs(off[row, column]) > 0.65 else "black"
        text = f"{value:.2f}".replace("-0.00", "0.00").replace("-", "−")
        axes.text(column, row, text, ha="center", va="center", fontsize=6.5, color=ink)
    axes.set_xticks(range(len(moved)), [display(name, False) for name in moved], rotation=45)
    axes.set_xlabel("true label")
    axes.tick_params(length=0)


def _fine_tuned(names: list[str]) -> list[str]:
    """The networks that are fine-tuned, or all where none is."""
    return [name for name in names if not name.endswith("zero-shot")] or names


def _gradients(
    figure: SubFigure, gradients: Sequence[Saliency], tests: Sequence[PhysicalTest], windows: Sequence[str]
) -> None:
    """Mean gradients, a row for each label and a column for each window."""
    grid = figure.subplots(len(gradients), len(windows), squeeze=False, sharex="col", sharey="row")
    lines = read_lines()
    for row, saliency, test in zip(grid, gradients, tests, strict=True):
        best = test.weights.get(saliency.stars, test.weights.get("all"))
        for axes, title in zip(row, windows, strict=True):
            _window(axes, saliency, best, WINDOWS[title], lines)
        unit = f"{'K' if saliency.label == 'teff' else 'dex'} per unit flux"
        derivative = rf"$\partial$ {display(saliency.label, False)} / $\partial F_\lambda$"
        row[0].set_ylabel(f"{derivative}\n({unit})", fontsize=7)
    for axes, title in zip(grid[0], windows, strict=True):
        axes.set_title(title)
    grid[-1, len(windows) // 2].set_xlabel(r"vacuum wavelength ($\mathrm{\AA}$)")
    names = _fine_tuned(list(gradients[0].models))
    handles = [Line2D([], [], label=as_text(name), lw=1.3, **look) for name, look in zip(names, LOOKS, strict=False)]
    handles.append(Line2D([], [], label="minimum variance", **BEST))
    figure.legend(handles=handles, loc="outside lower center", ncols=3, columnspacing=1.4)


def _window(
    axes: Axes, saliency: Saliency, best: np.ndarray | None, limits: tuple[float, float], lines: Sequence[Line]
) -> None:
    low, high = limits
    inside = (saliency.wave >= low - 2) & (saliency.wave <= high + 2)
    for line in lines:
        if low < line.wavelength < high:
            axes.axvline(line.wavelength, color=GREY, lw=0.6, alpha=0.6, zorder=0)
    for name, look in zip(_fine_tuned(list(saliency.models)), LOOKS, strict=False):
        axes.plot(saliency.wave[inside], saliency.models[name].mean[inside], lw=1.0, **look)
    if best is not None:
        axes.plot(saliency.wave[inside], best[inside], zorder=4, **BEST)
    axes.axhline(0, color=BLACK, lw=0.5, zorder=0)
    axes.set_xlim(low, high)
    # No tick at the very edge, where its label would need room of its own.
    axes.set_xticks(np.arange(np.ceil((low + 3) / 10), np.floor((high - 3) / 10) + 1) * 10)
