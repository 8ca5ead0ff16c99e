"""Scores of one model, for its card: of a catalog that says that this very model made it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..catalog import read_columns, read_metadata
from ..catalog.provenance import model_hash
from ..errors import InputError, shown
from ..glossary import LABELS
from ..models import Estimator, Scores
from .catalog import evaluate_catalog
from .score_files import read_references

PathLike = str | os.PathLike


def score_model(
    model: Estimator, catalog: PathLike, labels: PathLike, columns: Mapping[str, str] | None = None
) -> list[Scores]:
    """Score a model by a catalog that it made.

    Parameters
    ----------
    model : Estimator
    catalog : path
        As `transtar predict` wrote it with this model, in a format that says so: parquet, FITS, VOTable, ECSV.
    labels : path
        Reference labels, as in `transtar.evaluate.evaluate_files`.
    columns : mapping of str to str, optional
        As there.

    Returns
    -------
    list of Scores
        One for each label that the model predicts and the table has; regimes without a star are left out.

    Raises
    ------
    InputError
        If the catalog does not say that this model made it, others of the same label had a part in it, or no label can be
        scored.
    """
    record = read_metadata(catalog)
    hashes = record.get("model_hashes")
    mine = model_hash(model)
    if not isinstance(hashes, list) or not hashes:
        raise InputError(
            f"{catalog}: does not say which model made it; transtar predict --out FILE.parquet writes catalogs that do"
        )
    if mine not in hashes:
        raise InputError(
            f"{catalog}: was made by {shown(', '.join(map(str, record.get('models', hashes))), 200)}, not by this model "
            f"(its hash is {mine}, of the catalog {shown(', '.join(map(str, hashes)), 200)}); predict with it"
        )
    table = read_columns(catalog, columns)
    ensemble = [name for name in model.label_names if f"{name}_ens_std" in table]
    if ensemble:
        raise InputError(
            f"{catalog}: {', '.join(ensemble)} is the mean of several models, not of this one alone; predict with it alone"
        )
    reference, _ = read_references(table, labels, columns=columns)
    wanted = [name for name in model.label_names if name in LABELS and name in table and name in reference]
    if not wanted:
        raise InputError(f"{labels}: has none of the labels of the model ({', '.join(model.label_names)})")
    evaluation = evaluate_catalog(table, reference, wanted)
    for name in wanted:
        if not evaluation.metrics[name]["all"]["n"]:
            left = ", ".join(f"{n} {reason}" for reason, n in evaluation.left_out[name].items())
            raise InputError(f"{catalog}: none of its rows can be scored for {name}: {left}")
    surveys = sorted(set(np.asarray(table.get("survey", ())).astype(str).tolist()))
    stars = f"{shown(Path(catalog).name, 100)} against {shown(Path(labels).name, 100)}"
    return [
        Scores(
            name,
            surveys[0] if len(surveys) == 1 else "",
            stars,
            {regime: row for regime, row in evaluation.metrics[name].items() if row["n"]},
            evaluation.left_out[name],
            evaluation.coverage.get(name, {}),
        )
        for name in evaluation.metrics
    ]
