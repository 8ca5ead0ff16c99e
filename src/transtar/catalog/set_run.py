"""From a large prepared set to a folder of shards, as `survey_run` from files: ``transtar predict --data SET --out FOLDER``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..datasets import SetReader, describe_set
from ..datasets.set_files import SPECTRA
from ..models import Estimator
from ..out.check import refuse_inputs
from ..preprocess import GridSpectra, Preprocessing, require_same
from ..quality import Quality
from ..shards import ROWS, Job, Outcome, Part, ShardFolder, Task, list_sources, plan_key, share_out
from ..shards.shard_steps import do_shards
from ..version import __version__
from .from_files import flagged_anew, thresholds_for
from .shard_work import ModelPlan, PathLike, write_shard
from .survey_run import SurveyRun, report_of

EACH = 16384
"""Spectra of a shard."""

_OPENED: dict[str, tuple[list[Estimator], SetReader]] = {}
"""What this process has loaded: of one plan, the last."""


@dataclass(frozen=True, eq=False)
class SetPlan:
    """What is to be done to the spectra of a set, in values that can be pickled.

    Parameters
    ----------
    models : ModelPlan
    data : str
        Whole path of the set.
    quality : Quality
    anew : bool
        Set LOW_SNR and LOW_GOOD_FRACTION by it.
    threads : int
    """

    models: ModelPlan
    data: str
    quality: Quality
    anew: bool
    threads: int


def predict_large_set(
    models: PathLike | Sequence[PathLike],
    path: PathLike,
    out: PathLike,
    *,
    quality: Quality | Mapping[str, float] | None = None,
    encoders: Sequence[PathLike] = (),
    part: Part | None = None,
    workers: int | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
    progress: Callable[[int, int, int], None] | None = None,
) -> SurveyRun:
    """Predict for the spectra of a prepared set, shard by shard, in a folder, as `predict_survey` does for files.

    Parameters
    ----------
    models : name or path, or sequence of these
    path : path
        Of the prepared set.
    out : path
        Folder, as of `predict_survey`; a shard holds some 16,000 rows.
    quality, encoders
        As in `predict_set`.
    part, workers, threads, executor
        As in `predict_survey`.
    progress : callable, optional
        Called with spectra done by this call, shards done and shards of the part.

    Returns
    -------
    SurveyRun

    Raises
    ------
    InputError
        If a model or the set cannot be read, another process works on the part, or something else stands at `out`.
    MismatchError
        If the set was prepared otherwise than the models want it, the folder was begun with other settings or another set, or a
        model was replaced meanwhile.
    SettingsError
        If a threshold is impossible.
    TranstarError
        If the disk is full; what is done is kept.
    """
    start = time.monotonic()
    workers, threads = share_out(workers, threads)
    of_models = ModelPlan.of(models, encoders)
    refuse_inputs(Path(out), [path, *of_models.names, *encoders])
    estimators = of_models.load()
    description = describe_set(path)
    settings = Preprocessing.from_stored(description["preprocessing"], str(path))
    require_same(estimators[0].preprocessing, of_models.names[0], settings, str(path))
    wanted, anew = thresholds_for(path, description, quality)
    plan = SetPlan(of_models, str(Path(path).absolute()), wanted, anew, threads)
    what = {
        "verb": "predict",
        "transtar": __version__,
        "models": list(of_models.names),
        "model_hashes": list(of_models.hashes),
        "set": {name: description.get(name) for name in ("flux_sha256", "ivar_sha256", "stars_sha256")},
        "inputs": {name: noted["sha256"] for name, noted in description.get("inputs", {}).items()},
        "quality": wanted.to_dict(),
        ROWS: {"all": description["n_spectra"], "each": EACH},
    }
    folder = ShardFolder(out, what, part)
    tasks = do_shards(
        folder,
        lambda: list_sources([Path(path) / SPECTRA]),
        Job(predict_rows, plan, folder.path / "shards", folder.suffix, threads),
        workers=workers,
        executor=executor,
        progress=progress,
    )
    result, parts = report_of(folder, tasks)
    result.seconds = time.monotonic() - start
    for one in parts:
        result.n_spectra += one["n"]
        for name, n in one["flags"].items():
            result.flags[name] = result.flags.get(name, 0) + n
    return result


def predict_rows(plan: SetPlan, task: Task, shard: Path) -> Outcome:
    """Predict for the rows of a task, and write its shard; see `transtar.shards.Job`."""
    estimators, reader = _opened(plan)
    flags: dict[str, int] = {}
    rows = write_shard(
        shard, estimators, plan.models.names, _spectra(plan, reader, task.rows), plan.quality, plan.threads, flags
    )
    n = sum(rows.values())
    return Outcome(n, {task.sources[0].path: n}, {}, {"n": n, "flags": flags})


def _spectra(
    plan: SetPlan, reader: SetReader, rows: tuple[int, int] | None
) -> Iterator[tuple[Mapping[str, np.ndarray], GridSpectra]]:
    for part in reader.batches(rows=rows):
        spectra = part.grid_spectra()
        yield part.columns, flagged_anew(spectra, plan.quality) if plan.anew else spectra


def _opened(plan: SetPlan) -> tuple[list[Estimator], SetReader]:
    key = plan_key(plan)
    if key not in _OPENED:
        _OPENED.clear()
        _OPENED[key] = plan.models.load(), SetReader(plan.data)
    return _OPENED[key]
