"""A spectrum, or labels against labels, on any axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..catalog.catalog_columns import column_unit, plain_array
from ..errors import InputError
from ..evaluate.metrics import r2, sigma
from ..explain.lines import Line, read_lines, resolved
from ..glossary import decimals, display
from ..report.figures import DENSE, TOLERANCES
from ..report.saliency_figure import mark_lines
from ..report.spectrum_figure import draw_curve, strongest
from ..report.style import GREY, as_text
from ..spectra import SpectrumBatch

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..datasets import PreparedSet
    from ..preprocess import GridSpectra

MOST_LINES = 20
"""Lines marked at most."""

BEYOND = 0.2
"""Limits leave out predictions that are farther from all references than this share of their range."""


def spectrum(
    spectra: SpectrumBatch | GridSpectra | PreparedSet | Sequence[Any],
    row: int = 0,
    ax: Axes | None = None,
    *,
    errors: bool = True,
    lines: bool | Sequence[Line] = False,
    limits: tuple[float, float] | None = None,
    label: str | None = None,
    **style: Any,
) -> Axes:
    """Draw one spectrum, with a band of one sigma where its errors are known.

    Parameters
    ----------
    spectra : SpectrumBatch, GridSpectra, PreparedSet, or (wave, flux) or (wave, flux, ivar)
        Arrays have shapes (n_pixels,) and (n_pixels,) or (n_spectra, n_pixels); wavelengths are in Angstrom, in the medium that
        the caller has them in, and `ivar` is the inverse variance of the flux. Masked pixels are left blank.
    row : int
        Which of the spectra.
    ax : matplotlib.axes.Axes, optional
        A new figure has them, if not given.
    errors : bool
        Whether to draw the band.
    lines : bool or sequence of Line
        True marks the strongest lines of `transtar.explain.lines.read_lines`, which needs a spectrum in the rest frame.
    limits : (float, float), optional
        Wavelengths in Angstrom; the whole spectrum if not given.
    label : str, optional
        For the legend; of a set, the star or file by default.
    **style
        Of the line, as in ``ax.plot``: ``color``, ``lw`` and so on.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    InputError
        If the row is not there or has no flux, arrays do not fit, fewer than two pixels lie within the limits, or lines are asked
        for in a spectrum that is not in the rest frame.
    """
    wave, flux, ivar = _arrays(spectra, row)
    if not np.isfinite(flux).any():
        raise InputError(f"row {row} has no flux that can be drawn")
    low, high = (wave[0], wave[-1]) if limits is None else limits
    inside = (wave >= low) & (wave <= high)
    if inside.sum() < 2:
        raise InputError(
            f"no two pixels lie between {low:g} and {high:g} A; the spectrum runs from {wave[0]:.0f} to {wave[-1]:.0f} A"
        )
    if lines is not False and getattr(spectra, "frame", "rest") != "rest":
        raise InputError("lines can be marked in the rest frame only; this batch is in the observed one")
    axes = _new_axes(7.1, 3.0) if ax is None else ax
    name = _name(spectra, row) if label is None else label
    draw_curve(
        axes, wave[inside], flux[inside], ivar[inside] if errors and ivar is not None else None,
        **{"lw": 0.8, "label": as_text(name) or None, **style},
    )  # fmt: skip
    axes.set_xlim(wave[inside][0], wave[inside][-1])
    medium = "" if isinstance(spectra, tuple | list) else "vacuum "
    axes.set_xlabel(rf"{medium}wavelength ($\mathrm{{\AA}}$)")
    axes.set_ylabel("flux" if isinstance(spectra, SpectrumBatch | tuple | list) else "flux / continuum")
    if lines is not False:
        listed = resolved(read_lines() if lines is True else lines, wave)
        mark_lines(axes, strongest(listed, wave, flux, inside, MOST_LINES))
    return axes


def one_to_one(
    reference: Any,
    predicted: Any,
    ax: Axes | None = None,
    *,
    label: str | None = None,
    errors: Any = None,
    scores: bool = True,
    **style: Any,
) -> Axes:
    """Draw predicted against reference labels, with the 1:1 line and the scores.

    Stars of which one of the two is missing are left out, and counted in the text. Predictions far beyond the references are
    drawn as grey triangles on the edge. More than 2,000 stars are shown by their density.

    Parameters
    ----------
    reference, predicted : array_like, shape (n,)
        NaN or masked where missing. Columns with units are converted to the unit of the label, or, without one, to that of the
        reference.
    ax : matplotlib.axes.Axes, optional
        A new figure has them, if not given.
    label : str, optional
        Canonical name of the label, ``"feh"`` say: for the names and units of the axes, and dotted lines 0.2 dex (200 K in Teff,
        0.3 in log g) from 1:1.
    errors : array_like, shape (n,), optional
        One sigma of the predictions, in the unit of these.
    scores : bool
        Whether to print number, R2, sigma (after a clip at 3 sigma) and bias, predicted minus reference.
    **style
        Of the points, as in ``ax.plot``: ``color``, ``ms`` and so on.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    InputError
        If the arrays differ in length or units that cannot be converted, or no star has both labels.
    """
    unit = str(getattr(reference, "unit", None) or "") if label is None else column_unit(label)
    x, y = (
        np.ma.filled(np.ma.asarray(plain_array(values, unit), np.float64), np.nan) for values in (reference, predicted)
    )
    spread = None if errors is None else np.asarray(plain_array(errors, unit), np.float64)
    if x.ndim != 1 or x.shape != y.shape or (spread is not None and spread.shape != x.shape):
        shapes = ", ".join(str(np.shape(values)) for values in (x, y, *([] if spread is None else [spread])))
        raise InputError(f"labels to be drawn must have one shape (n,), not {shapes}")
    known = np.isfinite(x) & np.isfinite(y)
    if not known.any():
        raise InputError("no star has a reference and a predicted label")
    n_missing = int((~known).sum())
    x, y, spread = x[known], y[known], None if spread is None else spread[known]
    axes = _new_axes(4.0, 4.0) if ax is None else ax
    tolerance = None if label is None else TOLERANCES.get(label, 0.2)
    low, high = _limits(x, y, tolerance)
    inside = (y >= low) & (y <= high)
    if inside.sum() > DENSE:
        axes.hexbin(
            x[inside], y[inside], gridsize=45, extent=(low, high, low, high), mincnt=1, bins="log", linewidths=0.1
        )
    else:
        axes.errorbar(
            x[inside], y[inside], None if spread is None else spread[inside],
            **{"fmt": "o", "ms": 3, "mew": 0, "alpha": 0.6, "elinewidth": 0.5, **style},
        )  # fmt: skip
    # A little inside of the edge, clear of its ticks.
    room = 0.015 * (high - low)
    for beyond, edge, marker in ((y > high, high - room, "^"), (y < low, low + room, "v")):
        axes.plot(x[beyond], np.full(beyond.sum(), edge), marker, ms=4, color=GREY)
    ends = np.array([low, high])
    axes.plot(ends, ends, "--", color="black", lw=1, zorder=4)
    for shift in () if tolerance is None else (-tolerance, tolerance):
        axes.plot(ends, ends + shift, ":", color="#555555", lw=1, zorder=4)
    axes.set(xlim=(low, high), ylim=(low, high), aspect="equal")
    name = display(label) if label is not None else ""
    axes.set_xlabel(f"reference {name}".rstrip())
    axes.set_ylabel(f"predicted {name}".rstrip())
    if scores:
        axes.text(
            0.04, 0.96, _scores(x, y, n_missing, label, unit), transform=axes.transAxes, va="top", fontsize="small", zorder=5,
            bbox={"facecolor": axes.get_facecolor(), "alpha": 0.7, "edgecolor": "none", "pad": 1.5},
        )  # fmt: skip
    return axes


def _new_axes(width: float, height: float) -> Axes:
    # Of pyplot, so that a notebook shows the figure at the end of the cell.
    from matplotlib import pyplot

    return pyplot.subplots(figsize=(width, height), layout="constrained")[1]


def _arrays(spectra: Any, row: int) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Wavelengths, flux and inverse variances of one spectrum; flux is NaN where it is masked."""
    mask = None
    if isinstance(spectra, tuple | list):
        if len(spectra) not in (2, 3):
            raise InputError(f"give (wave, flux) or (wave, flux, ivar), not {len(spectra)} arrays")
        wave, flux, *rest = (np.ma.filled(np.ma.asarray(values, np.float64), np.nan) for values in spectra)
        flux, ivar = np.atleast_2d(flux), np.atleast_2d(rest[0]) if rest else None
        if wave.ndim != 1 or flux.shape[1:] != wave.shape or (ivar is not None and ivar.shape != flux.shape):
            shapes = ", ".join(str(np.shape(values)) for values in spectra)
            raise InputError(
                f"wavelengths, flux and ivar of one spectrum or several do not fit together: shapes {shapes}"
            )
        if (np.diff(wave) <= 0).any():
            raise InputError("wavelengths are not strictly increasing; sort them first")
    else:
        wave, flux, ivar, mask = spectra.wave, spectra.flux, spectra.ivar, getattr(spectra, "mask", None)
    if isinstance(row, bool) or not isinstance(row, int | np.integer) or not -len(flux) <= row < len(flux):
        raise InputError(f"there is no row {row} among {len(flux)} spectra")
    values = np.array(flux[row], np.float64)
    if mask is not None:
        values[mask[row]] = np.nan
    return np.asarray(wave), values, None if ivar is None else np.asarray(ivar[row])


