"""How the [alpha/Fe]-[Fe/H] plane of a survey comes out by each strategy, against a reference sample."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..datasets import PreparedSet, read_set, usable
from ..errors import InputError, TooFew
from ..evaluate import GAMMA, GAMMAS, Discrepancy, halves_floor, select, squared_mmds
from ..files import write_text
from ..labels import read_labels
from .by_input import FLUX
from .job import Job
from .pipeline import PIPELINE, read_table, rows_of
from .predictions import read_stars, write_stars
from .spec import Study
from .stored import read_plane
from .study_files import locate

AXES = ("feh", "alphafe")

TRUE, HALVES = "true labels", "halves of the reference"
"""Names of the rows that say what the best possible value is."""

REFERENCE, TRUTH = "reference", "truth"
"""What a plane is compared with: the reference stars, or the true labels of stars of the same sample."""

COLUMNS = {
    "strategy": str, "n_finetune": int, "seed": int, "against": str, "gamma": float, "mmd2": float, "mmd2_err": float,
    "n": int, "n_against": int,
}  # fmt: skip
"""Columns of mmd.csv and the types of their values."""

DEFAULT = "default"

ANY = ""
"""Stands for the input where labels are of no network: true ones, the pipeline's, the reference."""


@dataclass(frozen=True, eq=False)
class PlaneLabels:
    """Labels of the n stars of a plane by everything that labelled them from one input, and those of the reference.

    Parameters
    ----------
    runs : dict of (str, int, int) to dict of str to ndarray, shape (n,)
        By strategy, number of fine-tuning stars and seed, and by label; NaN where missing.
    truth, pipeline : ndarray, shape (n, 2), or None
        True labels, and those of the survey's own pipeline.
    reference : ndarray, shape (n_reference, 2)
        Both labels of the reference stars that have them.
    """

    runs: dict[tuple[str, int, int], dict[str, np.ndarray]]
    truth: np.ndarray | None
    pipeline: np.ndarray | None
    reference: np.ndarray

    def stars(self, feh: tuple[str, int, int], alphafe: tuple[str, int, int]) -> np.ndarray | None:
        """Both labels, shape (n, 2), each from a run of its own; None where one is missing."""
        x, y = (self.runs.get(run, {}).get(label) for run, label in zip((feh, alphafe), AXES, strict=True))
        return None if x is None or y is None else np.stack([x, y], axis=1)

    def planes(self) -> Iterator[tuple[str, int, int, np.ndarray]]:
        """Strategy, number of fine-tuning stars, seed, and both labels of the same stars, shape (n, 2)."""
        if self.truth is not None:
            yield TRUE, 0, 0, self.truth
        if self.pipeline is not None:
            yield PIPELINE, 0, 0, self.pipeline
        for run in self.runs:
            stars = self.stars(run, run)
            if stars is not None:
                yield (*run, stars)


def with_ending(file: str, name: str) -> str:
    """Name of a file that is about a subset of the stars, or about all of them if `name` is empty."""
    return f"{file}-{name}" if name else file


def collect_plane(study: Study, jobs: Iterable[Job], out: Path, stars: Path, name: str = "") -> None:
    """Write what every run says of the stars of a plane, and how far those of the study's first input are from the reference.

    Parameters
    ----------
    study : Study
        With `plane`.
    jobs : iterable of Job
        Those of the study and of its experiments, all done.
    out, stars : Path
        Folders of the study, for ``mmd.csv``, and of its tables of stars, for ``plane.parquet``.
    name : str
        Of a subset of the stars: ending of the files' names.

    Raises
    ------
    InputError
        If a table lacks labels; `TooFew` if too few stars of the sample are among the spectra, or too few have both labels.
        Files of an earlier run are removed then.
    """
    file, scores = stars / f"{with_ending('plane', name)}.parquet", out / f"{with_ending('mmd', name)}.csv"
    try:
        of_inputs = plane_labels(study, jobs, out)
        default = next(iter(of_inputs.values()))[DEFAULT]
        rows = list(_rows(list(default.planes()), default.reference))
    except TooFew:
        for path in (file, scores):
            path.unlink(missing_ok=True)
        raise
    write_stars(list(_to_tables(of_inputs)), file)
    _write_mmd(rows, scores)


