"""The report of a study: which tables and figures are drawn from its results."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict
from pathlib import Path

import numpy as np
import yaml

from .. import __version__
from ..evaluate import evaluate, select, summarise
from ..files import write_text
from ..glossary import plain
from ..report import (
    FigureFile,
    Panel,
    Section,
    against_sample_size,
    one_to_one,
    paper_table,
    regime_dots,
    rows_html,
    save,
    settings_html,
    to_html,
    write_report,
    write_table,
)
from ..train import get_strategy, trained_strategies
from .inputs import selection_folder, selection_title
from .paired import score_strategies
from .pipeline import PIPELINE, shown
from .spec import Study, adapters

CHOSEN = "chosen"
"""Variant of rows that repeat, for each size, the adapter that was chosen beforehand."""


def write_pages(
    studies: dict[str, Study],
    predictions: list[dict],
    results: list[dict],
    first: list[Section],
    more: list[Section],
    lines: list[str],
    out: Path,
) -> Path:
    """Draw tables and figures, and write report.html.

    Parameters
    ----------
    studies : dict of str to Study
    predictions : list of dict
        Entries of `outputs`.
    results : list of dict
        Rows of results.csv.
    first, more : list of Section
        Sections that are not about a label alone: before those of the labels, and after them.
    lines : list of str
        What was done and learnt, which comes first.
    out : Path

    Returns
    -------
    Path
        The report.
    """
    study = studies["default"]
    target = study.target.survey
    # Names as readers are to see them, from here on.
    results = [row | {"strategy": shown(row["strategy"], study)} for row in results]
    predictions = [entry | {"strategy": shown(entry["strategy"], study)} for entry in predictions]
    summary = summarise(results)
    sections = []
    if lines:
        sections.append(Section("In short", paragraphs=[line[:1].upper() + line[1:] + "." for line in lines]))
    if study.notes:
        sections.append(Section("What to bear in mind", paragraphs=study.notes, caveat=True))
    sections += first
    labels = list(dict.fromkeys(row["label"] for row in results))
    for label in labels:
        own = select(summary, label=label, target=target)
        for variant in ["default", *sorted({row["variant"] for row in own} - {"default", CHOSEN, "ensemble"})]:
            rows = [row for row in own if row["variant"] == variant]
            if rows:
                sections.append(_label_section(study, label, variant, rows, own, predictions, out))
    sections += _variants_sections(studies, summary, predictions, out)
    sections += more
    sections += _selection_sections(study, out)
    sections.append(_settings_section(studies, out))
    report = out / "report.html"
    write_report(report, study.title, sections, study.description, f"transtar {__version__}")
    return report


def _label_section(study, label, variant, rows, own, predictions, out: Path) -> Section:
    suffix = "" if variant == "default" else f"-{variant}"
    merged = [row | {"source": "any"} for row in rows]
    judged = "test stars" if study.split == "test" else "validation stars (folds of the pool)"
    table = paper_table(merged, label, unranked=_own_pipeline(study))
    caption = (
        f"{plain(label)} on {judged} of {study.target.survey}: {_averaged(study)} and sigma. "
        "Shaded: the three best of each regime."
    )
    write_table(table, out / "tables", f"table-{label}{suffix}", caption)
    tables = [to_html(table, caption)]
    figures = []
    sizes = sorted({row["n_finetune"] for row in rows} - {0})
    if variant == "default":
        extra = [row | {"source": "any"} for row in own if row["variant"] in (CHOSEN, "ensemble")]
        for row in extra:
            row["row"] = (
                "chosen beforehand" if row["variant"] == CHOSEN else f"{row['strategy']}, {len(study.seeds)}-seed mean"
            )
        if extra:
            more = paper_table(extra, label, row="row")
            name = f"table-{label}-further"
            text = "The adapter chosen beforehand for each n, and the mean prediction of all seeds."
            write_table(more, out / "tables", name, text)
            tables.append(to_html(more, text))
        tables.append(_paired_table(study, label, predictions))
        kinds = paper_table(merged, label, regimes=_kinds(rows), unranked=_own_pipeline(study))
        text = f"{plain(label)} by kind of star ({' / '.join(_kinds(rows))})."
        write_table(kinds, out / "tables", f"table-{label}-kinds", text)
        tables.append(to_html(kinds, text))
        figures.append(_one_to_one(study, label, predictions, out))
        if len(sizes) > 1:
            learnt = [row for row in merged if row["strategy"] not in _own_pipeline(study)]
            figures.append(
                _figure(
                    against_sample_size(learnt, label), out, f"sample-size-{label}",
                    f"{plain(label)}: R2 and sigma against the number of fine-tuning stars; bars are the standard "
                    "deviation over seeds.",
                )
            )  # fmt: skip
        if sizes:
            figures.append(
                _figure(
                    regime_dots(merged, label, sizes[-1]), out, f"kinds-{label}",
                    f"{plain(label)} by kind of star, fine-tuned on {sizes[-1]} stars.",
                )
            )  # fmt: skip
    elif study.subset is not None and variant == study.subset.name:
        figures.append(_one_to_one(study, label, predictions, out, variant))
    heading = plain(label) if variant == "default" else f"{plain(label)}: {variant}"
    return Section(heading, tables=tables, figures=figures)


def _variants_sections(
    studies: dict[str, Study], summary: list[dict], predictions: list[dict], out: Path
) -> list[Section]:
    """Deviations side by side, one table for each label and target, with the bias that the other tables have no room for."""
    if len(studies) < 2:
        return []
    header = ["variant", "strategy", "n", "R2 all", "R2 poor", "R2 rich", "sigma", "bias", "R2 minus default"]
    sections = []
    for target in dict.fromkeys(study.target.survey for study in studies.values()):
        for label in dict.fromkeys(row["label"] for row in summary):
            judged = select(predictions, target=target, label=label)
            rows = []
            for row in select(summary, label=label, target=target, regime="all"):
                if row["variant"].endswith("ensemble") or row["variant"] == CHOSEN:
                    continue
                same = {name: row[name] for name in ("variant", "strategy", "n_finetune", "source")}
                own = {r["regime"]: r for r in select(summary, label=label, target=target, **same)}
                r2 = [f"{own[name]['r2']:.3f}" if name in own else "" for name in ("all", "poor", "rich")]
                digits = 0 if label == "teff" else 3
                numbers = [f"{row['sigma']:.{digits}f}", f"{row['bias']:+.{digits}f}"]
                what = [row["variant"], row["strategy"], str(row["n_finetune"])]
                rows.append([*what, *r2, *numbers, _minus_default(judged, row)])
            if rows:
                text = io.StringIO()
                csv.writer(text, lineterminator="\n").writerows([header, *rows])
                write_text(out / "tables" / f"variants-{target}-{label}.csv", text.getvalue())
                caption = (
                    f"{plain(label)} of {target}, variant by variant; means over seeds. Differences are paired, star by star and "
                    "seed by seed, where both were judged on the same stars."
                )
                sections.append(
                    Section(f"{plain(label)} of {target}: all variants", tables=[rows_html(header, rows, caption)])
                )
    return sections


def _minus_default(predictions: list[dict], row: dict) -> str:
    """By how much a variant beats the default in R2, paired; empty where the two cannot be compared."""
    if row["variant"] == "default":
        return ""
    run = {name: row[name] for name in ("strategy", "n_finetune")}
    one, other = (select(predictions, variant=variant, **run) for variant in (row["variant"], "default"))
    if not other or not all(np.array_equal(entry["row"], other[0]["row"]) for entry in [*one, *other]):
        return ""
    ours, theirs = (score_strategies(entries)[row["strategy"]] for entries in (one, other))
    return _with_error(*ours.minus(theirs)) if len(ours.r2) == len(theirs.r2) else ""


def _averaged(study: Study) -> str:
    values = "R2 (all / poor / rich)"
    if len(study.seeds) == 1:
        return values
    return f"mean over {len(study.seeds)} seeds of {values}, its standard deviation over seeds,"


def _own_pipeline(study: Study) -> tuple[str, ...]:
    """The survey's pipeline is shown and not ranked."""
    return (shown(PIPELINE, study),) if study.pipeline else ()


