"""What a catalog says of the run that made it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from ..files import content_hash
from ..models import Estimator
from ..version import __version__

FEW = 20
"""So many input files are listed; of more there is a hash of the list."""


def run_record(
    estimators: Sequence[Estimator], command: str | None = None, inputs: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Versions, hashes, command and inputs, as they stand beside models and thresholds in the metadata of a catalog.

    Parameters
    ----------
    estimators : sequence of Estimator
    command : str, optional
        The command line, where there is one.
    inputs : dict, optional
        As from `inputs_record`.

    Returns
    -------
    dict
        ``transtar``, ``written`` (UTC), ``command``, ``model_hashes``, ``preprocessing_hash``, ``calibration_hashes`` (of the
        tables of errors, by label) and ``inputs``; what there is not is left out.
    """
    settings = estimators[0].preprocessing
    calibrations = [
        {label: content_hash(table.to_dict()) for label, table in model.error_tables.items()} for model in estimators
    ]
    record = {
        "transtar": __version__,
        "written": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "command": command,
        "model_hashes": [model_hash(model) for model in estimators],
        "preprocessing_hash": None if settings is None else settings.hash,
        "calibration_hashes": calibrations if any(calibrations) else None,
        "inputs": inputs,
    }
    return {name: value for name, value in record.items() if value is not None}


def inputs_record(files: Iterable[str | Path], **more: Any) -> dict[str, Any]:
    """How many files, the SHA-256 of their names, one a line, and the names where they are few."""
    names = [str(file) for file in files]
    digest = hashlib.sha256("\n".join(names).encode("utf-8", "surrogatepass")).hexdigest()
    return {**more, "n_files": len(names), "sha256_of_names": digest, **({"files": names} if len(names) <= FEW else {})}


def model_hash(estimator: Estimator) -> str:
    """16 hexadecimal digits that change with weights, scalers, labels or preprocessing of a model, and not with its place.

    Parameters
    ----------
    estimator : Estimator

    Returns
    -------
    str
    """
    digest = hashlib.sha256()
    tensors = {name: tensor.detach().cpu().numpy() for name, tensor in estimator.network.state_dict().items()}
    scalers = {name: getattr(estimator, name) for name in ("input_mean", "input_std", "label_mean", "label_std")}
    for name, values in sorted((tensors | scalers).items()):
        digest.update(f"{name} {values.shape} {values.dtype}\n".encode())
        digest.update(np.ascontiguousarray(values).tobytes())
    settings = estimator.preprocessing
    encoders = sorted(note["sha256"] for note in estimator.encoders.values())
    digest.update(repr((estimator.label_names, estimator.input, encoders, settings and settings.hash)).encode())
    return digest.hexdigest()[:16]
