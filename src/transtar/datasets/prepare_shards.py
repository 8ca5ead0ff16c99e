"""Preparing in shards: native files to the grid by several processes or jobs, put together to a set in the end.

The shards lie in a folder beside the set, ``SET.shards``, which goes when the set is there. Each is a zip archive of arrays, as
numpy's npz, in which batches follow one another.
"""

from __future__ import annotations

import json
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import MismatchError
from ..files import atomic_path
from ..preprocess import GridSpectra, Preprocessing
from ..quality import Quality
from ..seal import file_hash
from ..shards import Job, Outcome, ShardFolder, Shards, Task, list_sources, plan_key, rows_by_path, share_out
from ..shards.shard_record import DONE, FAILED
from ..shards.shard_steps import do_shards
from ..surveys import Stated, Survey
from .flow import Flow, Report
from .flow_opening import open_flow
from .gridding import star_columns
from .making import makings
from .parts import about_part, add_parts

SUFFIX = ".npz"

Prepared = tuple[GridSpectra, dict[str, np.ndarray], dict[str, tuple[np.ndarray, np.ndarray]]]
"""Spectra, columns of the stars, and for each further input which spectra it can be made of, and its values."""

_OPENED: dict[str, tuple[Flow, list]] = {}
"""What this process has loaded: of one plan, the last."""


@dataclass(frozen=True)
class PreparePlan:
    """What is to be done to every file, in values that can be pickled; as in `transtar.prepare`."""

    survey: Survey | str
    settings: Preprocessing
    quality: Quality
    stars: str | None
    velocities: str | None
    columns: Mapping[str, str]
    stated: Stated | None
    inputs: tuple[Any, ...]
    batch_size: int
    threads: int


def shard_folder(out: str | Path) -> Path:
    """Where the shards of a set lie."""
    return Path(out).with_name(f"{Path(out).name}.shards")


def make_shards(
    how: Shards, out: Path, flow: Flow, inputs: Sequence[Any], noted: Mapping[str, Any], given: Mapping[str, Any]
) -> ShardFolder:
    """Prepare what is left of the part.

    Parameters
    ----------
    how : Shards
    out : Path
        The set.
    flow : Flow
        Of all files.
    inputs : sequence
        Further inputs, by name or folder.
    noted : mapping
        All that decides the spectra, as plain data.
    given : mapping
        ``survey``, ``stars``, ``velocities``, ``stated`` as the user has given them, paths whole.

    Returns
    -------
    ShardFolder
        Which is done or not, as its records say.
    """
    workers, threads = share_out(how.workers, how.threads)
    plan = PreparePlan(
        given["survey"], flow.settings, flow.quality, given["stars"], given["velocities"], dict(flow.columns),
        given["stated"], tuple(inputs), flow.batch_size, threads,
    )  # fmt: skip
    folder = ShardFolder(shard_folder(out), noted, how.part, SUFFIX)
    job = Job(prepare_task, plan, folder.path / "shards", SUFFIX, threads, how.hash_inputs)
    do_shards(
        folder,
        lambda: list_sources([*flow.files, *(path for path, _ in flow.absent)]),
        job,
        workers=workers,
        executor=how.executor,
        progress=how.progress,
    )
    return folder


