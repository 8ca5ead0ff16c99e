"""From finished runs to tables on disk, which are all that is drawn from: scores, predictions, planes, counts."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import yaml

from ..datasets import PreparedSet, read_set
from ..errors import TooFew
from ..evaluate import evaluate, regimes, write_results
from ..files import write_text
from ..glossary import LABELS, POOR_BELOW
from ..labels import read_labels
from ..telling import note
from .by_input import FLUX
from .element_check import compare_element
from .experiments import MATCHED, SIZES, experiment_studies
from .explaining import explain_networks
from .job import Job
from .label_responses import respond_networks
from .layout import CHOSEN, PREDICTIONS, REST, RESULTS, SETTINGS, SPLITS, STARS
from .pipeline import PIPELINE, pipeline_values, rows_of
from .planes import collect_plane
from .predictions import Predicted, select, to_table, write_stars
from .rows import finetuning_rows, rows_of_job
from .shipped import shipped_predictions
from .spec import Study, adapters, of_subset, of_subset_plane
from .stored import read_rest, read_run
from .study_files import locate, selection_folder, selection_title
from .study_record import write_record

ENSEMBLE_SEED = -1
"""Seed of rows that average the predictions of all seeds."""

Say = Callable[[str], None]


def collect(studies: Mapping[str, Study], jobs: list[Job], out: Path, say: Say = note) -> None:
    """Write everything that tables, figures and the report are drawn from.

    Parameters
    ----------
    studies : mapping of str to Study
        The study as 'default', its variants and its experiments.
    jobs : list of Job
        All done.
    out : Path
        Gets ``results.csv``, ``predictions.parquet``, ``stars/``, ``mmd.csv``, ``study.json`` and ``settings/``.
    say : callable
        Told what takes longer.

    Raises
    ------
    TranstarError
        If a table that the study names lacks columns or stars.
    """
    study = studies["default"]
    sets = {folder: read_set(folder) for folder in dict.fromkeys(f for job in jobs for f in (job.source, job.target))}
    target = next(sets[job.target] for job in jobs if job.variant == "default")
    tables: list[pa.Table] = []
    predictions: list[Predicted] = []
    for one, prepared in _predictions(studies, jobs, sets, out / "runs"):
        predictions.append(one)
        tables.append(to_table(one, prepared))
    further = [
        *_pipeline(study, predictions, target, out, "default"),
        *shipped_predictions(study, predictions, target),
    ]
    few: dict[str, str] = {}

    def unless_few(what: str, make: Callable[[], Any], otherwise: Any = None) -> Any:
        """What `make` gives, unless it lacks stars: nobody loses a study of hours for that."""
        try:
            return make()
        except TooFew as error:
            few[what] = str(error)
            return otherwise

    if study.subset is not None:
        judged = [*predictions, *further]
        further += unless_few(f"subset {study.subset.name}", lambda: _on_subset(study, judged, target, out), [])
    predictions += further
    write_stars([*tables, *(to_table(one, target) for one in further)], out / PREDICTIONS)
    scores = [row for one in predictions for row in _scores(one)]
    write_results([*scores, *_chosen(study, scores)], out / RESULTS)
    experiments = experiment_studies(study)
    of_plane = [job for job in jobs if job.variant in ("default", *experiments) and _on_plane(study, job)]
    # What follows is of networks of the flux, whatever others there are, but for the plane.
    jobs = [job for job in jobs if job.input == FLUX] or jobs
    of_study = [job for job in jobs if job.variant == "default"]
    _collect_rest(studies, jobs, sets, out)
    _collect_splits(jobs, target, out)
    if study.plane is not None:
        unless_few("plane", lambda: collect_plane(study, of_plane, out, out / STARS))
        if study.subset is not None and (stricter := of_subset_plane(study)) is not None:
            ending = study.subset.name
            unless_few(f"plane {ending}", lambda: collect_plane(stricter, of_plane, out, out / STARS, ending))
    nothing = (None, None)
    element, element_stars = (
        nothing if study.element is None else unless_few("element", lambda: compare_element(study, out), nothing)
    )
    write_record(
        out,
        {
            "finetuning_stars": [[n, *counts] for n, counts in finetuning_stars(jobs, sets).items()],
            "selections": _selections(study, out),
            "element": element,
            "element_stars": element_stars,
            "explained": None if study.explain is None else explain_networks(study, of_study, out, say),
            "responses": None if study.explain is None else respond_networks(study, jobs, out, say),
            "too_few": few or None,
        },
    )
    for variant, deviation in studies.items():
        if variant not in experiments:
            text = yaml.safe_dump(asdict(deviation), sort_keys=False, width=110)
            write_text(out / SETTINGS / f"{variant}.yaml", text)


def _on_plane(study: Study, job: Job) -> bool:
    """Whether a run is kept for the plane: all by the first input, of others what figures show, zero-shot and the adapters."""
    shown = ("pretrain", *adapters(study, max(study.sizes, default=0)).values())
    return job.input == study.inputs[0] or (job.variant == "default" and job.strategy in shown)


def _predictions(
    studies: Mapping[str, Study], jobs: list[Job], sets: Mapping[str, PreparedSet], runs: Path
) -> Iterator[tuple[Predicted, PreparedSet]]:
    """Predictions of every run, label by label, and the ensembles over seeds where all learnt from the same stars."""
    together: dict[tuple, list[tuple[Predicted, PreparedSet]]] = {}
    for job in jobs:
        study = studies[job.variant]
        table = read_run(job, runs)
        if study.split == "matched" and job.strategy == "pretrain":
            table = _on_matched(job, table, runs)
        for target in dict.fromkeys(table["target"].tolist()):
            prepared = sets[job.target if target == study.target.survey else job.source]
            for label in job.labels:
                rows = (table["target"] == target) & (table["label"] == label)
                n_train = int(table["n_train"][rows][0])
                one = _predicted(job, study, prepared, label, table["row"][rows], table["predicted"][rows], n_train)
                yield one, prepared
                if study.split == "test" and job.n_finetune in (0, max(study.sizes, default=0)):
                    key = (one.target, one.label, one.input, one.strategy, one.n_finetune, one.variant)
                    together.setdefault(key, []).append((one, prepared))
    for members in together.values():
        if len(members) > 1:
            one, prepared = members[0]
            mean = np.mean([member.predicted for member, _ in members], axis=0)
            variant = "ensemble" if one.variant == "default" else f"{one.variant}-ensemble"
            yield replace(one, predicted=mean, seed=ENSEMBLE_SEED, variant=variant), prepared


def _predicted(
    job: Job, study: Study, prepared: PreparedSet, label: str, row: np.ndarray, predicted: np.ndarray, n_train: int
) -> Predicted:
    columns = {name: prepared.columns[name] for name in LABELS if name in prepared.columns}
    return Predicted(
        source=job.source_name,
        target=prepared.survey,
        label=label,
        input=job.input,
        strategy="zero-shot" if job.strategy == "pretrain" else job.strategy,
        n_finetune=job.n_finetune,
        seed=job.seed,
        n_train=n_train,
        split="validation" if study.split == "validation" else "test",
        variant=_variant(job),
        model=job.model,
        row=row,
        predicted=predicted,
        reference={name: column[row].astype(np.float64) for name, column in columns.items()},
    )


def _variant(job: Job) -> str:
    """A model of several labels is a deviation from one model per label."""
    names = [job.variant] if job.variant != "default" else []
    names += ["joint"] if len(job.labels) > 1 else []
    return "-".join(names) or "default"


def _on_matched(job: Job, table: dict[str, np.ndarray], runs: Path) -> dict[str, np.ndarray]:
    """Zero-shot predictions for the test stars of a matched split, some of which were in the pool of the other."""
    rest = read_rest(job, runs)
    rest["n_train"] = np.full(len(rest["row"]), table["n_train"][0])
    _, judged = rows_of_job(replace(job, split="matched"))
    both = {name: np.concatenate([values, rest[name]]) for name, values in table.items()}
    order = np.argsort(both["row"], kind="stable")
    inside = order[np.isin(both["row"][order], judged)]
    return {name: values[inside] for name, values in both.items()}


def _on_subset(study: Study, predictions: list[Predicted], target: PreparedSet, out: Path) -> list[Predicted]:
    """What was predicted for test stars of the subset, and what the pipeline has for them."""
    assert study.subset is not None
    of_target = select(predictions, target=study.target.survey, variant="default")
    listed = rows_of(read_labels(locate(study.subset.stars, study, out)), target) >= 0
    inside: list[Predicted] = []
    for one in of_target:
        if one.strategy != PIPELINE:
            mask = listed[one.row]
            if not mask.any():
                raise TooFew(f"no {study.split} star is listed in {study.subset.stars}")
            reference = {name: values[mask] for name, values in one.reference.items()}
            stars = {"row": one.row[mask], "predicted": one.predicted[mask], "reference": reference}
            inside.append(replace(one, **stars, variant=study.subset.name))
    return [*inside, *_pipeline(of_subset(study), inside, target, out, study.subset.name)]


def _pipeline(
    study: Study, predictions: list[Predicted], target: PreparedSet, out: Path, variant: str
) -> Iterator[Predicted]:
    """Labels of the target survey's own pipeline for the stars that the networks were judged on."""
    values = pipeline_values(study, out, target)
    for label in study.pipeline:
        judged = select(predictions, label=label, target=study.target.survey, variant=variant)
        judged = [one for one in judged if study.split == "test" or one.seed == study.seeds[0]]
        if judged:
            yield replace(
                judged[0], source="none", strategy=PIPELINE, n_finetune=0, n_train=0, seed=study.seeds[0],
                predicted=values[label][judged[0].row],
            )  # fmt: skip


