"""What is known of the errors of one label: a table by kinds of stars that travels with the model.

The interval of a star is ``label +- q sigma`` with ``sigma^2 = noise^2 + systematic^2``: the noise is the star's own (see
`transtar.trust.photon_noise`), the systematic part and the two quantiles q, for 68 and 95 %, are those of its cell. Spectra of
another survey than that of the calibration stars have ``elsewhere^2`` added. Cells are told by *predicted* quantities, as
nothing else is known of a star; `transtar.trust.conformal` fills the table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from ..checks import check_list, check_mapping, check_real, check_text, check_whole
from ..errors import SettingsError, check_keys, shown
from ..glossary import POOR_BELOW

LEVELS = (0.68, 0.95)
"""Shares of stars whose true label is to lie in the two intervals."""

AXES = (("feh", POOR_BELOW), ("logg", 3.5), ("teff", 4500.0))
"""Predicted label and limit by which stars are of one kind or another; the last is given up first where stars are few."""

SNR_EDGES = (20.0, 50.0)
"""Limits of S/N between cells of one kind of stars; given up before all of `AXES`, as the noise is in each star's own error."""

TOLD_BY = ("mock", "model")
"""Whose predictions tell the kind: those of the shipped network 'mock', or the model's own."""

_CELL = ("kind", "snr", "systematic", "q68", "q95", "n", "pooled", "elsewhere")
_ROW = ("bin", "n", "within_68", "within_95", "width")


@dataclass(frozen=True)
class Cell:
    """One kind of stars.

    Parameters
    ----------
    kind : int
        Bit i is set where the i-th axis of the table is below its limit.
    snr : int
        Number of the S/N bin; -1 for all together, and for stars of unknown S/N.
    systematic : float
        In the unit of the label.
    q68, q95 : float
        Half widths of the intervals over sigma.
    n : int
        Calibration stars that q68 and q95 come from.
    pooled : bool
        Whether some of these are of another kind, because this one has too few.
    elsewhere : float
        What is added in quadrature for spectra of other surveys than that of the calibration stars, in the unit of the label.
    """

    kind: int
    snr: int
    systematic: float
    q68: float
    q95: float
    n: int
    pooled: bool
    elsewhere: float = 0.0


