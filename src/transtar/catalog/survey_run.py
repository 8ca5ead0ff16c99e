"""From the files of a survey to a folder of shards, which goes on where it stopped: ``transtar predict --out FOLDER``."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..datasets import Report, given_table, tell_no_velocities
from ..datasets.flow import Flow
from ..datasets.parts import add_parts
from ..errors import InputError
from ..out.check import refuse_inputs
from ..quality import Quality
from ..seal import file_hash
from ..shards import Job, Part, ShardFolder, Task, list_sources, share_out, table_file, whole_path
from ..shards.shard_record import DONE, FAILED
from ..shards.shard_steps import do_shards
from ..surveys import Stated, Survey
from ..version import __version__
from .shard_work import ModelPlan, SurveyPlan, predict_task

PathLike = str | os.PathLike


@dataclass
class SurveyRun(Report):
    """What a run has come to; the other fields are those of `transtar.datasets.Report`, over all shards that are there.

    Parameters
    ----------
    path : Path
    n_shards, n_done : int
        In all, and done.
    failed : list of (int, str)
        Shards that could not be made, and why; the same command tries them again.
    seconds : float
        That this call took.
    n_new : int
        Spectra of shards that this call made.
    """

    path: Path = field(default_factory=Path)
    n_shards: int = 0
    n_done: int = 0
    failed: list[tuple[int, str]] = field(default_factory=list)
    seconds: float = 0.0
    n_new: int = 0


def predict_survey(
    models: PathLike | Sequence[PathLike],
    survey: Survey | str,
    paths: PathLike | Iterable[PathLike],
    out: PathLike,
    *,
    quality: Quality | Mapping[str, float] | None = None,
    stars: PathLike | None = None,
    velocities: str | None = None,
    columns: Mapping[str, str] | None = None,
    stated: Stated | None = None,
    encoders: Sequence[PathLike] = (),
    batch_size: int = 2048,
    part: Part | None = None,
    workers: int | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
    hash_inputs: bool = False,
    progress: Callable[[int, int, int], None] | None = None,
) -> SurveyRun:
    """Predict for a whole survey, shard by shard, in a folder.

    Whatever ends it, a ``kill -9`` among that, the same call goes on where it stopped, and the shards are those of a run that
    was never interrupted. `merge_shards` makes one catalog of them.

    Parameters
    ----------
    models : name or path, or sequence of these
        Models by name or folder, so that other processes can load them; those of the same label form an ensemble.
    survey, paths, quality, stars, velocities, columns, stated, encoders, batch_size
        As in `predict_files`.
    out : path
        Folder: ``shards/`` with a catalog in parquet for each task, ``status.csv``, ``manifest.json``, ``inputs.parquet`` and
        ``log.txt``.
    part : Part, optional
        Only one part of it, for arrays of jobs; all parts share the folder.
    workers : int, optional
        Processes; as many as there are processors to use if not given. Of an executor, how many workers it has.
    threads : int, optional
        Of each worker; if not given, the processors divided by the workers.
    executor : concurrent.futures.Executor, optional
        To be used in place of processes, and left open: of Dask (``client.get_executor(pure=False)``), MPI
        (``mpi4py.futures.MPIPoolExecutor``), Parsl (``parsl.concurrent.ParslPoolExecutor``).
    hash_inputs : bool
        Note the SHA-256 of whole files, which is to read them twice; of their heads it is noted anyhow.
    progress : callable, optional
        Called with spectra done by this call, files done and files of the part, as shards are done.

    Returns
    -------
    SurveyRun

    Raises
    ------
    InputError
        If there is no file, a model or table cannot be read, another process works on the part, something else stands at `out`,
        or the stars are those of no spectrum.
    MismatchError
        If the models want different inputs, the folder was begun with other settings, or a model was replaced meanwhile.
    SettingsError
        If the survey is unknown, or a setting is impossible.
    TranstarError
        If the disk is full; what is done is kept.
    """
    start = time.monotonic()
    paths = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    workers, threads = share_out(workers, threads)
    of_models = ModelPlan.of(models, encoders)
    refuse_inputs(Path(out), [*paths, *of_models.names, stars, given_table(velocities), *encoders])
    plan = SurveyPlan(
        of_models, survey, quality if isinstance(quality, Quality) else dict(quality or {}), whole_path(stars),
        whole_path(velocities), columns or {}, stated, batch_size, threads,
    )  # fmt: skip
    settings = of_models.load()[0].preprocessing
    assert settings is not None
    flow = plan.open(settings, paths)
    folder = ShardFolder(out, _decides(plan, flow), part)
    tasks = do_shards(
        folder,
        lambda: list_sources([*flow.files, *(path for path, _ in flow.absent)]),
        Job(predict_task, plan, folder.path / "shards", folder.suffix, threads, hash_inputs),
        workers=workers,
        executor=executor,
        progress=progress,
    )
    result, parts = report_of(folder, tasks)
    result.seconds = time.monotonic() - start
    add_parts(flow, parts, result, whole=result.n_done == result.n_shards)
    if result.n_done == result.n_shards:
        _require_rows(folder, result)
        tell_no_velocities(flow.survey, result.flags, result.n_spectra, velocities)
    return result


def _decides(plan: SurveyPlan, flow: Flow) -> dict[str, Any]:
    """All that decides the rows of a run; plain data."""
    tables = {"stars": plan.stars, "velocities": None if plan.velocities is None else given_table(plan.velocities)}
    return {
        "verb": "predict",
        "transtar": __version__,
        "models": list(plan.models.names),
        "model_hashes": list(plan.models.hashes),
        "survey": flow.survey.name,
        "preprocessing": flow.settings.hash,
        "quality": flow.quality.to_dict(),
        "columns": dict(plan.columns),
        "stated": {} if plan.stated is None else plan.stated.as_dict() | {"columns": dict(plan.stated.columns)},
        "velocities": plan.velocities,
        "tables": {name: file_hash(table_file(table)) for name, table in tables.items() if table is not None},
        "batch_size": plan.batch_size,
    }


def report_of(folder: ShardFolder, tasks: Sequence[Task]) -> tuple[SurveyRun, list[Any]]:
    """What all shards that are there hold, and what each says of itself; `tasks` are those of this call."""
    result, records = SurveyRun(path=folder.path, n_shards=len(folder.tasks)), folder.all_records()
    result.failed = [(record.number, record.message) for record in records if record.state == FAILED]
    result.skipped = [(one.path, one.message) for record in records for one in record.files if one.state == FAILED]
    result.n_new = sum(folder.records[task.number].n for task in tasks if task.number in folder.records)
    parts = [record.about for record in records if record.state == DONE]
    result.n_done = len(parts)
    return result, parts


def _require_rows(folder: ShardFolder, result: SurveyRun) -> None:
    if not result.n_spectra:
        first = f": {result.skipped[0][1]}" if result.skipped else ""
        raise InputError(f"no spectrum could be used{first}; see {folder.path / 'status.csv'}")
