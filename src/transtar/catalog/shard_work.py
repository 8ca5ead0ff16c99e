"""What a worker does for a catalog: models and tables are loaded once in each process, files are read, a shard is written."""

from __future__ import annotations

import hashlib
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
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
from ..shards import Outcome, Task, plan_key, rows_by_path
from ..surveys import Stated, Survey
from .from_files import catalog_metadata
from .predict import predict_batches
from .provenance import run_record
from .writers import CatalogWriter

_OPENED: dict[str, tuple[list[Estimator], list[str], Flow]] = {}
"""What this process has loaded: of one plan, the last."""


@dataclass(frozen=True, eq=False)
class SurveyPlan:
    """What is to be done to every file of a run, in values that can be pickled.

    Parameters
    ----------
    models : tuple of str
        Names, or whole paths of folders.
    hashes : tuple of str
        SHA-256 of the content of each when the run began.
    names : tuple of str
        What the user calls them, for the catalog.
    survey, quality, stars, velocities, columns, stated, encoders, batch_size, threads
        As in `transtar.predict_files`; paths are whole.
    """

    models: tuple[str, ...]
    hashes: tuple[str, ...]
    names: tuple[str, ...]
    survey: Survey | str
    quality: Quality | Mapping[str, float]
    stars: str | None
    velocities: str | None
    columns: Mapping[str, str]
    stated: Stated | None
    encoders: tuple[str, ...]
    batch_size: int
    threads: int

    def load(self) -> tuple[list[Estimator], list[str]]:
        """The models, which agree, and their names.

        Raises
        ------
        InputError
            If one cannot be read.
        MismatchError
            If one is another than when the run began, they want different inputs, or those are no prepared spectra.
        """
        for name, model, expected in zip(self.names, self.models, self.hashes, strict=True):
            if hashlib.sha256(content_of(find_model(model))).hexdigest() != expected:
                raise MismatchError(
                    f"{name}: was replaced by another model since the run began; put the former one back"
                )
        estimators, _ = load_models(list(self.models), [Path(place) for place in self.encoders])
        check_ensemble(estimators, list(self.names), same_labels=False)
        if estimators[0].preprocessing is None:
            raise MismatchError(f"{self.names[0]}: has no preprocessing, so its inputs are no spectra of a survey")
        for estimator in estimators:
            for note in estimator.encoders.values():
                find_encoder(note)
        return estimators, list(self.names)

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
    estimators, names, flow = _opened(plan)
    flow = replace(flow, files=[Path(one.path) for one in task.sources])
    if flow.stars is not None:
        flow.stars.met[:] = False
    settings = estimators[0].preprocessing
    report = Report()
    rows: Counter[str] = Counter()

    def predicted(batches) -> Iterator[dict[str, np.ndarray]]:
        return predict_batches(estimators, batches, quality=flow.quality, threads=plan.threads)

    # When a shard was made is for the record beside it: made again, it is to be the same.
    record = {name: value for name, value in run_record(estimators).items() if name != "written"}
    metadata = record | catalog_metadata(estimators, names, flow.quality)
    # Reading in a thread may leave the filters of warnings changed; they become the worker's again.
    with (
        warnings.catch_warnings(),
        closing(flow.batches(report, whole=False)) as batches,
        CatalogWriter(shard, metadata, ours=True) as catalog,
    ):
        for columns in predicted(batches):
            # Which rows are of one star only the whole catalog can say: `merge_shards` does.
            columns["flags"] &= ~np.int32(Flag.DUPLICATE)
            catalog.append(columns)
            rows.update(columns["file"].tolist())
            for name, n in count(columns["flags"]).items():
                report.flags[name] = report.flags.get(name, 0) + n
        if not report.n_spectra:
            for columns in predicted(
                [({"survey": flow.survey.name, "id": np.empty(0, np.int64)}, _no_spectra(settings))]
            ):
                catalog.append(columns)
    return Outcome(report.n_spectra, rows_by_path(rows, task), dict(report.skipped), about_part(flow, report))


def _opened(plan: SurveyPlan) -> tuple[list[Estimator], list[str], Flow]:
    key = plan_key(plan)
    if key not in _OPENED:
        estimators, names = plan.load()
        assert estimators[0].preprocessing is not None
        _OPENED.clear()
        _OPENED[key] = estimators, names, plan.open(estimators[0].preprocessing, files=[])
    return _OPENED[key]


def _no_spectra(settings: Preprocessing | None) -> GridSpectra:
    n = 0 if settings is None else get_grid(settings.grid).size
    none = np.empty(0, np.float32)
    return GridSpectra(np.empty((0, n), np.float32), np.empty((0, n), np.float32), none, none, np.empty(0, np.int32))
