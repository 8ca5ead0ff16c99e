"""Stars with inputs and labels: what every training is given."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..arrays import real_array
from ..checks import check_whole
from ..encoder_notes import Note, check_notes, of_note
from ..errors import InputError, SettingsError, shown
from ..glossary import POOR_BELOW, check_label
from ..names import check_name, check_names
from ..preprocess import GridSpectra, Preprocessing
from ..summary import Summarised, Summary, counted
from ..tables.ids import to_int64
from .inputs import input_parts
from .split import validation_split

_BY_ROW = ("inputs", "labels", "names", "ids", "files", "survey", "weights", "feh")


@dataclass(frozen=True, eq=False, repr=False)
class Stars(Summarised):
    """Stars to learn from, checked once; rows that cannot be used are left out.

    `PreparedSet.stars` makes them from a prepared set. For your own arrays, ``Stars(inputs, labels, ("feh",))`` is enough.

    Parameters
    ----------
    inputs : array-like, shape (n, n_inputs)
        Kept as float32. A row whose inputs are not all finite, or masked, is left out.
    labels : array-like, shape (n, n_labels) or (n,)
        In physical units, NaN or masked where missing; kept as float64 of shape (n, n_labels). A row without any label is left
        out.
    label_names : sequence of str
        Canonical names, in the order of the columns.
    names : array-like of str, shape (n,), optional
        Rows with the same name are one star, whose visits stay on one side of every split. A row without a name is a star by
        itself, and so is every row by default.
    survey : str or array-like of str, shape (n,)
    ids, files : array-like of int64 and of str, shape (n,), optional
        Recorded with the model, so that it is never tested on a star that it saw; -1 and '' where there is none.
    weights : array-like, shape (n,), optional
        Relative weights of the stars in the loss, not negative.
    feh : array-like, shape (n,), optional
        [Fe/H] by which splits are stratified; by default the label of that name, if there is one.
    preprocessing : Preprocessing, optional
        How the inputs were made from spectra; stored with the model.
    input : str
        Name of the input, such as 'flux' or 'flux+embedding'.
    input_sizes : tuple of int
        Number of inputs in each part of `input`; by default all are one part.
    encoders : dict of str to dict
        For each part of `input`, by name, the encoder that made it (see `transtar.encoders.note_of`); a model that learns
        from the stars records it.
    set_hash : str, optional
        Hash of the prepared set, for the provenance.
    n_left_out : int
        Number of rows already left out; those found unusable here are added.
    spectra : GridSpectra, optional
        The same rows on the wavelength grid, with errors, for whatever needs more than the inputs (`transtar.trust`).

    Raises
    ------
    InputError
        If shapes disagree, values are not numbers, weights are negative, identifiers are not integers, or no row is left.
    SettingsError
        If a label, survey or input has a name that is not allowed.

    Examples
    --------
    >>> import transtar as ts
    >>> stars = ts.read_set("sets/miles").stars("feh")
    >>> stars.inputs.shape, stars.label_names
    ((30, 1462), ('feh',))
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
    encoders: dict[str, Note] = field(default_factory=dict)
    set_hash: str | None = None
    n_left_out: int = 0
    spectra: GridSpectra | None = None

    def __post_init__(self) -> None:
        given = (self.label_names,) if isinstance(self.label_names, str) else self.label_names
        names = check_names((check_label(name, "training: label") for name in given), "training: labels")
        inputs = real_array(self.inputs, "training: inputs", np.float32)
        labels = real_array(self.labels, "training: labels")
        labels = labels[:, None] if labels.ndim == 1 else labels
        if inputs.ndim != 2 or not inputs.shape[1] or labels.shape != (len(inputs), len(names)):
            raise InputError(
                f"training needs inputs of shape (stars, inputs) and labels of shape (stars, {len(names)}), "
                f"got {inputs.shape} and {labels.shape}"
            )
        n = len(inputs)
        feh = labels[:, names.index("feh")] if self.feh is None and "feh" in names else self.feh
        columns: dict[str, Any] = {
            "names": _star_names(self.names, n),
            "ids": _ids(self.ids, n),
            "survey": _texts(self.survey, n),
            "files": _texts("" if self.files is None else self.files, n),
            "weights": None if self.weights is None else real_array(self.weights, "training: weights", np.float32),
            "feh": None if feh is None else real_array(feh, "training: feh"),
        }
        for name, column in columns.items():
            if column is not None and column.shape != (n,):
                raise InputError(f"training: {name} has shape {column.shape}, expected ({n},)")
        for survey in np.unique(columns["survey"]):
            if survey:
                check_name(str(survey), "training: survey")
        if self.spectra is not None and len(self.spectra) != n:
            raise InputError(f"training: {len(self.spectra)} spectra on the grid for {n} stars")
        weights = columns["weights"]
        if weights is not None and not ((weights >= 0) & np.isfinite(weights)).all():
            raise InputError("training: weights must be finite and not negative")
        if weights is not None and n and not weights.any():
            raise InputError("training: all weights are zero, so that no star would count")
        sizes = self._input_sizes(inputs.shape[1])
        check_notes(self.encoders, input_parts(self.input), "training: encoders")
        if not isinstance(self.preprocessing, Preprocessing | None):
            raise SettingsError(
                f"training: preprocessing must be a Preprocessing, not {shown(repr(self.preprocessing))}"
            )
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

    def _input_sizes(self, n_inputs: int) -> tuple[int, ...]:
        """Inputs of each part, where they add up to all of them."""
        parts = input_parts(self.input)
        sizes = tuple(check_whole(size, "training: each of input_sizes") for size in self.input_sizes) or (n_inputs,)
        if sum(sizes) != n_inputs:
            raise InputError(f"training: input_sizes {sizes} do not add up to the {n_inputs} inputs per star")
        if self.input_sizes and len(sizes) != len(parts):
            raise InputError(
                f"training: input_sizes {sizes} are of {len(sizes)} parts, the input '{self.input}' has {len(parts)}"
            )
        return sizes

    def __len__(self) -> int:
        return len(self.inputs)

    def _summary(self) -> Summary:
        known = np.isfinite(self.labels).sum(axis=0).tolist()
        return Summary(
            f"Stars: {len(self):,} spectra of {len(set(self.names.tolist())):,} stars",
            {
                "labels": counted(dict(zip(self.label_names, known, strict=True))),
                "input": f"{self.input}, {self.inputs.shape[1]:,} values per star",
                "encoder": "; ".join(of_note(note) for note in self.encoders.values()),
                "survey": "+".join(np.unique(self.survey).tolist()),
                "weights": None if self.weights is None else "given",
                "prepared": None
                if self.preprocessing is None
                else f"grid '{self.preprocessing.grid}', {self.preprocessing.frame} frame",
                "left out": self.n_left_out or None,
            },
        )

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
        if self.spectra is not None:
            vars(part).update(spectra=self.spectra.select(rows))
        return part

    def split(self, fraction: float, seed: int) -> tuple[Stars, Stars]:
        """Divide into training and validation stars: repeat visits stay together, and regimes keep their proportions.

        Parameters
        ----------
        fraction : float
            Fraction of the stars held out for validation; see `validation_split` for all details.
        seed : int

        Returns
        -------
        training, validation : Stars

        Raises
        ------
        InputError
            If there are fewer than two stars to divide.
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
            If metal-poor stars should have another weight, but no [Fe/H] is known.
        """
        if poor_weight == 1.0:
            return self.weights
        if self.feh is None:
            raise SettingsError("poor_weight needs the [Fe/H] of the stars")
        weights = np.ones(len(self), dtype=np.float32) if self.weights is None else self.weights
        return np.where(self.feh < POOR_BELOW, poor_weight * weights, weights).astype(np.float32)


