"""Texts inside panels that cover no star: the corner that is free, and room where none is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

CORNERS = ("upper left", "lower right", "lower left", "upper right")
"""In this order they are tried: first those off the diagonal of a one-to-one panel."""

MARGIN = 0.045
"""Between a text and the sides of its panel, in parts of the panel."""

ROUNDS, STEP = 8, 0.1
"""So often limits are widened, each time by this part, until a text has room; of stars that lie everywhere some stay covered."""


@dataclass(frozen=True)
class Note:
    """A text inside a panel.

    Parameters
    ----------
    text : Text
    points : callable
        Gives what it must not cover, in the coordinates of the data, shape (n, 2).
    group : str
        Panels of one group have the same limits.
    """

    text: Text
    points: Callable[[], np.ndarray]
    group: str = ""

    @property
    def axes(self) -> Axes:
        """The panel."""
        return cast(Axes, self.text.axes)


def put(text: Text, corner: str) -> None:
    """Put a text into a corner of its panel; its lines stay aligned on the left."""
    vertical, horizontal = corner.split()
    text.set_position((MARGIN if horizontal == "left" else 1 - MARGIN, MARGIN if vertical == "lower" else 1 - MARGIN))
    text.set(ha=horizontal, va="bottom" if vertical == "lower" else "top", multialignment="left")


def covered(note: Note) -> int:
    """How many of its points a text covers where it stands; the figure must have been laid out."""
    box = note.text.get_window_extent()
    points = note.points()
    if not len(points):
        return 0
    at = note.axes.transData.transform(points)
    # Markers have some extent, too.
    near = 2.0
    inside = (at >= (box.x0 - near, box.y0 - near)).all(axis=1) & (at <= (box.x1 + near, box.y1 + near)).all(axis=1)
    return int(inside.sum())


def clear_of_points(
    figure: Figure,
    notes: Sequence[Note],
    widen: Callable[[str, float], None] | None = None,
    corners: Sequence[str] = CORNERS,
) -> None:
    """Put each text into a corner where it covers nothing; where no corner is free, the limits of its group are widened.

    Parameters
    ----------
    figure : Figure
    notes : sequence of Note
    widen : callable, optional
        Takes a group and a part by which both ends of its limits move outward; without it texts go where they cover least.
    corners : sequence of str
        In the order of preference.
    """
    figure.draw_without_rendering()
    for _ in range(ROUNDS if widen is not None else 1):
        full = {note.group for note in notes if _best_corner(note, corners)}
        if not full or widen is None:
            return
        for group in full:
            widen(group, STEP)
        figure.draw_without_rendering()
    for note in notes:
        _best_corner(note, corners)


def _best_corner(note: Note, corners: Sequence[str]) -> int:
    """Put a text where it covers least; how much it covers there."""
    counts = []
    for corner in corners:
        put(note.text, corner)
        counts.append(covered(note))
        if not counts[-1]:
            return 0
    put(note.text, corners[int(np.argmin(counts))])
    return min(counts)
