"""The bundled line list, and how much of a gradient falls near its lines."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

import numpy as np

from ..errors import InputError


@dataclass(frozen=True)
class Line:
    """One line or narrow band.

    Parameters
    ----------
    element, ion : str
        'Fe', 'II'; the ion is empty for a molecule.
    wavelength : float
        Vacuum, in Angstrom.
    half_width : float
        In Angstrom: what is no further away belongs to the line.
    name : str
        A name of its own ('H beta', 'Mg b1', 'G band'), or empty.
    source : str
        Where the wavelength is from.
    """

    element: str
    ion: str
    wavelength: float
    half_width: float = 2.0
    name: str = ""
    source: str = ""

    @property
    def title(self) -> str:
        """Its name, or species and wavelength: 'Fe I 4384.8'."""
        return self.name or f"{self.element} {self.ion} {self.wavelength:.1f}".replace("  ", " ")

    def holds(self, wave: np.ndarray) -> np.ndarray:
        """Whether each wavelength (Angstrom) lies within the half width; bool of the shape of `wave`."""
        return np.abs(np.asarray(wave) - self.wavelength) <= self.half_width


@dataclass(frozen=True)
class Share:
    """How much of the absolute gradient of a model falls on some pixels.

    Parameters
    ----------
    kind : {'line', 'element', 'rest'}
        One line, all lines of an element together (pixels counted once), or the pixels far from any line.
    name : str
    wavelength, half_width : float
        In Angstrom; NaN unless it is a line.
    share : float
        Of the sum of the absolute gradient over the grid.
    effect : float
        The same of the gradient times the spread of the flux over the stars: of what the pixels do to the label among these
        stars. A gradient alone may be large where no star differs from any other.
    chance : float
        The share of the pixels: what a gradient that knows no lines would give.
    """

    kind: str
    name: str
    wavelength: float
    half_width: float
    share: float
    effect: float
    chance: float

    @property
    def enhancement(self) -> float:
        """`share` over `chance`; 1 is what chance gives, NaN where there are no pixels."""
        return self.share / self.chance if self.chance else float("nan")

    @property
    def effect_enhancement(self) -> float:
        """`effect` over `chance`."""
        return self.effect / self.chance if self.chance else float("nan")


def read_lines() -> tuple[Line, ...]:
    """The bundled list, by wavelength; its origin is told in the head of ``explain/lines.csv``."""
    text = (files(__package__) / "lines.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    return tuple(
        Line(row["element"], row["ion"], float(row["wavelength_vacuum"]), float(row["half_width"]), row["name"], row["source"])
        for row in rows
    )  # fmt: skip


def resolved(lines: Sequence[Line], wave: np.ndarray) -> tuple[Line, ...]:
    """Lines that are no narrower than the pixels they fall on; what a wider pixel shows is not theirs.

    Parameters
    ----------
    lines : sequence of Line
    wave : ndarray, shape (n_pixels,)
        In Angstrom.
    """
    step = np.gradient(wave)
    return tuple(line for line in lines if 2 * line.half_width >= np.interp(line.wavelength, wave, step))


def line_shares(wave: np.ndarray, gradient: np.ndarray, spread: np.ndarray, lines: Sequence[Line]) -> list[Share]:
    """Sum the absolute gradient near each line, near the lines of each element, and far from all of them.

    Windows of different elements overlap, so that the shares of the elements add up to more than what the rest leaves.

    Parameters
    ----------
    wave : ndarray, shape (n_pixels,)
        Vacuum wavelength in Angstrom.
    gradient : ndarray, shape (n_pixels,)
        Signs do not matter.
    spread : ndarray, shape (n_pixels,)
        1 sigma of the flux over the stars.
    lines : sequence of Line

    Returns
    -------
    list of Share
        Elements by falling effect, the rest, then lines by wavelength; lines off the grid are left out.

    Raises
    ------
    InputError
        If shapes differ, or the gradient or the spread is zero everywhere or not finite.
    """
    wave, weight = np.asarray(wave, np.float64), np.abs(np.asarray(gradient, np.float64))
    if not wave.shape == weight.shape == np.shape(spread) or wave.ndim != 1:
        raise InputError(f"line shares: {weight.shape} gradients, {np.shape(spread)} spreads, {wave.shape} wavelengths")
    effect = weight * np.asarray(spread, np.float64)
    total, all_effect = weight.sum(), effect.sum()
    if not (np.isfinite([total, all_effect]).all() and min(total, all_effect) > 0):
        raise InputError("line shares: the gradient or the spread of the flux is zero everywhere, or not finite")
    near = {line: line.holds(wave) for line in lines}
    near = {line: mask for line, mask in near.items() if mask.any()}

    def share(kind: str, name: str, mask: np.ndarray, wavelength: float = np.nan, half: float = np.nan) -> Share:
        parts = (weight[mask].sum() / total, effect[mask].sum() / all_effect, mask.mean())
        return Share(kind, name, wavelength, half, *(float(part) for part in parts))

    elements: dict[str, np.ndarray] = {}
    for line, mask in near.items():
        elements[line.element] = elements.get(line.element, np.zeros(len(wave), bool)) | mask
    element_shares = [share("element", name, mask) for name, mask in elements.items()]
    anywhere = np.any(list(near.values()), axis=0) if near else np.zeros(len(wave), bool)
    return [
        *sorted(element_shares, key=lambda one: -one.effect),
        share("rest", "far from all lines", ~anywhere),
        *(share("line", line.title, mask, line.wavelength, line.half_width) for line, mask in near.items()),
    ]


def prominent_lines(
    wave: np.ndarray, spikes: np.ndarray, lines: Sequence[Line], number: int = 26, apart: float = 5.0
) -> list[Line]:
    """Lines at the largest spikes of something.

    Each pixel belongs to the line nearest to it, if it is within its half width; a line is as prominent as its largest absolute
    value. Of lines closer together than `apart` (Angstrom) only the most prominent is taken.

    Parameters
    ----------
    wave, spikes : ndarray, shape (n_pixels,)
    lines : sequence of Line
    number : int
        At most so many.
    apart : float

    Returns
    -------
    list of Line
        By wavelength.
    """
    if not lines:
        return []
    wave, spikes = np.asarray(wave), np.abs(np.asarray(spikes))
    distance = np.abs(wave[:, None] - np.array([line.wavelength for line in lines]))
    nearest = distance.argmin(axis=1)
    peaks = []
    for index, line in enumerate(lines):
        near_line = (nearest == index) & line.holds(wave)
        if near_line.any():
            peaks.append((float(spikes[near_line].max()), line))
    chosen: list[Line] = []
    for _, line in sorted(peaks, key=lambda pair: -pair[0]):
        if len(chosen) < number and all(abs(line.wavelength - other.wavelength) >= apart for other in chosen):
            chosen.append(line)
    return sorted(chosen, key=lambda line: line.wavelength)
