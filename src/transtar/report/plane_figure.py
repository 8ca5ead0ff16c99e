"""The [alpha/Fe]-[Fe/H] plane of one sample of stars, by every model that labelled it, beside a reference sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator
from scipy.ndimage import gaussian_filter

from ..errors import TooFew
from ..glossary import display
from ..rounding import rounded
from .corners import ROUNDS, STEP, Note, clear_of_points, covered
from .style import BLUE, PAGE_WIDTH, VERMILION, new_figure, paper_style

LABELS = ("feh", "alphafe")
"""Labels of the x and of the y axis."""

CELLS = (48, 36)
"""Cells of the density along both axes."""

ENCLOSED = (0.5, 0.9)
"""Shares of the reference stars inside the contours."""

BAR = 0.55
"""Inches of the colour bar and its numbers."""

MOST_EXTRA = 0.35
"""A panel may widen the axes by this part of the span of the reference; stars further out are counted instead."""

DENSITY = LinearSegmentedColormap.from_list("density", ["#C6DBEF", "#6BAED6", BLUE, "#08306B"])


IN_A_PLANE = ("lower left", "upper right", "lower right", "upper left")
"""Corners in the order in which they are tried: metal-poor stars poor in alpha elements are the rarest."""


@dataclass(frozen=True)
class Plane:
    """One panel.

    Parameters
    ----------
    title : str
    feh, alphafe : ndarray, shape (n,)
        In dex; stars with a NaN are not drawn.
    mmd, mmd_error : float or sequence of float, optional
        Squared discrepancy from the reference, as from `transtar.evaluate.squared_mmd`, and its error; of several (one
        for each gamma) the first is printed. None for the reference itself.
    """

    title: str
    feh: np.ndarray
    alphafe: np.ndarray
    mmd: float | Sequence[float] | None = None
    mmd_error: float | Sequence[float] | None = None


def abundance_plane(reference: Plane, panels: Sequence[Plane], columns: int = 3) -> Figure:
    """Draw densities of stars in the plane, one panel each, and over all of them contours of the reference.

    Parameters
    ----------
    reference : Plane
        Drawn first; its contours hold `ENCLOSED` of its stars.
    panels : sequence of Plane
    columns : int
        Panels per row.

    Returns
    -------
    Figure

    Raises
    ------
    TooFew
        If the reference has fewer than ten stars with both labels.
    """
    everyone = [reference, *panels]
    points = [finite_stars(panel) for panel in everyone]
    if len(points[0]) < 10:
        raise TooFew(f"the plane needs a reference of ten stars at least, not {len(points[0])}")
    limits = _limits(points)
    columns = min(columns, len(everyone))
    rows = -(-len(everyone) // columns)
    with paper_style():
        # Where the last row is not full, the row above it has labels below, too.
        partly = 0.36 if rows > 1 and len(everyone) % columns else 0.0
        # Below a single panel there is no room for the entries of the legend side by side.
        across = 2 if columns > 1 else 1
        width = min(PAGE_WIDTH, PAGE_WIDTH * columns / max(columns, 3) + BAR)
        figure = new_figure(width, 1.8 * rows + 0.6 + partly + 0.16 * (2 - across))
        grid = figure.subplots(rows, columns, squeeze=False)
        norm = LogNorm(1, 2)
        bar = figure.colorbar(ScalarMappable(norm, DENSITY), ax=grid, pad=0.01, aspect=18 * rows)
        bar.set_label("stars per cell", fontsize=7.5)
        bar.ax.tick_params(labelsize=6.5)
        for unused in grid.flat[len(everyone) :]:
            unused.set_axis_off()
        # Drawn anew with room below until what is written covers no star.
        for _ in range(ROUNDS):
            norm.vmax = max(2.0, *(_most_in_a_cell(stars, limits) for stars in points))
            notes = _draw_all(grid, everyone, points, limits, norm)
            clear_of_points(figure, notes, corners=IN_A_PLANE)
            if not any(map(covered, notes)):
                break
            limits = limits.copy()
            limits[0, 1] -= STEP * (limits[1, 1] - limits[0, 1])
        plain_counts(bar)
        inner, outer = (f"{100 * share:.0f} %" for share in ENCLOSED)
        handles = [
            Line2D([], [], color=VERMILION, lw=1.2, label=f"{inner} of the reference"),
            Line2D([], [], color=VERMILION, lw=0.8, ls="--", label=f"{outer} of the reference"),
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=across, columnspacing=1.4, handletextpad=0.5)
    return figure


def _draw_all(
    grid: np.ndarray, everyone: Sequence[Plane], points: Sequence[np.ndarray], limits: np.ndarray, norm: LogNorm
) -> list[Note]:
    """Draw every panel; returns what is written in each."""
    columns = grid.shape[1]
    contours = _contours(points[0], limits)
    notes = []
    for number, (axes, panel, stars) in enumerate(zip(grid.flat, everyone, points, strict=False)):
        axes.clear()
        note = _draw(axes, panel, stars, limits, norm)
        if contours is not None:
            drawn = axes.contour(*contours, colors=VERMILION, linewidths=(0.8, 1.2), linestyles=("--", "-"), zorder=4)
            kept = np.concatenate([stars, *(path.vertices for path in drawn.get_paths())])
            note = replace(note, points=partial(np.asarray, kept))
        notes.append(note)
        below = number + columns < len(everyone)
        axes.tick_params(labelleft=number % columns == 0, labelbottom=not below)
        if number % columns == 0:
            axes.set_ylabel(display(LABELS[1]))
        if not below:
            axes.set_xlabel(display(LABELS[0]))
    return notes


def finite_stars(panel: Plane) -> np.ndarray:
    """Both labels of the stars that have them, shape (n, 2)."""
    stars = np.stack([np.asarray(panel.feh, float), np.asarray(panel.alphafe, float)], axis=1)
    return stars[np.isfinite(stars).all(axis=1)]


def _limits(points: Sequence[np.ndarray]) -> np.ndarray:
    """Lower and upper limits, shape (2, 2): all of the reference, and the others unless they are far out."""
    low, high = points[0].min(axis=0), points[0].max(axis=0)
    room = np.maximum(high - low, 1e-3)
    for stars in points[1:]:
        if len(stars):
            below, above = np.percentile(stars, (0.2, 99.8), axis=0)
            low = np.minimum(low, np.maximum(below, points[0].min(axis=0) - MOST_EXTRA * room))
            high = np.maximum(high, np.minimum(above, points[0].max(axis=0) + MOST_EXTRA * room))
    return np.array([low - 0.05 * room, high + 0.05 * room])


def count_in_cells(stars: np.ndarray, limits: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Stars per cell, shape `CELLS`, and the edges of the cells along both axes; `limits` are lower and upper ones."""
    return np.histogram2d(stars[:, 0], stars[:, 1], bins=CELLS, range=limits.T.tolist())


