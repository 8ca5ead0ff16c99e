"""The matrix of responses: how each model answers to each label of a star, by regime."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from ..errors import InputError
from ..explain.moved import STEPS, UNITS
from ..explain.response import Response
from ..glossary import display
from .style import PAGE_WIDTH, in_order, new_figure, paper_style

COLORS = "RdBu_r"
"""Diverging, and safe for colour-blind readers (ColorBrewer)."""

LEAST_LIMIT = 0.02
"""The colours span at least this error in dex (as many 100 K for Teff)."""


def response_matrix(responses: Sequence[Response], columns: int = 3) -> Figure:
    """Draw the responses of all models, a panel each: regimes by rows, moved labels by columns.

    The numbers are mean and scatter over the stars, per dex or per 100 K. The colour is the error of the predicted label that
    follows when the moved one changes by its step (0.1 dex in [Fe/H], 100 K, 0.2 in log g, 0.1 dex in [alpha/Fe]): the step times
    the response's distance from that of a perfect estimator.

    Parameters
    ----------
    responses : sequence of Response
        Of one label.
    columns : int
        Panels per row.

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        If there are none.
    """
    if not responses:
        raise InputError("no responses to draw")
    label = responses[0].label
    models = in_order([one.model for one in responses])
    regimes = list(dict.fromkeys(one.regime for one in responses))
    moved = list(dict.fromkeys(one.moved for one in responses))
    limit = max(LEAST_LIMIT, *(abs(error_of(one)) for one in responses))
    columns = min(columns, len(models))
    rows = -(-len(models) // columns)
    with paper_style():
        figure = new_figure(max(PAGE_WIDTH * columns / 3 + 0.9, 3.5), rows * (0.27 * len(regimes) + 0.75) + 0.75)
        grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
        for axes, model in zip(grid.flat, models, strict=False):
            chosen = {(one.regime, one.moved): one for one in responses if one.model == model}
            _draw(axes, chosen, regimes, moved, limit)
            axes.set_title(model)
        for unused in grid.flat[len(models) :]:
            unused.set_axis_off()
        stars = {one.regime: one.n_stars for one in responses}
        grid[0, 0].set_yticks(range(len(regimes)), [f"{name} ($N$ = {stars[name]})" for name in regimes])
        grid[0, 0].set_xticks(range(len(moved)), [f"{display(name)}\n{_per(name)}" for name in moved])
        shown = grid[0, 0].images[0]
        bar = figure.colorbar(shown, ax=grid, location="bottom", aspect=45, fraction=0.04, pad=0.03)
        bar.set_label(f"error of {display(label)} ({_unit(label)}) for {_steps(moved)}")
    return figure


def error_of(response: Response) -> float:
    """Error of the predicted label when the moved one changes by its step, in dex or 100 K; see `response_matrix`."""
    expected = 0.0 if np.isnan(response.expected) else response.expected
    return (response.mean - expected) * STEPS[response.moved] / UNITS[response.moved]


def _draw(axes: Axes, chosen: dict, regimes: Sequence[str], moved: Sequence[str], limit: float) -> None:
    errors = np.full((len(regimes), len(moved)), np.nan)
    for (regime, name), one in chosen.items():
        row, column = regimes.index(regime), moved.index(name)
        errors[row, column] = error_of(one)
        ink = "white" if abs(errors[row, column]) > 0.65 * limit else "black"
        text = f"{one.mean:.2f} ± {one.scatter:.2f}".replace("-", "−").replace("−0.00", "0.00")
        axes.text(column, row, text, ha="center", va="center", fontsize=6.3, color=ink)
    axes.imshow(errors, cmap=COLORS, norm=Normalize(-limit, limit), aspect="auto")
    axes.tick_params(length=0)
    axes.set_xticks(np.arange(1, len(moved)) - 0.5, minor=True)
    axes.set_yticks(np.arange(1, len(regimes)) - 0.5, minor=True)
    axes.grid(which="minor", color="white", lw=1.2)
    axes.tick_params(which="minor", length=0)


def _per(name: str) -> str:
    return "per 100 K" if name == "teff" else "per dex"


def _unit(label: str) -> str:
    return "100 K" if label == "teff" else "dex"


def _steps(moved: Sequence[str]) -> str:
    steps = [f"{display(name)} + {STEPS[name]:g}{' K' if name == 'teff' else ''}" for name in moved]
    return ", ".join(steps)
