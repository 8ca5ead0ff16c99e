"""The single runs of a study: each takes plain data, trains one model, and stores what it predicted."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..catalog.trained import trained_on
from ..datasets import PreparedSet, read_set, star_names, training_arguments, usable
from ..errors import InputError, TranstarError
from ..files import atomic_path, content_hash
from ..labels.positions import Positions, near_pairs
from ..models import Estimator, load_estimator
from ..preprocess import Preprocessing, require_same
from ..train import (
    Member,
    Pretrain,
    Strategy,
    finetune,
    finetune_fleet,
    folds,
    make_strategy,
    matched_split,
    nested_subsets,
    pretrain,
    settings_from_dict,
)

FOLD_SEED = 2025
"""Fixes the folds of a validation study, so that all variants are judged on the same stars."""


@dataclass(frozen=True)
class Job:
    """One run.

    Parameters
    ----------
    variant, model, strategy : str
        `strategy` is 'pretrain' for the pre-training, whose predictions are the zero-shot ones.
    labels : tuple of str
    seed, n_finetune : int
    settings : dict
        Of the pre-training or of the strategy.
    split : {'test', 'validation', 'matched'}
    n_folds : int
        Number of folds of a validation study.
    source, target : str
        Folders of the prepared sets.
    data : tuple of str
        Hashes of the sets with their labels and splits, so that a run is done again when its data change.
    base : str or None
        Folder of the pre-trained model: written by a pre-training, read by the others.
    source_name : str
        Where the labels come from, for the results: surveys joined by +, or 'none' from scratch.
    plane : str
        Folder of a prepared set of the target survey that is labelled, too; empty for none.
    prior : str
        Folder of the model that the pre-training goes on from; empty where it starts from random weights.
    prior_key : str
        Hash of that model.
    lines : str
        Folder of the prepared set of real stars on which the pre-training learns a line correction for its mock stars; empty for
        none.
    lines_key : str
        Hash of that set.
    keep : dict of str to (float, float)
        Ranges of labels of the target's stars that count.
    base_key : str
        Key of the pre-training, so that a fine-tuning is done again when its model changes.
    rest : bool
        Label the usable stars of the pool that were not learnt from, too.
    saved : str
        Folder for the fine-tuned model; empty where it is not kept.
    """

    variant: str
    model: str
    labels: tuple[str, ...]
    strategy: str
    seed: int
    n_finetune: int
    settings: dict[str, Any] = field(hash=False)
    split: str
    n_folds: int
    source: str
    target: str
    data: tuple[str, ...]
    base: str
    base_key: str = ""
    prior: str = ""
    prior_key: str = ""
    source_name: str = "none"
    plane: str = ""
    lines: str = ""
    lines_key: str = ""
    keep: dict[str, Any] = field(default_factory=dict, hash=False)
    rest: bool = False
    saved: str = ""

    @property
    def key(self) -> str:
        """Changes with anything that decides the outcome; not with folders."""
        decisive = [self.model, self.labels, self.strategy, self.seed, self.n_finetune, self.settings, self.split]
        own = [self.n_folds if self.split == "validation" else 0, self.data, self.base_key]
        return content_hash([*decisive, *own, *(part for part in (self.prior_key, self.lines_key, self.keep) if part)])


@lru_cache(maxsize=8)
def _load(folder: str) -> PreparedSet:
    return read_set(folder)


def parts(prepared: PreparedSet, split: str, seed: int, n_folds: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows to learn from and rows to be judged on.

    In a test study these are the pool and the test stars; in a validation study one fold of the pool, by `seed`, takes
    the place of the test stars, and no test star is touched. A matched split divides all of them anew, the same way for
    all seeds.
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


def run_jobs(jobs: Sequence[Job], runs: str) -> dict[str, str]:
    """Do a pre-training, or fine-tunings together, and store each as soon as it is done.

    Parameters
    ----------
    jobs : sequence of Job
        One pre-training; or fine-tunings, which share what they have in common and are quickest with equal stars and seed.
    runs : str
        Folder for what they predict.

    Returns
    -------
    dict of str to str
        By key of those that failed, what was wrong. The others are done.
    """
    if jobs[0].strategy == "pretrain":
        try:
            _pretrain(jobs[0], runs)
        except TranstarError as error:
            return {jobs[0].key: str(error)}
        return {}
    failed: dict[str, str] = {}
    begun: list[Job] = []
    members: list[Member] = []
    for job in jobs:
        try:
            target, pool, _ = _stars(job)
            arguments = training_arguments(target, taught(job, target, pool), job.labels)
            strategy = make_strategy(job.strategy, **job.settings)
            members.append(Member(_estimator(job.base), **arguments, strategy=strategy, seed=job.seed))
            begun.append(job)
        except TranstarError as error:
            failed[job.key] = str(error)

    def done(number: int, outcome: Estimator | TranstarError) -> None:
        job = begun[number]
        if isinstance(outcome, TranstarError):
            failed[job.key] = str(outcome)
            return
        target, pool, judged = _stars(job)
        learnt = taught(job, target, pool)
        own = _predictions(job, outcome, target, judged, len(learnt))
        try:
            _store(job, runs, outcome, target, np.setdiff1d(pool, learnt), [own])
        except TranstarError as error:
            failed[job.key] = str(error)

    finetune_fleet(members, done=done)
    return failed


def _stars(job: Job) -> tuple[PreparedSet, np.ndarray, np.ndarray]:
    """The target's set, its rows to learn from, and those to be judged on."""
    target = _load(job.target)
    pool, judged = (_within(target, rows, job.keep) for rows in parts(target, job.split, job.seed, job.n_folds))
    if job.split == "matched":
        judged = judged[~_met(job.target, job.source)[judged]]
        if job.prior or job.lines:
            columns = {name: target.columns[name][judged] for name in ("survey", "id", "file")}
            judged = judged[~trained_on(columns, [_estimator(job.base).trained_on])]
    if not len(judged):
        raise InputError(f"no usable star of {target.survey} to be judged on; does its split table name test stars?")
    return target, pool, judged


