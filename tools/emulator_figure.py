"""Figure of the emulator's errors and of its derivatives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from transtar.report.style import BLUE, GREY, PAGE_WIDTH, VERMILION, new_figure, paper_style
from transtar.simulate.emulator.emulator import Emulator

from .emulator_grid import Pairs, smooth
from .emulator_validation import change, compare_derivatives

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STARS = (("Sun", (5777.0, 4.44, 0.0)), ("giant", (4350.0, 1.45, -0.6)), ("metal-poor turn-off", (6600.0, 4.3, -2.5)))
"""Names of stars of the pairs, and their Teff, log g and [Fe/H]."""

PANEL = (5140.0, 5290.0)
"""Wavelengths in Angstrom of the panels of derivatives: Mg b and iron."""


def draw_validation(pairs: Pairs, emulator: Emulator, checked: dict[str, np.ndarray]) -> Figure:
    """Draw the error of cross-validation against Teff, agreement of derivatives, and derivatives of three stars at R = 3000.

    Parameters
    ----------
    pairs : Pairs
    emulator : Emulator
    checked : dict of str to ndarray
        From `cross_validate`.
    """
    with paper_style():
        figure = new_figure(PAGE_WIDTH, 6.0)
        axes = figure.subplot_mosaic(
            [["error", "agreement"], ["0", "0"], ["1", "1"], ["2", "2"]], height_ratios=[1.7, 1, 1, 1]
        )
        axis = axes["error"]
        points = axis.scatter(
            checked["labels"][:, 0],
            100 * checked["r3000"],
            c=checked["labels"][:, 2],
            s=3,
            cmap="viridis",
            rasterized=True,
        )
        figure.colorbar(points, ax=axis, label="[Fe/H]")
        axis.set(yscale="log", xlabel="Teff [K]", ylabel="error, R = 3000 [%]")
        compared = compare_derivatives(emulator, pairs)
        axis = axes["agreement"]
        for label, name, color in (("feh", "[Fe/H]", BLUE), ("afe", "[alpha/Fe]", VERMILION)):
            for view, marker in (("r3000", "o"), ("r12000", "x")):
                x, y = (compared[f"{label} {view} {what}"] for what in ("amplitude", "correlation"))
                text = f"{name}, R = {int(view[1:]):,}"
                axis.scatter(x, 1 - y, s=10, marker=marker, color=color, label=text, linewidth=0.8)
        axis.axvline(1, color=GREY, linewidth=0.7)
        axis.set(yscale="log", xlabel="amplitude, emulator / recomputed", ylabel="1 - correlation")
        axis.legend(fontsize=6)
        _derivatives([axes[str(row)] for row in range(len(STARS))], pairs, smooth(emulator.flux(pairs.labels), 3000.0))
    return figure


def _derivatives(axes: list, pairs: Pairs, flux: np.ndarray) -> None:
    truth = smooth(pairs.flux, 3000.0)
    base = pairs.kind == "base"
    stars, labels = pairs.star[base], pairs.labels[base]
    order = np.unique(pairs.star)
    for axis, (name, wanted) in zip(axes, STARS, strict=True):
        distance = np.abs((labels[:, :3] - wanted) / (100, 0.1, 0.1)).sum(axis=1)
        row = np.searchsorted(order, stars[np.argmin(distance)])
        for label, text, color in (("feh", "[Fe/H]", BLUE), ("afe", "[alpha/Fe]", VERMILION)):
            axis.plot(pairs.wave, change(truth, pairs, label)[row] / 0.2, color=color, label=f"{text}, recomputed")
            style = {"color": "black", "linestyle": ":", "linewidth": 1.0}
            axis.plot(
                pairs.wave, change(flux, pairs, label)[row] / 0.2, **style, label="emulator" if label == "afe" else None
            )
        axis.set(xlim=PANEL, ylabel="d flux / dex")
        inside = (pairs.wave > PANEL[0]) & (pairs.wave < PANEL[1])
        axis.set_ylim(
            1.25 * min(change(truth, pairs, label)[row][inside].min() / 0.2 for label in ("feh", "afe")), None
        )
        axis.text(0.01, 0.08, name, transform=axis.transAxes)
    axes[0].legend(ncols=3, loc="lower right")
    axes[-1].set_xlabel("vacuum wavelength [A]")
