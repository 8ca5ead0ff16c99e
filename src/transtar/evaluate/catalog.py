"""Scoring a catalog against reference labels, never on stars its model saw."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..catalog import plain_columns, read_columns
from ..errors import InputError
from ..files import write_json
from ..flags import NO_LABEL, Flag, count, has
from ..glossary import LABELS, plain
from ..labels import KEY_PARTS, join, read_labels
from ..surveys import get_survey, survey_names
from ..tables import Choice
from .metrics import METRICS
from .regimes import evaluate, regimes


@dataclass(frozen=True)
class Evaluation:
    """Scores of a catalog.

    Parameters
    ----------
    metrics : dict
        {label: {regime: {r2, r2_err, sigma, bias, n}}}
    n_rows : int
        Rows of the catalog.
    left_out : dict
        {label: {reason: rows}}; each row counts under one reason.
    scored_flags : dict
        {label: {flag: rows}} of rows that were scored in spite of a flag.
    notes : list of str
        What a reader of the scores should know.
    """

    metrics: dict[str, dict[str, dict[str, float]]]
    n_rows: int
    left_out: dict[str, dict[str, int]]
    scored_flags: dict[str, dict[str, int]]
    notes: list[str] = field(default_factory=list)


def evaluate_catalog(
    catalog: Mapping[str, np.ndarray],
    reference: Mapping[str, np.ndarray],
    labels: Sequence[str] | None = None,
    n_boot: int = 1000,
    seed: int = 0,
) -> Evaluation:
    """Score every row that has a finite label and that no model of the catalog saw.

    Parameters
    ----------
    catalog : astropy.table.QTable, or mapping of str to ndarray
        As from `transtar.read_catalog`, or `transtar.catalog.read_columns`.
    reference : mapping of str to ndarray
        Label table, as from `transtar.labels.read_labels`. Regimes are told by its labels.
    labels : sequence of str, optional
        All labels that both tables have, if not given.
    n_boot, seed : int
        As for `evaluate`.

    Returns
    -------
    Evaluation

    Raises
    ------
    InputError
        If a label is missing in either table, no label is in both, or the tables cannot be joined (see `match`).
    """
    catalog, reference = plain_columns(catalog), plain_columns(reference)
    chosen = list(labels) if labels else [name for name in LABELS if name in catalog and name in reference]
    for name in chosen:
        for table, what in ((catalog, "catalog"), (reference, "label table")):
            if name not in table:
                raise InputError(f"the {what} has no column '{name}'; it has {', '.join(table)}")
    if not chosen:
        raise InputError("catalog and label table have no label in common")
    rows = match(catalog, reference, chosen)
    flags, notes = _flags(catalog, len(rows))
    # Row -1 stands for "no entry": it is taken like any other and then blanked.
    truth = {
        name: np.where(rows >= 0, np.asarray(reference[name], np.float64)[rows], np.nan)
        for name in LABELS
        if name in reference
    }
    masks = regimes(truth)
    result = Evaluation({}, len(rows), {}, {}, notes)
    for name in chosen:
        predicted = np.asarray(catalog[name], np.float64)
        reasons = _reasons(flags, predicted, truth[name], rows)
        scored = reasons == ""
        values, counts = np.unique(reasons[~scored], return_counts=True)
        result.left_out[name] = dict(zip(values.tolist(), counts.tolist(), strict=True))
        result.scored_flags[name] = count(flags[scored])
        result.metrics[name] = evaluate(np.where(scored, predicted, np.nan), truth[name], masks, n_boot, seed)
    return result


def match(catalog: Mapping[str, np.ndarray], reference: Mapping[str, np.ndarray], labels: Sequence[str]) -> np.ndarray:
    """Find for each row of a catalog the row of a label table, by `transtar.labels.join`.

    Parameters
    ----------
    catalog, reference : mapping of str to ndarray
        With `file`, `id` or `star`.
    labels : sequence of str
        Labels to be scored: rows of the label table that repeat a key must agree in them.

    Returns
    -------
    ndarray, shape (n_catalog,), int64
        Row of the label table, -1 for none.

    Raises
    ------
    InputError
        If nothing matches, or repeated rows disagree.
    """
    n = len(next(iter(catalog.values())))
    rows, _ = join(
        reference,
        file=np.asarray(catalog.get("file", np.full(n, ""))),
        ids=np.asarray(catalog.get("id", np.full(n, -1))),
        labels=[*labels, *(name for name in ("teff", "logg", "feh") if name in reference and name not in labels)],
        star=catalog.get("star"),
        keys={name: np.asarray(catalog[name]) for name in KEY_PARTS if name in catalog},
    )
    return rows


def _flags(catalog: Mapping[str, np.ndarray], n: int) -> tuple[np.ndarray, list[str]]:
    if "flags" in catalog:
        return np.asarray(catalog["flags"]).astype(np.int64), []
    return np.zeros(n, np.int64), ["the catalog has no column 'flags': whether a model saw its stars is not known"]


def _reasons(flags: np.ndarray, predicted: np.ndarray, truth: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Why each row is left out, the empty string where it is not; the first reason that holds."""
    why = np.full(len(flags), "", dtype=object)
    why[~np.isfinite(truth)] = "no reference value"
    why[rows < 0] = "no entry in the label table"
    missing = ~np.isfinite(predicted)
    why[missing] = "no predicted value"
    for flag in reversed(list(NO_LABEL)):
        why[missing & has(flags, flag)] = f"no predicted value ({flag.name})"
    why[has(flags, Flag.TRAINED_ON)] = f"seen by a model ({Flag.TRAINED_ON.name})"
    return why


