"""What a worker does for a catalog: models and tables are loaded once in each process, files are read, a shard is written."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..datasets import Report, open_flow
from ..datasets.flow import Flow
from ..datasets.parts import about_part
from ..encoders import find_encoder
from ..errors import MismatchError
from ..flags import Flag, count
from ..grids import get_grid
from ..models import Estimator, check_ensemble, content_of, find_model, load_models
from ..preprocess import GridSpectra, Preprocessing
from ..quality import Quality
from ..shards import Outcome, Task, plan_key, rows_by_path, whole_path
from ..surveys import Stated, Survey
from .from_files import catalog_metadata
from .predict import predict_batches
from .provenance import run_record
from .writers import CatalogWriter

PathLike = str | os.PathLike

_OPENED: dict[str, tuple[list[Estimator], Flow]] = {}
"""What this process has loaded: of one plan, the last."""


@dataclass(frozen=True, eq=False)
class ModelPlan:
    """Models as other processes find them.

    Parameters
    ----------
    places : tuple of str
        Names, or whole paths of folders.
    hashes : tuple of str
        SHA-256 of the content of each when the run began.
    names : tuple of str
        What the user calls them, for the catalog.
    encoders : tuple of str
        As in `transtar.predict_files`, by whole paths.
    """

    places: tuple[str, ...]
    hashes: tuple[str, ...]
    names: tuple[str, ...]
    encoders: tuple[str, ...] = ()

    @classmethod
    def of(cls, models: PathLike | Sequence[PathLike], encoders: Sequence[PathLike] = ()) -> ModelPlan:
        """Models by their names or folders, as they are now.

        Raises
        ------
        InputError
            If there is no such model.
        """
        names = [os.fspath(one) for one in ([models] if isinstance(models, str | os.PathLike) else models)]
        return cls(
            tuple(str(Path(name).absolute()) if Path(name).is_dir() else name for name in names),
            tuple(hashlib.sha256(content_of(find_model(name))).hexdigest() for name in names),
            tuple(names),
            tuple(whole_path(one) or "" for one in encoders),
        )

    def load(self) -> list[Estimator]:
        """The models, which agree.

        Raises
        ------
        InputError
            If one cannot be read.
        MismatchError
            If one is another than when the run began, they want different inputs, or those are no prepared spectra.
        """
        for name, model, expected in zip(self.names, self.places, self.hashes, strict=True):
            if hashlib.sha256(content_of(find_model(model))).hexdigest() != expected:
                raise MismatchError(
                    f"{name}: was replaced by another model since the run began; put the former one back"
                )
        estimators, _ = load_models(list(self.places), [Path(place) for place in self.encoders])
        check_ensemble(estimators, list(self.names), same_labels=False)
        if estimators[0].preprocessing is None:
            raise MismatchError(f"{self.names[0]}: has no preprocessing, so its inputs are no spectra of a survey")
        for estimator in estimators:
            for note in estimator.encoders.values():
                find_encoder(note)
        return estimators


@dataclass(frozen=True, eq=False)
class SurveyPlan:
    """What is to be done to every file of a run, in values that can be pickled.

    Parameters
    ----------
    models : ModelPlan
    survey, quality, stars, velocities, columns, stated, batch_size, threads
        As in `transtar.predict_files`; paths are whole.
    """

    models: ModelPlan
    survey: Survey | str
    quality: Quality | Mapping[str, float]
    stars: str | None
    velocities: str | None
    columns: Mapping[str, str]
    stated: Stated | None
    batch_size: int
    threads: int

    def open(self, settings: Preprocessing, paths: Sequence[Any] = (), files: Sequence[Path] | None = None) -> Flow:
        """The flow of files that are to be found, or that have been."""
        return open_flow(
            self.survey, paths, settings, quality=self.quality, stars=self.stars, velocities=self.velocities,
            columns=self.columns, stated=self.stated, batch_size=self.batch_size, threads=self.threads, files=files,
        )  # fmt: skip


def predict_task(plan: SurveyPlan, task: Task, shard: Path) -> Outcome:
    """Read the files of a task, predict, and write its shard.

    Parameters
    ----------
    plan : SurveyPlan
    task : Task
    shard : Path

    Returns
    -------
    Outcome
        `about` is that of `transtar.datasets.parts.about_part`.

    Raises
    ------
    MismatchError
        If a model is another than when the run began.
    TranstarError
        If the shard cannot be written.
    """
    estimators, flow = _opened(plan)
    flow = replace(flow, files=[Path(one.path) for one in task.sources])
    if flow.stars is not None:
        flow.stars.met[:] = False
    report = Report()
    # Reading in a thread may leave the filters of warnings changed; they become the worker's again.
    with warnings.catch_warnings(), closing(flow.batches(report, whole=False)) as batches:
        rows = write_shard(shard, estimators, plan.models.names, batches, flow.quality, plan.threads, report.flags)
    return Outcome(report.n_spectra, rows_by_path(rows, task), dict(report.skipped), about_part(flow, report))


def write_shard(
    shard: Path,
    estimators: Sequence[Estimator],
    names: Sequence[str],
    batches: Iterable[tuple[Any, GridSpectra]],
    quality: Quality,
    threads: int,
    flags: dict[str, int],
) -> Counter[str]:
    """Predict, and write one shard of a catalog, be it without a row.

    Parameters
    ----------
    shard : Path
    estimators, batches, quality, threads
        As of `predict_batches`.
    names : sequence of str
        Of the models.
    flags : dict
        Gets the number of rows by flag.

    Returns
    -------
    Counter
        Rows by the file that they are from.
    """
    rows: Counter[str] = Counter()
    # When a shard was made is for the record beside it: made again, it is to be the same.
    record = {name: value for name, value in run_record(estimators).items() if name != "written"}
    predicted = predict_batches(estimators, batches, quality=quality, threads=threads)
    # Closed lest its threads wait for as long as somebody keeps the traceback of an error.
    with (
        closing(predicted),
        CatalogWriter(shard, record | catalog_metadata(estimators, names, quality), ours=True) as catalog,
    ):
        for columns in predicted:
            # Which rows are of one star only the whole catalog can say: `merge_shards` does.
            columns["flags"] &= ~np.int32(Flag.DUPLICATE)
            catalog.append(columns)
            rows.update(columns["file"].tolist())
            for name, n in count(columns["flags"]).items():
                flags[name] = flags.get(name, 0) + n
        if not rows:
            none = {"survey": np.empty(0, "U1"), "id": np.empty(0, np.int64)}
            batch = none, _no_spectra(estimators[0].preprocessing)
            for columns in predict_batches(estimators, [batch], quality=quality, threads=threads):
                catalog.append(columns)
    return rows


def _opened(plan: SurveyPlan) -> tuple[list[Estimator], Flow]:
    key = plan_key(plan)
    if key not in _OPENED:
        estimators = plan.models.load()
        assert estimators[0].preprocessing is not None
        _OPENED.clear()
        _OPENED[key] = estimators, plan.open(estimators[0].preprocessing, files=[])
    return _OPENED[key]


def _no_spectra(settings: Preprocessing | None) -> GridSpectra:
    n = 0 if settings is None else get_grid(settings.grid).size
    none = np.empty(0, np.float32)
    return GridSpectra(np.empty((0, n), np.float32), np.empty((0, n), np.float32), none, none, np.empty(0, np.int32))
