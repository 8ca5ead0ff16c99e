"""Texts and legends inside panels that cover nothing that is drawn: the corner that is free, and room where none is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import Collection, PathCollection, QuadMesh
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text

CORNERS = ("upper left", "lower right", "lower left", "upper right")
"""In this order they are tried: first those off the diagonal of a one-to-one panel."""

MARGIN = 0.045
"""Between a text and the sides of its panel, in parts of the shorter one."""

ROUNDS, STEP = 8, 0.1
"""So often limits are widened, each time by this part, until a text has room; of stars that lie everywhere some stay covered."""

FINE = 2.0
"""Pixels between the points by which a line is known."""


@dataclass(frozen=True)
class Note:
    """A text or legend inside a panel.

    Parameters
    ----------
    text : Text or Legend
    points : callable, optional
        Gives what it must not cover, in the coordinates of the data, shape (n, 2); by default all that is drawn (see `ink`).
        Then of free corners one with few marks in the background is better.
    group : str
        Panels of one group have the same limits.
    reach : float
        Radius of the markers at these points, in points of type.
    corners : sequence of str
        In the order of preference; by default those of `clear_of_points`.
    """

    text: Text | Legend
    points: Callable[[], np.ndarray] | None = None
    group: str = ""
    reach: float = 1.5
    corners: Sequence[str] = ()

    @property
    def axes(self) -> Axes:
        """The panel."""
        return cast(Axes, self.text.axes)

    def box(self) -> np.ndarray:
        """Where it stands in pixels: left, lower, right and upper end, with its frame."""
        shown: Artist = self.text
        if isinstance(self.text, Text) and (frame := self.text.get_bbox_patch()) is not None:
            # It follows the text when it is drawn.
            self.text.update_bbox_position_size(cast(Any, self.axes.figure.canvas).get_renderer())
            shown = frame
        return np.array(shown.get_window_extent().extents)


def put(text: Text | Legend, corner: str) -> None:
    """Put a text or legend into a corner of its panel; its lines stay aligned on the left."""
    if isinstance(text, Legend):
        cast(Any, text).set_loc(corner)
        return
    vertical, horizontal = corner.split()
    panel = cast(Axes, text.axes).bbox
    x, y = (MARGIN * min(panel.width, panel.height) / side for side in (panel.width, panel.height))
    text.set_position((x if horizontal == "left" else 1 - x, y if vertical == "lower" else 1 - y))
    text.set(ha=horizontal, va="bottom" if vertical == "lower" else "top", multialignment="left")


def ink(axes: Axes, background: bool = False) -> np.ndarray:
    """What is drawn in a panel.

    Parameters
    ----------
    axes : Axes
        Laid out.
    background : bool
        Give what lies behind all else (`zorder` up to 0), such as marks of wavelengths, instead.

    Returns
    -------
    ndarray, shape (n, 3)
        x, y and radius in pixels: markers, and points along lines, bands, steps and contours; cells of a map do not count.
    """
    drawn = [one for one in (*axes.lines, *axes.collections, *axes.patches) if one.get_visible()]
    parts = [_ink(one) for one in drawn if (one.get_zorder() <= 0) == background]
    every = np.concatenate([np.empty((0, 3)), *parts])
    return every[np.isfinite(every).all(axis=1)]


def _ink(artist: Artist) -> np.ndarray:
    pixels = cast(Any, artist).figure.dpi / 72
    if isinstance(artist, Line2D):
        at = np.asarray(artist.get_transform().transform(artist.get_xydata()))
        line = _along(at, artist.get_linewidth() * pixels / 2) if artist.get_linestyle() != "None" else np.empty((0, 3))
        if artist.get_marker() in ("None", "", " ", None):
            return line
        return np.concatenate([line, _with(at, (artist.get_markersize() + artist.get_markeredgewidth()) * pixels / 2)])
    if isinstance(artist, Patch):
        at = np.asarray(artist.get_transform().transform_path(artist.get_path()).vertices)
        return _along(at, artist.get_linewidth() * pixels / 2)
    if isinstance(artist, PathCollection):
        at = np.asarray(artist.get_offset_transform().transform(artist.get_offsets()))
        return _with(at, np.sqrt(np.max(artist.get_sizes(), initial=0.0)) * pixels / 2)
    if isinstance(artist, Collection) and not isinstance(artist, QuadMesh):
        paths = [np.asarray(artist.get_transform().transform_path(path).vertices) for path in artist.get_paths()]
        return np.concatenate([np.empty((0, 3)), *(_along(path, pixels / 2) for path in paths)])
    return np.empty((0, 3))


def _with(at: np.ndarray, radius: float) -> np.ndarray:
    return np.column_stack([at, np.full(len(at), radius)])


def _along(at: np.ndarray, radius: float) -> np.ndarray:
    """Points along a line, of which parts go through nothing that is no number."""
    at = np.asarray(at, float)
    with np.errstate(invalid="ignore"):
        steps = np.diff(at, axis=0)
    lengths = np.hypot(*steps.T)
    # No more than a figure has pixels, however far a line goes on beyond it.
    counts = np.where(np.isfinite(lengths), np.minimum(np.ceil(lengths / FINE), 5000), 0).astype(int)
    start = np.repeat(np.arange(len(counts)), counts)
    part = (np.arange(len(start)) - np.repeat(np.cumsum(counts) - counts, counts)) / counts[start]
    return _with(np.concatenate([at[start] + part[:, None] * steps[start], at[-1:]]), radius)


def covered(note: Note) -> int:
    """How many of its points a text covers where it stands; the figure must have been laid out."""
    if note.points is None:
        return _within(note.box(), ink(note.axes))
    points = note.points()
    if not len(points):
        return 0
    radius = note.reach * note.axes.figure.dpi / 72
    return _within(note.box(), _with(note.axes.transData.transform(points), radius))


def _within(box: np.ndarray, drawn: np.ndarray) -> int:
    at, radius = drawn[:, :2], drawn[:, 2:]
    return int(((at >= box[:2] - radius) & (at <= box[2:] + radius)).all(axis=1).sum())


def clear_of_points(
    figure: Figure,
    notes: Sequence[Note],
    widen: Callable[[str, float], None] | None = None,
    corners: Sequence[str] = CORNERS,
) -> None:
    """Put each text or legend into a corner where it covers nothing; where none is free, the limits of its group are widened.

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


def clear_legends(
    figure: Figure, corners: Sequence[str] = ("upper right", "upper left", "lower right", "lower left")
) -> None:
    """Put the legend of each panel that has one where it covers nothing that is drawn; if no corner is free, y goes on upward."""
    panels = {str(number): axes for number, axes in enumerate(figure.axes) if axes.get_legend() is not None}

    def widen(number: str, part: float) -> None:
        (low, high), log = panels[number].get_ylim(), panels[number].get_yscale() == "log"
        panels[number].set_ylim(low, high * (high / low) ** part if log else high + part * (high - low))

    notes = [Note(cast(Legend, axes.get_legend()), group=number) for number, axes in panels.items()]
    clear_of_points(figure, notes, widen, corners)


def _best_corner(note: Note, corners: Sequence[str]) -> int:
    """Put a text where it covers least; how much it covers there."""
    corners = note.corners or corners
    counts = []
    background = ink(note.axes, background=True) if note.points is None else np.empty((0, 3))
    for corner in corners:
        put(note.text, corner)
        counts.append((covered(note), _within(note.box(), background)))
        if counts[-1] == (0, 0):
            return 0
    put(note.text, corners[counts.index(min(counts))])
    return min(counts)[0]