def prepare_task(plan: PreparePlan, task: Task, shard: Path) -> Outcome:
    """Prepare the files of a task, and write its shard; see `transtar.shards.Job`."""
    key = plan_key(plan)
    if key not in _OPENED:
        flow = open_flow(
            plan.survey, (), plan.settings, quality=plan.quality, stars=plan.stars, velocities=plan.velocities,
            columns=plan.columns, stated=plan.stated, batch_size=plan.batch_size, threads=plan.threads, files=[],
        )  # fmt: skip
        _OPENED.clear()
        _OPENED[key] = flow, makings(plan.inputs, plan.settings)
    flow, made = _OPENED[key]
    flow = replace(flow, files=[Path(one.path) for one in task.sources])
    if flow.stars is not None:
        flow.stars.met[:] = False
    report = Report()
    rows: Counter[str] = Counter()
    keys: dict[str, None] = {}
    with (
        warnings.catch_warnings(),
        closing(flow.batches(report, whole=False)) as batches,
        atomic_path(shard, ours=True) as temporary,
        zipfile.ZipFile(temporary, "w") as archive,
    ):
        for number, (batch, spectra) in enumerate(batches):
            columns = star_columns(batch, spectra)
            arrays = {"flux": spectra.flux, "ivar": spectra.ivar}
            arrays |= {f"star/{name}": column for name, column in columns.items()}
            for one in made:
                arrays |= {f"input/{one.name}": one.make(batch, spectra), f"usable/{one.name}": one.can(spectra)}
            _add(archive, number, {name: array for name, array in arrays.items() if array is not None})
            rows.update(columns["file"].tolist())
            keys |= dict.fromkeys(batch.keys)
        archive.writestr("batches.json", json.dumps({"keys": list(keys)}))
    return Outcome(report.n_spectra, rows_by_path(rows, task), dict(report.skipped), about_part(flow, report))


def _add(archive: zipfile.ZipFile, number: int, arrays: Mapping[str, np.ndarray]) -> None:
    # A date in the archive would make two runs differ.
    for name, array in arrays.items():
        with archive.open(zipfile.ZipInfo(f"{number:04d}/{name}.npy"), "w", force_zip64=True) as file:
            np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)


def read_shards(
    folder: ShardFolder,
    flow: Flow,
    report: Report,
    keys: dict[str, None],
    on_skip: Callable[[str, str], None] | None = None,
) -> Iterator[Prepared]:
    """Read the shards of a run in their order.

    Parameters
    ----------
    folder : ShardFolder
        All of whose shards are done.
    flow : Flow
    report : Report
        Is told what became of the spectra, at the end.
    keys : dict
        Gets the columns of compound keys.
    on_skip : callable, optional
        Called with file and reason for each file that could not be used.

    Raises
    ------
    MismatchError
        If a shard is not as it was written.
    InputError
        If, in the end, the stars or the velocities are those of no spectrum.
    """
    records = [record for record in folder.all_records() if record.state == DONE]
    for record in records:
        path = folder.shard(record.number)
        if file_hash(path) != record.hash:
            raise MismatchError(
                f"{path}: damaged (its checksum is not the one noted); delete it, and give the command again"
            )
        skipped = [(one.path, one.message) for one in record.files if one.state == FAILED]
        report.skipped += skipped
        for told in skipped:
            if on_skip is not None:
                on_skip(*told)
        with zipfile.ZipFile(path) as archive:
            keys |= dict.fromkeys(json.loads(archive.read("batches.json"))["keys"])
            numbers = sorted({name.split("/")[0] for name in archive.namelist() if "/" in name})
            for number in numbers:
                yield _read(archive, number)
    add_parts(flow, [record.about for record in records], report, whole=True)


def _read(archive: zipfile.ZipFile, number: str) -> Prepared:
    arrays: dict[str, np.ndarray] = {}
    for name in archive.namelist():
        if name.startswith(f"{number}/"):
            with archive.open(name) as file:
                arrays[name.removeprefix(f"{number}/").removesuffix(".npy")] = np.lib.format.read_array(
                    file, allow_pickle=False
                )
    columns = {name.removeprefix("star/"): array for name, array in arrays.items() if name.startswith("star/")}
    further = {
        name.removeprefix("input/"): (arrays[f"usable/{name.removeprefix('input/')}"], array)
        for name, array in arrays.items()
        if name.startswith("input/")
    }
    spectra = GridSpectra(
        arrays["flux"], arrays.get("ivar"), columns["good_fraction"], columns["snr"], columns["flags"],
        correlation=columns["noise_correlation"],
    )  # fmt: skip
    return spectra, columns, further
