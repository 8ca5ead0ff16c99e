"""Loss landscapes and gradients of a study's networks, computed once and kept as files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..datasets import PreparedSet, read_set
from ..errors import TranstarError
from ..evaluate import regimes
from ..explain import loss_landscape, save_landscapes
from ..explain.lines import read_lines
from ..explain.physical import run_physical_test
from ..explain.response import PhysicalTest
from ..explain.saliency import saliency
from ..explain.stored_results import SALIENCY, shares, write_saliency, write_shares, write_test
from ..files import content_hash
from ..models import Estimator, load_estimator
from .job import Job
from .layout import EXPLAINED
from .rows import rows_of_job
from .sample import Sample
from .spec import Study

if TYPE_CHECKING:
    from ..simulate.mocks.line_correction import LineCorrection

LANDSCAPES = "landscape.npz"

STARS = 300
"""Test stars of the physical test, drawn at random; as many metal-poor ones are added for the regimes of those."""

FEWEST = 3
"""Stars of a regime below which nothing is drawn of it."""


def explain_networks(study: Study, jobs: Sequence[Job], out: Path, say: Callable[[str], None]) -> dict[str, Any] | None:
    """Compute the loss landscapes, gradients and responses of the networks that `explain` names, unless they are stored.

    Parameters
    ----------
    study : Study
        With `explain`.
    jobs : sequence of Job
        Those of the study itself, all done.
    out : Path
    say : callable

    Returns
    -------
    dict or None
        ``folder``, relative to `out`, and ``n_stars``, those that the networks are looked at by; where these are fewer than
        `FEWEST` there is nothing in the folder. None if no network was kept.
    """
    wanted = study.explain
    assert wanted is not None
    seed = study.seeds[0]
    saved = [job for job in jobs if job.saved and job.model == wanted.model]
    if not saved:
        return None
    start = next(job for job in jobs if job.strategy == "pretrain" and (job.model, job.seed) == (wanted.model, seed))
    folder = out / EXPLAINED / content_hash([[job.key for job in (start, *saved)], wanted.regime, wanted.seeds])
    label = study.models[wanted.model][0]
    stars = Stars(start, wanted.regime, label)
    if len(stars.chosen) >= FEWEST:
        paths = {"zero-shot": start.base} | {job.strategy: job.saved for job in saved}
        if not (folder / LANDSCAPES).is_file():
            say(f"loss landscapes of {len(saved)} strategies on {len(stars.chosen)} {wanted.regime} test stars")
            _landscapes(paths, stars, label, wanted.seeds, folder)
        if not (folder / SALIENCY).is_file():
            say(f"gradients of {len(paths)} networks")
            _saliency(study, paths, stars, label, folder, say)
    return {"folder": f"{EXPLAINED}/{folder.name}", "n_stars": len(stars.chosen)}


class Stars:
    """The test stars of a run, and those of one regime that have labels."""

    def __init__(self, job: Job, regime: str, *labels: str):
        self.set: PreparedSet = read_set(job.target)
        self.regime = regime
        self.rows = rows_of_job(job)[1]
        self.labels = {name: self.set.columns[name][self.rows].astype(np.float64) for name in self.set.labels}
        self.regimes = regimes(self.labels, 0)
        known = np.all([np.isfinite(self.labels[label]) for label in labels], axis=0)
        self.chosen = self.rows[self.regimes.get(regime, np.zeros(len(self.rows), bool)) & known]

    def reference(self, label: str) -> np.ndarray:
        """Reference of the chosen stars."""
        return self.set.columns[label][self.chosen].astype(np.float64)


def _landscapes(paths: dict[str, str], stars: Stars, label: str, seeds: int, folder: Path) -> None:
    base, known = load_estimator(paths["zero-shot"]), stars.set.select(stars.chosen)
    landscapes = {}
    for name, model in ((name, load_estimator(path)) for name, path in paths.items() if name != "zero-shot"):
        start = base if name == "full" else None
        inputs = known.input(model.input, model.encoders)
        landscapes[name] = loss_landscape(model, inputs, stars.reference(label), label=label, n_seeds=seeds, base=start)
    save_landscapes(landscapes, folder)


def _saliency(
    study: Study, paths: dict[str, str], stars: Stars, label: str, folder: Path, say: Callable[[str], None]
) -> None:
    models = {name: load_estimator(path) for name, path in paths.items()}
    wave = stars.set.preprocessing.wavelengths.wave
    gradients = saliency(models, stars.set.flux[stars.chosen], wave, label, stars.regime)
    write_shares(folder, shares(gradients, read_lines()))
    test = _physical_test(study, models, stars, label, say)
    if test is not None:
        write_test(folder, test, wave)
    # Last, because this file says that all is there.
    write_saliency(folder, gradients)


def drawn_stars(stars: Stars) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Stars of the physical test, drawn at random, with further metal-poor ones.

    Returns
    -------
    rows : ndarray, int
        Of the set.
    masks : dict of str to ndarray of bool
        By regime which of them count; metal-poor stars beyond their share do in their own regimes alone.
    """
    order = np.random.default_rng(0).permutation(len(stars.rows))
    drawn = order[:STARS]
    poor = order[stars.regimes["poor"][order]][:STARS] if "poor" in stars.regimes else order[:0]
    drawn, random = np.concatenate([drawn, np.setdiff1d(poor, drawn)]), len(drawn)
    masks = {
        name: mask[drawn] & (name.startswith("poor") | (np.arange(len(drawn)) < random))
        for name, mask in stars.regimes.items()
    }
    return stars.rows[drawn], masks


def _physical_test(
    study: Study, models: dict[str, Estimator], stars: Stars, label: str, say: Callable[[str], None]
) -> PhysicalTest | None:
    assert study.explain is not None
    rows, masks = drawn_stars(stars)
    try:
        sample = study.sources.get(study.explain.model, study.source)
        lines = lines_learnt(sample, models["zero-shot"])
        return run_physical_test(models, label, stars.set.select(rows), masks, lines=lines)[0]
    except TranstarError as error:
        say(f"no physical test: {error}")
        return None


def lines_learnt(sample: Sample, model: Estimator) -> LineCorrection | None:
    """The line correction of the mock stars that a model, or the one that it began with, has learnt from; None for none.

    Parameters
    ----------
    sample : Sample
        Source of the model.
    model : Estimator
    """
    from ..simulate.mocks.line_correction import lines_of_model, load_lines
    from ..simulate.mocks.mock_sets import mock_settings

    of_mock = None if sample.mock is None else mock_settings(sample.mock).lines
    name = of_mock or lines_of_model(model.provenance)
    return None if name is None else load_lines(name)