@dataclass(frozen=True)
class ErrorTable:
    """Errors of one label by kinds of stars.

    Parameters
    ----------
    cells : tuple of Cell
        One for every kind and S/N bin, and one for every kind at any S/N.
    axes : tuple of (str, float)
        As `AXES`, of those that could be told.
    told_by : {'mock', 'model'}
        As `TOLD_BY`.
    stars : str
        Which stars it was calibrated on, with whose labels, in words.
    n : int
        How many.
    label_noise : (float, float)
        Noise of their labels, by which 68 and 95 % of these are off, in the unit of the label: it is not in the intervals.
    coverage : dict of str to list of dict
        By what was judged, in words, rows with ``bin``, ``n``, ``within_68``, ``within_95`` and ``width``, the mean half width of
        the 68 % interval: shares of stars whose label lies within the interval with the noise of labels added in quadrature.
    survey : str
        Of the calibration stars; '' where nothing is known of what other surveys add.
    """

    cells: tuple[Cell, ...]
    axes: tuple[tuple[str, float], ...]
    told_by: str
    stars: str
    n: int
    label_noise: tuple[float, float] = (0.0, 0.0)
    coverage: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    survey: str = ""

    def intervals(
        self, noise: np.ndarray, told: Mapping[str, np.ndarray], snr: np.ndarray, survey: str | np.ndarray = ""
    ) -> tuple[np.ndarray, np.ndarray]:
        """Half widths of the intervals of stars.

        Parameters
        ----------
        noise : ndarray, shape (n,)
            What is known of each star's own error, in the unit of the label; NaN counts as none.
        told : mapping of str to ndarray, shape (n,)
            Predicted labels that tell the kind, by those named in `axes`.
        snr : ndarray, shape (n,)
            NaN where it is not known.
        survey : str or ndarray, shape (n,)
            That the spectra are of; '' for that of the calibration stars.

        Returns
        -------
        halves : ndarray, shape (n, 2), float64
            Of the 68 and the 95 % interval.
        pooled : ndarray, shape (n,), bool
            Whether the cell had too few calibration stars of its own.
        """
        by_key = {(cell.kind, cell.snr): number for number, cell in enumerate(self.cells)}
        kinds, bins = kinds_of(told, self.axes, len(noise)), snr_bins(snr)
        places = np.array([by_key[key] for key in zip(kinds.tolist(), bins.tolist(), strict=True)], dtype=int)
        columns = {name: np.array([getattr(cell, name) for cell in self.cells]) for name in _CELL[2:]}
        abroad = ~np.isin(survey, ("", self.survey)) & bool(self.survey)
        added = np.where(abroad, columns["elsewhere"][places], 0.0)
        sigma = np.sqrt(np.nan_to_num(noise) ** 2 + columns["systematic"][places] ** 2 + added**2)
        halves = sigma[:, None] * np.stack([columns["q68"], columns["q95"]], axis=1)[places]
        return halves, columns["pooled"][places]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as stored with a model."""
        content = asdict(self)
        return content | {"cells": [list(vars(cell).values()) for cell in self.cells]}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> ErrorTable:
        """Build from plain data.

        Raises
        ------
        SettingsError
            If it is no such table.
        """
        check_mapping(content, "errors")
        check_keys(content, cls.__dataclass_fields__, "errors")
        axes = tuple(_axis(axis) for axis in check_list(content["axes"], "errors: axes"))
        cells = tuple(_cell(cell) for cell in check_list(content["cells"], "errors: cells"))
        wanted = {(kind, snr) for kind in range(2 ** len(axes)) for snr in range(-1, len(SNR_EDGES) + 1)}
        if len(cells) != len(wanted) or {(cell.kind, cell.snr) for cell in cells} != wanted:
            raise SettingsError(f"errors: {len(cells)} cells are not one for each of {len(wanted)} kinds and S/N bins")
        if content["told_by"] not in TOLD_BY:
            raise SettingsError(f"errors: told_by '{shown(content['told_by'])}' is not one of {', '.join(TOLD_BY)}")
        noise = [
            check_real(one, "errors: label_noise", 0.0) for one in check_list(content["label_noise"], "label_noise")
        ]
        if len(noise) != len(LEVELS):
            raise SettingsError("errors: label_noise needs two numbers")
        coverage = check_mapping(content["coverage"], "errors: coverage")
        return cls(
            cells, axes, content["told_by"], check_text(content["stars"], "errors: stars"),
            check_whole(content["n"], "errors: n"), (noise[0], noise[1]),
            {check_text(name, "errors: coverage"): _rows(rows) for name, rows in coverage.items()},
            check_text(content.get("survey", ""), "errors: survey"),
        )  # fmt: skip


def kinds_of(told: Mapping[str, np.ndarray], axes: Sequence[tuple[str, float]], n: int) -> np.ndarray:
    """Which kind each of `n` stars is: bit i is set where the i-th axis is below its limit; int, shape (n,)."""
    kinds = np.zeros(n, int)
    for place, (label, limit) in enumerate(axes):
        kinds |= (np.asarray(told[label]) < limit).astype(int) << place
    return kinds


def snr_bins(snr: np.ndarray) -> np.ndarray:
    """Number of the S/N bin of each star, -1 where the S/N is not known; int, shape (n,)."""
    return np.where(np.isfinite(snr), np.digitize(np.nan_to_num(snr), SNR_EDGES), -1)


def _axis(axis) -> tuple[str, float]:
    label, limit = check_list(axis, "errors: each axis")
    return check_text(label, "errors: axis"), check_real(limit, "errors: limit of an axis")


def _cell(values) -> Cell:
    # The last one is younger than the format.
    if len(check_list(values, "errors: each cell")) not in (len(_CELL) - 1, len(_CELL)):
        raise SettingsError(f"errors: a cell has {len(values)} values, not {', '.join(_CELL)}")
    kind, snr, systematic, q68, q95, n, pooled, elsewhere = (*values, 0.0)[: len(_CELL)]
    if not isinstance(pooled, bool):
        raise SettingsError(f"errors: pooled must be true or false, not {shown(repr(pooled))}")
    return Cell(
        check_whole(kind, "errors: kind", 0), check_whole(snr, "errors: snr", -1),
        check_real(systematic, "errors: cell", 0.0), check_real(q68, "errors: cell", 0.0),
        check_real(q95, "errors: cell", 0.0), check_whole(n, "errors: n of a cell"), pooled,
        check_real(elsewhere, "errors: cell", 0.0),
    )  # fmt: skip


def _rows(rows) -> list[dict[str, Any]]:
    for row in check_list(rows, "errors: coverage"):
        check_keys(check_mapping(row, "errors: row of coverage"), _ROW, "errors: row of coverage")
        check_text(row["bin"], "errors: bin")
        check_whole(row["n"], "errors: n of a bin")
        for name in _ROW[2:]:
            check_real(row[name], f"errors: {name}", 0.0)
    return list(rows)
