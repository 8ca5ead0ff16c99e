"""Results of many runs: reading them, and means over seeds."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from ..errors import InputError

RESULT_COLUMNS = {
    "source": str,
    "target": str,
    "label": str,
    "input": str,
    "strategy": str,
    "n_finetune": int,
    "seed": int,
    "regime": str,
    "r2": float,
    "r2_err": float,
    "sigma": float,
    "bias": float,
    "n_train": int,
    "n_test": int,
    "split": str,
    "variant": str,
}
"""Columns of results.csv and the types of their values."""

GROUP = ("source", "target", "label", "input", "strategy", "n_finetune", "regime", "split", "variant")
"""What runs that differ in their seed only have in common."""

AVERAGED = ("r2", "r2_err", "sigma", "bias")


def read_results(path: str | os.PathLike) -> list[dict]:
    """Read results.csv.

    Parameters
    ----------
    path : path

    Returns
    -------
    list of dict
        One per row, the values typed as in `RESULT_COLUMNS`; an empty number is NaN, an empty `variant` 'default'.

    Raises
    ------
    InputError
        If the file is missing, lacks a column, or a value has the wrong type.
    """
    path = Path(path)
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(line for line in file if not line.startswith("#"))
            lacking = [name for name in RESULT_COLUMNS if name not in (reader.fieldnames or ())]
            if lacking:
                raise InputError(f"{path}: no column {', '.join(lacking)}")
            return [_typed(row, f"{path}, row {number}") for number, row in enumerate(reader, 1)]
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a CSV table ({error})") from None


def _typed(row: Mapping, where: str) -> dict:
    typed: dict = {}
    for name, kind in RESULT_COLUMNS.items():
        text = row[name]
        if text is None:
            raise InputError(f"{where}: fewer values than columns")
        try:
            typed[name] = float("nan") if kind is float and not text else kind(text)
        except ValueError:
            raise InputError(f"{where}: {name} is '{text}', which is not {kind.__name__}") from None
    typed["variant"] = typed["variant"] or "default"
    return typed


def summarise(results: Iterable[Mapping]) -> list[dict]:
    """Average runs that differ in their seed only.

    Parameters
    ----------
    results : iterable of mapping
        Rows of results.csv, as from `read_results`.

    Returns
    -------
    list of dict
        In the order of first appearance. The columns of `GROUP`; for each of r2, r2_err, sigma and bias the mean
        over seeds under its own name and the standard deviation (n - 1; NaN for one seed) under ``<name>_std``;
        `n_seeds`; `n_train` and `n_test`, rounded means.
    """
    groups: dict[tuple, list[Mapping]] = {}
    for row in results:
        groups.setdefault(tuple(row[name] for name in GROUP), []).append(row)
    summary = []
    for key, rows in groups.items():
        entry = dict(zip(GROUP, key, strict=True))
        for name in AVERAGED:
            values = np.array([row[name] for row in rows], float)
            # One seed without an answer makes the mean unknown: it is not to vanish from the average.
            entry[name] = float(values.mean())
            entry[f"{name}_std"] = float(values.std(ddof=1)) if len(values) > 1 else float("nan")
        entry["n_seeds"] = len({row["seed"] for row in rows})
        for name in ("n_train", "n_test"):
            entry[name] = round(float(np.mean([row[name] for row in rows])))
        summary.append(entry)
    return summary


def select(rows: Iterable[Mapping], **wanted) -> list[dict]:
    """Rows whose columns have the values wanted; a tuple, list or set of values means any of them."""
    chosen = []
    for row in rows:
        if all(row[k] in v if isinstance(v, tuple | list | set) else row[k] == v for k, v in wanted.items()):
            chosen.append(dict(row))
    return chosen
