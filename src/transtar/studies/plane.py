"""How the [alpha/Fe]-[Fe/H] plane of a survey comes out by each strategy, against a reference sample."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..datasets import read_set, usable
from ..errors import InputError
from ..evaluate import GAMMA, GAMMAS, Discrepancy, halves_floor, select, squared_mmds
from ..files import write_text
from ..labels import read_labels
from ..report import FigureFile, Plane, Section, abundance_plane, in_order, rows_html, save
from .inputs import locate
from .job import Job
from .pipeline import PIPELINE, read_table, rows_of, shown
from .spec import Study
from .stored import read_plane

AXES = ("feh", "alphafe")

TRUE, HALVES = "true labels", "halves of the reference"
"""Names of the rows that say what the best possible value is."""

REFERENCE, TRUTH = "reference", "truth"
"""What a plane is compared with: the reference stars, or the true labels of stars of the same sample."""

COLUMNS = ("strategy", "n_finetune", "seed", "against", "gamma", "mmd2", "mmd2_err", "n", "n_against")


def plane_section(study: Study, jobs: Iterable[Job], out: Path, name: str = "") -> tuple[Section, list[dict]]:
    """Compare the plane of every strategy with the reference, and write ``mmd.csv`` and the figure.

    Parameters
    ----------
    study : Study
        With `plane`.
    jobs : iterable of Job
        Those of this study, all done.
    out : Path
    name : str
        Of a subset of the stars: ending of the files' names.

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
    reference = reference_plane(study, out)
    planes = list(_planes(plane_labels(study, jobs, out)))
    rows = list(_rows(planes, reference))
    _write(rows, out / f"{_named('mmd', name)}.csv")
    return _section(study, reference, planes, rows, out, name), rows


def _named(file: str, name: str) -> str:
    return f"{file}-{name}" if name else file


@dataclass(frozen=True, eq=False)
class PlaneLabels:
    """Labels of the stars of a plane, n of them, by everything that labelled them.

    Parameters
    ----------
    runs : dict of (str, int, int) to dict of str to ndarray, shape (n,)
        By strategy, number of fine-tuning stars and seed, and by label; NaN where missing.
    truth, pipeline : ndarray, shape (n, 2), or None
        True labels, and those of the survey's own pipeline.
    """

    runs: dict[tuple[str, int, int], dict[str, np.ndarray]]
    truth: np.ndarray | None
    pipeline: np.ndarray | None

    def stars(self, feh: tuple[str, int, int], alphafe: tuple[str, int, int]) -> np.ndarray | None:
        """Both labels, shape (n, 2), each from a run of its own; None where one is missing."""
        x, y = (self.runs.get(run, {}).get(label) for run, label in zip((feh, alphafe), AXES, strict=True))
        return None if x is None or y is None else np.stack([x, y], axis=1)


def plane_labels(study: Study, jobs: Iterable[Job], out: Path) -> PlaneLabels:
    """What runs of a study, all done, say of the stars of its plane.

    Raises
    ------
    InputError
        If a table lacks labels, or no star of the sample is among the spectra.
    """
    sample, jobs = study.plane, [job for job in jobs if job.plane]
    assert sample is not None
    prepared = read_set(jobs[0].plane)
    table = read_table(locate(sample.labels, study, out), study.pipeline)
    place = rows_of(table, prepared)
    chosen = usable(prepared) & (place >= 0)
    if not chosen.any():
        raise InputError(f"plane: none of {len(prepared)} spectra is usable and listed in {sample.labels}")
    truth = pipeline = None
    if sample.truth is not None:
        truth = _truth(read_labels(locate(sample.truth, study, out)), table, place[chosen], sample.truth)
    if set(AXES) <= set(study.pipeline):
        pipeline = _both(table, [study.pipeline[name].lower() for name in AXES], sample.labels)[place[chosen]]
    runs: dict[tuple, dict[str, np.ndarray]] = {}
    for job in jobs:
        predicted = read_plane(job, out / "runs")
        key = ("zero-shot" if job.strategy == "pretrain" else job.strategy, job.n_finetune, job.seed)
        for label in job.labels:
            values = np.full(len(prepared), np.nan)
            values[predicted["row"]] = predicted[label]
            runs.setdefault(key, {}).setdefault(label, values[chosen])
    return PlaneLabels(runs, truth, pipeline)


def reference_plane(study: Study, out: Path) -> np.ndarray:
    """Both labels of the reference stars that have them, shape (n, 2)."""
    assert study.plane is not None
    return _finite(_both(read_labels(locate(study.plane.reference, study, out)), AXES, study.plane.reference))


def _planes(labels: PlaneLabels) -> Iterator[tuple[str, int, int, np.ndarray]]:
    """Strategy, number of fine-tuning stars, seed, and both labels of the same stars, shape (n_stars, 2), NaN if missing."""
    if labels.truth is not None:
        yield TRUE, 0, 0, labels.truth
    if labels.pipeline is not None:
        yield PIPELINE, 0, 0, labels.pipeline
    for run in labels.runs:
        stars = labels.stars(run, run)
        if stars is not None:
            yield (*run, stars)


def _rows(planes: list[tuple], reference: np.ndarray) -> Iterator[dict]:
    """Rows of ``mmd.csv``, for every kernel."""
    # Labels of one half of the stars against true ones of the other: samples that share no star, as the estimator wants.
    order = np.random.default_rng(0).permutation(len(planes[0][3]))
    first, second = order[::2], order[1::2]
    truth = next((_finite(plane[3][second]) for plane in planes if plane[0] == TRUE), None)
    for *run, stars in planes:
        for against, own, other in ((REFERENCE, _finite(stars), reference), (TRUTH, _finite(stars[first]), truth)):
            if other is not None:
                for gamma, found in zip(GAMMAS, squared_mmds(own, other, GAMMAS), strict=True):
                    yield _row(run, against, gamma, found, len(own), len(other))
    half = len(reference) // 2
    for gamma in GAMMAS:
        yield _row([HALVES, 0, 0], REFERENCE, gamma, halves_floor(reference, gamma), half, half)