def divide(job: Job) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the target's set that a run may learn from, and those that it is judged on."""
    return _stars(job)[1:]


MET_WITHIN = 5.0
"""Separation in arcsec within which spectra of two surveys are taken for one star's: years of proper motion are in it."""


@lru_cache(maxsize=4)
def _met(target_folder: str, source_folder: str) -> np.ndarray:
    """Whether the source has a spectrum of each star of the target, too: those of the pool were not kept out of it."""
    target, source = _load(target_folder), _load(source_folder)
    met = np.isin(star_names(target.columns), star_names(source.columns))
    if all(name in part.columns for part in (target, source) for name in ("ra", "dec")):
        # Of no epoch: motion is not known here, and the radius allows for it.
        ours, theirs = (Positions(part.columns["ra"], part.columns["dec"], 0.0).at(0.0) for part in (target, source))
        for found, _, _ in near_pairs(ours, theirs, MET_WITHIN):
            met[found] = True
    return met


def taught(job: Job, target: PreparedSet, pool: np.ndarray) -> np.ndarray:
    """Rows that a fine-tuning learns from: the seed decides, whatever the strategy and the model."""
    labelled = pool[np.isfinite(target.targets(job.labels)[pool]).any(axis=1)]
    stars = star_names(target.columns)[labelled]
    feh = target.columns["feh"][labelled] if "feh" in target.columns else None
    n = min(job.n_finetune, len(np.unique(stars)))
    return labelled[nested_subsets(stars, feh, [n], job.seed)[n]]


@lru_cache(maxsize=4)
def _estimator(folder: str) -> Estimator:
    return load_estimator(folder)


