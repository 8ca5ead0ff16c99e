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

BLACK, ORANGE, SKY, GREEN, BLUE, VERMILION, PURPLE, GREY = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7", "#777777",
)  # fmt: skip
"""Of the palette of Okabe and Ito (2008, https://jfly.uni-koeln.de/color/), and a grey."""

BESIDE: dict[str, dict[str, Any]] = {
    "pipeline": {"color": BLACK, "marker": "*"},
    "simulated pipeline": {"color": BLACK, "marker": "*"},
    "shipped": {"color": "#882255", "marker": "p"},
}
"""Colour and marker of what stands beside the strategies, which have their own (`transtar.train.Strategy`)."""

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
    from ..train import find_strategy

    kind, spare = find_strategy(name), _SPARE[position % len(_SPARE)]
    if kind is None:
        return BESIDE.get(name, spare)
    return {"color": kind.colour or spare["color"], "marker": kind.marker or spare["marker"]}


def strategy_title(name: str) -> str:
    """What a strategy is called in tables."""
    from ..train import find_strategy

    kind = find_strategy(name)
    return name if kind is None else kind.title or name


def as_text(name: str) -> str:
    """A name that others have chosen, for a figure: a dollar sign in it begins no formula."""
    return name.replace("$", r"\$")


def in_order(names: list[str]) -> list[str]:
    """Strategies once each as they are registered, then what stands beside them, then the others as they came."""
    from ..train import strategy_names

    known = [name for name in (*strategy_names(), *BESIDE) if name in names]
    return known + [name for name in dict.fromkeys(names) if name not in known]


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
