"""Labels of a survey's own pipeline, shown beside those of the networks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..datasets import PreparedSet
from ..errors import InputError
from ..labels import compound_key, join, read_labels
from .spec import Study
from .study_files import locate

PIPELINE = "pipeline"
"""Strategy of its rows in results.csv."""


def shown(strategy: str, study: Study) -> str:
    """Name of a strategy in tables and figures: a mock survey has no pipeline but a simulated one."""
    return f"simulated {PIPELINE}" if strategy == PIPELINE and study.simulate is not None else strategy


def read_table(path: str | Path, columns: Mapping[str, str]) -> dict[str, np.ndarray]:
    """A label table, with columns of a pipeline as further labels.

    Parameters
    ----------
    path : path
    columns : mapping of str to str
        Label and column.

    Returns
    -------
    dict of str to ndarray, shape (n_rows,)
        As from `transtar.labels.read_labels`; the pipeline's columns in lower case.

    Raises
    ------
    InputError
        If a column is missing.
    """
    table = read_labels(path, extra=tuple(columns.values()))
    for label, column in columns.items():
        if column.lower() not in table:
            raise InputError(f"{path}: no column {column}, which pipeline.{label} names; it has {', '.join(table)}")
    return table


def rows_of(table: Mapping[str, np.ndarray], prepared: PreparedSet) -> np.ndarray:
    """Row of a label table for each spectrum of a set, -1 where there is none; shape (n_spectra,), int64."""
    columns = prepared.columns
    keys = compound_key(columns)
    return join(table, file=columns["file"], ids=columns["id"], labels=(), star=columns.get("star"), keys=keys)[0]


def pipeline_values(study: Study, out: Path, prepared: PreparedSet) -> dict[str, np.ndarray]:
    """Labels of the pipeline for each spectrum of the target's set, NaN where it has none; none without `pipeline`."""
    if not study.pipeline:
        return {}
    table = read_table(locate(study.target.labels, study, out), study.pipeline)
    rows = rows_of(table, prepared)
    return {label: np.where(rows >= 0, table[column.lower()][rows], np.nan) for label, column in study.pipeline.items()}