def _name(spectra: Any, row: int) -> str:
    columns = getattr(spectra, "columns", None) or getattr(spectra, "meta", None) or {}
    return next(
        (str(columns[name][row]) for name in ("star", "file") if name in columns and str(columns[name][row])), ""
    )


def _limits(x: np.ndarray, y: np.ndarray, tolerance: float | None) -> tuple[float, float]:
    """Limits that hold all references, and predictions unless they are far out."""
    low, high = float(x.min()), float(x.max())
    # A single star, or stars of one value, need room as well.
    least = 2 * (tolerance or (0.1 * abs(high) or 1.0))
    if high - low < least:
        low, high = (low + high - least) / 2, (low + high + least) / 2
    room = high - low
    low, high = min(low, max(float(y.min()), low - BEYOND * room)), max(high, min(float(y.max()), high + BEYOND * room))
    return low - 0.04 * room, high + 0.04 * room


def _scores(x: np.ndarray, y: np.ndarray, n_missing: int, label: str | None, unit: str) -> str:
    digits = decimals(label) if label is not None else 3
    lines = [f"$N$ = {len(x):,}" + (f" ({n_missing:,} without label)" if n_missing else "")]
    if len(x) > 1 and np.isfinite(score := r2(x, y)):
        lines.append(f"$R^2$ = {score:.3f}")
        lines.append(rf"$\sigma$ = {sigma(x, y):.{digits}f} {unit}".rstrip())
    lines.append(f"bias = {float(np.mean(y - x)) + 0.0:+.{digits}f} {unit}".rstrip())
    return "\n".join(lines).replace("-", "−")
