"""The [alpha/Fe]-[Fe/H] plane in the form of the paper's Figure 3."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure

from ...errors import InputError, TooFew
from ...glossary import display
from ...report import Plane
from ...report.corners import Note, clear_of_points
from ...report.plane_figure import (
    DENSITY,
    IN_A_PLANE,
    LABELS,
    count_in_cells,
    discrepancy_lines,
    finite_stars,
    plain_counts,
    write_lines,
)
from ...report.style import PAGE_WIDTH, new_figure, paper_style

PAPER_LIMITS = ((-1.5, 0.4), (-0.2, 0.45))
"""Lower and upper limits of [Fe/H] and [alpha/Fe] in the paper's Figure 3, in dex."""

MOST_COLUMNS = 7
"""Panels that can be read side by side on a page."""


def normalised_plane(
    reference: Plane, panels: Sequence[Plane], limits: Sequence[Sequence[float]] = PAPER_LIMITS
) -> Figure:
    """Draw counts of stars in the plane, and below them the same with each column of [Fe/H] divided by its maximum.

    The form of the paper's Figure 3: models from left to right, last the reference. Counts are on one logarithmic scale.

    Parameters
    ----------
    reference : Plane
    panels : sequence of Plane
        Up to five.
    limits : pair of pairs of float
        Lower and upper limit of [Fe/H] and of [alpha/Fe] in dex; stars beyond them are counted in the panel.

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        If there are too many panels, or no stars of the reference inside the limits.
    """
    everyone = [*panels, reference]
    if len(everyone) > MOST_COLUMNS:
        raise InputError(f"{len(everyone)} panels in a row cannot be read on a page; {MOST_COLUMNS} can")
    box = np.array(limits, float).T
    points = [finite_stars(panel) for panel in everyone]
    counted = [count_in_cells(stars, box) for stars in points]
    if not counted[-1][0].any():
        raise TooFew("the plane: no star of the reference has both labels inside the limits")
    most = max(float(counts.max()) for counts, _, _ in counted)
    width = PAGE_WIDTH * min(1.0, (len(everyone) + 0.5) / 4.5)
    side = (width - 1.0) / len(everyone)
    size = 6.8 if len(everyone) < 5 else 6.0
    with paper_style():
        figure = new_figure(width, 2 * max(0.95 * side, 1.1) + 0.65)
        grid = figure.subplots(2, len(everyone), squeeze=False, sharex=True, sharey=True)
        notes: list[Note] = []
        for (upper, lower), panel, stars, (counts, x, y) in zip(grid.T, everyone, points, counted, strict=True):
            shares = counts / np.maximum(counts.max(axis=1, keepdims=True), 1)
            above = _mesh(upper, counts, x, y, LogNorm(1, max(most, 2)))
            below = _mesh(lower, shares, x, y, Normalize(0, 1))
            upper.set(title=panel.title, xlim=box[:, 0], ylim=box[:, 1])
            outside = len(stars) - int(counts.sum())
            lines = [f"$N$ = {len(stars)}", *([f"{outside} outside"] if outside else [])]
            notes.append(write_lines(upper, lines, stars, size))
            # The error goes into a line of its own, or would leave a narrow panel.
            if panel.mmd is not None:
                notes.append(write_lines(lower, discrepancy_lines(panel), stars, size))
            lower.set_xlabel(display(LABELS[0]))
            lower.locator_params(axis="x", nbins=4 if len(everyone) < 5 else 3)
        for axes, mesh, name in ((grid[0], above, "stars per cell"), (grid[1], below, "column-normalised")):
            axes[0].set_ylabel(display(LABELS[1]))
            bar = figure.colorbar(mesh, ax=list(axes), pad=0.01, aspect=18)
            bar.set_label(name, fontsize=7.5)
            bar.ax.tick_params(labelsize=6.5)
            if name == "stars per cell":
                plain_counts(bar)
        clear_of_points(figure, notes, corners=IN_A_PLANE)
    return figure


def _mesh(axes: Axes, values: np.ndarray, x: np.ndarray, y: np.ndarray, norm: Normalize):
    return axes.pcolormesh(x, y, np.ma.masked_equal(values.T, 0), cmap=DENSITY, norm=norm, rasterized=True)
