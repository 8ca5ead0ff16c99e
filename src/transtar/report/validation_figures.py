"""Figures of a validation without labels: repeats by S/N, members of clusters, wide pairs, and the Cramer-Rao bound."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from ..evaluate.validation.cluster_members import TREND_UNITS
from ..evaluate.validation.validation import LabelChecks, Validation
from ..glossary import COLUMNS, display
from ..telling import tell
from .corners import clear_legends
from .style import BLACK, BLUE, COLUMN_WIDTH, GREY, ORANGE, PAGE_WIDTH, VERMILION, new_figure, paper_style

MOST_LABELS = 6
"""Labels that a figure shows; of more the first ones."""

HEIGHT = 2.05
"""Of a row of panels in inches."""

MOST_POINTS = 4000
"""Stars that are drawn one by one; of more a part."""

LIMIT = 5.0
"""Histograms and panels of differences reach to so many times the scatter; what lies beyond stands at their edge."""

REPEATS = (
    "Scatter from visit to visit (1.48 median absolute deviations of single visits, bars: bootstrap by star) by S/N per pixel, "
    "with the median stated error and, where known, the median Cramer-Rao bound of spectra of this S/N."
)
CLUSTERS = (
    "Members of clusters minus the mean of their cluster along Teff, with the slope of all together (line); and means of "
    "clusters minus the value of the literature, where there is one."
)
PAIRS = (
    "Differences within wide pairs over the square root of 2, compared with those of unrelated stars of "
    "similar Teff and log g; and the "
    "difference, hotter minus cooler star, against that of Teff."
)
BOUND = (
    "Cramer-Rao bounds of single spectra, with all labels taken from the spectrum, and stated errors by S/N per pixel; black: "
    "scatter from visit to visit."
)


def figures(validation: Validation) -> dict[str, tuple[Figure, str]]:
    """Draw a figure for each check that there is.

    Parameters
    ----------
    validation : Validation

    Returns
    -------
    dict of str to (Figure, str)
        'repeats', 'clusters', 'pairs' and 'bound', each with its caption.
    """
    kinds: Mapping[str, tuple[Callable[[LabelChecks], bool], Callable, int, str]] = {
        "repeats": (_has_bins, _repeats, 1, REPEATS),
        "clusters": (lambda checks: checks.clusters is not None, _clusters, 2, CLUSTERS),
        "pairs": (lambda checks: checks.pairs is not None, _pairs, 2, PAIRS),
        "bound": (lambda checks: checks.bound is not None, _bound, 1, BOUND),
    }
    out = {}
    for name, (has, draw, panels, caption) in kinds.items():
        chosen = [label for label, checks in validation.labels.items() if has(checks)]
        if not chosen:
            continue
        if len(chosen) > MOST_LABELS:
            tell(f"figure {name}: shows the first {MOST_LABELS} of {len(chosen)} labels; the tables have all")
        out[name] = _grid(validation, chosen[:MOST_LABELS], draw, panels), caption
    return out


def _has_bins(checks: LabelChecks) -> bool:
    return any(name.startswith("S/N") for name in checks.repeats)


def _grid(validation: Validation, labels: Sequence[str], draw: Callable, panels: int) -> Figure:
    """Two panels a row: two labels of one panel each, or one label of two."""
    columns = 2 if panels == 2 or len(labels) > 1 else 1
    rows = len(labels) if panels == 2 else -(-len(labels) // columns)
    with paper_style():
        figure = new_figure(PAGE_WIDTH if columns == 2 else COLUMN_WIDTH, HEIGHT * rows + 0.15)
        axes = figure.subplots(rows, columns, squeeze=False)
        for number, label in enumerate(labels):
            some = axes[number] if panels == 2 else axes.flat[number : number + 1]
            draw(some, label, validation.labels[label], validation)
        for unused in [] if panels == 2 else axes.flat[len(labels) :]:
            unused.set_axis_off()
        clear_legends(figure)
    return figure


def _log(axes: Axes, which: str) -> None:
    """A logarithmic axis with plain numbers at 1, 2 and 5; linear if all is zero, as where visits share a label."""
    if not np.isfinite(axes.dataLim.minposx if which == "x" else axes.dataLim.minposy):
        return
    axis = getattr(axes, f"{which}axis")
    getattr(axes, f"set_{which}scale")("log")
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _symbol(label: str) -> str:
    return display(label, unit=False)


def _unit(label: str) -> str:
    return f" ({COLUMNS[label].unit})"


def _bins(checks: LabelChecks) -> list:
    return [scatter for name, scatter in checks.repeats.items() if name.startswith("S/N")]


def _errorbars(axes: Axes, checks: LabelChecks) -> None:
    bins = _bins(checks)
    axes.errorbar(
        [one.snr for one in bins], [one.spread.mad for one in bins], [one.spread.mad_err for one in bins],
        color=BLACK, marker="o", ms=3.5, lw=0, elinewidth=1, label="repeats", zorder=5,
    )  # fmt: skip


def _repeats(panels: Sequence[Axes], label: str, checks: LabelChecks, validation: Validation) -> None:
    axes = panels[0]
    _errorbars(axes, checks)
    stated = [(one.snr, one.pulls.stated) for one in _bins(checks) if one.pulls is not None]
    if stated:
        axes.plot(*zip(*stated, strict=True), color=ORANGE, ls="--", marker="s", ms=3, label="stated error")
    if checks.bound is not None:
        known = [part for name, part in checks.bound.bins.items() if name != "all"]
        axes.plot(
            [one.snr for one in known], [one.bound for one in known],
            color=BLUE, ls=":", marker="^", ms=3, label="Cramér-Rao bound",
        )  # fmt: skip
    _log(axes, "x")
    _log(axes, "y")
    axes.set_xlabel("S/N per pixel")
    axes.set_ylabel(f"scatter of {_symbol(label)}{_unit(label)}")
    axes.legend()


def _clusters(panels: Sequence[Axes], label: str, checks: LabelChecks, validation: Validation) -> None:
    known = checks.clusters
    assert known is not None
    along, means = panels
    limit = LIMIT * known.pooled.spread.sigma
    if "teff" in validation.columns:
        teff = np.asarray(validation.columns["teff"], float)[known.rows]
        shown = np.clip(known.residuals, -limit, limit)
        axes = along
        axes.scatter(teff, shown, s=5, color=BLUE, alpha=0.6, lw=0)
        if "teff" in known.trends:
            slope, _ = known.trends["teff"]
            ends = np.array([np.nanmin(teff), np.nanmax(teff)])
            axes.plot(ends, slope * (ends - np.nanmean(teff)) / TREND_UNITS["teff"], color=VERMILION)
        axes.axhline(0, color=GREY, lw=0.7, ls="--")
        axes.set_ylim(-1.05 * limit, 1.05 * limit)
        axes.invert_xaxis()
        axes.set_xlabel(display("teff"))
        axes.set_ylabel(f"{_symbol(label)} − cluster{_unit(label)}")
    else:
        along.set_axis_off()
    values = [one for one in known.each if np.isfinite(one.literature)]
    if not values:
        means.set_axis_off()
        return
    means.errorbar(
        [one.literature for one in values], [one.mean - one.literature for one in values], [one.mean_err for one in values],
        color=BLUE, marker="o", ms=4, lw=0, elinewidth=1,
    )  # fmt: skip
    means.axhline(0, color=GREY, lw=0.7, ls="--")
    means.set_xlabel(f"{_symbol(label)} of the literature{_unit(label)}")
    means.set_ylabel(f"mean − literature{_unit(label)}")


def _pairs(panels: Sequence[Axes], label: str, checks: LabelChecks, validation: Validation) -> None:
    known = checks.pairs
    assert known is not None
    histogram, along = panels
    widest = max(known.scatter["all"].spread.sigma, known.strangers.spread.sigma if known.strangers is not None else 0)
    limit = min(LIMIT * known.scatter["all"].spread.sigma, 3 * widest) if len(known.null) else 4 * widest
    limit = max(limit, 3 * widest)
    edges = np.linspace(-limit, limit, 62)
    styles: list[tuple[np.ndarray, str, dict[str, Any]]] = [
        (known.null, "strangers", {"color": GREY, "fill": True, "alpha": 0.35}),
        (known.differences, "pairs", {"color": BLUE, "lw": 1.3}),
    ]
    for values, name, style in styles:
        if len(values):
            inside = np.clip(values / np.sqrt(2), -limit, limit * (1 - 1e-9))
            histogram.stairs(np.histogram(inside, edges)[0], edges, label=name, **style)
    histogram.set_xlabel(rf"difference of {_symbol(label)} / $\sqrt{{2}}${_unit(label)}")
    histogram.set_ylabel("pairs")
    histogram.legend()
    if "teff" not in validation.columns:
        along.set_axis_off()
        return
    teff = np.asarray(validation.columns["teff"], float)
    apart = teff[known.first] - teff[known.second]
    along.scatter(apart, np.clip(known.differences, -limit * 1.4, limit * 1.4), s=5, color=BLUE, alpha=0.6, lw=0)
    along.axhline(0, color=GREY, lw=0.7, ls="--")
    along.set_xlabel(f"difference of {_symbol('teff')}{_unit('teff')}")
    along.set_ylabel(f"difference of {_symbol(label)}{_unit(label)}")


def _bound(panels: Sequence[Axes], label: str, checks: LabelChecks, validation: Validation) -> None:
    known = checks.bound
    assert known is not None
    axes = panels[0]
    step = max(1, len(known.rows) // MOST_POINTS)
    snr, errors = checks.rows.snr[known.rows][::step], checks.rows.errors[known.rows][::step]
    if np.isfinite(errors).any():
        axes.scatter(snr, errors, s=4, color=ORANGE, alpha=0.6, lw=0, label="stated error")
    axes.scatter(snr, known.bounds[::step], s=4, color=BLUE, alpha=0.6, lw=0, label="Cramér-Rao bound")
    if _has_bins(checks):
        _errorbars(axes, checks)
    _log(axes, "x")
    _log(axes, "y")
    axes.set_xlabel("S/N per pixel")
    axes.set_ylabel(f"error of {_symbol(label)}{_unit(label)}")
    axes.legend(markerscale=1.3)