def _pretrain(job: Job, runs: str) -> None:
    """Pre-train, or take the model that an earlier run with the same key has left, and label stars with it."""
    target, pool, judged = _stars(job)
    source = _load(job.source)
    learn, held_out = parts(source, job.split, job.seed, job.n_folds)
    learn = learn[np.isfinite(source.targets(job.labels)[learn]).any(axis=1)]
    flux, line_stars = _corrected(job, source, target, judged)
    if (Path(job.base) / "config.json").is_file():
        model = load_estimator(job.base)
    else:
        arguments = training_arguments(source, learn, job.labels)
        arguments["flux"] = flux[learn]
        if job.prior:
            prior = load_prior(job.prior, job.labels, source.preprocessing)
            _refuse_judges(job, prior, target, judged)
            model = finetune(prior, **arguments, strategy=going_on(job.settings), seed=job.seed)
        else:
            settings = settings_from_dict(Pretrain, job.settings | {"seed": job.seed})
            model = pretrain(**arguments, label_names=job.labels, preprocessing=source.preprocessing, settings=settings)
        model = _remembering(model, line_stars)
        model.save(job.base)
    tables = []
    if job.split == "validation":
        tables.append(_predictions(job, model, replace(source, flux=flux), held_out, len(learn)))
    tables.append(_predictions(job, model, target, judged, len(learn)))
    _store(job, runs, model, target, pool, tables)


def _store(
    job: Job, runs: str, model: Estimator, target: PreparedSet, rest: np.ndarray, tables: list[pa.Table]
) -> None:
    """Write all that is kept of a run; `rest` are rows of the pool that it has not learnt from."""
    if job.saved:
        model.save(job.saved)
    if job.plane:
        _write(_plane_predictions(job, model), plane_file(job, runs))
    if job.rest:
        _write(_predictions(job, model, target, rest, len(rest)).drop_columns(["n_train"]), rest_file(job, runs))
    # Last, because this file says that the run is done.
    _write(pa.concat_tables(tables), run_file(job, runs))


def _write(table: pa.Table, path: Path) -> None:
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary)


def run_file(job: Job, runs: str | Path) -> Path:
    """Where a run keeps what it predicted."""
    return Path(runs) / f"{job.key}.parquet"


def rest_file(job: Job, runs: str | Path) -> Path:
    """Where a run keeps what it predicted for stars of the pool that it has not learnt from."""
    return Path(runs) / f"{job.key}-rest.parquet"


def is_done(job: Job, runs: str | Path) -> bool:
    """Whether all that is to be kept of a run is there."""
    files = [run_file(job, runs)]
    files += [plane_file(job, runs)] if job.plane else []
    files += [rest_file(job, runs)] if job.rest else []
    files += [Path(job.saved) / "config.json"] if job.saved else []
    return all(path.is_file() for path in files)


def _within(prepared: PreparedSet, rows: np.ndarray, keep: dict[str, Any]) -> np.ndarray:
    """Those of `rows` whose labels are in the ranges."""
    for label, (low, high) in keep.items():
        values = prepared.targets([label])[rows, 0]
        rows = rows[(values > low) & (values < high)]
    return rows


