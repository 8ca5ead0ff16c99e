"""Stars with inputs and labels: what every training is given."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError, SettingsError
from ..glossary import POOR_BELOW
from .split import validation_split

if TYPE_CHECKING:
    from ..preprocess import Preprocessing

_BY_ROW = ("inputs", "labels", "names", "ids", "files", "survey", "weights", "feh")


@dataclass(frozen=True, eq=False)
class Stars:
    """Stars to learn from, checked once; rows that cannot be used are left out.

    `PreparedSet.stars` makes them of a prepared set; arrays of one's own need ``Stars(inputs, labels, ("feh",))`` and no more.

    Parameters
    ----------
    inputs : array-like, shape (n, n_inputs)
        Kept as float32. A row whose inputs are not all finite is left out.
    labels : array-like, shape (n, n_labels) or (n,)
        In physical units, NaN where missing; kept as float64 of shape (n, n_labels). A row without any label is left out.
    label_names : sequence of str
        Canonical names, in the order of the columns.
    names : array-like of str, shape (n,), optional
        Rows of equal name are one star, whose visits stay on one side of every split. By default each row is a star of its own.
    survey : str or array-like of str, shape (n,)
    ids, files : array-like of int64 and of str, shape (n,), optional
        Recorded with the model, so that no star is judged by a model that saw it; -1 and '' where there is none.
    weights : array-like, shape (n,), optional
        Relative weights of the stars in the loss, not negative.
    feh : array-like, shape (n,), optional
        [Fe/H] by which splits are stratified; by default the label of that name, if there is one.
    preprocessing : Preprocessing, optional
        How spectra became the inputs; stored with the model.
    input : str
        Name of the input, as 'flux' or 'flux+embedding'.
    input_sizes : tuple of int
        Inputs of each part of `input`; by default all are one part.
    set_hash : str, optional
        Hash of the prepared set, for the provenance.
    n_left_out : int
        Rows that could not be used; those found here are added.

    Raises
    ------
    InputError
        If shapes disagree, weights are negative, or no row is left.
    """

    inputs: np.ndarray
    labels: np.ndarray
    label_names: tuple[str, ...]
    names: np.ndarray = None  # type: ignore[assignment]
    survey: np.ndarray | str = ""
    ids: np.ndarray = None  # type: ignore[assignment]
    files: np.ndarray = None  # type: ignore[assignment]
    weights: np.ndarray | None = None
    feh: np.ndarray | None = None
    preprocessing: Preprocessing | None = None
    input: str = "flux"
    input_sizes: tuple[int, ...] = ()
    set_hash: str | None = None
    n_left_out: int = 0

    def __post_init__(self) -> None:
        names = (self.label_names,) if isinstance(self.label_names, str) else tuple(self.label_names)
        inputs = np.asarray(self.inputs, dtype=np.float32)
        labels = np.asarray(self.labels, dtype=np.float64)
        labels = labels[:, None] if labels.ndim == 1 else labels
        if inputs.ndim != 2 or labels.shape != (len(inputs), len(names)):
            raise InputError(
                f"training needs inputs of shape (stars, inputs) and labels of shape (stars, {len(names)}), "
                f"got {inputs.shape} and {labels.shape}"
            )
        n = len(inputs)
        columns: dict[str, Any] = {
            "names": _column(self.names, np.arange(n), str),
            "ids": _column(self.ids, np.full(n, -1), np.int64),
            "survey": np.full(n, self.survey) if isinstance(self.survey, str) else np.asarray(self.survey).astype(str),
            "files": _column(self.files, np.full(n, ""), str),
            "weights": _column(self.weights, None, np.float32),
            "feh": _column(self.feh, labels[:, names.index("feh")] if "feh" in names else None, np.float64),
        }
        for name, column in columns.items():
            if column is not None and column.shape != (n,):
                raise InputError(f"training: {name} has shape {column.shape}, expected ({n},)")
        if columns["weights"] is not None and not (columns["weights"] >= 0).all():
            raise InputError("training: weights must be finite and not negative")
        sizes = tuple(self.input_sizes) or (inputs.shape[1],)
        if sum(sizes) != inputs.shape[1]:
            raise InputError(f"training: input_sizes {sizes} do not add up to the {inputs.shape[1]} inputs per star")
        labels = np.where(np.isfinite(labels), labels, np.nan)
        # A sum is finite exactly if its terms are, short of overflow, and needs no mask of the size of the inputs.
        usable = np.isfinite(inputs.sum(axis=1)) & np.isfinite(labels).any(axis=1)
        if not usable.any():
            raise InputError(f"training: none of {n} stars has finite inputs and a label")
        columns |= {"inputs": inputs, "labels": labels, "label_names": names, "input_sizes": sizes}
        # A frozen dataclass sets its own fields this way.
        vars(self).update(columns)
        if not usable.all():
            vars(self).update(vars(self.select(usable)), n_left_out=self.n_left_out + int(n - usable.sum()))

    def __len__(self) -> int:
        return len(self.inputs)

    def select(self, rows: np.ndarray) -> Stars:
        """Some of the stars, or none.

        Parameters
        ----------
        rows : ndarray, int (any length) or bool, shape (n,)

        Returns
        -------
        Stars
        """
        part = copy.copy(self)
        given = {name: getattr(self, name) for name in _BY_ROW}
        vars(part).update({name: None if values is None else values[rows] for name, values in given.items()})
        return part

    def split(self, fraction: float, seed: int) -> tuple[Stars, Stars]:
        """Divide into training and validation stars: repeat visits stay together, and regimes keep their proportions.

        Parameters
        ----------
        fraction : float
            Of the stars, to be held out for validation; as all else, see `validation_split`.
        seed : int

        Returns
        -------
        training, validation : Stars

        Raises
        ------
        InputError
            If a fraction of fewer than two stars is asked for.
        """
        held_out = validation_split(self.names, self.feh, fraction, seed)
        return self.select(~held_out), self.select(held_out)

    def seen(self, role: str) -> dict[str, np.ndarray]:
        """Columns of the stars as a model records which ones it saw.

        Parameters
        ----------
        role : {'train', 'validation'}

        Returns
        -------
        dict of str to ndarray, shape (n,)
            As `Estimator.trained_on`: `survey`, `file`, `star`, `role` (str), and `id` (int64).
        """
        return {
            "survey": np.asarray(self.survey),
            "id": self.ids,
            "file": self.files,
            "star": self.names,
            "role": np.full(len(self), role, dtype="<U10"),
        }

    def loss_weights(self, poor_weight: float = 1.0) -> np.ndarray | None:
        """Weights of the stars in the loss.

        Parameters
        ----------
        poor_weight : float
            Factor for metal-poor stars.

        Returns
        -------
        ndarray, shape (n,), float32, or None
            None if all are equal.

        Raises
        ------
        SettingsError
            If metal-poor stars are to weigh differently but no [Fe/H] is known.
        """
        if poor_weight == 1.0:
            return self.weights
        if self.feh is None:
            raise SettingsError("poor_weight needs the [Fe/H] of the stars")
        weights = np.ones(len(self), dtype=np.float32) if self.weights is None else self.weights
        return np.where(self.feh < POOR_BELOW, poor_weight * weights, weights).astype(np.float32)


def _column(given, default, kind) -> np.ndarray | None:
    values = default if given is None else given
    return None if values is None else np.asarray(values).astype(kind)
