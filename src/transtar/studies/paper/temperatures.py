"""Whether fine-tuning and test stars of a split cover the same effective temperatures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...errors import InputError, TooFew
from ...glossary import POOR_BELOW, display
from ...report.corners import clear_legends
from ...report.style import BLUE, GREY, PAGE_WIDTH, VERMILION, new_figure, paper_style

PARTS = {"pool": "fine-tuning", "test": "test"}
"""What the parts of a split are called in the legend."""

_STYLES: dict[str, dict[str, Any]] = {
    "pool": {"color": BLUE, "marker": "o"},
    "test": {"color": VERMILION, "marker": "^"},
}
BIN = 100.0
"""Width of the bins in K."""


@dataclass(frozen=True)
class Split:
    """Stars of a split.

    Parameters
    ----------
    title : str
    teff, feh : ndarray, shape (n,)
        Reference labels in K and dex; stars with a NaN are not drawn.
    part : ndarray of str, shape (n,)
        'pool' (fine-tuning) or 'test'; stars of other parts are not drawn.
    """

    title: str
    teff: np.ndarray
    feh: np.ndarray
    part: np.ndarray


def poor_temperatures(splits: Sequence[Split], poor_below: float = POOR_BELOW, cut: float | None = None) -> Figure:
    """Draw the effective temperatures of metal-poor fine-tuning and test stars, one column for each split.

    Above, counts in bins of `BIN`; below, [Fe/H] against Teff of the same stars.

    Parameters
    ----------
    splits : sequence of Split
        Such as the paper's and one matched in Teff.
    poor_below : float
        [Fe/H] below which a star is metal-poor, in dex.
    cut : float, optional
        A Teff in K to be marked, such as the limit of the fine-tuning set.

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        If there is no split, its arrays differ in length, or no metal-poor star is to be drawn.
    """
    if not splits:
        raise InputError("temperatures: there is no split to be drawn")
    chosen = [_poor(split, poor_below) for split in splits]
    everyone = np.concatenate([teff for stars in chosen for teff, _ in stars.values()])
    if not len(everyone):
        raise TooFew(f"temperatures: no star of a split has [Fe/H] < {poor_below:g} and a Teff")
    edges = np.arange(np.floor(everyone.min() / BIN), np.floor(everyone.max() / BIN) + 2) * BIN
    with paper_style():
        figure = new_figure(PAGE_WIDTH * min(1.0, (len(splits) + 1) / 3), 3.6)
        grid = figure.subplots(2, len(splits), squeeze=False, sharex=True, sharey="row")
        for (upper, lower), split, stars in zip(grid.T, splits, chosen, strict=True):
            for part, (teff, feh) in stars.items():
                _draw_part(upper, lower, part, teff, feh, edges)
            for axes in (upper, lower):
                if cut is not None:
                    axes.axvline(cut, color=GREY, ls="--", lw=1, zorder=0)
            upper.set_title(split.title)
            kind = f"[Fe/H] < {poor_below:g}".replace("-", "−")
            upper.legend(handlelength=1.2, title=kind, title_fontsize=7.5, alignment="left")
            lower.set_xlabel(display("teff"))
        grid[0, 0].set_ylim(0)
        grid[0, 0].set_ylabel(f"stars per {BIN:.0f} K")
        grid[1, 0].set_ylabel(display("feh"))
        clear_legends(figure, ("upper right", "upper left"))
    return figure


def _poor(split: Split, poor_below: float) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    teff, feh = np.asarray(split.teff, float), np.asarray(split.feh, float)
    part = np.asarray(split.part)
    if not teff.shape == feh.shape == part.shape:
        raise InputError(f"split '{split.title}': {teff.size} Teff, {feh.size} [Fe/H] and {part.size} parts")
    poor = np.isfinite(teff) & (feh < poor_below)
    return {name: (teff[poor & (part == name)], feh[poor & (part == name)]) for name in PARTS}


def _draw_part(upper: Axes, lower: Axes, part: str, teff: np.ndarray, feh: np.ndarray, edges: np.ndarray) -> None:
    style = _STYLES[part]
    counts, _ = np.histogram(teff, edges)
    name = f"{PARTS[part]}, $N$ = {len(teff)}"
    upper.stairs(counts, edges, color=style["color"], fill=True, alpha=0.25, lw=0)
    upper.stairs(counts, edges, color=style["color"], lw=1.2, label=name)
    lower.plot(teff, feh, ls="", ms=3, mew=0.6, mfc="none", alpha=0.8, label=name, **style)
