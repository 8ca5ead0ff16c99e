"""A drawing of the chain from native files to a catalog, for the documentation.

Redrawn by ``python -m tools.workflow docs/images``, which writes workflow.png.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle

from transtar.report.style import BLUE, GREEN, ORANGE, PAGE_WIDTH, new_figure, paper_style, save

HEIGHT = 3.55
"""Inches; the drawing's coordinates are inches too."""

INK, FROZEN = "#1D2733", "#C3CBD3"
_SOFT = "#5B6875"
_FILES, _STEPS, _LABELS, _NETWORK = "#FFF4DF", "#EAF3FA", "#FBEAE0", "#F4F6F8"

STEPS = (
    ("reader", "native files, batch by batch"),
    ("bad pixels", "interpolated over, counted"),
    ("rest frame", "velocity taken out"),
    ("continuum", "divided out"),
    ("grid", "1462 bins, 4000–5600 Å"),
)
"""What is done to the spectra of every survey alike."""

ADAPTERS = (
    ("residual", "a second\nnetwork"),
    ("lora", "low-rank\nmatrices"),
    ("full", "all\nweights"),
    ("zero-shot", "nothing\nis trained"),
)
"""Strategies that start from the pre-trained network, and what they train."""


def workflow_figure() -> Figure:
    """Draw pre-training on one survey and adaptation to another, from native files to the catalog.

    The counterpart of the paper's Figure 1 for this package.

    Returns
    -------
    Figure
    """
    with paper_style():
        figure = new_figure(PAGE_WIDTH, HEIGHT)
        figure.set_layout_engine("none")
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, PAGE_WIDTH), ylim=(0, HEIGHT))
        axes.set_axis_off()
        _box(axes, 0.1, 2.48, 1.05, 0.72, _FILES, "LAMOST", "native FITS\nspectra")
        _box(axes, 0.1, 0.75, 1.05, 0.72, _FILES, "DESI", "native FITS\ncoadds")
        _preparation(axes, 1.5, 0.45, 1.62, 2.9)
        _pretraining(axes, 3.47, 2.2, 1.72, 1.15)
        _box(
            axes, 5.52, 2.2, 1.48, 1.15, _LABELS, "labels",
            "[Fe/H]: APOGEE,\nfor metal-poor stars\nPASTEL and SAGA\n" + r"[$\alpha$/Fe]: APOGEE",
        )  # fmt: skip
        _adapters(axes, 3.47, 0.45, 2.5, 1.3)
        _box(axes, 6.3, 0.75, 0.7, 0.72, _FILES, "catalog", "labels,\nflags")
        _box(axes, 3.72, 0.06, 2.0, 0.22, _LABELS, "", "APOGEE labels of up to 2069 stars")
        for start, end in (
            ((1.15, 2.84), (1.5, 2.84)), ((1.15, 1.11), (1.5, 1.11)), ((3.12, 2.84), (3.47, 2.84)),
            ((3.12, 1.11), (3.47, 1.11)), ((5.52, 2.775), (5.19, 2.775)), ((5.97, 1.11), (6.3, 1.11)),
            ((4.33, 2.2), (4.33, 1.75)), ((4.72, 0.28), (4.72, 0.45)),
        ):  # fmt: skip
            axes.add_patch(
                FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=9, lw=1.1, color=INK, shrinkA=0, shrinkB=0)
            )
        axes.text(4.43, 1.975, "weights, scalers, settings of the preparation", va="center", fontsize=6.5, color=_SOFT)
    return figure


def _box(axes: Axes, x: float, y: float, width: float, height: float, fill: str, title: str, text: str) -> None:
    axes.add_patch(
        FancyBboxPatch(
            (x, y), width, height, boxstyle="round,pad=0,rounding_size=0.06", fc=fill, ec=INK, lw=0.8, mutation_aspect=1
        )
    )
    middle = x + width / 2
    if title:
        axes.text(middle, y + height - 0.09, title, ha="center", va="top", weight="bold", fontsize=7.5, color=INK)
    if text:
        place = y + (height - (0.2 if title else 0)) / 2
        axes.text(middle, place, text, ha="center", va="center", fontsize=6.5, color=INK, linespacing=1.35)


