"""The columns of a catalog that hold errors: of each label and star, from the model's table and the star's own noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..flags import Flag
from ..models import Estimator
from ..models.trunks import Passes, Trunks
from ..preprocess import GridSpectra
from ..telling import tell
from .missing import missing_variance
from .photon_noise import BLOCK, block_gradients, flux_model, hang_together, noise_of, with_common_parts
from .telling_labels import mock_network, telling_labels
from .typical import typical_spectra

COMPLETE = 0.95
"""Share of good pixels from which what is missing adds nothing that could be seen: sky lines alone take 1 to 2 per cent."""

SUFFIXES = ("_err", "_lo", "_hi", "_noise")
"""Endings of the columns, after the name of the label."""


@dataclass
class StarErrors:
    """Errors of the stars of a catalog, batch by batch.

    Parameters
    ----------
    models : sequence of Estimator
        Those that the catalog is made with; of anything else nothing is known.
    """

    models: Sequence[Any]
    trunks: Trunks = field(init=False, repr=False)
    _of_flux: list[Estimator] = field(init=False, repr=False)
    _told_of_xp: bool = field(default=False, init=False, repr=False)

    def __post_init__(self) -> None:
        folded = [flux_model(model) for model in self.models]
        outside = {
            label for model, one in zip(self.models, folded, strict=True) if one is None for label in model.label_names
        }
        of_flux = [_without(one, outside) for one in folded if one is not None and set(one.label_names) - outside]
        self._of_flux = with_common_parts(of_flux)
        told_by = {table.told_by for model in self.models for table in getattr(model, "error_tables", {}).values()}
        self.trunks = Trunks([*self.models, *self._of_flux, *([mock_network()] if "mock" in told_by else [])])
        for line in self._missing(outside):
            tell(line)

    def _missing(self, outside: set[str]) -> list[str]:
        """What the catalog will not hold, and why: a line for each reason."""
        lines = []
        labels = dict.fromkeys(label for model in self.models for label in model.label_names)
        none = [label for label in labels if self._tables(label) is None]
        if none:
            columns = ", ".join(f"{label}_err" for label in none)
            lines.append(
                f"no errors in {columns}: a model of {', '.join(none)} has not been calibrated on stars with labels"
            )
        unknown = [label for label in labels if label in outside]
        if unknown:
            columns = ", ".join(f"{label}_noise" for label in unknown)
            why = "what makes the input of the model is not at hand, or no gradient goes through it"
            lines.append(f"no photon noise in {columns}: {why}")
        return lines

    def _tables(self, label: str) -> list | None:
        """The tables of all models of a label; None if one has none: its part of the mean has no known error."""
        tables = [getattr(model, "error_tables", {}).get(label) for model in self.models if label in model.label_names]
        return None if any(table is None for table in tables) else tables

    def columns(
        self,
        spectra: GridSpectra,
        predicted: Mapping[str, np.ndarray],
        survey: str | np.ndarray = "",
        passes: Passes | None = None,
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Errors of predictions.

        Parameters
        ----------
        spectra : GridSpectra
            Those that were predicted from.
        predicted : mapping of str to ndarray, shape (n,)
            Labels; of several models their mean.
        survey : str or ndarray, shape (n,)
            That the spectra are of; '' where it is that of the calibration stars.
        passes : Passes, optional
            Of `trunks` over the flux of the spectra, all of which are then worked on together.

        Returns
        -------
        columns : dict of str to ndarray, shape (n,), float64
            ``<label>_err``, ``_lo``, ``_hi`` and ``_noise`` of every label, NaN where they are not known. Of several models of a
            label, the widest interval.
        flags : ndarray, shape (n,), int32
            FEW_CALIBRATORS.
        """
        n = len(spectra)
        if passes is None and n > BLOCK:
            return self._in_blocks(spectra, predicted, np.broadcast_to(survey, n))
        passes = passes or self.trunks.over(spectra.flux)
        if hang_together(spectra) and not self._told_of_xp:
            tell("no photon noise of Gaia XP spectra: how the errors of their points hang together is not known")
            self._told_of_xp = True
        noise, missing = self._from_noise(spectra, passes)
        flags = np.zeros(n, np.int32)
        told: dict[str, dict[str, np.ndarray]] = {}
        columns: dict[str, np.ndarray] = {}
        for label, values in predicted.items():
            photon = noise.get(label, np.full(n, np.nan))
            halves = np.full((n, 2), np.nan)
            tables = self._tables(label)
            if tables and n:
                known = np.sqrt(np.nan_to_num(photon) ** 2 + missing.get(label, 0.0))
                widest = np.zeros((n, 2))
                for table in tables:
                    if table.told_by not in told:
                        told[table.told_by] = telling_labels(table.told_by, spectra.flux, predicted, passes)
                    half, pooled = table.intervals(known, told[table.told_by], spectra.snr, survey)
                    widest = np.maximum(widest, half)
                    flags[pooled & np.isfinite(values)] |= Flag.FEW_CALIBRATORS
                halves = np.where(np.isfinite(values)[:, None], widest, np.nan)
            columns |= {
                f"{label}_err": halves[:, 0], f"{label}_lo": values - halves[:, 1], f"{label}_hi": values + halves[:, 1],
                f"{label}_noise": np.where(np.isfinite(values), photon, np.nan),
            }  # fmt: skip
        return columns, flags

    def _in_blocks(self, spectra: GridSpectra, predicted: Mapping[str, np.ndarray], survey: np.ndarray):
        """As `columns`, of many spectra."""
        parts = []
        for start in range(0, len(spectra), BLOCK):
            rows = slice(start, start + BLOCK)
            some = {label: values[rows] for label, values in predicted.items()}
            parts.append(self.columns(spectra.select(rows), some, survey[rows]))
        columns = {name: np.concatenate([part[name] for part, _ in parts]) for name in parts[0][0]}
        return columns, np.concatenate([flags for _, flags in parts])

    def _from_noise(self, spectra: GridSpectra, passes: Passes) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """1 sigma of labels from photon noise, and their variance from missing pixels, which is 0 where few are missing."""
        labels = [label for model in self._of_flux for label in model.label_names]
        noise = {label: np.full(len(spectra), np.nan) for label in labels}
        missing = {label: np.zeros(len(spectra)) for label in labels}
        for rows, gradients in block_gradients(self._of_flux, spectra, passes):
            block = spectra.select(rows)
            for label, values in noise_of(gradients, block).items():
                noise[label][rows] = values
            for label, values in self._from_missing_pixels(block, gradients).items():
                missing[label][rows] = values
        return noise, missing

    def _from_missing_pixels(self, spectra: GridSpectra, gradients: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Variance of labels from missing pixels, of stars that lack many of them; 0 for all others."""
        settings = self._of_flux[0].preprocessing
        assert spectra.ivar is not None
        rows = np.flatnonzero((spectra.good_fraction < COMPLETE) & (spectra.ivar > 0).any(axis=1))
        typical = None if settings is None or not len(rows) else typical_spectra(settings)
        if typical is None:
            return {}
        some = np.stack([gradient[rows] for gradient in gradients.values()], axis=1)
        made = np.zeros((len(spectra), len(gradients)))
        made[rows] = np.nan_to_num(missing_variance(some, spectra.flux[rows], spectra.ivar[rows], typical))
        return dict(zip(gradients, made.T, strict=True))


def _without(model: Estimator, labels: set[str]) -> Estimator:
    """A model of the flux without some of its labels."""
    left = [label for label in model.label_names if label not in labels]
    return model if len(left) == len(model.label_names) else model.only(*left)


def coverage_of(models: Sequence[Any]) -> dict[str, list[dict[str, Any]]]:
    """What is known of the coverage of the errors of models, for the metadata of a catalog.

    Parameters
    ----------
    models : sequence of Estimator

    Returns
    -------
    dict of str to list of dict
        By label, for each model ``least_scale``, the smallest q68 and q95 of its cells (by them at least an interval shrinks with
        the noise), and ``stars``, ``survey``, ``n``, ``label_noise`` and ``coverage`` as in
        `transtar.models.error_table.ErrorTable`; labels of models without errors are left out.
    """
    tables: dict[str, list[dict[str, Any]]] = {}
    for model in models:
        for label, table in getattr(model, "error_tables", {}).items():
            about = {name: getattr(table, name) for name in ("stars", "survey", "n", "label_noise", "coverage")}
            least = [min(getattr(cell, name) for cell in table.cells) for name in ("q68", "q95")]
            tables.setdefault(label, []).append(about | {"label_noise": list(table.label_noise), "least_scale": least})
    return tables