def _to_tables(of_inputs: Mapping[str, Mapping[str, PlaneLabels]]) -> Iterator[pa.Table]:
    """Rows of plane.parquet; truth, pipeline and reference, which are the same for all, come once."""
    for input, planes in of_inputs.items():
        for variant, plane in planes.items():
            for run, labels in plane.runs.items():
                yield _to_table(input, variant, run, [labels.get(label) for label in AXES])
    plane = next(iter(of_inputs.values()))[DEFAULT]
    for name, stars in {TRUE: plane.truth, PIPELINE: plane.pipeline, REFERENCE: plane.reference}.items():
        if stars is not None:
            yield _to_table(ANY, DEFAULT, (name, 0, 0), list(stars.T))


def _to_table(input: str, variant: str, run: tuple[str, int, int], labels: list[np.ndarray | None]) -> pa.Table:
    n = next(len(values) for values in labels if values is not None)
    strategy, size, seed = run
    text = {
        name: pa.repeat(pa.scalar(value, pa.string()), n)
        for name, value in (("input", input), ("variant", variant), ("strategy", strategy))
    }
    whole = {name: np.full(n, value, np.int64) for name, value in (("n_finetune", size), ("seed", seed))}
    columns = [pa.nulls(n, pa.float64()) if values is None else pa.array(values, pa.float64()) for values in labels]
    return pa.table({**text, **whole, **dict(zip(AXES, columns, strict=True))})


def read_planes(path: Path, input: str) -> dict[str, PlaneLabels] | None:
    """Read what `collect_plane` wrote of networks of one input, by variant; None where there is no such file, or none of them.

    Raises
    ------
    InputError
        If it is damaged.
    """
    table = read_stars(path)
    if table is None:
        return None
    try:
        if "input" in table.column_names:
            table = table.filter(pc.is_in(table["input"], pa.array([input, ANY])))
        elif input != FLUX:
            # Of an older version, where all planes were of networks of the flux.
            return None
        grouped = table.group_by(["variant", "strategy", "n_finetune", "seed"], use_threads=False)
        counts = grouped.aggregate([([], "count_all")]).to_pylist()
        runs: dict[str, dict[tuple, dict[str, np.ndarray]]] = {}
        start = 0
        for row in counts:
            rows = table.slice(start, row["count_all"])
            start += row["count_all"]
            known = {label: rows[label].to_numpy() for label in AXES if rows[label].null_count < len(rows)}
            runs.setdefault(row["variant"], {})[row["strategy"], row["n_finetune"], row["seed"]] = known
        default = runs[DEFAULT]
        truth, pipeline, reference = (_both_of(default.pop((name, 0, 0), {})) for name in (TRUE, PIPELINE, REFERENCE))
        assert reference is not None
    except (KeyError, TypeError, AssertionError, pa.ArrowException) as error:
        raise InputError(f"{path}: not a table of a plane ({error}); delete it and run the study again") from None
    planes = {variant: PlaneLabels(labels, truth, pipeline, reference) for variant, labels in runs.items()}
    return planes if any(plane.runs for plane in planes.values()) else None


def _both_of(labels: dict[str, np.ndarray]) -> np.ndarray | None:
    return np.stack([labels[name] for name in AXES], axis=1) if labels else None


def plane_labels(study: Study, jobs: Iterable[Job], out: Path) -> dict[str, dict[str, PlaneLabels]]:
    """What runs of a study and of its experiments, all done, say of the stars of its plane, by input and by variant.

    Raises
    ------
    InputError
        If a table lacks labels; `TooFew` if no star of the sample is among the spectra.
    """
    jobs = [job for job in jobs if job.plane]
    prepared = read_set(jobs[0].plane)
    chosen, truth, pipeline, reference = plane_tables(study, prepared, out)
    runs: dict[str, dict[str, dict[tuple, dict[str, np.ndarray]]]] = {}
    for job in jobs:
        predicted = read_plane(job, out / "runs")
        key = ("zero-shot" if job.strategy == "pretrain" else job.strategy, job.n_finetune, job.seed)
        for label in job.labels:
            values = np.full(len(prepared), np.nan)
            values[predicted["row"]] = predicted[label]
            of_variant = runs.setdefault(job.input, {}).setdefault(job.variant, {})
            of_variant.setdefault(key, {}).setdefault(label, values[chosen])
    return {
        input: {variant: PlaneLabels(labels, truth, pipeline, reference) for variant, labels in variants.items()}
        for input, variants in runs.items()
    }


