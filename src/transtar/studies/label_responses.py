"""How networks of one label each, and one network of all, answer to each label; computed once and kept as files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ..datasets import PreparedSet
from ..errors import TranstarError
from ..explain.chosen_stars import labels_of
from ..explain.physical import require_testable
from ..explain.response import physical_test
from ..explain.saliency import saliency
from ..explain.stored_results import SALIENCY, write_saliency, write_test
from ..files import content_hash
from ..models import load_estimator
from ..simulate.mocks.moved import MovedSpectra, move_labels
from .by_input import FLUX
from .experiments import FULL, RESPONSES, TOGETHER
from .explaining import Stars, drawn_stars, lines_learnt
from .job import Job
from .layout import EXPLAINED
from .spec import Study

ALONE, ZERO_SHOT = "alone", "zero-shot"
"""Networks of one label, beside `TOGETHER`; and those that were not fine-tuned, beside `FULL`."""

REGIMES = ("all", "poor", "rich")


def network_name(network: str, training: str) -> str:
    """Name of a network in files and figures: 'alone, full'."""
    return f"{network}, {training}"


def respond_networks(study: Study, jobs: Sequence[Job], out: Path, say: Callable[[str], None]) -> str | None:
    """Ask the networks of `explain.labels` how they answer to each label, and for their gradients, unless that is stored.

    Parameters
    ----------
    study : Study
        With `explain`.
    jobs : sequence of Job
        Those of the study itself and of its experiments, all done.
    out : Path
    say : callable

    Returns
    -------
    str or None
        Folder, relative to `out`, with a folder for each label; None without such labels, or where the physical test cannot be
        made, which is told.
    """
    assert study.explain is not None
    labels = study.explain.labels
    paths = {label: _paths(study, jobs, label) for label in labels}
    if not labels or not all(any(name.startswith(TOGETHER) for name in one) for one in paths.values()):
        return None
    keys = sorted({path for one in paths.values() for path in one.values()})
    folder = out / EXPLAINED / f"labels-{content_hash([[Path(key).name for key in keys], study.explain.regime])}"
    place = f"{EXPLAINED}/{folder.name}"
    if all((folder / label / SALIENCY).is_file() for label in labels):
        return place
    job = next(job for job in jobs if job.variant == RESPONSES)
    stars = Stars(job, study.explain.regime, *labels)
    rows, masks = drawn_stars(stars)
    drawn = stars.set.select(rows)
    try:
        moved = _moved(drawn, lines_learnt(study.source, load_estimator(job.base)))
    except TranstarError as error:
        say(f"no responses to labels: {error}")
        return None
    say(f"responses and gradients of {len(keys)} networks of {', '.join(labels)}")
    wave = stars.set.preprocessing.wavelengths.wave
    shown = stars.set.flux[stars.chosen if len(stars.chosen) else stars.rows]
    regime = stars.regime if len(stars.chosen) else "all"
    for label in labels:
        models = {name: load_estimator(path) for name, path in paths[label].items()}
        of_regimes = {name: mask for name, mask in masks.items() if name in (*REGIMES, regime)}
        write_test(folder / label, physical_test(models, label, moved, of_regimes, drawn.ivar), wave)
        # Last, because this file says that all is there.
        write_saliency(folder / label, saliency(models, shown, wave, label, regime))
    return place


def _paths(study: Study, jobs: Sequence[Job], label: str) -> dict[str, str]:
    """Folders of the networks that predict a label, by their names."""
    paths: dict[str, str] = {}
    for network, labels in ((ALONE, (label,)), (TOGETHER, tuple(study.explain.labels if study.explain else ()))):
        for job in jobs:
            of_study = job.variant in ("default", RESPONSES) and job.seed == study.seeds[0] and job.input == FLUX
            if not of_study or job.labels != labels:
                continue
            if job.strategy == "pretrain":
                paths[network_name(network, ZERO_SHOT)] = job.base
            elif job.strategy == FULL and job.saved:
                paths[network_name(network, FULL)] = job.saved
    order = [network_name(network, training) for training in (ZERO_SHOT, FULL) for network in (ALONE, TOGETHER)]
    return {name: paths[name] for name in order if name in paths}


def _moved(stars: PreparedSet, lines) -> MovedSpectra:
    """Spectra of the stars with one label moved at a time, the same for all networks."""
    from ..simulate import load_emulator
    from ..simulate.instruments.instrument import INSTRUMENTS

    labels = labels_of(stars)
    require_testable(stars.survey, labels)
    velocity = stars.columns.get("velocity")
    return move_labels(labels, load_emulator(), INSTRUMENTS[stars.survey], stars.preprocessing, velocity, lines)
