"""What a model remembers of its training: provenance, the stars it saw, and where it is at home."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ..datasets.stars import Stars
from ..encoder_notes import Note
from ..encoders import find_encoder
from ..models.estimator import Estimator, domain_limit
from ..tables.seen_stars import TRAINED_ON_COLUMNS
from .loop import History
from .settings import plain, versions


def finished(
    trained: Estimator, base: Estimator | None, training: Stars, validation: Stars, record: dict[str, Any]
) -> Estimator:
    """Add to a freshly trained model what it must remember: the union over all its steps.

    Parameters
    ----------
    trained : Estimator
    base : Estimator or None
        The model it was adapted from; None if it keeps nothing of one.
    training, validation : Stars
    record : dict
        The provenance step.

    Raises
    ------
    InputError, MismatchError
        As `seen_by_encoders`.
    """
    limit = domain_limit(trained.domain_distance(training.inputs))
    low, high = _range(training)
    # Those of the base are in its memory.
    seen = [] if base is not None else seen_by_encoders(trained.encoders)
    seen += [part.seen(role) for part, role in ((training, "train"), (validation, "validation")) if len(part)]
    if base is not None:
        limit = max(limit, base.domain_limit) if np.isfinite(base.domain_limit) else limit
        low, high = np.fmin(low, base.label_min), np.fmax(high, base.label_max)
        seen = ([base.trained_on] if base.trained_on else []) + seen
    surveys = (*(base.surveys if base is not None else ()), *np.unique(training.survey).tolist())
    return replace(
        trained,
        label_min=low,
        label_max=high,
        surveys=tuple(dict.fromkeys(filter(None, surveys))),
        provenance=(*(base.provenance if base is not None else ()), record),
        trained_on={name: np.concatenate([part[name] for part in seen]) for name in seen[0]},
        domain_limit=limit,
        label_error=None,
        error_tables={},
    )


def seen_by_encoders(notes: Mapping[str, Note]) -> list[dict[str, np.ndarray]]:
    """The real stars that encoders have seen, as a model that takes their embeddings remembers them.

    Parameters
    ----------
    notes : mapping of str to dict
        As of `Stars.encoders`.

    Returns
    -------
    list of dict of str to ndarray
        As `Estimator.trained_on`, with the role 'encoder'; of those encoders that have seen any.

    Raises
    ------
    InputError
        If an encoder is missing, so that nobody knows what it has seen.
    MismatchError
        If another one is in its place.
    """
    tables = [find_encoder(note).trained_on for note in notes.values()]
    return [
        {name: np.asarray(table[name]) for name in TRAINED_ON_COLUMNS if name != "role"}
        | {"role": np.full(len(table["id"]), "encoder")}
        for table in tables
        if len(table.get("id", ()))
    ]


def _range(stars: Stars) -> tuple[np.ndarray, np.ndarray]:
    low = np.where(np.isfinite(stars.labels), stars.labels, np.inf).min(axis=0)
    high = np.where(np.isfinite(stars.labels), stars.labels, -np.inf).max(axis=0)
    return np.where(np.isfinite(low), low, np.nan), np.where(np.isfinite(high), high, np.nan)


def provenance_step(
    step: str,
    name: str,
    settings,
    stars: Stars,
    training: Stars,
    validation: Stars,
    history: History | None,
) -> dict[str, Any]:
    """Write down one step of training as plain data.

    Parameters
    ----------
    step : {'pretrain', 'finetune'}
    name : str
        Name of the strategy.
    settings : settings dataclass
    stars, training, validation : Stars
    history : History or None
        None for fits in closed form.
    """
    record: dict[str, Any] = {
        "step": step,
        "strategy": name,
        "settings": plain(settings),
        "survey": "+".join(np.unique(stars.survey).tolist()),
        "n_train": len(training),
        "n_validation": len(validation),
        "n_left_out": stars.n_left_out,
        "weighted": stars.weights is not None,
        "seed": getattr(settings, "seed", None),
        "set_hash": stars.set_hash,
        "versions": versions(),
        "threads": torch.get_num_threads(),
    }
    if history is not None:
        record |= {
            "learning_rate": history.learning_rate,
            "epochs_run": len(history.train_loss),
            "best_epoch": history.best_epoch,
            "kept": history.kept,
            "train_loss": list(history.train_loss),
            # JSON has no NaN: null where there is no validation set.
            "validation_loss": [loss if np.isfinite(loss) else None for loss in history.validation_loss],
        }
    return record