def _most_in_a_cell(stars: np.ndarray, limits: np.ndarray) -> float:
    return float(count_in_cells(stars, limits)[0].max()) if len(stars) else 1.0


def _contours(stars: np.ndarray, limits: np.ndarray):
    """Centres of cells, smoothed density, and its levels that enclose the shares wanted."""
    counts, x, y = count_in_cells(stars, limits)
    density = gaussian_filter(counts, 1.3)
    ordered = np.sort(density, axis=None)[::-1]
    share = np.cumsum(ordered) / ordered.sum()
    levels = sorted({float(ordered[np.searchsorted(share, wanted)]) for wanted in ENCLOSED})
    if len(levels) < len(ENCLOSED):
        return None
    return (x[1:] + x[:-1]) / 2, (y[1:] + y[:-1]) / 2, density.T, levels


def _draw(axes: Axes, panel: Plane, stars: np.ndarray, limits: np.ndarray, norm: LogNorm) -> Note:
    inside = ((stars >= limits[0]) & (stars <= limits[1])).all(axis=1)
    if inside.any():
        counts, x, y = count_in_cells(stars[inside], limits)
        shown = np.ma.masked_equal(counts.T, 0)
        axes.pcolormesh(x, y, shown, cmap=DENSITY, norm=norm, rasterized=True)
    axes.set(xlim=limits[:, 0], ylim=limits[:, 1], title=panel.title)
    axes.locator_params(nbins=5)
    lines = [f"$N$ = {len(stars)}"]
    lines += [" ".join(discrepancy_lines(panel))] if panel.mmd is not None else []
    if not inside.all():
        lines.append(f"{(~inside).sum()} outside")
    return write_lines(axes, lines, stars)


def write_lines(axes: Axes, lines: Sequence[str], stars: np.ndarray, size: float = 6.8) -> Note:
    """Print lines inside a panel of stars, shape (n, 2); `clear_of_points` finds the corner."""
    box = {"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "boxstyle": "square,pad=0.15"}
    text = axes.text(
        0.04, 0.05, "\n".join(lines), transform=axes.transAxes, va="bottom", fontsize=size, bbox=box, zorder=6,
        linespacing=1.3,
    )  # fmt: skip
    # A long line must not push the panels apart.
    text.set_in_layout(False)
    return Note(text, lambda: stars, "plane")


def plain_counts(bar: Colorbar) -> None:
    """Whole numbers at 1, 2 and 5 on the logarithmic bar of counts, and no powers between them, which would overlap."""
    bar.locator = LogLocator(subs=(1, 2, 5))
    bar.formatter = FuncFormatter(lambda value, _: f"{value:g}")
    bar.ax.yaxis.set_minor_formatter(NullFormatter())
    bar.ax.yaxis.set_minor_locator(NullLocator())
    bar.update_ticks()


def discrepancy_lines(panel: Plane) -> list[str]:
    """The first of its discrepancies and its error, if it has them."""
    value, error = (None if given is None else float(np.ravel(given)[0]) for given in (panel.mmd, panel.mmd_error))
    if value is None:
        return []
    text, spread = rounded(value, np.nan if error is None else error, digits=4)
    return [f"MMD$^2$ = {text.replace('-', '−')}", *([f"± {spread}"] if spread else [])]