def _texts(given, n: int) -> np.ndarray:
    """Text for each row, '' where it is masked or missing; one text may stand for all."""
    if isinstance(given, str):
        return np.full(n, given)
    values = np.ma.filled(given.astype(object), "") if isinstance(given, np.ma.MaskedArray) else np.asarray(given)
    if values.dtype.kind == "O":
        parts = [value.decode() if isinstance(value, bytes) else str(value) for value in values.ravel().tolist()]
        values = np.array(parts, dtype=str).reshape(values.shape)
    texts = values.astype(str)
    return np.where(np.isin(texts, ("nan", "None", "<NA>")), "", texts)


def _star_names(given, n: int) -> np.ndarray:
    """Names of the stars; a row without one gets a name that no other has."""
    if given is None:
        return np.arange(n).astype(str)
    names = _texts(given, n)
    if not (names == "").any():
        return names
    rows = np.char.add("row ", np.arange(names.size).astype(str)).reshape(names.shape)
    return np.where(names == "", rows, names)


def _ids(given, n: int) -> np.ndarray:
    if given is None:
        return np.full(n, -1)
    if isinstance(given, np.ma.MaskedArray):
        return to_int64(np.ma.getdata(given), "training: ids", np.ma.getmaskarray(given))
    values = np.asarray(given)
    return values if values.dtype == np.int64 else to_int64(values, "training: ids")
