"""The matrix of responses: how each model answers to each label of a star, by regime."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..errors import TooFew
from ..explain.response import Response
from ..glossary import COLUMNS
from ..simulate.mocks.moved import STEPS, UNITS
from .style import PAGE_WIDTH, as_text, in_order, new_figure, paper_style

COLORS = "RdBu_r"
"""Diverging, and safe for colour-blind readers (ColorBrewer)."""

LEAST_LIMIT = 0.02
"""The colours span at least this error in dex (as many 100 K for Teff)."""


REGIMES = ("all", "poor", "rich", "dwarf", "giant", "poor-dwarf", "poor-giant")
"""Regimes drawn."""


def response_matrix(responses: Sequence[Response], regimes: Sequence[str] = REGIMES) -> Figure:
    """Draw the responses of all models, a panel each: regimes by rows, moved labels by columns.

    The numbers are mean and scatter over the stars, per dex or per 100 K. The colour is the error of the predicted label that
    follows when the moved one changes by its step (0.1 dex in [Fe/H], 100 K, 0.2 in log g, 0.1 dex in [alpha/Fe]): the step times
    the response's distance from that of a perfect estimator.

    Parameters
    ----------
    responses : sequence of Response
        Of one label.
    regimes : sequence of str
        From top to bottom; those without responses are left out.

    Returns
    -------
    Figure

    Raises
    ------
    TooFew
        If there are none.
    """
    responses = [one for one in responses if one.regime in regimes]
    if not responses:
        raise TooFew(f"no responses to draw in {', '.join(regimes)}")
    stars = {one.regime: one.n_stars for one in responses}
    regimes = [name for name in regimes if name in stars]
    label = responses[0].label
    models = in_order([one.model for one in responses])
    moved = list(dict.fromkeys(one.moved for one in responses))
    limit = max(LEAST_LIMIT, *(abs(error_of(one)) for one in responses))
    # Four are neater as two and two.
    columns = 2 if len(models) == 4 else min(3, len(models))
    rows = -(-len(models) // columns)
    with paper_style():
        figure = new_figure(
            PAGE_WIDTH if columns > 1 else 0.55 * PAGE_WIDTH, rows * (0.31 * len(regimes) + 0.25) + 1.15
        )
        grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
        for number, (axes, model) in enumerate(zip(grid.flat, models, strict=False)):
            chosen = {(one.regime, one.moved): one for one in responses if one.model == model}
            _draw(axes, chosen, regimes, moved, limit)
            axes.set_title(as_text(model))
            axes.set_xticks(range(len(moved)), [f"{_name(name)}\n{_per(name)}" for name in moved])
            axes.tick_params(labelbottom=number + columns >= len(models))
        for unused in grid.flat[len(models) :]:
            unused.set_axis_off()
        grid[0, 0].set_yticks(range(len(regimes)), [f"{name} ($N$ = {stars[name]})" for name in regimes])
        bar = figure.colorbar(grid[0, 0].images[0], ax=grid, location="bottom", aspect=45, fraction=0.04, pad=0.03)
        bar.locator = MaxNLocator(5)
        break_at = 2 if columns == 1 else len(moved)
        lines = [_steps(moved[:break_at]), _steps(moved[break_at:])]
        changes = ",\n".join(line for line in lines if line)
        bar.set_label(f"error of {_name(label)} ({_unit(label)}) if a label changes:\n{changes}")
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
        text = f"{one.mean:.2f}".replace("-", "−").replace("−0.00", "0.00")
        axes.text(column, row + 0.03, text, ha="center", va="bottom", fontsize=7, color=ink)
        axes.text(column, row + 0.08, f"± {one.scatter:.2f}", ha="center", va="top", fontsize=5.6, color=ink)
    axes.imshow(errors, cmap=COLORS, norm=Normalize(-limit, limit), aspect="auto")
    axes.tick_params(length=0)
    axes.set_xticks(np.arange(1, len(moved)) - 0.5, minor=True)
    axes.set_yticks(np.arange(1, len(regimes)) - 0.5, minor=True)
    axes.grid(which="minor", color="white", lw=1.2)
    axes.tick_params(which="minor", length=0)


def _per(name: str) -> str:
    return "/ 100 K" if name == "teff" else "/ dex"


def _unit(label: str) -> str:
    if label == "teff":
        return "100 K"
    return COLUMNS[label].unit if label in COLUMNS else ""


def _steps(moved: Sequence[str]) -> str:
    return ",  ".join(f"{_name(name)} + {STEPS[name]:g}{' K' if name == 'teff' else ''}" for name in moved)


def _name(label: str) -> str:
    return COLUMNS[label].display if label in COLUMNS else label
