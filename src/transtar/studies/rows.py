"""Which stars a run learns from, and which it is judged on."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

import numpy as np

from ..catalog.trained import trained_on
from ..datasets import PreparedSet, folds, matched_split, nested_subsets, read_set, star_names, usable
from ..datasets.inputs import Inputs
from ..errors import InputError
from ..labels.positions import Positions, near_pairs
from ..models import Estimator, load_estimator
from .job import Job

FOLD_SEED = 2025
"""Fixes the folds of a validation study, so that all variants are judged on the same stars."""


SAME_STAR_WITHIN = 5.0
"""Separation in arcsec within which spectra of two surveys are taken for one star's: years of proper motion are in it."""


@lru_cache(maxsize=8)
def load_set(folder: str) -> PreparedSet:
    """A prepared set, kept for the next run that needs it."""
    return read_set(folder)


def with_parts(prepared: PreparedSet, parts: dict[str, str]) -> PreparedSet:
    """A set of the study that knows its inputs by the names that networks have for them.

    Parameters
    ----------
    prepared : PreparedSet
    parts : dict of str to str
        Of `Job`.

    Returns
    -------
    PreparedSet
    """
    if not parts:
        return prepared
    further = prepared.further
    renamed = {part: partial(further.__getitem__, name) for part, name in parts.items()}
    notes = {part: further.encoders[name] for part, name in parts.items() if name in further.encoders}
    return replace(prepared, further=Inputs(renamed, further, encoders=notes))


@lru_cache(maxsize=4)
def load_model(folder: str) -> Estimator:
    """A model, kept for the next run that begins with it."""
    return load_estimator(folder)


def rows_of_split(prepared: PreparedSet, split: str, seed: int, n_folds: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows to learn from and rows to be judged on.

    In a test study these are the pool and the test stars; in a validation study one fold of the pool, by `seed`, takes
    the place of the test stars, and no test star is touched. A matched split divides all of them anew, the same way for
    all seeds.

    Parameters
    ----------
    prepared : PreparedSet
    split : {'test', 'validation', 'matched'}
    seed, n_folds : int

    Returns
    -------
    pool, judged : ndarray, int
        Rows of the set.

    Raises
    ------
    InputError
        If a matched split lacks [Fe/H] or Teff.
    """
    columns = prepared.columns
    good = usable(prepared)
    if split == "matched":
        absent = [name for name in ("feh", "teff") if name not in columns]
        if absent:
            raise InputError(f"{prepared.survey}: a split matched in Teff needs the label {' and '.join(absent)}")
        rows = np.flatnonzero(good & np.isin(columns["split"], ("pool", "test")))
        old = columns["split"][rows] == "pool"
        chosen = matched_split(star_names(columns)[rows], columns["feh"][rows], columns["teff"][rows], old, FOLD_SEED)
        return rows[chosen], rows[~chosen]
    pool = np.flatnonzero(good & (columns["split"] == "pool"))
    if split == "test":
        return pool, np.flatnonzero(good & (columns["split"] == "test"))
    feh = columns["feh"][pool] if "feh" in columns else None
    fold = folds(star_names(columns)[pool], feh, n_folds, FOLD_SEED)
    return pool[fold != seed % n_folds], pool[fold == seed % n_folds]


def rows_of_job(job: Job) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the target's set that a run may learn from, and those that it is judged on."""
    return stars_of(job)[1:]


def stars_of(job: Job) -> tuple[PreparedSet, np.ndarray, np.ndarray]:
    """The target's set, its rows to learn from, and those to be judged on."""
    target = with_parts(load_set(job.target), job.parts)
    pool, judged = (_within(target, rows, job.keep) for rows in rows_of_split(target, job.split, job.seed, job.n_folds))
    if job.split == "matched":
        judged = judged[~in_both_surveys(job.target, job.source)[judged]]
        if job.prior or job.lines:
            columns = {name: target.columns[name][judged] for name in ("survey", "id", "file")}
            judged = judged[~trained_on(columns, [load_model(job.base).trained_on])]
    if not len(judged):
        raise InputError(f"no usable star of {target.survey} to be judged on; does its split table name test stars?")
    return target, pool, judged


@lru_cache(maxsize=4)
def in_both_surveys(target_folder: str, source_folder: str) -> np.ndarray:
    """Whether the source has a spectrum of each star of the target, too: those of the pool were not kept out of it."""
    target, source = load_set(target_folder), load_set(source_folder)
    known = np.isin(star_names(target.columns), star_names(source.columns))
    if all(name in part.columns for part in (target, source) for name in ("ra", "dec")):
        # Of no epoch: motion is not known here, and the radius allows for it.
        target_places, source_places = (
            Positions(part.columns["ra"], part.columns["dec"], 0.0).at(0.0) for part in (target, source)
        )
        for rows, _, _ in near_pairs(target_places, source_places, SAME_STAR_WITHIN):
            known[rows] = True
    return known


def finetuning_rows(job: Job, target: PreparedSet, pool: np.ndarray) -> np.ndarray:
    """Rows that a fine-tuning learns from: the seed decides, whatever the strategy and the model."""
    labelled = pool[np.isfinite(target.targets(job.labels)[pool]).any(axis=1)]
    stars = star_names(target.columns)[labelled]
    feh = target.columns["feh"][labelled] if "feh" in target.columns else None
    n = min(job.n_finetune, len(np.unique(stars)))
    return labelled[nested_subsets(stars, feh, [n], job.seed)[n]]


def _within(prepared: PreparedSet, rows: np.ndarray, keep: dict[str, Any]) -> np.ndarray:
    """Those of `rows` whose labels are in the ranges."""
    for label, (low, high) in keep.items():
        values = prepared.targets([label])[rows, 0]
        rows = rows[(values > low) & (values < high)]
    return rows
