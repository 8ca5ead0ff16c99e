"""Predicted against reference labels, one panel per model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..errors import InputError
from ..glossary import COLUMNS, display
from .sample_size import against_sample_size, regime_dots
from .style import BLUE, GREY, PAGE_WIDTH, VERMILION, new_figure, paper_style, save

TOLERANCES = {"teff": 200.0, "logg": 0.3}
"""Distance of the dotted lines from 1:1 in the unit of the label; 0.2 dex for abundances."""

DENSE = 2000
"""Stars from which a panel shows their density."""

_POOR_DENSITY = LinearSegmentedColormap.from_list("poor", ["#FDD0A2", "#FD8D3C", VERMILION, "#7F2704"])
_DENSITY = LinearSegmentedColormap.from_list("density", ["#C6DBEF", "#6BAED6", BLUE, "#08306B"])


@dataclass(frozen=True)
class Panel:
    """One comparison of predicted and reference labels.

    Parameters
    ----------
    title : str
    label : str
        Canonical name of the label.
    reference, predicted : ndarray, shape (n,)
    scores : mapping
        What the legend says: `n`, `r2` and `sigma`, as from `transtar.evaluate.evaluate`.
    poor : ndarray, shape (n,), bool, optional
        Stars to be marked as metal-poor.
    """

    title: str
    label: str
    reference: np.ndarray
    predicted: np.ndarray
    scores: Mapping[str, float]
    poor: np.ndarray | None = None


def one_to_one(panels: Sequence[Panel], columns: int = 4) -> Figure:
    """Draw predicted against reference labels.

    The dashed black line is 1:1, the dotted grey lines are `TOLERANCES` off it. Panels of one label share their
    limits; stars beyond them are drawn as small triangles on the edge.

    Parameters
    ----------
    panels : sequence of Panel
        Row by row.
    columns : int
        Panels per row.

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        If there are no panels.
    """
    if not panels:
        raise InputError("a one-to-one figure needs at least one panel")
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    cell = PAGE_WIDTH / max(columns, 3)
    with paper_style():
        figure = new_figure(cell * columns + 0.3, (cell + 0.12) * rows + 0.55)
        axes = figure.subplots(rows, columns, squeeze=False)
        limits = {label: _limits([p for p in panels if p.label == label]) for label in {p.label for p in panels}}
        for number, panel in enumerate(panels):
            _draw(axes.flat[number], panel, limits[panel.label])
            # Labels once per row and column, unless the neighbour shows another label.
            if number % columns and panels[number - 1].label == panel.label:
                axes.flat[number].set_ylabel("")
                axes.flat[number].tick_params(labelleft=False)
            if number + columns < len(panels) and panels[number + columns].label == panel.label:
                axes.flat[number].set_xlabel("")
                axes.flat[number].tick_params(labelbottom=False)
        for unused in axes.flat[len(panels) :]:
            unused.set_axis_off()
        _legend(figure, panels)
    return figure


def _limits(panels: Sequence[Panel]) -> tuple[float, float]:
    """Limits that hold all references, and predictions unless they are far out."""
    finite = [p.reference[np.isfinite(p.reference)] for p in panels]
    reference = np.concatenate(finite) if finite else np.array([])
    if not len(reference):
        return 0.0, 1.0
    low, high = float(reference.min()), float(reference.max())
    room = max(high - low, 1e-3)
    predicted = np.concatenate([p.predicted[np.isfinite(p.predicted)] for p in panels])
    if len(predicted):
        low = min(low, max(float(predicted.min()), low - 0.2 * room))
        high = max(high, min(float(predicted.max()), high + 0.2 * room))
    return low - 0.05 * room, high + 0.05 * room


def _draw(axes: Axes, panel: Panel, limits: tuple[float, float]) -> None:
    x, y = panel.reference, panel.predicted
    inside = (y >= limits[0]) & (y <= limits[1])
    poor = np.zeros(len(x), bool) if panel.poor is None else np.asarray(panel.poor, bool)
    dense = len(x) > DENSE
    for stars, colours, marker in ((~poor, _DENSITY, "o"), (poor, _POOR_DENSITY, "^")):
        drawn = inside & stars
        if dense and drawn.sum() > DENSE / 10:
            axes.hexbin(
                x[drawn], y[drawn], gridsize=45, extent=(*limits, *limits), mincnt=1, norm=LogNorm(vmin=1),
                cmap=colours, linewidths=0.1, rasterized=True,
            )  # fmt: skip
        elif marker == "^":
            axes.plot(x[drawn], y[drawn], "^", ms=3.2, mew=0.5, mfc="none", color=VERMILION, alpha=0.9)
        else:
            axes.plot(x[drawn], y[drawn], "o", ms=2.6, mew=0, color=BLUE, alpha=0.5, rasterized=len(x) > 500)
    for beyond, edge, marker in ((y > limits[1], limits[1], "^"), (y < limits[0], limits[0], "v")):
        if beyond.any():
            # A little inside, clear of the ticks.
            at = np.full(beyond.sum(), edge + 0.02 * (np.mean(limits) - edge))
            axes.plot(x[beyond], at, marker, ms=4, mew=0, color=GREY, zorder=5)
    tolerance = TOLERANCES.get(panel.label, 0.2)
    ends = np.array(limits)
    axes.plot(ends, ends, "--", color="black", lw=1, zorder=4)
    for shift in (-tolerance, tolerance):
        axes.plot(ends, ends + shift, ":", color="#555555", lw=1, zorder=4)
    axes.set(xlim=limits, ylim=limits, title=panel.title)
    axes.set_box_aspect(1)
    axes.locator_params(nbins=5)
    axes.set_xlabel(f"reference {display(panel.label)}")
    axes.set_ylabel(f"predicted {display(panel.label)}")
    unit = COLUMNS[panel.label].unit if panel.label in COLUMNS else ""
    digits = 0 if unit == "K" else 3
    lines = (
        f"$N$ = {panel.scores['n']:.0f}",
        f"$R^2$ = {panel.scores['r2']:.3f}",
        rf"$\sigma$ = {panel.scores['sigma']:.{digits}f} {unit}".rstrip(),
    )
    box = {"facecolor": "white", "alpha": 0.85, "edgecolor": "none", "boxstyle": "square,pad=0.15"}
    axes.text(
        0.05, 0.955, "\n".join(lines), transform=axes.transAxes, va="top", fontsize=7.2, bbox=box, zorder=6,
        linespacing=1.3,
    )  # fmt: skip


def _legend(figure: Figure, panels: Sequence[Panel]) -> None:
    marked = [p for p in panels if p.poor is not None and np.any(p.poor)]
    others = "[Fe/H] ≥ −1" if marked else "stars"
    if any(len(p.reference) > DENSE for p in panels):
        handles = [Line2D([], [], marker="h", ls="", color="#6BAED6", ms=6, label=f"{others}, density")]
    else:
        handles = [Line2D([], [], marker="o", ls="", color=BLUE, ms=3.5, label=others)]
    if marked:
        marker: Any = {"marker": "^", "ms": 4.5, "mfc": "none", "color": VERMILION}
        if any(p.poor is not None and p.poor.sum() > DENSE / 10 and len(p.reference) > DENSE for p in marked):
            marker = {"marker": "h", "ms": 6, "color": "#FD8D3C"}
        handles.append(Line2D([], [], ls="", label="metal-poor, [Fe/H] < −1", **marker))
    handles.append(Line2D([], [], ls="--", color="black", lw=1, label="1:1"))
    spans = [f"{TOLERANCES.get(name, 0.2):g} {_unit(name)}" for name in dict.fromkeys(p.label for p in panels)]
    handles.append(Line2D([], [], ls=":", color="#555555", lw=1, label=f"±{' / '.join(dict.fromkeys(spans))}"))
    narrow = figure.get_size_inches()[0] < 4.5
    columns = 2 if narrow else len(handles)
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, handletextpad=0.4, columnspacing=1.4)


def _unit(label: str) -> str:
    return COLUMNS[label].unit if label in COLUMNS else ""


def residuals_against(x: np.ndarray, residuals: np.ndarray, name: str, label: str, title: str = "") -> Figure:
    """Draw residuals of a label against another quantity.

    Parameters
    ----------
    x, residuals : ndarray, shape (n,)
        `residuals` is predicted minus reference.
    name, label : str
        Canonical names of the quantity on the x axis and of the label.
    title : str

    Returns
    -------
    Figure
    """
    with paper_style():
        figure = new_figure(PAGE_WIDTH / 2, 2.4)
        axes = figure.subplots()
        if len(x) > DENSE:
            axes.hexbin(x, residuals, gridsize=50, mincnt=1, norm=LogNorm(vmin=1), cmap=_DENSITY, linewidths=0.1)
        else:
            axes.plot(x, residuals, "o", ms=2.6, mew=0, color=BLUE, alpha=0.5)
        axes.axhline(0, color="black", ls="--", lw=1)
        for shift in (-TOLERANCES.get(label, 0.2), TOLERANCES.get(label, 0.2)):
            axes.axhline(shift, color="#555555", ls=":", lw=1)
        axes.set(xlabel=display(name), ylabel=f"predicted − reference {display(label)}", title=title)
    return figure


__all__ = ["Panel", "against_sample_size", "one_to_one", "regime_dots", "residuals_against", "save"]
