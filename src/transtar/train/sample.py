"""The stars of one training step: checked, cleared of unusable rows, split by star."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..errors import InputError, SettingsError
from .split import POOR_LIMIT, validation_split


@dataclass(frozen=True, eq=False)
class Sample:
    """Stars with inputs and labels.

    Parameters
    ----------
    flux : ndarray, shape (n, n_inputs), float32
    labels : ndarray, shape (n, n_labels), float64
        NaN where missing; every row has at least one.
    stars : ndarray, shape (n,), str
        Rows of equal name are one star.
    ids : ndarray, shape (n,), int64
    files : ndarray, shape (n,), str
    survey : ndarray, shape (n,), str
    weights : ndarray, shape (n,), float32, or None
    feh : ndarray, shape (n,), or None
        [Fe/H] by which splits are stratified.
    n_left_out : int
        Rows given but not used.
    """

    flux: np.ndarray
    labels: np.ndarray
    stars: np.ndarray
    ids: np.ndarray
    files: np.ndarray
    survey: np.ndarray
    weights: np.ndarray | None
    feh: np.ndarray | None
    n_left_out: int = 0

    def __len__(self) -> int:
        return len(self.flux)

    def select(self, rows: np.ndarray) -> Sample:
        """The stars at `rows` (bool or index array)."""
        return Sample(
            self.flux[rows],
            self.labels[rows],
            self.stars[rows],
            self.ids[rows],
            self.files[rows],
            self.survey[rows],
            None if self.weights is None else self.weights[rows],
            None if self.feh is None else self.feh[rows],
            self.n_left_out,
        )

    def split(self, fraction: float, seed: int) -> tuple[Sample, Sample]:
        """Training and validation stars, by star, the regimes in proportion; see `validation_split`."""
        held_out = validation_split(self.stars, self.feh, fraction, seed)
        return self.select(~held_out), self.select(held_out)

    def seen(self, role: str) -> dict[str, np.ndarray]:
        """Rows for `Estimator.trained_on`."""
        return {
            "survey": self.survey,
            "id": self.ids,
            "file": self.files,
            "star": self.stars,
            "role": np.full(len(self), role, dtype="<U10"),
        }

    def weight_tensor(self, poor_weight: float = 1.0) -> torch.Tensor | None:
        """Weights, times `poor_weight` for metal-poor stars, shape (n,), float32; None if all are equal.

        Raises
        ------
        SettingsError
            If metal-poor stars are to weigh differently but no [Fe/H] is known.
        """
        if poor_weight == 1.0:
            return None if self.weights is None else torch.from_numpy(self.weights)
        if self.feh is None:
            raise SettingsError("poor_weight needs the [Fe/H] of the stars")
        weights = np.ones(len(self), dtype=np.float32) if self.weights is None else self.weights
        return torch.from_numpy(np.where(self.feh < POOR_LIMIT, poor_weight * weights, weights).astype(np.float32))


def make_sample(
    flux, labels, *, label_names, stars=None, survey="", ids=None, files=None, weights=None, feh=None
) -> Sample:
    """Check the stars given and leave out those that cannot be used.

    Parameters
    ----------
    flux : array-like, shape (n, n_inputs)
    labels : array-like, shape (n, n_labels) or (n,)
        NaN where missing.
    label_names : sequence of str
    stars, ids, files : array-like, shape (n,), optional
        By default every row is a star of its own, without id or file.
    survey : str or array-like of str, shape (n,)
    weights : array-like, shape (n,), optional
        Relative weights in the loss, not negative.
    feh : array-like, shape (n,), optional
        [Fe/H] for stratified splits; by default the label of that name, if there is one.

    Returns
    -------
    Sample
        Without the rows whose inputs are not all finite or that have no label.

    Raises
    ------
    InputError
        If shapes disagree, weights are negative, or no row is left.
    """
    flux = np.asarray(flux, dtype=np.float32)
    label_names = tuple(label_names)
    values = np.asarray(labels, dtype=np.float64)
    values = values[:, None] if values.ndim == 1 else values
    if flux.ndim != 2 or values.shape != (len(flux), len(label_names)):
        raise InputError(
            f"training needs inputs of shape (stars, inputs) and labels of shape (stars, {len(label_names)}), "
            f"got {flux.shape} and {values.shape}"
        )
    n = len(flux)
    columns = {
        "stars": np.arange(n).astype(str) if stars is None else np.asarray(stars).astype(str),
        "ids": np.full(n, -1, dtype=np.int64) if ids is None else np.asarray(ids, dtype=np.int64),
        "survey": np.full(n, survey) if isinstance(survey, str) else np.asarray(survey).astype(str),
        "files": np.full(n, "", dtype="<U1") if files is None else np.asarray(files).astype(str),
        "weights": None if weights is None else np.asarray(weights, dtype=np.float32),
        "feh": None if feh is None else np.asarray(feh, dtype=np.float64),
    }
    if feh is None and "feh" in label_names:
        columns["feh"] = values[:, label_names.index("feh")]
    for name, column in columns.items():
        if column is not None and column.shape != (n,):
            raise InputError(f"training: {name} has shape {column.shape}, expected ({n},)")
    if columns["weights"] is not None and not (columns["weights"] >= 0).all():
        raise InputError("training: weights must be finite and not negative")
    values = np.where(np.isfinite(values), values, np.nan)
    # A sum is finite exactly if its terms are, short of overflow, and needs no mask of the size of the flux.
    usable = np.isfinite(flux.sum(axis=1)) & np.isfinite(values).any(axis=1)
    if not usable.any():
        raise InputError(f"training: none of {n} stars has finite inputs and a label")
    sample = Sample(flux, values, n_left_out=int(n - usable.sum()), **columns)  # type: ignore[arg-type]
    return sample if usable.all() else sample.select(usable)
