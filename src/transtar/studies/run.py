"""Running a study: prepare once, train what is not trained yet, collect, draw."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

from ..datasets import describe_set, read_set
from ..errors import InputError, SettingsError
from ..files import content_hash, discard_temporaries
from ..models import find_model, load_estimator
from ..processes import usable_cpus
from ..quality import FORMER, Quality
from ..telling import note
from ..train import Pretrain, get_strategy
from .by_input import FLUX
from .collect import collect
from .draw import draw
from .embeddings import Parts, check_encoder_spectra, embed_sets, unaugmented
from .experiments import FULL, experiment_studies
from .job import Job
from .jobs import prior_hash
from .layout import ENCODERS, check_out
from .setting_checks import check_settings
from .sizes import check_sizes
from .spec import Study, pretraining_for, settings_for
from .stored import is_done
from .study_files import SELECTIONS, SETS, check_inputs, make_inputs, prepared_set, samples_of, set_folder
from .table_checks import check_tables
from .table_contents import check_contents
from .workers import train_jobs


def run_study(
    studies: dict[str, Study], out, workers: int | None = None, say: Callable[[str], None] = note, name: str = ""
) -> Path:
    """Run a study with all its variants; whatever an earlier, interrupted run completed is not repeated.

    Parameters
    ----------
    studies : dict of str to Study
        From `load_study`.
    out : path
        Folder for prepared sets, models, runs, results.csv, tables, figures and report.html.
    workers : int, optional
        Number of training processes, of one thread each; by default one per processor.
    say : callable, optional
        Called with lines about the progress.
    name : str, optional
        Of the study, or of its file, for messages.

    Returns
    -------
    Path
        The report.

    Raises
    ------
    TranstarError
        If data are missing, settings are impossible, or a run fails that does not belong to an experiment; all other runs
        are finished first.

    Examples
    --------
    >>> import transtar as ts
    >>> ts.run_study(ts.load_study("quickstart", scale="tiny"), "runs/quickstart")  # doctest: +SKIP
    PosixPath('runs/quickstart/report.html')
    """
    out = Path(out)
    check_out(out)
    for folder in (out, *(out / name for name in (SETS, SELECTIONS, ENCODERS, "runs", "models"))):
        discard_temporaries(folder)
    # Variants have the same to say of what they share; once is enough.
    say = cache(say)
    jobs: list[Job] = []
    content = cache(content_of)
    for variant, study in studies.items():
        where = _where(name, variant)
        try:
            check_settings(study, where)
        except SettingsError as error:
            if str(error).startswith(where):
                raise
            raise SettingsError(f"{where}: {error}") from error
        check_inputs(study, out)
        check_encoder_spectra(study, out)
        check_contents(study, out, where)
    made: list[tuple] = []
    for variant, study in studies.items():
        inputs = (
            study.simulate,
            study.selections,
            study.catalogs,
            study.preprocessing,
            study.quality,
            samples_of(study),
        )
        if inputs not in made:
            made.append(inputs)
            make_inputs(study, out, workers, say)
            for sample in samples_of(study):
                prepared_set(sample, study, out, say)
            _check_labels(study, out)
        check_sizes(study, _where(name, variant), out, say)
        if variant == "default":
            check_tables(study, out)
        jobs += list(plan(study, variant, out, content, embed_sets(study, out, content, say)))
    started = time.monotonic()
    runs = out / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    missing = _missing(jobs, runs)
    distinct = len({job.key for job in jobs})
    say(f"{distinct} runs ({_grid(studies)}), {distinct - len(missing)} of them done before")
    failed = train_jobs(list(missing.values()), runs, workers or usable_cpus())
    if missing:
        say(f"trained in {(time.monotonic() - started) / 60:.1f} minutes")
    collect(studies, _but_failed(studies["default"], jobs, failed, say), out, say)
    return draw(studies, out, say)


def _grid(studies: dict[str, Study]) -> str:
    """What the runs of a study are of."""
    study = studies["default"]
    parts: dict[str, Iterable] = {
        "models": study.models, "inputs": [] if study.inputs == [FLUX] else study.inputs, "seeds": study.seeds,
        "sizes": study.sizes, "strategies": study.strategies, "variants": [name for name in studies if name != "default"],
    }  # fmt: skip
    return "; ".join(f"{name} {', '.join(map(str, values))}" for name, values in parts.items() if values)


def _where(name: str, variant: str) -> str:
    """The study and its variant, for messages."""
    return f"study {name}".strip() + ("" if variant == "default" else f", variant {variant}")


def _check_labels(study: Study, out: Path) -> None:
    """Experiments tell stars apart by labels that a target need not have."""
    wanted = study.experiments
    if wanted is None and study.explain is None:
        return
    needed = ["feh", *(["teff"] if wanted is not None and wanted.matched else [])]
    needed += [] if wanted is None else wanted.labels
    needed += [] if study.explain is None else study.explain.labels
    labels = read_set(set_folder(study.target, study, out)).labels
    absent = [label for label in dict.fromkeys(needed) if label not in labels]
    if absent:
        raise InputError(
            f"{study.target.labels}: experiments need the label {' and '.join(absent)} of {study.target.survey}"
        )


def _but_failed(study: Study, jobs: list[Job], failed: dict[str, str], say: Callable[[str], None]) -> list[Job]:
    """The jobs that are done; an experiment may lack some of its runs, a study may not."""
    lost = [job for job in jobs if job.key in failed]
    messages = {job.key: _said(job, failed[job.key]) for job in reversed(lost)}
    apart = set(experiment_studies(study))
    needed = [messages[job.key] for job in lost if job.variant not in apart]
    if needed:
        others = f" (and {len(messages) - 1} more runs; what was done is kept)" if len(messages) > 1 else ""
        raise InputError(f"{needed[0]}{others}")
    for text in messages.values():
        say(f"failed, and left out: {text}")
    return [job for job in jobs if job.key not in failed]


def _said(job: Job, why: str) -> str:
    input = "" if job.input == FLUX else f" on {job.input}"
    return f"{job.strategy} of {job.model}{input}, seed {job.seed}, n = {job.n_finetune}, variant {job.variant}: {why}"


def _missing(jobs: list[Job], runs: Path) -> dict[str, Job]:
    """Runs that are still to be done, by key; where variants share one, all that any of them wants of it is kept."""
    missing: dict[str, Job] = {}
    for job in jobs:
        if not is_done(job, runs):
            known = missing.get(job.key, job)
            kept = {name: getattr(known, name) or getattr(job, name) for name in ("plane", "rest", "saved")}
            missing[job.key] = replace(known, **kept)
    return missing


def plan(
    study: Study, variant: str, out: Path, content: Callable[[Path], str], embedded: Mapping[Path, Parts]
) -> Iterator[Job]:
    """List the runs of a study; those without fine-tuning stars and those with the most label the plane, too."""
    target = set_folder(study.target, study, out)
    plane = None if study.plane is None else set_folder(study.plane, study, out)
    lines = "" if study.lines is None else str(set_folder(study.lines, study, out))
    common: dict[str, Any] = {
        "variant": variant,
        "n_folds": len(study.seeds),
        "target": str(target),
        "keep": dict(study.target.keep),
        "rest": study.rest,
    }
    for (model, labels), input in product(study.models.items(), study.inputs):
        sample = study.sources.get(model, study.source)
        source = set_folder(sample, study, out)
        data, parts = (content(source), content(target)), embedded[source]
        of_input = {"input": input, "parts": parts.of(input), "input_key": parts.key(input)}
        known: dict[str, Any] = {**common, **of_input, "source": str(source), "data": data}
        labelled = {} if plane is None else {"plane": str(plane), "data": (*data, content(plane))}
        start: dict[str, Any] = {"source_name": sample.survey}
        if model in study.prior:
            prior = find_model(study.prior[model])
            names = dict.fromkeys([*load_estimator(prior).surveys, sample.survey])
            start = {"prior": str(prior), "prior_key": prior_hash(prior), "source_name": "+".join(names)}
        for seed in study.seeds:
            # A split that is matched divides the target anew; the pre-training is that of the study itself.
            first = Job(
                model=model, labels=tuple(labels), strategy="pretrain", seed=seed, n_finetune=0,
                split="test" if study.split == "matched" else study.split,
                settings=unaugmented(pretraining_for(study, input), Pretrain, input), base="",
                lines=lines, lines_key=content(Path(lines)) if lines else "",
                **{**known, **start, **labelled},
            )  # fmt: skip
            # Folders of models that take the flux have the names that they always had.
            name = model if input == FLUX else f"{model}-{input}"
            base = str(out / "models" / f"{name}-seed{seed}-{first.key}")
            yield replace(first, base=base)
            for size in study.sizes:
                for strategy in study.strategies:
                    kind = get_strategy(strategy)
                    if not kind.fits:
                        continue
                    # Runs that use nothing of the pre-trained model are the same under every pre-training.
                    alone = not kind.uses_model
                    job = Job(
                        model=model, labels=tuple(labels), strategy=strategy, seed=seed, n_finetune=size,
                        split=study.split, base=base,
                        settings=unaugmented(settings_for(study, strategy, model, size, input), kind, input),
                        base_key="" if alone else first.key, source_name="none" if alone else start["source_name"],
                        **(known | (labelled if size == max(study.sizes) else {})),
                    )  # fmt: skip
                    yield replace(job, saved=_saved(study, job, out))


def _saved(study: Study, job: Job, out: Path) -> str:
    """Folder for a model that is to be explained, empty for any other."""
    wanted = study.explain
    if wanted is None or job.input != FLUX or job.n_finetune != max(study.sizes):
        return ""
    # How a network answers to labels is asked of those that are fine-tuned with all weights.
    asked = job.strategy == FULL and set(job.labels) <= set(wanted.labels)
    if job.model != wanted.model and not asked:
        return ""
    if not get_strategy(job.strategy).trains or job.seed != study.seeds[0]:
        return ""
    return str(out / "models" / f"{job.model}-{job.strategy}-seed{job.seed}-{job.key}")


def content_of(folder: Path) -> str:
    """Changes with the spectra of a set, with their identity, their labels and their split, and with unusual thresholds."""
    prepared = read_set(folder)
    columns = prepared.columns
    names = [name for name in ("id", "star", "file", "split", *prepared.labels) if name in columns]
    # By the thresholds stars are usable or not; runs with those that were usual before 0.2 keep their keys.
    quality = Quality.recorded(describe_set(folder))
    thresholds = [] if quality == Quality.from_dict(FORMER) else [quality.to_dict()]
    hashes = [hashlib.sha256(repr(columns[name].tolist()).encode()).hexdigest() for name in names]
    return content_hash([prepared.hash, *hashes, *thresholds])
