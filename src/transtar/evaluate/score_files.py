"""Scoring a catalog file against files of labels: all that ``transtar evaluate`` measures."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ..catalog import read_columns
from ..errors import InputError, SettingsError
from ..files import write_json
from ..glossary import LABELS
from ..labels import file_and_column, read_labels, read_split
from ..surveys import get_survey, survey_names
from ..tables import Choice
from .catalog import Evaluation, evaluate_catalog

PathLike = str | os.PathLike


def evaluate_files(
    catalog: PathLike,
    labels: PathLike,
    out: PathLike,
    label: Sequence[str] | None = None,
    columns: Mapping[str, str] | None = None,
    *,
    keep_bad: bool = False,
    second: PathLike | None = None,
    split: PathLike | None = None,
    within: Mapping[str, tuple[float, float]] | None = None,
) -> Evaluation:
    """Score a catalog file against a label file, and write ``metrics.json`` into the folder `out`.

    Parameters
    ----------
    catalog, labels, out : path
    label : sequence of str, optional
        As in `evaluate_catalog`.
    columns : mapping of str to str, optional
        Which column of the tables is which, where names do not tell (see `transtar.labels.read_labels`).
    keep_bad : bool
        As in `evaluate_catalog`.
    second : path, optional
        ``FILE``, or ``FILE:COLUMN`` where one label is scored: other labels of the same stars, as in `evaluate_catalog`. It may
        be the file of `labels`.
    split : path, optional
        Table with ``split``, as `transtar.prepare` takes it: only its test stars are scored.
    within : mapping of str to (float, float), optional
        As in `evaluate_catalog`.

    Returns
    -------
    Evaluation
        `transtar.report.write_evaluation` makes tables and a figure of it.

    Raises
    ------
    InputError
        If a file cannot be read; else as `evaluate_catalog`.
    SettingsError
        If a column is named for the labels of the second table and several labels are scored.
    """
    table = read_columns(catalog, columns)
    reference, other = read_references(table, labels, label, columns, second)
    parts = None if split is None else read_split(split, columns=columns, ids=_id_columns(table))
    if isinstance(columns, Choice):
        columns.require_used([catalog, labels])
    evaluation = evaluate_catalog(table, reference, label, keep_bad=keep_bad, second=other, split=parts, within=within)
    write_metrics(Path(out) / "metrics.json", evaluation.metrics)
    return evaluation


def read_references(
    table: Mapping[str, np.ndarray],
    labels: PathLike,
    label: Sequence[str] | None = None,
    columns: Mapping[str, str] | None = None,
    second: PathLike | None = None,
) -> tuple[Mapping[str, np.ndarray], Mapping[str, np.ndarray] | None]:
    """Read what a catalog is scored against, with the identifiers of its survey.

    Parameters
    ----------
    table : mapping of str to ndarray
        The catalog, as from `transtar.catalog.read_columns`.
    labels, label, columns, second
        As in `evaluate_files`.

    Returns
    -------
    reference : mapping of str to ndarray
    other : mapping of str to ndarray, or None
        The labels of the second table, if there is one.

    Raises
    ------
    InputError, SettingsError
        As `evaluate_files`.
    """
    id_columns = _id_columns(table)
    reference = read_labels(labels, columns=columns, ids=id_columns)
    if second is None:
        return reference, None
    scored = label or [name for name in LABELS if name in table and name in reference]
    return reference, read_second(second, scored, columns, id_columns)


def _id_columns(table: Mapping[str, np.ndarray]) -> Sequence[str] | None:
    """Columns that hold the identifiers of the survey of a catalog, if it is of one."""
    surveys = set(np.asarray(table.get("survey", ())).astype(str).tolist())
    name = surveys.pop() if len(surveys) == 1 else ""
    return get_survey(name).id_columns if name in survey_names() else None


def read_second(
    source: PathLike,
    labels: Sequence[str],
    columns: Mapping[str, str] | None = None,
    ids: Sequence[str] | None = None,
) -> Mapping[str, np.ndarray]:
    """Read the labels of a second catalog from ``FILE`` or ``FILE:COLUMN``.

    Parameters
    ----------
    source : path
    labels : sequence of str
        That are scored; a column is that of the only one.
    columns, ids
        As in `transtar.labels.read_labels`.

    Returns
    -------
    mapping of str to ndarray, shape (n_rows,)
        As from `transtar.labels.read_labels`; with a column, that label alone and the keys.

    Raises
    ------
    InputError
        If the file cannot be read or has no such column.
    SettingsError
        If a column is named and several labels are scored.
    """
    path, column = file_and_column(source)
    if column is None:
        return read_labels(path, columns=columns, ids=ids)
    if len(labels) != 1:
        raise SettingsError(
            f"{source}: one column is of one label, and {len(labels)} are scored ({', '.join(labels)}); choose it with --label"
        )
    choice = Choice({**(columns or {}), labels[0]: column})
    table = read_labels(path, columns=choice, ids=ids)
    if isinstance(columns, Choice):
        columns.used |= choice.used & (set(columns) - {labels[0]})
    if labels[0] not in choice.used:
        raise InputError(f"{path}: no column {column}; columns found: {', '.join(table)}")
    for name in [name for name in table if name in LABELS and name != labels[0]]:
        del table[name]
    return table


def write_metrics(path: PathLike, metrics: Mapping[str, Mapping[str, Mapping[str, float]]]) -> None:
    """Write {label: {regime: {r2, r2_err, sigma, bias, n, n_clipped}}} as JSON; what is not a number becomes null.

    Raises
    ------
    TranstarError
        If the disk is full.
    """
    plain_numbers = {
        label: {
            regime: {name: value if np.isfinite(value) else None for name, value in row.items()}
            for regime, row in scores.items()
        }
        for label, scores in metrics.items()
    }
    write_json(path, plain_numbers)