def format_table(evaluation: Evaluation) -> str:
    """Print scores, and what was left out and why, as text of fixed width."""
    lines = []
    for label, scores in evaluation.metrics.items():
        metrics = [name for name in METRICS if name != "r2"]
        lines.append(f"{plain(label):<14}{'N':>7}{'R2':>9}{'+-':>8}{''.join(f'{name:>10}' for name in metrics)}")
        digits = 1 if label == "teff" else 3
        for regime, row in scores.items():
            numbers = f"{row['n']:>7}{row['r2']:>9.3f}{row['r2_err']:>8.3f}"
            signed = (f"{row[name]:>{'+' if name == 'bias' else ''}10.{digits}f}" for name in metrics)
            lines.append(f"  {regime:<12}{numbers}{''.join(signed)}")
        left = evaluation.left_out[label]
        scored = evaluation.n_rows - sum(left.values())
        lines.append(f"  {scored} of {evaluation.n_rows} rows scored, {sum(left.values())} left out")
        lines += [f"    left out: {rows:>7}  {reason}" for reason, rows in left.items()]
        lines += [f"    scored all the same: {n} with {flag}" for flag, n in evaluation.scored_flags[label].items()]
    lines += [f"note: {note}" for note in evaluation.notes]
    return "\n".join(lines)


def write_metrics(path: str | os.PathLike, metrics: Mapping[str, Mapping[str, Mapping[str, float]]]) -> None:
    """Write {label: {regime: {r2, r2_err, sigma, bias, n}}} as JSON; what is not a number becomes null.

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


def evaluate_files(
    catalog: str | os.PathLike,
    labels: str | os.PathLike,
    out: str | os.PathLike,
    label: Sequence[str] | None = None,
    columns: Mapping[str, str] | None = None,
) -> Evaluation:
    """Score a catalog file against a label file, and write ``metrics.json`` into the folder `out`.

    Parameters
    ----------
    catalog, labels, out : path
    label : sequence of str, optional
        As in `evaluate_catalog`.
    columns : mapping of str to str, optional
        Which column of the tables is which, where names do not tell (see `transtar.labels.read_labels`).

    Raises
    ------
    InputError
        If a file cannot be read; else as `evaluate_catalog`.
    """
    table = read_columns(catalog, columns)
    surveys = set(np.asarray(table.get("survey", ())).astype(str).tolist())
    name = surveys.pop() if len(surveys) == 1 else ""
    id_columns = get_survey(name).id_columns if name in survey_names() else None
    reference = read_labels(labels, columns=columns, ids=id_columns)
    if isinstance(columns, Choice):
        columns.require_used([catalog, labels])
    evaluation = evaluate_catalog(table, reference, label)
    write_metrics(Path(out) / "metrics.json", evaluation.metrics)
    return evaluation