def _scores(one: Predicted) -> Iterator[dict[str, Any]]:
    """Rows of results.csv of one run and label, a kind of star each."""
    run = {name: value for name, value in vars(one).items() if name not in ("row", "predicted", "reference", "model")}
    scores = evaluate(one.predicted, one.reference[one.label], regimes(one.reference))
    for regime, values in scores.items():
        yield {**run, **values, "regime": regime, "n_test": values["n"]}


def _chosen(study: Study, scores: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for size in study.adapter:
        for label, strategy in adapters(study, size).items():
            wanted = {"variant": "default", "strategy": strategy, "n_finetune": size, "label": label}
            for row in scores:
                if wanted.items() <= row.items():
                    yield row | {"variant": CHOSEN}


def _collect_rest(
    studies: Mapping[str, Study], jobs: Iterable[Job], sets: Mapping[str, PreparedSet], out: Path
) -> None:
    """Predictions of the experiment of sizes for stars of the pool that neither it nor its pre-training has learnt from."""
    tables = []
    for job in jobs:
        if job.variant == SIZES and job.rest:
            rest, prepared = read_rest(job, out / "runs"), sets[job.target]
            for label in job.labels:
                rows = rest["label"] == label
                one = _predicted(job, studies[SIZES], prepared, label, rest["row"][rows], rest["predicted"][rows], 0)
                tables.append(to_table(one, prepared))
    if tables:
        write_stars(tables, out / STARS / REST)


def _collect_splits(jobs: Iterable[Job], target: PreparedSet, out: Path) -> None:
    """Teff and [Fe/H] of the stars to learn from and to be judged on, on the study's own split and on the matched one."""
    job = next((job for job in jobs if job.variant == MATCHED and job.strategy == "pretrain"), None)
    if job is None:
        return
    tables = []
    for split in ("test", "matched"):
        pool, judged = rows_of_job(replace(job, split=split))
        rows = np.concatenate([pool, judged])
        labels = {name: target.columns[name][rows].astype(np.float64) for name in ("teff", "feh")}
        part = pa.array(["pool"] * len(pool) + ["test"] * len(judged), pa.string())
        tables.append(pa.table({"split": pa.array([split] * len(rows), pa.string()), "part": part, **labels}))
    write_stars(tables, out / STARS / SPLITS)


def finetuning_stars(jobs: Iterable[Job], sets: Mapping[str, PreparedSet]) -> dict[int, tuple[int, int]]:
    """Metal-poor and metal-rich stars among those that runs of each size learn from, the first seed's."""
    counts: dict[int, tuple[int, int]] = {0: (0, 0)}
    for job in jobs:
        if job.variant == SIZES and job.strategy != "pretrain" and job.n_finetune not in counts:
            target = sets[job.target]
            feh = target.columns["feh"][finetuning_rows(job, target, rows_of_job(job)[0])].astype(np.float64)
            counts[job.n_finetune] = int((feh < POOR_BELOW).sum()), int((feh >= POOR_BELOW).sum())
    return counts


def _selections(study: Study, out: Path) -> list[dict[str, Any]]:
    """Name, title and cuts of each selection."""
    selections = []
    for name in study.selections:
        folder = selection_folder(study, name, out)
        with (folder / f"{name}-cuts.csv").open(newline="", encoding="utf-8") as file:
            cuts = [[row[key] for key in ("table", "cut", "rows", "lost", "source")] for row in csv.DictReader(file)]
        selections.append({"name": name, "title": selection_title(study, name), "cuts": cuts})
    return selections