def _paired_table(study: Study, label: str, predictions: list[dict]) -> str:
    """R2 with errors over the test stars, and differences from two strategies that need no adapter."""
    size = max(study.sizes, default=0)
    wanted = {"target": study.target.survey, "label": label, "variant": "default", "n_finetune": (0, size)}
    scored = score_strategies(select(predictions, **wanted))
    digits = 0 if label == "teff" else 3
    base = [name for name in ("zero-shot", "scratch") if name in scored]
    rows = []
    for name, one in scored.items():
        alone = name in _own_pipeline(study)
        minus = ["–" if alone or other == name else _with_error(*one.minus(scored[other])) for other in base]
        spread = (f"{values.mean():.{digits}f}".replace("-", "−") for values in (one.sigma, one.bias))
        rows.append([name, _with_error(one.r2.mean(), one.error), *minus, *spread])
    header = ["", "R2", *(f"R2 minus that of {name}" for name in base), "sigma", "bias"]
    caption = (
        f"{plain(label)}, all test stars, at most {size} fine-tuning stars: errors are over test stars (bootstrap) and seeds; "
        "those of differences are paired, star by star and seed by seed."
    )
    return rows_html(header, rows, caption)


def _with_error(value: float, error: float) -> str:
    return f"{value:.3f} ± {error:.3f}".replace("-", "−")


