"""Scores of the strategy chosen for each label against the number of fine-tuning stars, none included."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from ...errors import InputError, TooFew
from ...evaluate import select
from ...glossary import COLUMNS, display
from ...report.sample_size import REGIME_NAMES
from ...report.style import COLUMN_WIDTH, new_figure, paper_style, strategy_style

_LINES = ("-", "--", "-.", ":")
"""By label: two labels may have the same strategy, and so its colour."""


def learning_curve(summary: Iterable[Mapping], strategies: Mapping[str, str], regime: str = "all") -> Figure:
    """Draw R2 and sigma of several labels, each by its own strategy, against the number of fine-tuning stars.

    The form of the paper's Figure 4: points are means and bars standard deviations over seeds; the point at 0 is zero-shot.
    The axis is linear from 0 to the smallest number, which takes little room, and logarithmic from there.

    Parameters
    ----------
    summary : iterable of mapping
        Rows as from `transtar.evaluate.summarise`, of one source, target, input, split and variant.
    strategies : mapping of str to str
        The strategy by label; labels of one unit.
    regime : str

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        If a label has no results by its strategy, two for one number of stars, or another unit than the others.
    """
    summary = list(summary)
    curves = {label: _curve(summary, label, strategy, regime) for label, strategy in strategies.items()}
    units = {COLUMNS[label].unit if label in COLUMNS else "" for label in curves}
    if len(units) != 1:
        raise InputError(f"labels of one learning curve need one unit, not {', '.join(sorted(units)) or 'no label'}")
    (unit,) = units
    sizes = sorted({row["n_finetune"] for rows in curves.values() for row in rows})
    with paper_style():
        figure = new_figure(COLUMN_WIDTH, 4.0)
        upper, lower = figure.subplots(2, 1, sharex=True)
        for axes, metric in ((upper, "r2"), (lower, "sigma")):
            for number, (label, rows) in enumerate(curves.items()):
                style = strategy_style(strategies[label], number) | {"ls": _LINES[number % len(_LINES)]}
                # One seed has no spread, and no bar.
                errors = np.nan_to_num([row[f"{metric}_std"] for row in rows])
                axes.errorbar(
                    [row["n_finetune"] for row in rows], [row[metric] for row in rows], errors, ms=4.5,
                    elinewidth=0.9, capsize=2, label=f"{display(label, False)}, {strategies[label]}", **style,
                )  # fmt: skip
            axes.grid(axis="y", color="#DDDDDD", lw=0.5)
            axes.set_axisbelow(True)
        upper.set(ylabel="$R^2$", title=REGIME_NAMES.get(regime, regime))
        lower.set(ylabel=rf"$\sigma$ ({unit})" if unit else r"$\sigma$", xlabel="fine-tuning stars $n$")
        _stars_axis(lower, sizes)
        figure.legend(
            *upper.get_legend_handles_labels(), loc="outside lower center", ncols=min(len(curves), 2), columnspacing=1.2
        )
    return figure


def _curve(summary: list[Mapping], label: str, strategy: str, regime: str) -> list[dict]:
    """Rows of one label by number of stars, upwards."""
    of_label = select(summary, label=label, regime=regime)
    rows = [r for r in of_label if r["strategy"] == ("zero-shot" if r["n_finetune"] == 0 else strategy)]
    if not any(row["n_finetune"] for row in rows):
        raise TooFew(f"no results for label '{label}' by strategy '{strategy}' of {regime} stars")
    sizes = [row["n_finetune"] for row in rows]
    twice = [size for size in sizes if sizes.count(size) > 1]
    if twice:
        raise InputError(
            f"two results for label '{label}' with {twice[0]} fine-tuning stars; select one source, target, input, split "
            "and variant first"
        )
    return sorted(rows, key=lambda row: row["n_finetune"])


def _stars_axis(axes: Axes, sizes: list[int]) -> None:
    """Logarithmic, with a place for 0 where there is such a point."""
    smallest = min(size for size in sizes if size)
    if 0 in sizes:
        axes.set_xscale("symlog", linthresh=smallest, linscale=0.45)
        axes.set_xlim(-0.25 * smallest, 1.25 * sizes[-1])
    else:
        axes.set_xscale("log")
        axes.set_xlim(smallest / 1.25, 1.25 * sizes[-1])
    axes.xaxis.set_major_locator(FixedLocator(sizes))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(sizes, ["0\nzero-shot" if size == 0 else str(size) for size in sizes])
