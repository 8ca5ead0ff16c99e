"""Predicted against reference labels, one panel per model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

from ..errors import InputError, TooFew
from ..glossary import COLUMNS, decimals, display
from .corners import CORNERS, Note, clear_of_points
from .style import BLUE, GREY, PAGE_WIDTH, VERMILION, new_figure, paper_style

TOLERANCES = {"teff": 200.0, "logg": 0.3}
"""Distance of the dotted lines from 1:1 in the unit of the label; 0.2 dex for abundances."""

DENSE = 2000
"""Stars from which a panel shows their density."""

NARROW = 4.5
"""Inches: below, the legend has two columns."""

MOST_COLUMNS = 6
"""Panels that can be read side by side on a page."""

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


def one_to_one(panels: Sequence[Panel | None], columns: int = 4) -> Figure:
    """Draw predicted against reference labels.

    The dashed black line is 1:1, the dotted grey lines are `TOLERANCES` off it. Panels of one label share their limits; stars
    beyond them are small triangles on the edge, whose number and furthest value stand among the scores. The scores cover no star:
    they stand in a free corner, and where none is, the limits are wider. Panels that stand under one of the same title go without
    theirs: the rows may be labels, and the columns models, as in the paper's Figure 2.

    Parameters
    ----------
    panels : sequence of Panel or None
        Row by row; None leaves a place empty.
    columns : int
        Panels per row, up to six.

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        If there are no panels, or more than six in a row.
    """
    drawn = [panel for panel in panels if panel is not None]
    if not drawn:
        raise TooFew("a one-to-one figure needs at least one panel")
    columns = min(columns, len(panels))
    if columns > MOST_COLUMNS:
        raise InputError(f"{columns} panels in a row cannot be read on a page; {MOST_COLUMNS} can")
    rows = -(-len(panels) // columns)
    # One below the other: titles and axis labels take room only where they are not those of the row above or below.
    labelled = 1 + sum(_differ(panels, row * columns, columns, "label") for row in range(rows - 1))
    titled = sum(_differ(panels, row * columns, columns, "title") for row in range(rows - 1))
    titled += any(panel is not None and panel.title for panel in panels[:columns])
    width = min(PAGE_WIDTH / max(columns, 3) * columns + 0.3, PAGE_WIDTH)
    # Side by side: so do the axis labels on the left.
    on_the_left = 1 + sum(_differ_beside(panels, column, columns) for column in range(1, columns))
    side = (width - 0.45 * on_the_left) / columns - 0.12
    handles = _handles(drawn)
    across = 2 if width < NARROW else len(handles)
    below_all = 0.3 + 0.16 * (-(-len(handles) // across) - 1)
    with paper_style():
        figure = new_figure(width, (side + 0.1) * rows + 0.22 * titled + 0.36 * labelled + below_all)
        axes = figure.subplots(rows, columns, squeeze=False)
        of_label = {label: [p for p in drawn if p.label == label] for label in {p.label for p in drawn}}
        limits = {label: _limits(members) for label, members in of_label.items()}
        notes: list[Note] = []
        for number, panel in enumerate(panels):
            if panel is None:
                continue
            notes.append(_draw(axes.flat[number], panel, limits[panel.label], columns))
            # Titles and labels once per row and column, unless the neighbour shows something else.
            beside = panels[number - 1] if number % columns else None
            above = panels[number - columns] if number >= columns else None
            below = panels[number + columns] if number + columns < len(panels) else None
            if above is not None and above.title == panel.title:
                axes.flat[number].set_title("")
            if beside is not None and beside.label == panel.label:
                axes.flat[number].set_ylabel("")
                axes.flat[number].tick_params(labelleft=False)
            if below is not None and below.label == panel.label:
                axes.flat[number].set_xlabel("")
                axes.flat[number].tick_params(labelbottom=False)
        for number, place in enumerate(axes.flat):
            if number >= len(panels) or panels[number] is None:
                place.set_axis_off()
        tight = {"handlelength": 1.6, "columnspacing": 1.0} if width < NARROW else {"columnspacing": 1.4}
        figure.legend(handles=handles, loc="outside lower center", ncols=across, handletextpad=0.4, **tight)

        def widen(label: str, part: float) -> None:
            low, high = limits[label]
            limits[label] = low - part * (high - low) / 2, high + part * (high - low) / 2
            for note in notes:
                if note.group == label:
                    note.axes.set(xlim=limits[label], ylim=limits[label])
                    cast(Text, note.text).set_text(_scores(of_note[id(note)], limits[label], columns))

        shown = [panel for panel in panels if panel is not None]
        of_note = {id(note): panel for note, panel in zip(notes, shown, strict=True)}
        clear_of_points(figure, notes, widen, _corners(shown))
        for note, panel in zip(notes, shown, strict=True):
            _mark_beyond(note.axes, panel, limits[panel.label])
    return figure


def _differ(panels: Sequence[Panel | None], start: int, columns: int, what: str) -> bool:
    pairs = zip_longest(panels[start : start + columns], panels[start + columns : start + 2 * columns])
    return any(
        # Above an empty place a panel keeps its axis label.
        (what == "label" and a is not None) if b is None else a is None or getattr(a, what) != getattr(b, what)
        for a, b in pairs
    )


def _differ_beside(panels: Sequence[Panel | None], column: int, columns: int) -> bool:
    pairs = zip(panels[column - 1 :: columns], panels[column::columns], strict=False)
    return any(b is not None and (a is None or a.label != b.label) for a, b in pairs)


def _limits(panels: Sequence[Panel]) -> tuple[float, float]:
    """Limits that hold all references, and predictions unless they are far out."""
    finite = [p.reference[np.isfinite(p.reference)] for p in panels]
    reference = np.concatenate(finite) if finite else np.array([])
    if not len(reference):
        return 0.0, 1.0
    low, high = float(reference.min()), float(reference.max())
    # A single star, or stars of one value, need room as well.
    narrow = 2 * TOLERANCES.get(panels[0].label, 0.2) - (high - low)
    if narrow > 0:
        low, high = low - narrow / 2, high + narrow / 2
    room = high - low
    predicted = np.concatenate([p.predicted[np.isfinite(p.predicted)] for p in panels])
    if len(predicted):
        low = min(low, max(float(predicted.min()), low - 0.2 * room))
        high = max(high, min(float(predicted.max()), high + 0.2 * room))
    return low - 0.05 * room, high + 0.05 * room


def _corners(panels: Sequence[Panel]) -> tuple[str, ...]:
    """The corners off the diagonal, whose lines a text must not hide, that first where fewer stars are."""
    above = sum(np.sum(panel.predicted > panel.reference) for panel in panels)
    below = sum(np.sum(panel.predicted < panel.reference) for panel in panels)
    return CORNERS[:2] if above <= below else CORNERS[1::-1]


def _draw(axes: Axes, panel: Panel, limits: tuple[float, float], columns: int) -> Note:
    """Draw a panel, but for the stars beyond its limits, which may still be widened; returns its scores."""
    small = columns > 4
    x, y = panel.reference, panel.predicted
    inside = (y >= limits[0]) & (y <= limits[1])
    poor = np.zeros(len(x), bool) if panel.poor is None else np.asarray(panel.poor, bool)
    dense = len(x) > DENSE
    for stars, colours, marker in ((~poor, _DENSITY, "o"), (poor, _POOR_DENSITY, "^")):
        drawn = stars
        if dense and (inside & stars).sum() > DENSE / 10:
            drawn = inside & stars
            axes.hexbin(
                x[drawn], y[drawn], gridsize=36 if small else 45, extent=(*limits, *limits), mincnt=1, norm=LogNorm(vmin=1),
                cmap=colours, linewidths=0.1, rasterized=True,
            )  # fmt: skip
            # Those that come into view if the limits are widened.
            drawn = stars & ~inside
        if marker == "^":
            look: dict[str, Any] = {
                "ms": 2.4 if small else 3.2,
                "mew": 0.5,
                "mfc": "none",
                "color": VERMILION,
                "alpha": 0.9,
            }
        else:
            look = {"ms": 2.6, "mew": 0, "color": BLUE, "alpha": 0.5, "rasterized": len(x) > 500}
        axes.plot(x[drawn], y[drawn], marker, **look)
    tolerance = TOLERANCES.get(panel.label, 0.2)
    # Longer than the panel, which may still grow.
    ends = np.array(limits) + np.array([-3.0, 3.0]) * (limits[1] - limits[0])
    axes.plot(ends, ends, "--", color="black", lw=1, zorder=4)
    for shift in (-tolerance, tolerance):
        axes.plot(ends, ends + shift, ":", color="#555555", lw=1, zorder=4)
    axes.set(xlim=limits, ylim=limits, title=panel.title)
    axes.set_box_aspect(1)
    axes.locator_params(nbins=4 if small else 5 if columns > 2 else 7)
    axes.set_xlabel(f"reference {display(panel.label)}")
    axes.set_ylabel(f"predicted {display(panel.label)}")
    box = {"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "boxstyle": "square,pad=0.15"}
    text = axes.text(
        0, 0, _scores(panel, limits, columns), transform=axes.transAxes, fontsize=6 if small else 7.2, bbox=box, zorder=6,
        linespacing=1.3,
    )  # fmt: skip
    text.set_in_layout(False)
    seen = np.isfinite(x) & np.isfinite(y)
    return Note(text, lambda: np.stack([x[seen], np.clip(y[seen], *axes.get_ylim())], axis=1), panel.label, reach=2.0)


def _scores(panel: Panel, limits: tuple[float, float], columns: int) -> str:
    """What the panel says: numbers and scores, and how far stars lie beyond its limits."""
    small = columns > 4
    # Small panels have no room for the unit, which the legend below them shows. What is no number is not said.
    unit, digits = "" if small else _unit(panel.label), decimals(panel.label)
    lines = [f"$N$ = {panel.scores['n']:.0f}"]
    if np.isfinite(panel.scores["r2"]):
        lines.append(f"$R^2$ = {panel.scores['r2']:.3f}".replace("-", "−"))
    if np.isfinite(panel.scores["sigma"]):
        lines.append(rf"$\sigma$ = {panel.scores['sigma']:.{digits}f} {unit}".rstrip())
    for beyond, mark, end in ((panel.predicted > limits[1], "▲", np.max), (panel.predicted < limits[0], "▼", np.min)):
        if beyond.any():
            furthest = f"{end(panel.predicted[beyond]):.{min(digits, 2)}f}".replace("-", "−")
            lines.append(f"{mark} {beyond.sum()} {'at' if beyond.sum() == 1 else 'to'} {furthest}")
    return "\n".join(lines)


def _mark_beyond(axes: Axes, panel: Panel, limits: tuple[float, float]) -> None:
    """Stars beyond the limits, as triangles a little inside the edge, clear of the ticks."""
    for beyond, edge, marker in (
        (panel.predicted > limits[1], limits[1], "^"), (panel.predicted < limits[0], limits[0], "v"),
    ):  # fmt: skip
        if beyond.any():
            at = np.full(beyond.sum(), edge + 0.02 * (np.mean(limits) - edge))
            axes.plot(panel.reference[beyond], at, marker, ms=4, mew=0, color=GREY, zorder=5)


def _handles(panels: Sequence[Panel]) -> list[Line2D]:
    """What the legend shows."""
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
    return handles


def _unit(label: str) -> str:
    return COLUMNS[label].unit if label in COLUMNS else ""