def _selection_sections(study: Study, out: Path) -> list[Section]:
    """How the stars were selected, cut by cut."""
    tables = []
    for name in study.selections:
        folder = selection_folder(study, name, out)
        with (folder / f"{name}-cuts.csv").open(newline="", encoding="utf-8") as file:
            steps = [[s["table"], s["cut"], s["rows"], s["lost"], s["source"]] for s in csv.DictReader(file)]
        title = selection_title(study, name)
        tables.append(rows_html(["table", "cut", "rows left", "lost", "source"], steps, f"{name}: {title}"))
    return [Section("Selections", tables=tables)] if tables else []


def _kinds(rows: list[dict]) -> tuple[str, ...]:
    there = {row["regime"] for row in rows}
    wanted = ("dwarf", "giant", "cool", "warm", "poor-dwarf", "poor-giant")
    return tuple(name for name in wanted if name in there) or ("all",)


def _one_to_one(study: Study, label: str, predictions: list[dict], out: Path, variant: str = "default") -> FigureFile:
    seed, largest = study.seeds[0], max(study.sizes, default=0)
    if study.pipeline:
        wanted = [(shown(PIPELINE, study), 0), ("zero-shot", 0), ("recalibrate", largest), ("ridge", largest)]
    else:
        size = 100 if 100 in study.sizes else largest
        adapter = adapters(study, size).get(label, "lora")
        wanted = [("zero-shot", 0), ("recalibrate", size), ("scratch", size), (adapter, size)]
    # Networks from scratch first, then the adapters.
    wanted += [(name, largest) for name in sorted(trained_strategies(), key=lambda name: get_strategy(name).uses_model)]
    panels = []
    for strategy, n in dict.fromkeys(wanted):
        found = [
            p
            for p in predictions
            if (p["target"], p["label"], p["strategy"], p["n_finetune"], p["seed"], p["variant"])
            == (study.target.survey, label, strategy, n, seed, variant)
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
    name = f"one-to-one-{label}" + ("" if variant == "default" else f"-{variant}")
    return _figure(one_to_one(panels), out, name, caption)


def _figure(figure, out: Path, name: str, caption: str) -> FigureFile:
    return FigureFile(save(figure, out / "figures", name)["png"], caption)


def _settings_section(studies: dict[str, Study], out: Path) -> Section:
    tables = []
    for variant, study in studies.items():
        content = asdict(study)
        names = (
            "simulate",
            "preprocessing",
            "pretrain",
            "adapter",
            "sizes",
            "seeds",
            "split",
            "experiments",
            "explain",
        )
        settings = {name: content[name] for name in names if content[name] is not None}
        settings.update({f"strategy {name}": own for name, own in content["strategies"].items()})
        text = {name: yaml.safe_dump(value, default_flow_style=True, width=1000) for name, value in settings.items()}
        text = {name: value.removesuffix("\n...\n").strip().strip("{}") for name, value in text.items()}
        tables.append(settings_html(text, f"Settings, variant {variant}"))
        write_text(out / "settings" / f"{variant}.yaml", yaml.safe_dump(content, sort_keys=False, width=110))
    return Section("Settings", tables=tables)