def _corrected(
    job: Job, source: PreparedSet, target: PreparedSet, judged: np.ndarray
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Flux of the source, by what real stars that nobody is judged on tell of its lines, and those stars.

    Without `Job.lines` the flux stays; stars are those of the correction that the mock stars were made with, if any.
    """
    from ..simulate.fit_lines import lines_from_set
    from ..simulate.lines import LABELS, load_lines

    if not job.lines:
        made_with = source.provenance.get("mock", {}).get("lines")
        return source.flux, load_lines(made_with).stars if made_with else {}
    real = _load(job.lines)
    taboo = set(
        zip(target.columns["survey"][judged].tolist(), star_names(target.columns)[judged].tolist(), strict=True)
    )
    each = zip(real.columns["survey"].tolist(), star_names(real.columns).tolist(), strict=True)
    rows = np.array([row for row, star in enumerate(each) if star not in taboo], dtype=np.int64)
    lines = lines_from_set(real, rows, "study")
    return lines.apply(source.flux, dict(zip(LABELS, source.targets(LABELS).T, strict=True))), lines.stars


def _remembering(model: Estimator, stars: dict[str, np.ndarray]) -> Estimator:
    """The model, with the real stars of a line correction among those that it has seen."""
    if not stars:
        return model
    seen = {**stars, "role": np.full(len(stars["id"]), "lines")}
    return replace(
        model, trained_on={name: np.concatenate([own, seen[name].astype((own.dtype.kind == "i" and own.dtype) or str)])
                           for name, own in model.trained_on.items()},
    )  # fmt: skip


def _refuse_judges(job: Job, prior: Estimator, target: PreparedSet, judged: np.ndarray) -> None:
    columns = {name: target.columns[name][judged] for name in ("survey", "id", "file")}
    seen = int(trained_on(columns, [prior.trained_on]).sum())
    if seen:
        raise InputError(
            f"{job.prior}: has seen {seen} of the {len(judged)} stars of {target.survey} that the study judges on; "
            "take another prior"
        )


def plane_file(job: Job, runs: str | Path) -> Path:
    """Where a run keeps what it predicted for the stars of the plane."""
    return Path(runs) / f"{job.key}-plane.parquet"


def _plane_predictions(job: Job, model: Estimator) -> pa.Table:
    """Predictions for all usable rows of the set: columns `row` and the labels of the model."""
    prepared = _load(job.plane)
    rows = np.flatnonzero(usable(prepared))
    predicted = model.predict(prepared.flux[rows])
    columns = {label: predicted[:, number].astype(np.float64) for number, label in enumerate(job.labels)}
    return pa.table({"row": rows.astype(np.int64), **columns})


def going_on(settings: dict[str, Any]) -> Strategy:
    """Pre-training settings for a network that is there already."""
    return make_strategy("full", **{name: value for name, value in settings.items() if name != "mlp"})


def prior_hash(folder: Path) -> str:
    """Short hash of a model's weights and description."""
    parts = ((folder / name).read_bytes() for name in ("model.safetensors", "config.json"))
    return hashlib.sha256(b"".join(parts)).hexdigest()[:16]


def load_prior(folder: str, labels: tuple[str, ...], preprocessing: Preprocessing) -> Estimator:
    """The model that a pre-training goes on from.

    Raises
    ------
    InputError
        If it does not predict one of them.
    MismatchError
        If it was trained on spectra prepared otherwise.
    """
    model = load_estimator(folder)
    if model.label_names != labels:
        try:
            model = model.only(*labels)
        except InputError as error:
            raise InputError(f"{folder}: {error}") from error
    if model.preprocessing is not None:
        require_same(model.preprocessing, folder, preprocessing, "the study")
    return model


def _predictions(job: Job, model, prepared: PreparedSet, rows: np.ndarray, n_train: int) -> pa.Table:
    predicted = model.predict(prepared.flux[rows])
    survey = prepared.survey
    tables = [
        pa.table(
            {
                "target": np.full(len(rows), survey).astype(object),
                "label": np.full(len(rows), label).astype(object),
                "row": rows.astype(np.int64),
                "predicted": predicted[:, number].astype(np.float64),
                "n_train": np.full(len(rows), n_train, np.int64),
            }
        )
        for number, label in enumerate(job.labels)
    ]
    return pa.concat_tables(tables)


def read_plane(job: Job, runs: str | Path) -> dict[str, np.ndarray]:
    """What a run predicted for the stars of the plane: `row` and the labels of its model."""
    table = pq.read_table(plane_file(job, runs))
    return {name: table.column(name).to_numpy(zero_copy_only=False) for name in table.column_names}


def read_rest(job: Job, runs: str | Path) -> dict[str, np.ndarray]:
    """What a run predicted for stars of the pool that neither it nor its pre-training has learnt from.

    Columns `target`, `label`, `row`, `predicted`.
    """
    table = pq.read_table(rest_file(job, runs))
    columns = {name: table.column(name).to_numpy(zero_copy_only=False) for name in table.column_names}
    unknown = ~_met(job.target, job.source)[columns["row"]]
    return {name: values[unknown] for name, values in columns.items()}


def read_run(job: Job, runs: str | Path) -> dict[str, np.ndarray]:
    """What a run predicted: columns `target`, `label`, `row`, `predicted`, `n_train`."""
    table = pq.read_table(run_file(job, runs))
    return {name: table.column(name).to_numpy(zero_copy_only=False) for name in table.column_names}
