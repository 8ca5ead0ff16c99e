"""The single runs of a study: each takes plain data, trains one model, and stores what it predicted."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..catalog.trained import trained_on
from ..datasets import PreparedSet, star_names
from ..errors import InputError, TranstarError
from ..models import Estimator, content_of, load_estimator
from ..preprocess import Preprocessing, require_same
from ..train import (
    Member,
    Pretrain,
    Strategy,
    finetune,
    finetune_fleet,
    make_strategy,
    pretrain,
    settings_from_dict,
    training_input,
)
from .job import Job
from .rows import finetuning_rows, load_model, load_set, rows_of_split, stars_of, with_parts
from .stored import predictions, store_run


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
            target, pool, _ = stars_of(job)
            base, strategy = load_model(job.base), make_strategy(job.strategy, **job.settings)
            stars = target.stars(job.labels, finetuning_rows(job, target, pool), training_input(strategy, base))
            members.append(Member(base, stars, strategy, job.seed))
            begun.append(job)
        except TranstarError as error:
            failed[job.key] = str(error)

    def done(number: int, outcome: Estimator | TranstarError) -> None:
        job = begun[number]
        if isinstance(outcome, TranstarError):
            failed[job.key] = str(outcome)
            return
        target, pool, judged = stars_of(job)
        learnt = finetuning_rows(job, target, pool)
        predicted = predictions(job, outcome, target, judged, len(learnt))
        try:
            store_run(job, runs, outcome, target, np.setdiff1d(pool, learnt), [predicted])
        except TranstarError as error:
            failed[job.key] = str(error)

    finetune_fleet(members, done=done)
    return failed


def _pretrain(job: Job, runs: str) -> None:
    """Pre-train, or take the model that an earlier run with the same key has left, and label stars with it."""
    target, pool, judged = stars_of(job)
    source = with_parts(load_set(job.source), job.parts)
    learn, held_out = rows_of_split(source, job.split, job.seed, job.n_folds)
    learn = learn[np.isfinite(source.targets(job.labels)[learn]).any(axis=1)]
    flux, line_stars = _corrected(job, source, target, judged)
    if (Path(job.base) / "config.json").is_file():
        model = load_estimator(job.base)
    else:
        stars = replace(source, flux=flux).stars(job.labels, learn, job.input)
        if job.prior:
            prior = load_prior(job.prior, job.labels, source.preprocessing)
            _refuse_judges(job, prior, target, judged)
            model = finetune(prior, stars, strategy=further_training(job.settings), seed=job.seed)
        else:
            settings = settings_from_dict(Pretrain, job.settings | {"seed": job.seed})
            model = pretrain(stars, settings=settings)
        model = _remembering(model, line_stars)
        model.save(job.base)
    tables = []
    if job.split == "validation":
        tables.append(predictions(job, model, replace(source, flux=flux), held_out, len(learn)))
    tables.append(predictions(job, model, target, judged, len(learn)))
    store_run(job, runs, model, target, pool, tables)


def _corrected(
    job: Job, source: PreparedSet, target: PreparedSet, judged: np.ndarray
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Flux of the source, by what real stars that nobody is judged on tell of its lines, and those stars.

    Without `Job.lines` the flux stays; stars are those of the correction that the mock stars were made with, if any.
    """
    from ..simulate.mocks.line_correction import LABELS, load_lines
    from ..simulate.mocks.line_fit import lines_from_set

    if not job.lines:
        made_with = source.provenance.get("mock", {}).get("lines")
        return source.flux, load_lines(made_with).stars if made_with else {}
    real = load_set(job.lines)
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
        model, trained_on={name: np.concatenate([column, seen[name].astype((column.dtype.kind == "i" and column.dtype) or str)])
                           for name, column in model.trained_on.items()},
    )  # fmt: skip


def _refuse_judges(job: Job, prior: Estimator, target: PreparedSet, judged: np.ndarray) -> None:
    columns = {name: target.columns[name][judged] for name in ("survey", "id", "file")}
    seen = int(trained_on(columns, [prior.trained_on]).sum())
    if seen:
        raise InputError(
            f"{job.prior}: has seen {seen} of the {len(judged)} stars of {target.survey} that the study judges on; "
            "take another prior"
        )


def further_training(settings: dict[str, Any]) -> Strategy:
    """Pre-training settings for a network that is there already."""
    return make_strategy("full", **{name: value for name, value in settings.items() if name != "mlp"})


def prior_hash(folder: Path) -> str:
    """Short hash of a model's weights and description."""
    return hashlib.sha256(content_of(folder)).hexdigest()[:16]


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
    require_same(model.preprocessing, folder, preprocessing, "the study")
    return model