def _finite(stars: np.ndarray) -> np.ndarray:
    return stars[np.isfinite(stars).all(axis=1)]


def _row(run: list, against: str, gamma: float, found: Discrepancy, n: int, n_against: int) -> dict:
    return dict(zip(COLUMNS, (*run, against, gamma, found.value, found.error, n, n_against), strict=True))


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


def _write(rows: list[dict], path: Path) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow(row | {"mmd2": f"{row['mmd2']:.6f}", "mmd2_err": f"{row['mmd2_err']:.6f}"})
    write_text(path, text.getvalue())


def mean_mmd(
    rows: list[dict], strategy: str, against: str = REFERENCE, gamma: float = GAMMA
) -> tuple[float, float] | None:
    """Mean over seeds of the squared discrepancy of a strategy, and its error: of the stars or over seeds, the larger."""
    own = select(rows, strategy=strategy, against=against, gamma=gamma)
    if not own:
        return None
    values = [row["mmd2"] for row in own]
    over_seeds = np.std(values, ddof=1) if len(values) > 1 else 0.0
    return float(np.mean(values)), float(max(np.mean([row["mmd2_err"] for row in own]), over_seeds))


def _section(study: Study, reference: np.ndarray, planes: list, rows: list[dict], out: Path, name: str) -> Section:
    sample = study.plane
    assert sample is not None
    seed = study.seeds[0]
    strategies = [strategy for strategy in (TRUE, PIPELINE) if mean_mmd(rows, strategy)]
    strategies += [strategy for strategy in in_order([plane[0] for plane in planes]) if strategy not in strategies]
    panels = []
    for strategy in strategies:
        size, stars = next((size, stars) for s, size, own, stars in planes if s == strategy and own in (seed, 0))
        value = next(row for row in select(rows, strategy=strategy, against=REFERENCE) if row["seed"] in (seed, 0))
        title = shown(strategy, study) + (f", n = {size}" if size else "")
        panels.append(Plane(title, stars[:, 0], stars[:, 1], value["mmd2"], value["mmd2_err"]))
    figure = abundance_plane(
        Plane("reference", reference[:, 0], reference[:, 1]), panels, columns=3 if len(panels) < 9 else 4
    )
    caption = (
        f"[alpha/Fe] against [Fe/H] of the same {len(planes[-1][3])} stars of {sample.survey} by every strategy, one seed "
        f"({seed}), and of the {len(reference)} reference stars, whose contours are in all panels. MMD^2 is from the reference."
    )
    figures = [FigureFile(save(figure, out / "figures", _named("abundance-plane", name))["png"], caption)]
    first, *others = [f"gamma = {gamma:g}" for gamma in GAMMAS]
    kinds = [(REFERENCE, gamma) for gamma in GAMMAS]
    header = ["", f"from the reference, {first}", *others]
    if sample.truth is not None:
        kinds += [(TRUTH, gamma) for gamma in GAMMAS]
        header += [f"from true labels of the sample, {first}", *others]
    table = [
        [shown(strategy, study), *(_printed(mean_mmd(rows, strategy, *kind)) for kind in kinds)]
        for strategy in [*strategies, HALVES]
    ]
    tables = [rows_html(header, table, "MMD^2, mean over seeds, and its error")]
    paragraphs = [
        "MMD^2 is the unbiased estimate of the squared maximum mean discrepancy (Gretton et al. 2012) between two samples of "
        "stars; for samples of one distribution its mean is zero, so that it may be negative. Errors are those of the samples "
        "(jackknife), or the scatter over seeds if that is larger. Strategies share stars and reference: their differences are "
        f"better known than each value. The kernel of Zhao et al. (2026), gamma = {GAMMA:g}, is {_width(GAMMA)} dex wide and "
        "compares means and spreads: it hardly sees whether the sequences of the disc, 0.2 dex apart, are told apart. "
        f"{' and '.join(f'gamma = {gamma:g} ({_width(gamma)} dex)' for gamma in GAMMAS[1:])} see it.",
        f"'{HALVES}': random halves of the reference, the scatter that chance alone gives.",
    ]
    if sample.truth is not None:
        paragraphs.append(
            f"'{TRUE}' against the reference is the floor, the value of perfect labels. It is not zero because the two samples "
            "were selected differently, and a value below it is no merit: labels that err towards the reference have one. From "
            "the true labels (half of the stars against the other half) perfect labels have zero; only a simulation knows that."
        )
    paragraphs.append(
        "A small MMD^2 does not say that each star's labels are right: labels shuffled among the stars have the same value."
    )
    if study.simulate is not None and set(AXES) <= set(study.pipeline):
        paragraphs.append("The simulated pipeline errs as it was made to err; nothing is concluded from beating it.")
    return Section(f"The [alpha/Fe]-[Fe/H] plane{f', {name} stars' if name else ''}", paragraphs, tables, figures)


def _width(gamma: float) -> str:
    """Standard deviation of a kernel in dex."""
    return f"{(2 * gamma) ** -0.5:.2g}"


def _printed(value: tuple[float, float] | None) -> str:
    return "–" if value is None else f"{value[0]:.4f} ± {value[1]:.4f}".replace("-", "−")
