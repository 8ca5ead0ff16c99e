"""From stored predictions to results.csv, tables, figures and the report; redrawing needs no training."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from .. import __version__
from ..datasets import PreparedSet, read_set
from ..evaluate import RESULT_COLUMNS, evaluate, regimes, select, summarise
from ..files import atomic_path, write_text
from ..glossary import LABELS, plain
from ..report import (
    FigureFile,
    Panel,
    Section,
    against_sample_size,
    one_to_one,
    paper_table,
    regime_dots,
    save,
    settings_html,
    to_html,
    write_report,
    write_table,
)
from .jobs import Job, read_run
from .spec import Study

ENSEMBLE_SEED = -1
"""Seed of rows that average the predictions of all seeds."""

CHOSEN = "chosen"
"""Variant of rows that repeat, for each size, the adapter that validation in the pool chose."""


def write_outputs(studies: dict[str, Study], jobs: list[Job], out: Path) -> Path:
    """Write everything a reader wants from the runs of a study.

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
    _write_predictions(predictions, sets, out / "predictions.parquet")
    results = [row for entry in predictions for row in _scores(entry)]
    results += _chosen(studies["default"], results)
    write_results(results, out / "results.csv")
    return _write_report(studies, predictions, results, out)


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
        table = read_run(job, runs)
        study = studies[job.variant]
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
                    "split": study.split,
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
    for size, strategy in study.adapter.items():
        for row in select(results, variant="default", strategy=strategy, n_finetune=size, label="feh"):
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


def _write_report(studies: dict[str, Study], predictions: list[dict], results: list[dict], out: Path) -> Path:
    study = studies["default"]
    target = study.target.survey
    summary = summarise(results)
    sections = []
    if study.notes:
        sections.append(Section("What to bear in mind", paragraphs=study.notes, caveat=True))
    labels = list(dict.fromkeys(row["label"] for row in results))
    for label in labels:
        own = select(summary, label=label, target=target)
        default = [row for row in own if row["variant"] == "default"]
        for variant in ["default", *sorted({row["variant"] for row in own} - {"default", CHOSEN, "ensemble"})]:
            rows = [row for row in own if row["variant"] == variant]
            if rows:
                sections.append(_label_section(study, label, variant, rows, own, predictions, out))
        if not default:
            continue
    sections.append(_settings_section(studies, out))
    report = out / "report.html"
    write_report(report, study.title, sections, study.description, f"transtar {__version__}")
    return report


def _label_section(study, label, variant, rows, own, predictions, out: Path) -> Section:
    suffix = "" if variant == "default" else f"-{variant}"
    merged = [row | {"source": "any"} for row in rows]
    judged = "test stars" if study.split == "test" else "validation stars (folds of the pool)"
    table = paper_table(merged, label)
    caption = (
        f"{plain(label)} on {judged} of {study.target.survey}: mean over {len(study.seeds)} seeds of R2 "
        "(all / poor / rich), its standard deviation over seeds, and sigma. Shaded: the three best of each regime."
    )
    write_table(table, out / "tables", f"table-{label}{suffix}", caption)
    tables = [to_html(table, caption)]
    figures = []
    sizes = sorted({row["n_finetune"] for row in rows} - {0})
    if variant == "default":
        extra = [row | {"source": "any"} for row in own if row["variant"] in (CHOSEN, "ensemble")]
        for row in extra:
            row["row"] = "chosen by validation" if row["variant"] == CHOSEN else f"{row['strategy']}, 5-seed mean"
        if extra:
            more = paper_table(extra, label, row="row")
            name = f"table-{label}-further"
            text = "The adapter chosen by validation in the pool at each n, and the mean prediction of all seeds."
            write_table(more, out / "tables", name, text)
            tables.append(to_html(more, text))
        kinds = paper_table([row | {"source": "any"} for row in rows], label, regimes=_kinds(rows))
        text = f"{plain(label)} by kind of star ({' / '.join(_kinds(rows))})."
        write_table(kinds, out / "tables", f"table-{label}-kinds", text)
        tables.append(to_html(kinds, text))
        figures.append(_one_to_one(study, label, predictions, out))
        if sizes:
            figures.append(
                _figure(
                    against_sample_size(merged, label), out, f"sample-size-{label}",
                    f"{plain(label)}: R2 and sigma against the number of fine-tuning stars; bars are the standard "
                    "deviation over seeds.",
                )
            )  # fmt: skip
            figures.append(
                _figure(
                    regime_dots(merged, label, sizes[-1]), out, f"kinds-{label}",
                    f"{plain(label)} by kind of star, fine-tuned on {sizes[-1]} stars.",
                )
            )  # fmt: skip
    heading = plain(label) if variant == "default" else f"{plain(label)}: {variant}"
    return Section(heading, tables=tables, figures=figures)


def _kinds(rows: list[dict]) -> tuple[str, ...]:
    there = {row["regime"] for row in rows}
    wanted = ("dwarf", "giant", "cool", "warm", "poor-dwarf", "poor-giant")
    return tuple(name for name in wanted if name in there) or ("all",)


def _one_to_one(study: Study, label: str, predictions: list[dict], out: Path) -> FigureFile:
    seed = study.seeds[0]
    size = 100 if 100 in study.sizes else max(study.sizes, default=0)
    adapter = study.adapter.get(size, "lora")
    wanted = [("zero-shot", 0), ("recalibrate", size), ("scratch", size), (adapter, size)]
    largest = max(study.sizes, default=0)
    wanted += [("scratch", largest), ("residual", largest), ("lora", largest), ("full", largest)]
    panels = []
    for strategy, n in dict.fromkeys(wanted):
        found = [
            p
            for p in predictions
            if (p["target"], p["label"], p["strategy"], p["n_finetune"], p["seed"], p["variant"])
            == (study.target.survey, label, strategy, n, seed, "default")
        ]
        if not found:
            continue
        entry = found[0]
        reference = entry["reference"]
        scores = evaluate(entry["predicted"], reference[label], {"all": np.ones(len(entry["row"]), bool)}, n_boot=0)
        title = strategy if not n else f"{strategy}, n = {n}"
        poor = reference["feh"] < -1 if "feh" in reference else None
        panels.append(Panel(title, label, reference[label], entry["predicted"], scores["all"], poor))
    caption = f"Predicted against reference {plain(label)} of the same stars, one seed ({seed})."
    return _figure(one_to_one(panels), out, f"one-to-one-{label}", caption)


def _figure(figure, out: Path, name: str, caption: str) -> FigureFile:
    return FigureFile(save(figure, out / "figures", name)["png"], caption)


def _settings_section(studies: dict[str, Study], out: Path) -> Section:
    tables = []
    for variant, study in studies.items():
        content = asdict(study)
        shown = {k: content[k] for k in ("preprocessing", "pretrain", "adapter", "sizes", "seeds", "split")}
        shown.update({f"strategy {name}": settings for name, settings in content["strategies"].items()})
        text = {name: yaml.safe_dump(value, default_flow_style=True, width=1000) for name, value in shown.items()}
        text = {name: value.removesuffix("\n...\n").strip().strip("{}") for name, value in text.items()}
        tables.append(settings_html(text, f"Settings, variant {variant}"))
        write_text(out / "settings" / f"{variant}.yaml", yaml.safe_dump(content, sort_keys=False, width=110))
    return Section("Settings", tables=tables)
