"""What the emulator takes: its labels, and the region of them that its training grid covers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ...errors import InputError

LABEL_NAMES = ("teff", "logg", "feh", "alphafe", "vmic", "cfe")
"""Labels of a spectrum, in the order of the columns: K, log10 of cm/s2, dex, dex, km/s, dex."""


def vmic_relation(teff: np.ndarray, logg: np.ndarray) -> np.ndarray:
    """Microturbulence of a usual star.

    The quadratic in Teff and log g about (5500 K, 4.0) on which the grid was laid out: all its points have 0.75 to 1.25
    times this value, evenly.

    Parameters
    ----------
    teff, logg : ndarray, shape (n,)
        In K, and log10 of cm/s2.

    Returns
    -------
    ndarray, shape (n,)
        Microturbulence in km/s.
    """
    t, g = np.asarray(teff) - 5500.0, np.asarray(logg) - 4.0
    return 1.05 + 2.51e-4 * t + 1.5e-7 * t**2 - 0.14 * g - 0.005 * g**2


def check_labels(labels: np.ndarray) -> np.ndarray:
    """Labels as float64, shape (n, 6).

    Raises
    ------
    InputError
        If the shape is another, or a label is not finite.
    """
    try:
        labels = np.asarray(labels, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"emulator: labels are not numbers ({error})") from None
    if labels.ndim != 2 or labels.shape[1] != len(LABEL_NAMES):
        raise InputError(f"emulator: labels have shape {labels.shape}, not (n, {len(LABEL_NAMES)}): {LABEL_NAMES}")
    rows, columns = np.nonzero(~np.isfinite(labels))
    if len(rows):
        names = ", ".join(LABEL_NAMES[column] for column in np.unique(columns))
        raise InputError(f"emulator: {len(np.unique(rows))} star(s) lack a finite {names}, the first in row {rows[0]}")
    return labels


@dataclass(frozen=True)
class GridRange:
    """The region that a grid of spectra covers; the defaults are those of the shipped emulator.

    Parameters
    ----------
    teff, feh, alphafe, cfe : (float, float)
        Least and greatest value.
    logg_low, logg_high : tuple of (float, float)
        (Teff in K, log g) of the corners of the least and of the greatest log g, straight lines between them.
    vmic : (float, float)
        Least and greatest ratio of the microturbulence to `vmic_relation`.
    """

    teff: tuple[float, float] = (4000.0, 7000.0)
    feh: tuple[float, float] = (-3.2, 0.6)
    alphafe: tuple[float, float] = (-0.25, 0.65)
    cfe: tuple[float, float] = (-0.5, 0.6)
    logg_low: tuple[tuple[float, float], ...] = ((4000.0, 0.5), (4500.0, 0.5), (6000.0, 2.6), (7000.0, 3.3))
    logg_high: tuple[tuple[float, float], ...] = ((4000.0, 5.0), (5000.0, 4.9), (6000.0, 4.75), (7000.0, 4.6))
    vmic: tuple[float, float] = (0.75, 1.25)

    def clip(self, labels: np.ndarray) -> np.ndarray:
        """Move labels to the nearest edge: Teff first, then log g at that Teff, microturbulence at both, and the rest.

        Parameters
        ----------
        labels : ndarray, shape (n, 6)
            Columns as `LABEL_NAMES`.

        Returns
        -------
        ndarray, shape (n, 6), float64
            A copy; labels inside are untouched.

        Raises
        ------
        InputError
            If the shape is wrong or a label is not finite.
        """
        teff, logg, feh, alphafe, vmic, cfe = check_labels(labels).T
        teff = np.clip(teff, *self.teff)
        logg = np.clip(logg, _line(teff, self.logg_low), _line(teff, self.logg_high))
        usual = vmic_relation(teff, logg)
        vmic = np.clip(vmic, self.vmic[0] * usual, self.vmic[1] * usual)
        abundances = (np.clip(feh, *self.feh), np.clip(alphafe, *self.alphafe), np.clip(cfe, *self.cfe))
        return np.stack([teff, logg, abundances[0], abundances[1], vmic, abundances[2]], axis=1)

    def inside(self, labels: np.ndarray) -> np.ndarray:
        """Whether each star lies in the region, edges included.

        Parameters
        ----------
        labels : ndarray, shape (n, 6)

        Returns
        -------
        ndarray, shape (n,), bool

        Raises
        ------
        InputError
            If the shape is wrong or a label is not finite.
        """
        labels = check_labels(labels)
        # A label that went through float32, or out of a table with few digits, is still on the edge.
        return np.isclose(self.clip(labels), labels, rtol=1e-6, atol=1e-6).all(axis=1)

    def describe_outside(self, labels: np.ndarray) -> str | None:
        """Say in one line which stars lie outside and how the first of them does; None if all are inside."""
        labels = check_labels(labels)
        outside = np.flatnonzero(~self.inside(labels))
        if not len(outside):
            return None
        row = outside[0]
        moved = self.clip(labels[row : row + 1])[0]
        parts = [
            f"{name} {value:.6g} (edge {edge:.6g})"
            for name, value, edge in zip(LABEL_NAMES, labels[row], moved, strict=True)
            if not np.isclose(value, edge, rtol=1e-6, atol=1e-6)
        ]
        return f"{len(outside)} of {len(labels)} star(s) outside the grid, the first in row {row}: {', '.join(parts)}"

    def to_dict(self) -> dict:
        """Plain data for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: dict) -> GridRange:
        """Build from `to_dict`, with JSON's lists as tuples."""
        values: dict[str, Any] = {
            key: tuple(tuple(x) if isinstance(x, list) else x for x in value) for key, value in content.items()
        }
        return cls(**values)


def _line(teff: np.ndarray, corners: tuple[tuple[float, float], ...]) -> np.ndarray:
    at, values = zip(*corners, strict=True)
    return np.interp(teff, at, values)
