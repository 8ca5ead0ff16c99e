"""What the plots of a page show, in words."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...explain.in_numbers import count_outside, spread
from ...explain.inspected import Inspected
from ...glossary import COLUMNS, POOR_BELOW
from ...rounding import with_error

DWARFS_FROM = 3.5
"""log g from which a star is called a dwarf."""

_NAMES = {"teff": "Teff", "logg": "log g", "alphafe": "[α/Fe]", "alpha_m": "[α/M]"}


def label_text(name: str) -> str:
    """A label in plain characters, without mathematics: 'Teff', 'log g', '[Fe/H]', '[α/Fe]'."""
    return _NAMES.get(name) or COLUMNS[name].display


def axis_text(name: str, whose: str = "") -> str:
    """Title of an axis: name, unit, and whose labels they are."""
    unit = {"K": " (K)"}.get(COLUMNS[name].unit, "")
    return f"{label_text(name)}{unit}{f', {whose}' if whose else ''}"


def digits(name: str) -> int:
    """Decimals with which a label is printed here."""
    return 0 if COLUMNS[name].unit == "K" else 2


def number(value: float, name: str, sign: bool = False) -> str:
    """A value of a label; a minus is a minus."""
    return f"{value:{'+' if sign else ''},.{digits(name)}f}".replace("-", "−")


def of_scores(inspected: Inspected, label: str) -> str:
    """Scores of a label, which stars they are of, and how many are left out for which reason."""
    evaluation = inspected.evaluation
    assert evaluation is not None
    scores = evaluation.metrics[label].get("all")
    left = ", ".join(f"{n:,} {reason}" for reason, n in evaluation.left_out[label].items())
    left = f" Not scored, though drawn where both are known: {left}." if left else ""
    if scores is None or not np.isfinite(scores["sigma"]):
        return f"{label_text(label)} of the catalog against the reference: too few stars for scores.{left}"
    r2 = with_error(scores["r2"], scores["r2_err"])
    return (
        f"{label_text(label)} of the catalog against the reference: {scores['n']:,} stars scored; "
        f"R2 {r2}, bias {_finer(scores['bias'], label, True)}, scatter {_finer(scores['sigma'], label)} "
        f"(standard deviation, clipped at 3 sigma).{left}"
    )


def _finer(value: float, label: str, sign: bool = False) -> str:
    places = 0 if COLUMNS[label].unit == "K" else 3
    unit = " K" if COLUMNS[label].unit == "K" else ""
    return f"{value:{'+' if sign else ''}.{places}f}{unit}".replace("-", "−")


def of_plane(x: str, y: str, columns: Mapping[str, np.ndarray], x_limits, y_limits) -> str:
    """How many stars a plane has, where they are, and how many lie outside of the axes."""
    both = np.isfinite(columns[x]) & np.isfinite(columns[y])
    n, total = int(both.sum()), len(both)
    if not n:
        return f"None of {total:,} rows has both {label_text(x)} and {label_text(y)}."
    parts = [f"{n:,} of {total:,} rows have both {label_text(x)} and {label_text(y)}."]
    for name in (x, y):
        low, middle, high = spread(columns[name][both])
        unit = " K" if COLUMNS[name].unit == "K" else ""
        parts.append(
            f"{label_text(name)} from {number(low, name)} to {number(high, name)}{unit} (5th to 95th percentile), "
            f"median {number(middle, name)}{unit}."
        )
    if y == "logg":
        giants = int((columns["logg"][both] < DWARFS_FROM).sum())
        parts.append(f"{giants:,} giants (log g below {DWARFS_FROM:g}), {n - giants:,} dwarfs.")
    if x == "feh":
        poor = both & (columns["feh"] < POOR_BELOW)
        if poor.any():
            middle = spread(columns[y][poor]).median
            parts.append(
                f"{int(poor.sum()):,} stars below [Fe/H] = {number(POOR_BELOW, 'feh')}; the median {label_text(y)} of these is "
                f"{number(middle, y)}."
            )
    return " ".join([*parts, outside(count_outside(columns[x], columns[y], x_limits, y_limits))]).strip()


def outside(n: int) -> str:
    """That stars lie outside of the axes, if any do."""
    if not n:
        return ""
    if n == 1:
        return "1 star lies outside of the axes; “Whole range” shows it."
    return f"{n:,} stars lie outside of the axes; “Whole range” shows them."
