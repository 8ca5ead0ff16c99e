"""Means over seeds of the results of many runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow.compute as pc

from .results import RESULT_COLUMNS, Results

GROUP = ("source", "target", "label", "input", "strategy", "n_finetune", "regime", "split", "variant")
"""What runs that differ in their seed only have in common."""

AVERAGED = tuple(name for name, kind in RESULT_COLUMNS.items() if kind is float)
"""The scores."""

COUNTED = ("n_train", "n_test")


def summarise(results: Results) -> list[dict[str, Any]]:
    """Average runs that differ in their seed only.

    Parameters
    ----------
    results : Results

    Returns
    -------
    list of dict
        In the order of first appearance. The columns of `GROUP`; for each of `AVERAGED` (r2, r2_err, sigma, bias)
        the mean over seeds under its own name and the standard deviation (n - 1; NaN for one seed) under ``<name>_std``;
        `n_seeds`; `n_train` and `n_test`, rounded means.
    """
    # NaN runs through the means: one seed without an answer must not vanish from the average.
    wanted: list = [(name, "mean") for name in (*AVERAGED, *COUNTED)] + [("seed", "count_distinct")]
    wanted += [(name, "stddev", pc.VarianceOptions(ddof=1)) for name in AVERAGED]
    # Of one thread, groups come in the order of their first row.
    grouped = results.table.group_by(list(GROUP), use_threads=False).aggregate(wanted)
    summary = []
    for row in grouped.to_pylist():
        entry = {name: row[name] for name in GROUP}
        for name in AVERAGED:
            spread = row[f"{name}_stddev"]
            entry[name] = row[f"{name}_mean"]
            entry[f"{name}_std"] = float("nan") if spread is None else spread
        entry["n_seeds"] = row["seed_count_distinct"]
        summary.append(entry | {name: round(row[f"{name}_mean"]) for name in COUNTED})
    return summary


def select(rows: Iterable[Mapping], **wanted) -> list[dict]:
    """Rows whose columns have the values wanted; a tuple, list or set of values means any of them."""
    chosen = []
    for row in rows:
        if all(row[k] in v if isinstance(v, tuple | list | set) else row[k] == v for k, v in wanted.items()):
            chosen.append(dict(row))
    return chosen
