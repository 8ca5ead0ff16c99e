"""Normalised spectra with lines marked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..errors import InputError
from ..explain.lines import Line, read_lines, resolved
from .corners import clear_legends
from .saliency_figure import PALETTE, mark_lines
from .style import BLACK, PAGE_WIDTH, as_text, new_figure, paper_style

if TYPE_CHECKING:
    from ..datasets import PreparedSet
    from ..preprocess import GridSpectra

MOST_ROWS = len(PALETTE)
"""Spectra that can be told apart in one figure."""


def plot_spectrum(
    spectra: GridSpectra | PreparedSet,
    rows: int | Sequence[int] = 0,
    *,
    lines: Sequence[Line] | None = None,
    titles: Sequence[str] | str | None = None,
    limits: tuple[float, float] | None = None,
    marked: int = 20,
) -> Figure:
    """Draw normalised spectra on the wavelength grid, with their errors and the strongest lines.

    Parameters
    ----------
    spectra : GridSpectra or PreparedSet
    rows : int or sequence of int
        Which spectra to draw, up to five; they are drawn over each other.
    lines : sequence of Line, optional
        As from `transtar.explain.lines.read_lines`, whose lines are drawn by default; an empty sequence marks none.
    titles : str or sequence of str, optional
        For the legend; by default the stars or files of a set.
    limits : (float, float), optional
        Vacuum wavelengths in Angstrom; by default the whole grid.
    marked : int
        Largest number of lines to mark: those where the flux of the first spectrum is lowest.

    Returns
    -------
    matplotlib.figure.Figure
        ``figure.savefig("spectrum.pdf")`` writes it.

    Raises
    ------
    InputError
        If a row does not exist or has no flux, there are too many rows, or the limits lie outside the grid.

    Examples
    --------
    >>> import transtar as ts
    >>> figure = ts.plot_spectrum(ts.read_set("sets/miles"), [0, 1], limits=(4800, 5300))
    >>> figure.savefig("spectra.png")
    """
    chosen = np.atleast_1d(np.asarray(rows))
    if chosen.dtype.kind not in "iu" or not 0 < len(chosen) <= MOST_ROWS:
        raise InputError(f"rows must be one to {MOST_ROWS} whole numbers, not {rows!r}")
    for row in chosen.tolist():
        if not -len(spectra) <= row < len(spectra):
            raise InputError(f"there is no row {row} among {len(spectra)} spectra")
        if not np.isfinite(spectra.flux[row]).any():
            raise InputError(f"row {row} has no flux; its flags say why (transtar.flag_names)")
    wave = spectra.wave
    low, high = (float(wave[0]), float(wave[-1])) if limits is None else limits
    inside = (wave >= low) & (wave <= high)
    if inside.sum() < 2:
        raise InputError(
            f"no two points of the grid lie between {low:g} and {high:g} A; it runs from {wave[0]:.0f} to {wave[-1]:.0f} A"
        )
    names = [titles] if isinstance(titles, str) else list(titles or _names(spectra, chosen))
    if len(names) != len(chosen):
        raise InputError(f"{len(names)} titles for {len(chosen)} spectra")
    with paper_style():
        figure = new_figure(PAGE_WIDTH, 3.0)
        axes = figure.subplots()
        for row, name, color in zip(chosen.tolist(), names, (BLACK, *PALETTE[1:]), strict=False):
            ivar = None if spectra.ivar is None else spectra.ivar[row][inside]
            draw_curve(
                axes, wave[inside], spectra.flux[row][inside], ivar, color=color, lw=0.8, label=as_text(str(name))
            )
        axes.set(
            xlim=(wave[inside][0], wave[inside][-1]),
            xlabel=r"vacuum wavelength ($\mathrm{\AA}$)",
            ylabel="flux / continuum",
        )
        if any(str(name) for name in names):
            axes.legend(ncols=len(names))
        listed = resolved(read_lines() if lines is None else lines, wave)
        mark_lines(axes, strongest(listed, wave, spectra.flux[chosen[0]], inside, marked))
        clear_legends(figure, ("lower right", "lower left", "upper right", "upper left"))
    return figure


def draw_curve(axes: Axes, wave: np.ndarray, flux: np.ndarray, ivar: np.ndarray | None, **style: Any) -> None:
    """Draw a spectrum, and a band of one sigma in its colour where the inverse variance is positive."""
    (curve,) = axes.plot(wave, flux, **style)
    if ivar is not None:
        known = ivar > 0
        error = np.where(known, 1 / np.sqrt(np.where(known, ivar, 1)), np.nan)
        axes.fill_between(wave, flux - error, flux + error, color=curve.get_color(), alpha=0.25, lw=0)


def _names(spectra: Any, rows: np.ndarray) -> list[str]:
    columns = getattr(spectra, "columns", {})
    if not columns:
        return [""] * len(rows)
    stars = columns.get("star", columns["file"])
    return [str(stars[row] or columns["file"][row]) for row in rows]


def strongest(lines: Sequence[Line], wave: np.ndarray, flux: np.ndarray, inside: np.ndarray, marked: int) -> list[Line]:
    """The lines within the figure at which the flux is lowest, in the order of wavelength; one of several in the same pixels."""
    within = [line for line in lines if wave[inside][0] < line.wavelength < wave[inside][-1]]
    depth = {line: float(np.interp(line.wavelength, wave, np.nan_to_num(flux, nan=1.0))) for line in within}
    kept: list[Line] = []
    for line in sorted(within, key=lambda one: depth[one]):
        if len(kept) < marked and all(abs(line.wavelength - other.wavelength) > 4 for other in kept):
            kept.append(line)
    return sorted(kept, key=lambda line: line.wavelength)
