"""How the [alpha/Fe]-[Fe/H] plane of a survey comes out by each strategy, against a reference sample."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from ..datasets import read_set, usable
from ..errors import InputError
from ..evaluate import GAMMA, Discrepancy, halves_floor, squared_mmd
from ..files import write_text
from ..labels import read_labels
from ..report import FigureFile, Plane, Section, abundance_plane, in_order, rows_html, save
from .inputs import locate
from .jobs import Job, read_plane
from .pipeline import PIPELINE, read_table, rows_of, shown
from .spec import Study

AXES = ("feh", "alphafe")

NARROW = 50.0
"""A second gamma, of a kernel 0.1 dex wide (standard deviation): the paper's, 0.5 dex wide, hardly sees that the two
sequences of the disc, 0.2 dex apart, run together."""

TRUE, HALVES = "true labels", "halves of the reference"
"""Names of the rows that say what the best possible value is."""

COLUMNS = ("strategy", "n_finetune", "seed", "gamma", "mmd2", "mmd2_err", "n", "n_reference")


def plane_section(study: Study, jobs: Iterable[Job], out: Path) -> tuple[Section, list[dict]]:
    """Compare the plane of every strategy with the reference, and write ``mmd.csv`` and the figure.

    Parameters
    ----------
    study : Study
        With `plane`.
    jobs : iterable of Job
        Those of this study, all done.
    out : Path

    Returns
    -------
    Section
        For the report.
    list of dict
        Rows of ``mmd.csv``.

    Raises
    ------
    InputError
        If a table lacks labels, or no star of the sample is among the spectra.
    """
    sample = study.plane
    assert sample is not None
    reference = _both(read_labels(locate(sample.reference, study, out)), AXES, sample.reference)
    reference = reference[np.isfinite(reference).all(axis=1)]
    planes = list(_planes(study, [job for job in jobs if job.plane], out))
    rows = []
    for gamma in (GAMMA, NARROW):
        n = len(reference)
        for strategy, size, seed, stars in planes:
            rows.append(_row(strategy, size, seed, gamma, squared_mmd(stars, reference, gamma), len(stars), n))
        rows.append(_row(HALVES, 0, 0, gamma, halves_floor(reference, gamma), n // 2, n // 2))
    _write(rows, out / "mmd.csv")
    return _section(study, reference, planes, rows, out), rows


def _planes(study: Study, jobs: list[Job], out: Path) -> Iterator[tuple[str, int, int, np.ndarray]]:
    """Strategy, number of fine-tuning stars, seed, and both labels of the same stars, shape (n_stars, 2)."""
    sample = study.plane
    assert sample is not None
    prepared = read_set(jobs[0].plane)
    table = read_table(locate(sample.labels, study, out), study.pipeline)
    place = rows_of(table, prepared)
    chosen = usable(prepared) & (place >= 0)
    if not chosen.any():
        raise InputError(f"plane: none of {len(prepared)} spectra is usable and listed in {sample.labels}")
    if sample.truth is not None:
        yield TRUE, 0, 0, _truth(read_labels(locate(sample.truth, study, out)), table, place[chosen], sample.truth)
    if set(AXES) <= set(study.pipeline):
        values = _both(table, [study.pipeline[name].lower() for name in AXES], sample.labels)[place[chosen]]
        yield PIPELINE, 0, 0, values[np.isfinite(values).all(axis=1)]
    found: dict[tuple, dict[str, np.ndarray]] = {}
    for job in jobs:
        predicted = read_plane(job, out / "runs")
        key = ("zero-shot" if job.strategy == "pretrain" else job.strategy, job.n_finetune, job.seed)
        values = np.full(len(prepared), np.nan)
        for label in job.labels:
            values = np.full(len(prepared), np.nan)
            values[predicted["row"]] = predicted[label]
            found.setdefault(key, {}).setdefault(label, values[chosen])
    for key, labels in found.items():
        if set(AXES) <= set(labels):
            yield (*key, np.stack([labels[name] for name in AXES], axis=1))


def _both(table: dict[str, np.ndarray], names: Iterable[str], where: str) -> np.ndarray:
    absent = [name for name in names if name not in table]
    if absent:
        raise InputError(f"{where}: no column {', '.join(absent)}; it has {', '.join(table)}")
    return np.stack([np.asarray(table[name], np.float64) for name in names], axis=1)


def _truth(truth: dict[str, np.ndarray], table: dict[str, np.ndarray], place: np.ndarray, where: str) -> np.ndarray:
    """True labels of the stars of the sample, found by their Gaia identifier."""
    if "source_id" not in table or "id" not in truth:
        raise InputError(f"{where}: true labels are found by source_id, which it and the labels of the plane must have")
    order = np.argsort(truth["id"], kind="stable")
    wanted = table["source_id"][place]
    rows = order[np.minimum(np.searchsorted(truth["id"], wanted, sorter=order), len(order) - 1)]
    values = _both(truth, AXES, where)[rows]
    return values[(truth["id"][rows] == wanted) & np.isfinite(values).all(axis=1)]


def _row(strategy: str, size: int, seed: int, gamma: float, found: Discrepancy, n: int, n_reference: int) -> dict:
    values = (strategy, size, seed, gamma, found.value, found.error, n, n_reference)
    return dict(zip(COLUMNS, values, strict=True))


def _write(rows: list[dict], path: Path) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow(row | {"mmd2": f"{row['mmd2']:.6f}", "mmd2_err": f"{row['mmd2_err']:.6f}"})
    write_text(path, text.getvalue())


def mean_mmd(rows: list[dict], strategy: str, gamma: float = GAMMA) -> tuple[float, float] | None:
    """Mean over seeds of the squared discrepancy of a strategy, and its error: of the stars or over seeds, the larger."""
    own = [row for row in rows if row["strategy"] == strategy and row["gamma"] == gamma]
    if not own:
        return None
    values = [row["mmd2"] for row in own]
    over_seeds = np.std(values, ddof=1) if len(values) > 1 else 0.0
    return float(np.mean(values)), float(max(np.mean([row["mmd2_err"] for row in own]), over_seeds))


def _section(study: Study, reference: np.ndarray, planes: list, rows: list[dict], out: Path) -> Section:
    sample = study.plane
    assert sample is not None
    seed = study.seeds[0]
    strategies = [name for name in (TRUE, PIPELINE) if mean_mmd(rows, name)]
    strategies += [name for name in in_order([plane[0] for plane in planes]) if name not in strategies]
    panels = []
    for name in strategies:
        size, stars = next((size, stars) for s, size, own, stars in planes if s == name and own in (seed, 0))
        value = next(row for row in rows if row["strategy"] == name and row["seed"] in (seed, 0))
        title = shown(name, study) + (f", n = {size}" if size else "")
        panels.append(Plane(title, stars[:, 0], stars[:, 1], value["mmd2"], value["mmd2_err"]))
    simulated = study.simulate is not None
    figure = abundance_plane(Plane("reference", reference[:, 0], reference[:, 1]), panels)
    caption = (
        f"[alpha/Fe] against [Fe/H] of the same {len(planes[-1][3])} stars of {sample.survey} by every strategy, one seed "
        f"({seed}), and of the {len(reference)} reference stars, whose contours are repeated in all panels."
    )
    figures = [FigureFile(save(figure, out / "figures", "abundance-plane")["png"], caption)]
    table = [
        [shown(name, study), *(_printed(mean_mmd(rows, name, gamma)) for gamma in (GAMMA, NARROW))]
        for name in [*strategies, HALVES]
    ]
    header = ["", f"gamma = {GAMMA:g} (kernel 0.5 dex wide)", f"gamma = {NARROW:g} (0.1 dex)"]
    tables = [rows_html(header, table, "MMD^2 from the reference; mean over seeds and error")]
    paragraphs = [
        "MMD^2 is the unbiased estimate of the squared maximum mean discrepancy (Gretton et al. 2012) between the stars of a "
        "panel and the reference stars; it is zero on average for samples of one distribution, so it may be negative. Errors are "
        "those of the samples (jackknife), or the scatter over seeds if that is larger; strategies share stars and reference, so "
        "that their differences are better known than each value.",
        f"'{HALVES}' is what chance alone gives: the mean and scatter over random halves of the reference."
        + (
            f" '{TRUE}' is the floor: the value with perfect labels, which is not zero because the two samples are "
            "selected differently and because reference labels have errors."
            if sample.truth
            else ""
        ),
        "A small MMD^2 does not say that each star's labels are right: labels shuffled among the stars have the same value.",
    ]
    if simulated and set(AXES) <= set(study.pipeline):
        paragraphs.append("The simulated pipeline errs as it was made to err; nothing is concluded from beating it.")
    return Section("The [alpha/Fe]-[Fe/H] plane", paragraphs, tables, figures)


def _printed(value: tuple[float, float] | None) -> str:
    return "–" if value is None else f"{value[0]:.4f} ± {value[1]:.4f}".replace("-", "−")
