"""Several models: loading them, and taking those of the same labels as one, by their mean and spread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..encoder_notes import of_note
from ..encoders import note_of, use_encoders
from ..errors import InputError, MismatchError
from ..preprocess import require_same
from .estimator import Estimator
from .storage import load_estimator


def load_models(
    models: Estimator | str | Path | Sequence[Estimator | str | Path],
    encoders: Sequence[str | Path] = (),
) -> tuple[list[Estimator], list[str]]:
    """Load models by name or folder; what is a model already stays it.

    Parameters
    ----------
    models : Estimator, str or path, or sequence of these
    encoders : sequence of str or path
        Folders or names of encoders that they need and that are not where they were.

    Returns
    -------
    estimators : list of Estimator
    names : list of str
        What messages call them: name or folder as given, or "model 1", "model 2", ... by their place.

    Raises
    ------
    InputError
        If there is none, or one cannot be read.
    MismatchError
        If one of `encoders` is needed by none of them.
    """
    given = [models] if isinstance(models, Estimator | str | Path) else list(models)
    if not given:
        raise InputError("predicting needs at least one model")
    estimators = [model if isinstance(model, Estimator) else load_estimator(model) for model in given]
    names = [f"model {n}" if isinstance(model, Estimator) else str(model) for n, model in enumerate(given, 1)]
    if not encoders:
        return estimators, names
    loaded = {
        encoder.sha256: note_of(encoder)
        for encoder in use_encoders(encoders, [note for one in estimators for note in one.encoders.values()])
    }
    return [
        replace(
            one,
            encoders={
                part: loaded[note["sha256"]] | {"name": note["name"]} if note["sha256"] in loaded else note
                for part, note in one.encoders.items()
            },
        )
        for one in estimators
    ], names


def check_ensemble(
    estimators: Sequence[Estimator], names: Sequence[str] | None = None, same_labels: bool = True
) -> None:
    """Refuse models that cannot be averaged, or cannot be given the same inputs.

    Parameters
    ----------
    estimators : sequence of Estimator
    names : sequence of str, optional
        What to call them in the message; "model 1", "model 2", ... by default.
    same_labels : bool
        False where models of other labels may stand beside each other.

    Raises
    ------
    MismatchError
        If labels, preprocessing or numbers of inputs differ; the message names both sides.
    """
    names = names or [f"model {number}" for number in range(1, len(estimators) + 1)]
    first = estimators[0]
    for name, other in zip(names[1:], estimators[1:], strict=True):
        require_same(first.preprocessing, names[0], other.preprocessing, name)
        # Models of other labels, or of other inputs, may stand beside each other in a catalog.
        made_by = [{part: of_note(note) for part, note in sorted(one.encoders.items())} for one in (first, other)]
        pairs: dict[str, tuple] = {}
        if first.input == other.input and (same_labels or made_by[0] == made_by[1]):
            pairs["number of inputs"] = (first.n_inputs, other.n_inputs)
        if same_labels:
            pairs |= {
                "input": (first.input, other.input),
                "encoders": tuple(made_by),
                "labels": (list(first.label_names), list(other.label_names)),
            }
        for what, (value, other_value) in pairs.items():
            if value != other_value:
                raise MismatchError(
                    f"models that differ in {what} are no ensemble: {names[0]} {value}, {name} {other_value}"
                )


def predict_ensemble(
    estimators: Sequence[Estimator], flux: np.ndarray, batch_size: int = 8192, names: Sequence[str] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Predict with several models.

    Parameters
    ----------
    estimators : sequence of Estimator
        At least one.
    flux : ndarray, shape (n, n_inputs)
    batch_size : int
    names : sequence of str, optional
        What to call the models in a message.

    Returns
    -------
    mean, std : ndarray, shape (n, n_labels), float32
        Mean over the models and their standard deviation (ddof = 1), in physical units; the latter NaN for one model.

    Raises
    ------
    MismatchError
        If the models differ in labels, preprocessing or number of inputs.
    """
    check_ensemble(estimators, names)
    predictions = np.stack([estimator.predict(flux, batch_size) for estimator in estimators]).astype(np.float64)
    mean = predictions.mean(axis=0).astype(np.float32)
    if len(estimators) == 1:
        return mean, np.full_like(mean, np.nan)
    return mean, predictions.std(axis=0, ddof=1).astype(np.float32)