def _preparation(axes: Axes, x: float, y: float, width: float, height: float) -> None:
    _box(axes, x, y, width, height, _STEPS, "one preparation", "")
    step = (height - 0.38) / len(STEPS)
    for number, (name, text) in enumerate(STEPS):
        top = y + height - 0.3 - number * step
        axes.add_patch(Rectangle((x + 0.1, top - step + 0.08), width - 0.2, step - 0.08, fc="white", ec=BLUE, lw=0.6))
        middle = x + width / 2
        axes.text(middle, top - 0.16, name, ha="center", va="center", fontsize=7, weight="bold", color=BLUE)
        axes.text(middle, top - 0.33, text, ha="center", va="center", fontsize=6.2, color=INK)


def _pretraining(axes: Axes, x: float, y: float, width: float, height: float) -> None:
    _box(axes, x, y, width, height, _NETWORK, "pre-training", "")
    _network(axes, x + 0.36, y + 0.57, BLUE, scale=1.25, width=1.0)
    axes.text(x + width / 2, y + 0.12, "1462–1024–512–64–1", ha="center", va="center", fontsize=6.5, color=INK)


def _adapters(axes: Axes, x: float, y: float, width: float, height: float) -> None:
    _box(axes, x, y, width, height, _NETWORK, "fine-tuning", "")
    colours = {"residual": BLUE, "lora": ORANGE, "full": GREEN, "zero-shot": FROZEN}
    step = (width - 0.1) / len(ADAPTERS)
    for number, (name, text) in enumerate(ADAPTERS):
        left = x + 0.05 + number * step
        whole = name in ("full", "zero-shot")
        _network(axes, left + 0.12, y + 0.69, colours[name] if whole else FROZEN, width=step - 0.24)
        if name == "residual":
            # A second, small network beside the first, from the same input to the same output.
            axes.add_patch(
                Rectangle((left + 0.12 + (step - 0.24) / 2 - 0.035, y + 0.36), 0.07, 0.14, fc=BLUE, ec="none")
            )
            ends = (left + 0.06, left + step - 0.06)
            axes.plot(
                [ends[0], ends[0], ends[1], ends[1]], [y + 0.69, y + 0.43, y + 0.43, y + 0.69], color=BLUE, lw=0.8
            )
        if name == "lora":
            for place in _places(left + 0.12, step - 0.24)[:3]:
                axes.add_patch(Rectangle((place + 0.045, y + 0.58), 0.035, 0.22, fc=ORANGE, ec="none"))
        middle = left + step / 2
        axes.text(middle, y + 1.02, name, ha="center", va="center", fontsize=6.8, weight="bold", color=INK)
        axes.text(middle, y + 0.17, text, ha="center", va="center", fontsize=5.8, color=_SOFT, linespacing=1.2)


def _places(x: float, width: float) -> list[float]:
    return [x + width * part for part in (0.0, 0.33, 0.66, 1.0)]


def _network(axes: Axes, x: float, y: float, colour: str, scale: float = 1.0, width: float = 0.4) -> None:
    """Layers as bars, the higher the more units, joined along their ends; centred on y."""
    heights = [scale * 0.045 * math.log2(units) for units in (1024, 512, 64, 2)]
    places = _places(x, width)
    for side in (-0.5, 0.5):
        ends = [y + side * height for height in heights]
        axes.plot(places, ends, color=colour, lw=0.7, alpha=0.8, zorder=1, solid_capstyle="round")
    for place, height in zip(places, heights, strict=True):
        axes.add_patch(Rectangle((place - 0.025, y - height / 2), 0.05, height, fc=colour, ec="none", zorder=2))


def main(arguments: Sequence[str] | None = None) -> None:
    """Write workflow.png into a folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where workflow.png goes")
    given = parser.parse_args(arguments)
    print(save(workflow_figure(), given.folder, "workflow", kinds=("png",))["png"])


if __name__ == "__main__":
    main()
