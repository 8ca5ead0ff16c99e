"""Loss landscapes of strategies side by side: surfaces above, contours below (the paper's Fig. 5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from ..errors import InputError
from ..glossary import COLUMNS, display
from .style import PAGE_WIDTH, VERMILION, as_text, in_order, new_figure, paper_style, strategy_style

if TYPE_CHECKING:
    from ..explain.landscape import Landscape

MOST_COLUMNS = 4
"""Models beside each other; more go into another band of surfaces and contours."""

COLOURS = "viridis"
"""Perceptually uniform, and readable without colour vision."""

STEPS, MOST_LINES = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0), 12
"""Between contours, in dex of the loss: a panel takes the first that needs no more lines than this."""

# In inches: room at the left, between panels, for the colour bar; heights of a surface and of what is between the rows.
_LEFT, _GAP, _BAR, _SURFACE, _ABOVE, _BELOW, _LEGEND = 0.38, 0.13, 0.78, 1.72, 0.26, 0.34, 0.26

_MINIMUM: dict[str, Any] = {"marker": "*", "ls": "", "ms": 8, "mfc": "white", "mec": "black", "mew": 0.7}
_CENTRE: dict[str, Any] = {"marker": "P", "ls": "", "ms": 5.5, "mfc": "white", "mec": "black", "mew": 0.7}
_ZERO_SHOT: dict[str, Any] = {"color": VERMILION, "linestyle": "--", "linewidth": 1.1}


def draw_landscapes(landscapes: Mapping[str, Landscape], seed: int = 0) -> Figure:
    """Draw the landscape of each model over one plane.

    Surfaces and contours show log10 of the loss on one scale of height and colour. A star marks the lowest point of the
    grid, a plus the fine-tuned weights, and a dashed line the loss before fine-tuning; the colour bar has the minima of all.

    Parameters
    ----------
    landscapes : mapping of str to Landscape
        By strategy or model, of one label.
    seed : int
        Which of the planes.

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        If there is none, they are of several labels, or one has no plane of that seed.
    """
    names = in_order(list(landscapes))
    if not names or len({landscapes[name].label for name in names}) > 1:
        raise InputError("landscapes side by side need to be of one label, and at least one")
    planes = {name: _plane(name, landscapes[name], seed) for name in names}
    heights = {name: np.log10(landscapes[name].loss[planes[name]]) for name in names}
    before = np.log10([landscapes[name].zero_shot for name in names])
    norm = _common_scale(np.concatenate([before, *(height.ravel() for height in heights.values())]))
    label = landscapes[names[0]].label
    bands = -(-len(names) // MOST_COLUMNS)
    columns = -(-len(names) // bands)
    side = (PAGE_WIDTH - _LEFT - _BAR) / max(columns, 3) - _GAP
    band = _SURFACE + _ABOVE + side + _BELOW
    width, height = _LEFT + columns * (side + _GAP) + _BAR, bands * band + _LEGEND * (1 if columns > 2 else 2.2)
    with paper_style():
        figure = new_figure(width, height)
        # Placed by hand: room around axes in three dimensions is not known to a layout engine.
        figure.set_layout_engine("none")

        def place(x: float, y: float, wide: float, high: float, **options: Any) -> Axes:
            return figure.add_axes((x / width, y / height, wide / width, high / height), **options)

        for number, name in enumerate(names):
            row, column = divmod(number, columns)
            x, y = _LEFT + column * (side + _GAP), height - (row + 1) * band + _BELOW
            surface: Any = place(x - _GAP, y + side + _ABOVE, side + _GAP, _SURFACE, projection="3d")
            _draw_surface(surface, landscapes[name], planes[name], heights[name], norm)
            if column < columns - 1 and number < len(names) - 1:
                # All have the heights of the last one.
                surface.tick_params(axis="z", labelright=False, labelleft=False)
            else:
                surface.set_zlabel(r"$\log_{10}$ MSE", labelpad=-7)
            title = y + side + _ABOVE + _SURFACE - 0.14
            style = strategy_style(name, number) | {"ls": "", "ms": 4.5}
            figure.add_artist(Line2D([(x + 0.06) / width], [title / height], **style))
            figure.text((x + 0.16) / width, title / height, as_text(name), va="center_baseline", fontsize=8.5)
            contours = place(x, y, side, side)
            _draw_contours(contours, landscapes[name], planes[name], heights[name], norm)
            if column:
                contours.tick_params(labelleft=False)
                continue
            contours.set_ylabel(r"$\beta$", labelpad=0)
            bar = place(width - _BAR + 0.16, y, 0.11, side)
            _draw_bar(figure, bar, norm, label)
            for position, other in enumerate(names[number : number + columns], start=number):
                _mark_losses(bar, landscapes[other], planes[other], strategy_style(other, position))
        handles = [
            Line2D([], [], label="lowest loss, at its distance from the centre", **_MINIMUM),
            Line2D([], [], label="fine-tuned weights (centre)", **_CENTRE),
        ]
        if any(np.isfinite(landscape.zero_shot) for landscape in landscapes.values()):
            handles.append(Line2D([], [], label="loss before fine-tuning", **_ZERO_SHOT))
        figure.legend(
            handles=handles,
            loc="lower center",
            ncols=3 if columns > 2 else 1,
            columnspacing=1.6,
            handletextpad=0.5,
            borderaxespad=0.2,
        )
    return figure


def _plane(name: str, landscape: Landscape, seed: int) -> int:
    seeds = landscape.seeds.tolist()
    if seed not in seeds:
        raise InputError(f"the landscape of {name} has no plane of seed {seed}; it has: {', '.join(map(str, seeds))}")
    return seeds.index(seed)


def _common_scale(values: np.ndarray) -> Normalize:
    values = values[np.isfinite(values)]
    if not len(values):
        return Normalize(0.0, 1.0)
    low, high = float(values.min()), float(values.max())
    room = 0.03 * (high - low) or 0.5
    return Normalize(low - room, high + room)


def _levels(height: np.ndarray) -> tuple[np.ndarray, float]:
    """Levels of the contours of one panel, and the step between them."""
    low, high = float(height.min()), float(height.max())
    step = next((step for step in STEPS if (high - low) / step <= MOST_LINES), STEPS[-1])
    return np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step, step


def _draw_surface(axes: Any, landscape: Landscape, plane: int, height: np.ndarray, norm: Normalize) -> None:
    alpha, beta = np.meshgrid(landscape.alpha, landscape.beta, indexing="ij")
    axes.plot_surface(
        alpha, beta, height, cmap=COLOURS, norm=norm, rstride=1, cstride=1, linewidth=0.15, edgecolor="#00000055",
        antialiased=True,
    )  # fmt: skip
    lowest = landscape.minimum(plane)
    axes.computed_zorder = False
    axes.plot([0], [0], [np.log10(landscape.centre)], zorder=9, **_CENTRE)
    axes.plot([lowest.alpha], [lowest.beta], [np.log10(lowest.loss)], zorder=10, **_MINIMUM)
    axes.set(zlim=(norm.vmin, norm.vmax), xlabel=r"$\alpha$", ylabel=r"$\beta$")
    axes.xaxis.labelpad = axes.yaxis.labelpad = -10.5
    axes.tick_params(labelsize=6.5, pad=-4)
    axes.tick_params(axis="z", pad=-1.5)
    # The room of a panel reaches into the next.
    axes.patch.set_visible(False)
    axes.locator_params(nbins=4)
    axes.view_init(elev=24, azim=-58)
    axes.set_box_aspect((1, 1, 0.85), zoom=1.12)
    for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
        axis.set_pane_color((1, 1, 1, 1))
        axis._axinfo["grid"].update(color="#DDDDDD", linewidth=0.4)


def _draw_contours(axes: Axes, landscape: Landscape, plane: int, height: np.ndarray, norm: Normalize) -> None:
    alpha, beta = landscape.alpha, landscape.beta
    axes.pcolormesh(alpha, beta, height.T, cmap=COLOURS, norm=norm, shading="gouraud", rasterized=True)
    levels, step = _levels(height)
    every = ""
    if len(levels):
        axes.contour(alpha, beta, height.T, levels, colors="black", linewidths=0.35, linestyles="-", alpha=0.7)
        # Below the panel: lines and colours are everywhere in it.
        every = f"; lines every {step:g} dex"
    before = np.log10(landscape.zero_shot)
    if height.min() < before < height.max():
        axes.contour(alpha, beta, height.T, [before], **{f"{key}s": value for key, value in _ZERO_SHOT.items()})
    lowest = landscape.minimum(plane)
    axes.plot([0], [0], zorder=5, **_CENTRE)
    axes.plot([lowest.alpha], [lowest.beta], zorder=6, clip_on=False, **_MINIMUM)
    axes.set_title(f"★ {lowest.loss:.3g} at {lowest.distance:.2f}   ✚ {landscape.centre:.3g}", fontsize=6.6, pad=3.5)
    axes.set_xlabel(rf"$\alpha${every}", labelpad=0, fontsize=7)
    # Without the ends, which would meet those of the next panel.
    axes.xaxis.set_major_locator(MaxNLocator(6, prune="both"))
    axes.yaxis.set_major_locator(MaxNLocator(6))


def _draw_bar(figure: Figure, axes: Axes, norm: Normalize, label: str) -> None:
    figure.colorbar(ScalarMappable(norm, COLOURS), cax=axes)
    unit = COLUMNS[label].unit if label in COLUMNS else ""
    power = f" ({unit}$^2$)" if unit else ""
    axes.set_ylabel(rf"$\log_{{10}}$ MSE of {display(label, False)}{power}", labelpad=2, fontsize=8)


def _mark_losses(bar: Axes, landscape: Landscape, plane: int, style: dict[str, Any]) -> None:
    """The minimum beside the bar, as the marker of its model, and the loss before fine-tuning as a line across it."""
    lowest = np.log10(landscape.minimum(plane).loss)
    place = bar.get_yaxis_transform()
    bar.plot([-0.55], [lowest], clip_on=False, ms=3.5, mec="white", mew=0.3, transform=place, **style)
    if np.isfinite(landscape.zero_shot):
        bar.axhline(np.log10(landscape.zero_shot), **_ZERO_SHOT)
