"""Saliency maps in the manner of the paper's Figure B6, with the minimum-variance weights beside the signed gradients."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..errors import InputError
from ..explain.lines import Line, prominent_lines
from ..explain.response import PhysicalTest
from ..explain.saliency import Band, Saliency
from ..glossary import display
from ..train import find_strategy
from .corners import Note, clear_of_points
from .response_figure import response_matrix
from .style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PAGE_WIDTH,
    PURPLE,
    SKY,
    VERMILION,
    as_text,
    in_order,
    new_figure,
    paper_style,
    save,
    strategy_style,
)

WINDOWS = {
    "Fe I 4065, 4073": (4054.0, 4083.0),
    "Fe I 4385": (4371.0, 4400.0),
    r"H$\beta$": (4848.0, 4877.0),
    "Mg I b": (5162.0, 5191.0),
    "Fe I 5271": (5256.0, 5285.0),
}
"""Windows shown enlarged, in vacuum Angstrom; all of one width."""

GREEK = {"H beta": r"H$\beta$", "H gamma": r"H$\gamma$", "H delta": r"H$\delta$"}

IRON, OTHER = GREY, VERMILION
"""Colours of the marks of lines of iron, and of all others."""

PALETTE = (BLUE, ORANGE, GREEN, PURPLE, SKY)
"""Colours of models that are no strategies of a study; vermilion, grey and black mark something else."""

FURTHER = 1.5
"""Inches of the panel of each further model."""

LABEL_ROOM, FULL_RANGE = 25.0, 1600.0
"""Angstrom that the label of a line takes where a panel shows so many."""


def saliency_maps(
    saliency: Saliency,
    lines: Sequence[Line],
    shown: str | Sequence[str] | None = None,
    weights: np.ndarray | None = None,
    marked: int = 26,
) -> Figure:
    """Draw spectra, the saliency of one model or several, and enlarged windows with all of them.

    From above: normalised spectra; the absolute gradient of each model shown, both as median and 1 sigma over the stars, with the
    lines of the largest effect (gradient times spread of the flux) marked; windows with the median absolute gradient of every
    model; the same windows with the signed mean gradients and the weights of the unbiased linear estimator of least variance.
    Windows that are not on the grid, or hold few of its pixels, are left out.

    Parameters
    ----------
    saliency : Saliency
    lines : sequence of Line
        As from `transtar.explain.lines.read_lines`.
    shown : str or sequence of str, optional
        The models with a panel over all wavelengths; 'residual' if there is one, as in the paper, else the first.
    weights : ndarray, shape (n_pixels,), optional
        As from `transtar.explain.weights.best_weights`.
    marked : int
        Lines marked at most.

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        If there is no model, or none named `shown`.
    """
    names = in_order(list(saliency.models))
    shown = shown or ("residual" if "residual" in names else next(iter(names), ""))
    shown = (shown,) if isinstance(shown, str) else tuple(shown)
    for name in shown:
        if name not in saliency.models:
            raise InputError(f"no saliency of '{name}'; there is: {', '.join(names) or 'none'}")
    # Where the stars do not differ a gradient may be anything: it is the lines that matter among these stars that are marked.
    largest = np.max([saliency.models[name].absolute.median for name in shown], axis=0)
    marks = prominent_lines(saliency.wave, largest * saliency.spectra.spread, lines, marked, 8.0)
    windows = {name: limits for name, limits in WINDOWS.items() if _shows(saliency.wave, *limits)}
    unit = _unit(saliency.label)
    with paper_style():
        further = FURTHER * (len(shown) - 1)
        figure = new_figure(PAGE_WIDTH, (7.6 if windows else 4.2) + further)
        heights = (4.015 + further, 3.585) if windows else (1,)
        upper, *below = figure.subfigures(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
        spectra, *ones = upper.subplots(1 + len(shown), 1, sharex=True, height_ratios=(1, *[1.15] * len(shown)))
        _draw_band(spectra, saliency.wave, saliency.spectra, BLACK)
        spectra.set_ylabel("normalised flux")
        notes = [_place(spectra, f"{_stars(saliency.stars)}, $N$ = {saliency.n_stars}", "spectra", "lower left")]
        for one, name in zip(ones, shown, strict=True):
            color = _line_style(name, names.index(name))["color"]
            _draw_band(one, saliency.wave, saliency.models[name].absolute, color)
            one.set_ylabel(_gradient(saliency.label, absolute=True) + f"\n({unit})")
            notes.append(_place(one, as_text(name), "gradients", "upper right"))
        # One scale for all, or they could not be compared.
        highest = max(one.get_ylim()[1] for one in ones)
        for one in ones:
            one.set_ylim(0, highest)
        ones[-1].set_xlabel(r"vacuum wavelength ($\mathrm{\AA}$)")
        spectra.set_xlim(saliency.wave[0], saliency.wave[-1])
        mark_lines(spectra, marks, ones)
        for lower in below:
            grid = lower.subplots(2, len(windows), squeeze=False, sharey="row", sharex="col")
            for column, (title, limits) in enumerate(windows.items()):
                _window(grid[:, column], saliency, names, limits, lines, weights)
                grid[0, column].set_title(title)
            grid[0, 0].set_ylabel(_gradient(saliency.label, absolute=True) + f"\n({unit})")
            grid[1, 0].set_ylabel(f"mean {_gradient(saliency.label)}\n({unit})")
            grid[0, 0].set_ylim(0, None)
            grid[1, len(windows) // 2].set_xlabel(r"vacuum wavelength ($\mathrm{\AA}$)")
            lower.legend(
                handles=_handles(names, weights),
                loc="outside lower center",
                ncols=min(len(names) + 1, 7),
                columnspacing=1.4,
            )

        def widen(group: str, part: float) -> None:
            low, high = spectra.get_ylim()
            if group == "spectra":
                spectra.set_ylim(low - part * (high - low), high)
                return
            for one in ones:
                one.set_ylim(0, (1 + part) * one.get_ylim()[1])

        clear_of_points(figure, notes, widen)
    return figure


def _shows(wave: np.ndarray, low: float, high: float) -> bool:
    """Whether a window lies on the grid, with enough pixels to show a line."""
    return bool(wave[0] < low and high < wave[-1] and np.count_nonzero((wave > low) & (wave < high)) >= 8)


def draw_saliency(
    folder: str | Path, saliency: Saliency, lines: Sequence[Line], test: PhysicalTest | None = None
) -> dict[str, dict[str, Path]]:
    """Draw all figures of fresh or stored results; no model is needed.

    Parameters
    ----------
    folder : path
        Figures go into its folder ``figures``, ``saliency`` and, with a test, ``response``.
    saliency : Saliency
    lines : sequence of Line
    test : PhysicalTest, optional

    Returns
    -------
    dict of str to dict
        By figure, the files by 'pdf' and 'png'.
    """
    folder = Path(folder) / "figures"
    weights = None if test is None else test.weights.get(saliency.stars)
    drawn = saliency_maps(saliency, lines, in_order(list(saliency.models)), weights=weights)
    files = {"saliency": save(drawn, folder, "saliency")}
    if test is not None and test.responses:
        files["response"] = save(response_matrix(test.responses), folder, "response")
    return files


def _window(
    axes: Sequence[Axes], saliency: Saliency, names: Sequence[str], limits, lines: Sequence[Line], weights
) -> None:
    inside = (saliency.wave >= limits[0] - 2) & (saliency.wave <= limits[1] + 2)
    wave = saliency.wave[inside]
    for line in lines:
        if limits[0] < line.wavelength < limits[1]:
            for one in axes:
                one.axvline(line.wavelength, color=_color(line), lw=0.6, alpha=0.6, zorder=0)
    for position, name in enumerate(names):
        style = _line_style(name, position)
        axes[0].plot(wave, saliency.models[name].absolute.median[inside], **style)
        axes[1].plot(wave, saliency.models[name].mean[inside], **style)
    axes[1].axhline(0, color=BLACK, lw=0.5, zorder=0)
    if weights is not None:
        axes[1].plot(wave, weights[inside], color=BLACK, lw=1.0, ls=(0, (3, 1.2)), zorder=5)
    axes[1].set_xlim(limits)
    # No tick at the very edge, where its label would need room of its own.
    tens = np.arange(np.ceil((limits[0] + 3) / 10), np.floor((limits[1] - 3) / 10) + 1) * 10
    axes[1].set_xticks(tens)


def _line_style(name: str, position: int) -> dict[str, Any]:
    # What a strategy is compared with lies below it and is dashed, so that both can be seen where they agree.
    kind = find_strategy(name)
    compared = kind is not None and (kind.null or not kind.fits)
    return {
        "color": PALETTE[position % len(PALETTE)] if kind is None else strategy_style(name, position)["color"],
        "lw": 1.1,
        "ls": (0, (4, 1)) if compared else "-",
        "zorder": 2 if compared else 3,
    }


def _handles(names: Sequence[str], weights: np.ndarray | None) -> list[Line2D]:
    handles = []
    for position, name in enumerate(names):
        style = _line_style(name, position)
        handles.append(Line2D([], [], label=as_text(name), color=style["color"], lw=1.3, ls=style["ls"]))
    if weights is not None:
        handles.append(Line2D([], [], label="minimum variance", color=BLACK, lw=1.0, ls=(0, (3, 1.2))))
    return handles


def _draw_band(axes: Axes, wave: np.ndarray, band: Band, color: str) -> None:
    axes.fill_between(wave, band.lower, band.upper, color=color, alpha=0.25, lw=0)
    axes.plot(wave, band.median, color=color, lw=0.7)


def mark_lines(top: Axes, marks: Sequence[Line], others: Sequence[Axes] = ()) -> None:
    """Draw vertical lines through all panels, with names above the upper one, moved apart where lines crowd.

    Parameters
    ----------
    top : Axes
        Its limits are set already.
    marks : sequence of Line
        In the order of wavelength.
    others : sequence of Axes
    """
    low, high = top.get_xlim()
    places = spread(np.array([line.wavelength for line in marks]), LABEL_ROOM * (high - low) / FULL_RANGE, low, high)
    for line, place in zip(marks, places, strict=True):
        color = _color(line)
        for axes in (top, *others):
            axes.axvline(line.wavelength, color=color, lw=0.6, alpha=0.55, zorder=0)
        arrow = {"arrowstyle": "-", "color": color, "lw": 0.5, "shrinkA": 0, "shrinkB": 0, "relpos": (0.5, 0)}
        top.annotate(
            _name(line), (line.wavelength, 1), (place, 1.12), xycoords=top.get_xaxis_transform(),
            textcoords=top.get_xaxis_transform(), rotation=90, ha="center", va="bottom", fontsize=6.3, color=color,
            arrowprops=arrow, annotation_clip=False,
        )  # fmt: skip


def spread(places: np.ndarray, room: float, low: float, high: float) -> np.ndarray:
    """Move rising places apart to at least `room`, as little as possible (least squares), within `low` and `high`.

    Parameters
    ----------
    places : ndarray, shape (n,)
        Rising.
    room, low, high : float
        Room shrinks where there is not enough for all.

    Returns
    -------
    ndarray, shape (n,)
    """
    n = len(places)
    if not n:
        return places
    room = min(room, (high - low) / n)
    # Less the room before it, each place must not be lower than its predecessor: an isotonic regression, by pooling neighbours.
    steps = room * np.arange(n)
    blocks: list[tuple[float, int]] = []
    for value in places - steps:
        total, count = float(value), 1
        while blocks and blocks[-1][0] / blocks[-1][1] >= total / count:
            last = blocks.pop()
            total, count = total + last[0], count + last[1]
        blocks.append((total, count))
    moved = np.concatenate([np.full(count, total / count) for total, count in blocks])
    return np.clip(moved, low + room / 2, high - room / 2 - steps[-1]) + steps


def _name(line: Line) -> str:
    return GREEK.get(line.name) or line.name or f"{line.element} {line.ion} {line.wavelength:.0f}"


def _color(line: Line) -> str:
    return IRON if line.element == "Fe" else OTHER


def _gradient(label: str, absolute: bool = False) -> str:
    text = rf"$\partial$ {display(label)} / $\partial F_\lambda$"
    return f"|{text}|" if absolute else text


def _unit(label: str) -> str:
    return f"{'K' if label == 'teff' else 'dex'} per unit flux"


def _stars(stars: str) -> str:
    names = {"poor": "[Fe/H] < −1", "rich": "[Fe/H] ≥ −1", "all": "all stars"}
    return names.get(stars, stars)


def _place(axes: Axes, text: str, group: str, corner: str) -> Note:
    """Write into a panel; `clear_of_points` finds the corner, that one if it can."""
    box = {"facecolor": "white", "alpha": 0.85, "edgecolor": "none", "boxstyle": "square,pad=0.15"}
    written = axes.text(0, 0, text, transform=axes.transAxes, bbox=box, zorder=6)
    vertical = corner.split()[0]
    return Note(written, group=group, corners=[corner, *(f"{vertical} {side}" for side in ("right", "left"))])
