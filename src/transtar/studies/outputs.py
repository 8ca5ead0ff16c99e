"""From stored predictions to results.csv, tables, figures and the report; redrawing needs no training."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..datasets import PreparedSet, read_set
from ..errors import InputError
from ..evaluate import RESULT_COLUMNS, evaluate, regimes, select
from ..files import atomic_path, write_text
from ..glossary import LABELS
from ..labels import read_labels
from ..report import Section
from .closing import closing_lines
from .element import element_section
from .experiments import experiment_studies
from .inputs import locate
from .job import Job
from .pages import CHOSEN, write_pages
from .paper import explained_sections, paper_sections
from .pipeline import PIPELINE, pipeline_values, rows_of
from .plane import plane_section
from .rows import divide
from .spec import Study, adapters, of_subset, of_subset_plane
from .stored import read_rest, read_run

ENSEMBLE_SEED = -1
"""Seed of rows that average the predictions of all seeds."""

CLOSING = "summary.txt"
"""File that says in a few lines what was done and learnt."""


def write_outputs(
    studies: dict[str, Study], jobs: list[Job], out: Path, say: Callable[[str], None] = lambda text: None
) -> Path:
    """Write everything a reader wants from the runs of a study.

    Parameters
    ----------
    studies : dict of str to Study
    jobs : list of Job
        All done.
    out : Path
    say : callable
        Told what takes longer.

    Returns
    -------
    Path
        report.html.
    """
    sets: dict[str, PreparedSet] = {}
    for job in jobs:
        for folder in (job.source, job.target):
            if folder not in sets:
                sets[folder] = read_set(folder)
    predictions = list(_predictions(studies, jobs, sets, out / "runs"))
    study = studies["default"]
    predictions += _pipeline(study, predictions, out)
    _write_predictions(predictions, sets, out / "predictions.parquet")
    if study.subset is not None:
        predictions += _on_subset(study, predictions, out)
    results = [row for entry in predictions for row in _scores(entry)]
    results += _chosen(study, results)
    write_results(results, out / "results.csv")
    more: list[Section] = []
    mmd: list[dict] = []
    own = [job for job in jobs if job.variant == "default"]
    first = [] if study.experiments is None else paper_sections(study, jobs, predictions, results, out)
    if study.explain is not None:
        first += explained_sections(study, own, out, say)
    if study.plane is not None:
        plane, mmd = plane_section(study, own, out)
        more.append(plane)
        if study.subset is not None and (stricter := of_subset_plane(study)) is not None:
            more.append(plane_section(stricter, own, out, study.subset.name)[0])
    if study.element is not None:
        more.append(element_section(study, out))
    lines = closing_lines(study, predictions, mmd)
    write_text(out / CLOSING, "\n".join(lines) + "\n")
    # The experiments have sections of their own.
    apart = set(experiment_studies(study))
    predictions, results = (
        [row for row in rows if _plain_variant(row["variant"]) not in apart] for rows in (predictions, results)
    )
    reported = {variant: one for variant, one in studies.items() if variant not in apart}
    return write_pages(reported, predictions, results, first, more, lines, out)


def _plain_variant(name: str) -> str:
    return name.removesuffix("-ensemble").removesuffix("-joint")


def write_results(rows: Iterable[dict], path: Path) -> None:
    """Write results.csv."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(RESULT_COLUMNS), lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    for row in rows:
        writer.writerow({k: f"{v:.6f}" if isinstance(v, float) else v for k, v in row.items()})
    write_text(path, text.getvalue())


def _predictions(studies, jobs: list[Job], sets: dict[str, PreparedSet], runs: Path):
    """Predictions of every run, label by label, and the ensembles over seeds where all learnt from the same stars."""
    together: dict[tuple, list[dict]] = {}
    for job in jobs:
        study = studies[job.variant]
        table = read_run(job, runs)
        if study.split == "matched" and job.strategy == "pretrain":
            table = _on_matched(job, table, runs)
        strategy = "zero-shot" if job.strategy == "pretrain" else job.strategy
        for target in dict.fromkeys(table["target"].tolist()):
            for label in job.labels:
                rows = (table["target"] == target) & (table["label"] == label)
                prepared = sets[job.target if target == study.target.survey else job.source]
                row = table["row"][rows]
                entry = {
                    "source": job.source_name,
                    "target": target,
                    "label": label,
                    "input": "flux",
                    "strategy": strategy,
                    "n_finetune": job.n_finetune,
                    "seed": job.seed,
                    "n_train": int(table["n_train"][rows][0]),
                    "split": "validation" if study.split == "validation" else "test",
                    "variant": _variant(job),
                    "model": job.model,
                    "row": row,
                    "predicted": table["predicted"][rows],
                    "reference": {
                        name: prepared.columns[name][row].astype(np.float64)
                        for name in LABELS
                        if name in prepared.columns
                    },
                    "set": prepared,
                    "job": job,
                }
                yield entry
                if study.split == "test" and job.n_finetune in (0, max(study.sizes, default=0)):
                    names = ("target", "label", "strategy", "n_finetune", "variant")
                    together.setdefault(tuple(entry[name] for name in names), []).append(entry)
    for entries in together.values():
        if len(entries) > 1:
            mean = np.mean([entry["predicted"] for entry in entries], axis=0)
            variant = entries[0]["variant"]
            name = "ensemble" if variant == "default" else f"{variant}-ensemble"
            yield entries[0] | {"predicted": mean, "seed": ENSEMBLE_SEED, "variant": name}


