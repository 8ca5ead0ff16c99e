"""Looks shared by all figures: sizes for a journal column, colours that colour-blind readers can tell apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..files import atomic_path

COLUMN_WIDTH, PAGE_WIDTH = 3.5, 7.1
"""Widths of one and two journal columns in inches."""

BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILION, PURPLE, GREY = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7", "#777777",
)  # fmt: skip
"""The palette of Okabe and Ito (2008, https://jfly.uni-koeln.de/color/), and a grey."""

STRATEGIES: dict[str, dict[str, Any]] = {
    "zero-shot": {"color": GREY, "marker": "s"},
    "recalibrate": {"color": PURPLE, "marker": "P"},
    "ridge": {"color": SKY, "marker": "X"},
    "residual": {"color": BLUE, "marker": "o"},
    "lora": {"color": ORANGE, "marker": "D"},
    "full": {"color": GREEN, "marker": "^"},
    "scratch": {"color": VERMILION, "marker": "v"},
    "pipeline": {"color": BLACK, "marker": "*"},
    "simulated pipeline": {"color": BLACK, "marker": "*"},
}
"""Colour and marker of each strategy, the same in every figure."""

_SPARE = ({"color": BLACK, "marker": "<"}, {"color": "#8C6D31", "marker": ">"}, {"color": "#5E4FA2", "marker": "h"})

SETTINGS: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "mathtext.fontset": "dejavusans",
    "font.size": 8,
    "axes.labelsize": 8.5,
    "axes.titlesize": 8.5,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "legend.fontsize": 7.5,
    "axes.linewidth": 0.7,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "lines.linewidth": 1.2,
    "legend.frameon": False,
    "savefig.dpi": 200,
    # Text stays text in the PDF: it can be searched and edited.
    "pdf.fonttype": 42,
}


@contextmanager
def paper_style() -> Iterator[None]:
    """Draw in the package's style inside the block, without touching the caller's settings."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(SETTINGS)
        yield


def new_figure(width: float, height: float) -> Figure:
    """Make a figure of that size in inches which needs no display and no global state."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def strategy_style(name: str, position: int = 0) -> dict[str, Any]:
    """Look up colour and marker of a strategy; a strategy without its own gets a spare one by position."""
    return STRATEGIES.get(name) or _SPARE[position % len(_SPARE)]


def as_text(name: str) -> str:
    """A name that others have chosen, for a figure: a dollar sign in it begins no formula."""
    return name.replace("$", r"\$")


def in_order(names: list[str]) -> list[str]:
    """Strategies once each in the order of `STRATEGIES`, then the others as they came."""
    known = [name for name in STRATEGIES if name in names]
    return known + [name for name in dict.fromkeys(names) if name not in STRATEGIES]


def save(figure: Figure, folder: str | Path, name: str, kinds: Sequence[str] = ("pdf", "png")) -> dict[str, Path]:
    """Write a figure as PDF and PNG.

    Parameters
    ----------
    figure : Figure
    folder : path
        Made if missing.
    name : str
        File name without suffix.
    kinds : sequence of str
        'pdf', 'png' or both.

    Returns
    -------
    dict of str to Path
        The files by kind.

    Raises
    ------
    TranstarError
        If the disk is full; older files stay.
    """
    paths = {}
    for kind in kinds:
        paths[kind] = Path(folder) / f"{name}.{kind}"
        # Dates would make every PDF differ from the last.
        metadata = {"CreationDate": None} if kind == "pdf" else {"Software": None}
        with atomic_path(paths[kind]) as temporary, paper_style():
            figure.savefig(temporary, format=kind, metadata=metadata)
        # Places found for one kind hold for the other; finding them is a third of the work.
        figure.set_layout_engine("none")
    return paths