def plane_tables(
    study: Study, prepared: PreparedSet, out: Path
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None, np.ndarray]:
    """What the tables of a plane say, which no run is needed for.

    Returns
    -------
    ndarray, shape (n_spectra,), bool
        Which spectra of the prepared set of the plane are the n stars that count.
    ndarray, shape (n, 2), or None
        True labels.
    ndarray, shape (n, 2), or None
        Labels of the survey's pipeline.
    ndarray, shape (n_reference, 2)

    Raises
    ------
    InputError
        If a table lacks labels; `TooFew` if no star of the sample is among the spectra.
    """
    sample = study.plane
    assert sample is not None
    table = read_table(locate(sample.labels, study, out), study.pipeline)
    place = rows_of(table, prepared)
    chosen = usable(prepared) & (place >= 0)
    if not chosen.any():
        raise TooFew(f"none of {len(prepared)} spectra is usable and listed in {sample.labels}")
    truth = pipeline = None
    if sample.truth is not None:
        truth = _truth(read_labels(locate(sample.truth, study, out)), table, place[chosen], sample.truth)
    if set(AXES) <= set(study.pipeline):
        pipeline = _both(table, [study.pipeline[name].lower() for name in AXES], sample.labels)[place[chosen]]
    reference = _finite(_both(read_labels(locate(sample.reference, study, out)), AXES, sample.reference))
    return chosen, truth, pipeline, reference


def _rows(planes: list[tuple], reference: np.ndarray) -> Iterator[dict]:
    """Rows of ``mmd.csv``, for every kernel."""
    # Labels of one half of the stars against true ones of the other: samples that share no star, as the estimator wants.
    order = np.random.default_rng(0).permutation(len(planes[0][3]))
    first, second = order[::2], order[1::2]
    truth = next((_finite(plane[3][second]) for plane in planes if plane[0] == TRUE), None)
    for *run, stars in planes:
        compared = ((REFERENCE, _finite(stars), reference), (TRUTH, _finite(stars[first]), truth))
        for against, labelled, other in compared:
            if other is not None:
                for gamma, distance in zip(GAMMAS, squared_mmds(labelled, other, GAMMAS), strict=True):
                    yield _row(run, against, gamma, distance, len(labelled), len(other))
    half = len(reference) // 2
    for gamma in GAMMAS:
        yield _row([HALVES, 0, 0], REFERENCE, gamma, halves_floor(reference, gamma), half, half)


def _finite(stars: np.ndarray) -> np.ndarray:
    return stars[np.isfinite(stars).all(axis=1)]


def _row(run: list, against: str, gamma: float, distance: Discrepancy, n: int, n_against: int) -> dict:
    return dict(zip(COLUMNS, (*run, against, gamma, distance.value, distance.error, n, n_against), strict=True))


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
    return np.where((truth["id"][rows] == wanted)[:, None], _both(truth, AXES, where)[rows], np.nan)


def _write_mmd(rows: Iterable[dict], path: Path) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(COLUMNS), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow(row | {"mmd2": f"{row['mmd2']:.6f}", "mmd2_err": f"{row['mmd2_err']:.6f}"})
    write_text(path, text.getvalue())


def read_mmd(path: Path) -> list[dict]:
    """Rows of ``mmd.csv``, typed as in `COLUMNS`; none where there is no such file.

    Raises
    ------
    InputError
        If it is damaged.
    """
    if not path.is_file():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [{name: kind(row[name]) for name, kind in COLUMNS.items()} for row in csv.DictReader(file)]
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: not a table of discrepancies ({error}); delete it and run the study again") from None


def mean_mmd(
    rows: list[dict], strategy: str, against: str = REFERENCE, gamma: float = GAMMA
) -> tuple[float, float] | None:
    """Mean over seeds of the squared discrepancy of a strategy, and its error: of the stars or over seeds, the larger."""
    of_seeds = select(rows, strategy=strategy, against=against, gamma=gamma)
    if not of_seeds:
        return None
    values = [row["mmd2"] for row in of_seeds]
    over_seeds = np.std(values, ddof=1) if len(values) > 1 else 0.0
    return float(np.mean(values)), float(max(np.mean([row["mmd2_err"] for row in of_seeds]), over_seeds))
