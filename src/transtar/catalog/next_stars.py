"""Which stars of a prepared set to label next: all that ``transtar plan`` does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checks import check_whole
from ..datasets.prepared import star_names
from ..datasets.representatives import representatives
from ..datasets.set_files import describe_set
from ..datasets.set_reader import columns_of, read_stars
from ..errors import InputError
from ..files import check_files
from ..flags import BAD, Flag, has
from ..glossary import LABELS, PLAN_COLUMNS
from ..labels import read_stars as read_star_list
from ..labels.join import comparable
from ..summary import Summarised, Summary
from .astropy_table import to_table
from .from_files import ModelLike, predict_set
from .predict import key_columns
from .writers import check_suffix, write_catalog

if TYPE_CHECKING:
    from astropy.table import QTable

MODELS = ("mock-feh", "mock-teff", "mock-logg")
"""Models by whose labels stars are chosen, if no others are given."""

UNITS = {"teff": 500.0, "logg": 0.7, "feh": 0.5, "alphafe": 0.2}
"""Differences of labels that count alike, in K and dex; of other labels the standard deviation among the stars to choose from."""


@dataclass(repr=False)
class Plan(Summarised):
    """Stars to label next.

    Parameters
    ----------
    columns : dict of str to ndarray, shape (n,)
        The table.
    n_candidates : int
        Stars that could have been chosen.
    left_out : dict of str to int
        Spectra that could not, by the first reason that holds.
    metadata : dict
        What was chosen from, by what and how.
    """

    columns: dict[str, np.ndarray]
    n_candidates: int
    left_out: dict[str, int]
    metadata: dict[str, Any] = field(default_factory=dict)

    def _summary(self) -> Summary:
        return Summary(
            f"Plan: {len(self.columns['set_row']):,} of {self.n_candidates:,} stars",
            {"left out": self.reasons or "none", "columns": ", ".join(self.columns)},
            self.columns,
        )

    @property
    def reasons(self) -> str:
        """What was left out and why, in words; '' for nothing."""
        return ", ".join(f"{count:,} {reason}" for reason, count in self.left_out.items() if count)

    def to_table(self) -> QTable:
        """The table as one of astropy, with units and descriptions."""
        return to_table(self.columns, self.metadata)


def plan_stars(
    data: str | Path,
    n: int,
    out: str | Path | None = None,
    *,
    models: ModelLike | Sequence[ModelLike] = MODELS,
    known: str | Path | None = None,
    columns: Mapping[str, str] | None = None,
    encoders: Sequence[str | Path] = (),
    seed: int = 0,
) -> Plan:
    """Choose the stars of a set to label next, so that fine-tuning on them does well: those that stand for all others.

    The stars are divided into as many groups as are wanted, of stars whose predicted labels are near one another in `UNITS`,
    and the star in the middle of each is chosen (`transtar.datasets.representatives`). To choose from are the stars of the
    pool that models have labels for, without a bad flag, LOW_SNR or DOUBTFUL (of the gate and the second opinion), and that no
    model has learnt from; each by its spectrum of the best S/N.

    Parameters
    ----------
    data : path
        Folder of the prepared set.
    n : int
        Stars wanted.
    out : path, optional
        Table to write, with a suffix of `transtar.catalog.SUFFIXES`.
    models : Estimator, str or path, or sequence of these
        Models of the labels by which stars are compared; those of one label form an ensemble.
    known : path, optional
        Table of stars that have a label already, by id, file or star: they are not chosen, and stand for what is like them.
    columns : mapping of str to str, optional
        Which column of that table is which, where the names do not say it.
    encoders : sequence of path
        As of `transtar.predict_files`.
    seed : int
        Decides where the groups begin, and the order of the stars.

    Returns
    -------
    Plan
        Its rows are in an order drawn at random, so that the first ones are a fair sample if not all can be observed.

    Raises
    ------
    InputError
        If the set, a model or the table cannot be read, none of the known stars is in the set, there are fewer stars than
        wanted, or something of others stands at `out`.
    MismatchError
        If the set was preprocessed otherwise than the models want it.
    SettingsError
        If n is no number of stars, or `out` has another suffix.

    Examples
    --------
    >>> import transtar as ts
    >>> ts.catalog.plan_stars("sets/desi", 100).to_table()  # doctest: +SKIP
    """
    check_whole(n, "n", 1)
    data = Path(data)
    if out is not None:
        check_suffix(out)
        check_files([out], [data, known])
    description = describe_set(data)
    stars = columns_of(data, read_stars(data, description), description)
    labelled = np.zeros(len(stars["id"]), bool) if known is None else _rows_of(known, columns, stars, data)
    prediction = predict_set(models, data, encoders=encoders)
    assert prediction.columns is not None
    catalog = prediction.columns
    labels = [name for name in LABELS if name in catalog]
    values = np.stack([catalog[name].astype(np.float64) for name in labels], axis=1)
    names = star_names(stars)
    ruled_out = {
        "not in the pool": stars["split"] != "pool",
        "flagged bad or without label": has(catalog["flags"], BAD) | ~np.isfinite(values).all(axis=1),
        "of low S/N": has(catalog["flags"], Flag.LOW_SNR),
        "of doubtful stars": has(catalog["flags"], Flag.DOUBTFUL),
        "of stars that a model has learnt from": has(catalog["flags"], Flag.TRAINED_ON),
        "of stars that are known": np.isin(names, names[labelled]),
    }
    rows, left_out = _candidates(ruled_out, names, stars["snr"])
    if n > len(rows):
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in left_out.items() if count)
        raise InputError(
            f"{data}: has {len(rows):,} stars to choose from, and {n:,} are wanted{f' (left out: {reasons})' if reasons else ''}"
        )
    units = np.array([UNITS.get(name, 0.0) for name in labels])
    units = np.where(units > 0, units, np.maximum(values[rows].std(axis=0), np.finfo(float).tiny))
    fixed = labelled & np.isfinite(values).all(axis=1) & ~has(catalog["flags"], BAD)
    chosen, shares = representatives(values[rows] / units, n, seed, known=values[fixed] / units)
    picked = rows[chosen]
    table = dict(zip(PLAN_COLUMNS, (np.arange(1, n + 1), shares, picked), strict=True))
    table |= {name: column[picked] for name, column in key_columns(stars, len(stars["id"])).items()}
    table |= {name: column[picked] for name, column in catalog.items() if name not in table}
    how = {
        "data": str(data),
        "flux_sha256": description["flux_sha256"],
        "n": n,
        "n_candidates": len(rows),
        "seed": seed,
    }
    how |= {"units": dict(zip(labels, units.tolist(), strict=True)), "known": None if known is None else str(known)}
    plan = Plan(table, len(rows), left_out, {"plan": how, "models": prediction.metadata["models"]})
    if out is not None:
        write_catalog(out, table, plan.metadata)
    return plan


def _candidates(
    ruled_out: Mapping[str, np.ndarray], names: np.ndarray, snr: np.ndarray
) -> tuple[np.ndarray, dict[str, int]]:
    """One row of each star that nothing rules out, and how many rows were left out by which reason."""
    left = np.ones(len(names), bool)
    counts = {}
    for reason, out in ruled_out.items():
        counts[reason] = int((left & out).sum())
        left &= ~out
    rows = np.flatnonzero(left)
    # The best spectrum of each star first; NaN counts as the worst, and of equal ones the first row.
    order = rows[np.lexsort((rows, -np.nan_to_num(snr[rows], nan=-np.inf, neginf=-np.inf)))]
    _, first = np.unique(names[order], return_index=True)
    counts["second visits"] = len(rows) - len(first)
    return np.sort(order[first]), counts


def _rows_of(
    path: str | Path, columns: Mapping[str, str] | None, stars: Mapping[str, np.ndarray], data: Path
) -> np.ndarray:
    """Rows of a set that are of stars in a table: by id where both have it, else by file, else by star; bool, shape (n,).

    Raises
    ------
    InputError
        If there is none.
    """
    table = read_star_list(path, columns=columns)
    same = np.zeros(len(stars["id"]), bool)
    if "id" in table:
        same = (stars["id"] != -1) & np.isin(stars["id"], table["id"])
    for key in ("file", "star"):
        if not same.any() and key in table and key in stars:
            values = comparable(stars[key].astype(str), key)
            same = (values != "") & np.isin(values, comparable(table[key].astype(str), key))
    if not same.any():
        raise InputError(
            f"{path}: none of its {len(next(iter(table.values()))):,} stars is in {data}; check that both are the right files"
        )
    return same