def _on_matched(job: Job, table: dict[str, np.ndarray], runs: Path) -> dict[str, np.ndarray]:
    """Zero-shot predictions for the test stars of a matched split, some of which were in the pool of the other."""
    rest = read_rest(job, runs)
    rest["n_train"] = np.full(len(rest["row"]), table["n_train"][0])
    _, judged = divide(replace(job, split="matched"))
    both = {name: np.concatenate([values, rest[name]]) for name, values in table.items()}
    order = np.argsort(both["row"], kind="stable")
    inside = order[np.isin(both["row"][order], judged)]
    return {name: values[inside] for name, values in both.items()}


def _on_subset(study: Study, predictions: list[dict], out: Path) -> list[dict]:
    """What was predicted for test stars of the subset, and what the pipeline has for them."""
    assert study.subset is not None
    table = read_labels(locate(study.subset.stars, study, out))
    inside: np.ndarray | None = None
    found = []
    for entry in predictions:
        if (entry["target"], entry["variant"]) == (study.target.survey, "default") and entry["strategy"] != PIPELINE:
            if inside is None:
                inside = rows_of(table, entry["set"]) >= 0
            mask = inside[entry["row"]]
            if not mask.any():
                raise InputError(f"subset: no {study.split} star is listed in {study.subset.stars}")
            reference = {name: values[mask] for name, values in entry["reference"].items()}
            own = {"row": entry["row"][mask], "predicted": entry["predicted"][mask], "reference": reference}
            found.append(entry | own | {"variant": study.subset.name})
    return found + _pipeline(of_subset(study), found, out, study.subset.name)


def _pipeline(study: Study, predictions: list[dict], out: Path, variant: str = "default") -> list[dict]:
    """Labels of the target survey's own pipeline for the stars that the networks were judged on."""
    added = []
    values: dict[str, np.ndarray] = {}
    for label in study.pipeline:
        judged = [
            p
            for p in predictions
            if (p["label"], p["target"], p["variant"]) == (label, study.target.survey, variant)
            and (study.split == "test" or p["seed"] == study.seeds[0])
        ]
        if judged:
            entry = judged[0]
            values = values or pipeline_values(study, out, entry["set"])
            own = {"source": "none", "strategy": PIPELINE, "n_finetune": 0, "n_train": 0, "seed": study.seeds[0]}
            added.append(entry | own | {"predicted": values[label][entry["row"]]})
    return added


def _variant(job: Job) -> str:
    """A model of several labels is a deviation from one model per label."""
    parts = [job.variant] if job.variant != "default" else []
    parts += ["joint"] if len(job.labels) > 1 else []
    return "-".join(parts) or "default"


def _scores(entry: dict) -> list[dict]:
    masks = regimes(entry["reference"])
    scores = evaluate(entry["predicted"], entry["reference"][entry["label"]], masks)
    rows = []
    for regime, values in scores.items():
        values = dict(values)
        n_test = values.pop("n")
        rows.append({**entry, **values, "regime": regime, "n_test": n_test})
    return rows


def _chosen(study: Study, results: list[dict]) -> list[dict]:
    rows = []
    for size in study.adapter:
        for label, strategy in adapters(study, size).items():
            for row in select(results, variant="default", strategy=strategy, n_finetune=size, label=label):
                rows.append(row | {"variant": CHOSEN})
    return rows


def _write_predictions(predictions: list[dict], sets: dict[str, PreparedSet], path: Path) -> None:
    tables = []
    for entry in predictions:
        n = len(entry["row"])
        columns = entry["set"].columns
        tables.append(
            pa.table(
                {
                    "file": columns["file"][entry["row"]].astype(object),
                    "id": columns["id"][entry["row"]],
                    **{
                        name: np.full(n, entry[name], object if isinstance(entry[name], str) else np.int64)
                        for name in ("target", "label", "strategy", "n_finetune", "seed", "variant")
                    },
                    "predicted": entry["predicted"],
                    "reference": entry["reference"][entry["label"]],
                }
            )
        )
    with atomic_path(path) as temporary:
        pq.write_table(pa.concat_tables(tables), temporary, compression="zstd")
