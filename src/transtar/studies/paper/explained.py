"""Loss landscapes and gradients of a study's networks, computed once and drawn again from what is stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ...datasets import PreparedSet, read_set
from ...errors import TranstarError
from ...evaluate import regimes, select
from ...explain import Landscape, loss_landscape, read_landscapes, save_landscapes, summary_rows
from ...explain.lines import read_lines
from ...explain.physical import run_physical_test
from ...explain.response import PhysicalTest
from ...explain.results import (
    RESPONSE,
    SALIENCY,
    read_saliency,
    read_test,
    shares,
    write_saliency,
    write_shares,
    write_test,
)
from ...explain.saliency import Saliency, saliency
from ...files import content_hash
from ...glossary import plain
from ...models import Estimator, load_estimator
from ...report import FigureFile, Section, draw_landscapes, in_order, rows_html, save
from ...report.response import response_matrix
from ...report.saliency import saliency_maps
from ..job import Job
from ..rows import divide
from ..spec import Study

LANDSCAPES = "landscape.npz"

STARS = 300
"""Test stars of the physical test, drawn at random; as many metal-poor ones are added for the regimes of those."""

FEWEST = 3
"""Stars of a regime below which nothing is drawn of it."""


def explained_sections(study: Study, jobs: Sequence[Job], out: Path, say: Callable[[str], None]) -> list[Section]:
    """Draw Figures 5 and B6, and the responses to labels; what they show is computed where it is not stored.

    Parameters
    ----------
    study : Study
        With `explain`.
    jobs : sequence of Job
        Those of the study itself, all done.
    out : Path
    say : callable
    """
    wanted = study.explain
    assert wanted is not None
    seed = study.seeds[0]
    saved = [job for job in jobs if job.saved]
    if not saved:
        return []
    start = next(job for job in jobs if job.strategy == "pretrain" and (job.model, job.seed) == (wanted.model, seed))
    folder = out / "explained" / content_hash([[job.key for job in (start, *saved)], wanted.regime, wanted.seeds])
    label = study.models[wanted.model][0]
    stars = _Stars(start, wanted.regime, label)
    if len(stars.chosen) < FEWEST:
        few = f"{len(stars.chosen)} test stars of the regime '{wanted.regime}' are too few to look at networks by."
        return [Section("Loss landscapes and gradients", [few])]
    paths = {"zero-shot": start.base} | {job.strategy: job.saved for job in saved}
    if not (folder / LANDSCAPES).is_file():
        say(f"loss landscapes of {len(saved)} strategies on {len(stars.chosen)} {wanted.regime} test stars")
        _landscapes(paths, stars, label, wanted.seeds, folder)
    if not (folder / SALIENCY).is_file():
        say(f"gradients of {len(paths)} networks")
        _saliency(study, paths, stars, label, folder, say)
    found = read_saliency(folder)
    test = read_test(folder) if (folder / RESPONSE).is_file() else None
    return [
        _landscape_section(read_landscapes(folder / LANDSCAPES), stars, out),
        _saliency_section(found, test, stars.set.preprocessing.frame, out),
    ]


class _Stars:
    """The test stars of a run, and those of one regime that have a label."""

    def __init__(self, job: Job, regime: str, label: str):
        self.set: PreparedSet = read_set(job.target)
        self.regime = regime
        self.rows = divide(job)[1]
        self.labels = {name: self.set.columns[name][self.rows].astype(np.float64) for name in self.set.labels}
        self.regimes = regimes(self.labels, 0)
        self.chosen = self.rows[
            self.regimes.get(regime, np.zeros(len(self.rows), bool)) & np.isfinite(self.labels[label])
        ]

    def reference(self, label: str) -> np.ndarray:
        """Reference of the chosen stars."""
        return self.set.columns[label][self.chosen].astype(np.float64)


def _landscapes(paths: dict[str, str], stars: _Stars, label: str, seeds: int, folder: Path) -> None:
    base = load_estimator(paths["zero-shot"])
    found = {
        name: loss_landscape(
            load_estimator(path), stars.set.flux[stars.chosen], stars.reference(label), label=label, n_seeds=seeds,
            base=base if name == "full" else None,
        )
        for name, path in paths.items()
        if name != "zero-shot"
    }  # fmt: skip
    save_landscapes(found, folder)


def _saliency(
    study: Study, paths: dict[str, str], stars: _Stars, label: str, folder: Path, say: Callable[[str], None]
) -> None:
    models = {name: load_estimator(path) for name, path in paths.items()}
    wave = stars.set.preprocessing.wavelengths.wave
    found = saliency(models, stars.set.flux[stars.chosen], wave, label, stars.regime)
    write_shares(folder, shares(found, read_lines()))
    test = _physical_test(study, models, stars, label, say)
    if test is not None:
        write_test(folder, test, wave)
    # Last, because this file says that all is there.
    write_saliency(folder, found)


def _physical_test(
    study: Study, models: dict[str, Estimator], stars: _Stars, label: str, say: Callable[[str], None]
) -> PhysicalTest | None:
    order = np.random.default_rng(0).permutation(len(stars.rows))
    drawn = order[:STARS]
    poor = order[stars.regimes["poor"][order]][:STARS] if "poor" in stars.regimes else order[:0]
    drawn, random = np.concatenate([drawn, np.setdiff1d(poor, drawn)]), len(drawn)
    # Metal-poor stars beyond their share count in their own regimes alone.
    masks = {
        name: mask[drawn] & (name.startswith("poor") | (np.arange(len(drawn)) < random))
        for name, mask in stars.regimes.items()
    }
    try:
        lines = _lines(study, models["zero-shot"])
        return run_physical_test(models, label, stars.set.select(stars.rows[drawn]), masks, lines=lines)[0]
    except TranstarError as error:
        say(f"no physical test: {error}")
        return None


def _lines(study: Study, model: Estimator):
    """The line correction of the mock stars that a model, or the one that it began with, has learnt from; None for none."""
    from ...simulate.lines import lines_of_model, load_lines
    from ...simulate.mock_sets import mock_settings

    assert study.explain is not None
    sample = study.sources.get(study.explain.model, study.source)
    own = None if sample.mock is None else mock_settings(sample.mock).lines
    name = own or lines_of_model(model.provenance)
    return None if name is None else load_lines(name)


def _landscape_section(found: dict[str, Landscape], stars: _Stars, out: Path) -> Section:
    drawn = {name: found[name] for name in in_order(list(found)) if name != "scratch"}
    any_one = next(iter(found.values()))
    caption = (
        f"Figure 5. Loss (mean squared error of {plain(any_one.label)}, logarithmic) of {any_one.n_stars} {stars.regime} test "
        "stars over a random plane through the fine-tuned weights of each strategy; star: minimum; the centre is the "
        "fine-tuned network."
    )
    figure = FigureFile(save(draw_landscapes(drawn), out / "figures", "figure-5")["png"], caption)
    rows = summary_rows(found)
    header = [
        "",
        "loss at the centre",
        "of zero-shot",
        "lowest loss (over planes)",
        "its distance",
        "planes with it on the edge",
    ]
    body = []
    for name in in_order(list(found)):
        own = select(rows, model=name)
        lowest, distance = ([row[key] for row in own] for key in ("minimum_loss", "distance"))
        zero = own[0]["zero_shot_loss"]
        body.append(
            [
                name, f"{own[0]['centre_loss']:.4f}", "–" if zero is None or not np.isfinite(zero) else f"{zero:.4f}",
                _range(lowest, 4), _range(distance, 2), f"{sum(bool(row['on_edge']) for row in own)} of {len(own)}",
            ]
        )  # fmt: skip
    paragraphs = [
        "Only the weights that were fine-tuned move: the head's, LoRA's two factors, or all; biases stay. Each plane is spanned "
        "by two random directions whose filters have the length of those of the weights (Li et al. 2018): alpha = 1 adds to each "
        "filter a random vector as long as itself. The paper's text centres on the pre-trained weights; around an adapter that "
        "is zero at its start the surface is flat, and so the centre here is the fine-tuned network.",
        "A minimum away from the centre means that other weights than those that the fine-tuning stars chose would have served "
        "these stars better. All networks are those of one seed.",
    ]
    table = rows_html(header, body, f"Losses in {rows[0]['unit']}^2; distances in units of alpha and beta.")
    return Section("Loss landscapes", paragraphs, [table], [figure])


def _range(values: Sequence[float], digits: int) -> str:
    low, high = min(values), max(values)
    return f"{low:.{digits}f}" + (f" to {high:.{digits}f}" if high > low else "")


def _saliency_section(found: Saliency, test: PhysicalTest | None, frame: str, out: Path) -> Section:
    lines = read_lines()
    weights = None if test is None else test.weights.get(found.stars)
    beside = ""
    if weights is not None:
        beside = " beside the weights of the unbiased linear estimator of least variance"
    caption = (
        f"Figure B6. Normalised spectra of {found.n_stars} {found.stars} test stars in the {frame} frame, the absolute gradient "
        f"of {plain(found.label)} with respect to them (median and 1 sigma), and windows with every strategy; below, mean signed "
        f"gradients{beside}."
    )
    figures = [
        FigureFile(save(saliency_maps(found, lines, weights=weights), out / "figures", "figure-b6")["png"], caption)
    ]
    tables = [_shares_html(found)]
    paragraphs = [
        "The gradient says what would move the network, not what moved it: where stars do not differ it may be anything. "
        "'Effect' weighs it with how much the flux of these stars varies."
    ]
    if test is not None and test.responses:
        figures.append(
            FigureFile(
                save(response_matrix(test.responses), out / "figures", "response")["png"],
                f"Response of the predicted {plain(found.label)} to one label of synthetic spectra at a time, {test.n_stars} "
                "stars, those of other regimes than the metal-poor ones a random sample: a perfect network has 1 "
                "for its own label and 0 for all others.",
            )
        )
        paragraphs.append(
            "The physical test moves one label of synthetic spectra at a time, passes them through the same preprocessing, and "
            "asks what the network answers: one that answers to Teff or [alpha/Fe] infers its label from what usually goes with "
            "it."
        )
    return Section("What the networks look at", paragraphs, tables, figures)


def _shares_html(found: Saliency) -> str:
    by_model = shares(found, read_lines())
    names = in_order(list(by_model))
    elements = [one.name for one in by_model[names[0]] if one.kind == "element"]
    rows = []
    for element in elements:
        own = {
            name: next(one for one in by_model[name] if (one.kind, one.name) == ("element", element)) for name in names
        }
        chance = own[names[0]].chance
        rows.append([element, f"{chance:.3f}", *(f"{own[name].share:.3f} / {own[name].effect:.3f}" for name in names)])
    rows.sort(key=lambda row: -float(row[2].split(" / ")[1]))
    header = ["near lines of", "share of pixels", *names]
    return rows_html(header, rows, "Share of the absolute gradient / of its effect near the lines of each element.")
