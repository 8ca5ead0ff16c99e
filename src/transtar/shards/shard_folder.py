"""The folder of a run in shards: what decides the results, which files there are, what has been done, and a lock on the work."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import InputError, MismatchError, shown
from ..files import (
    TEMPORARY,
    Marker,
    atomic_path,
    check_replaceable,
    discard_temporaries,
    locked,
    read_json,
    write_json,
)
from ..seal import check_file, check_seal, file_hash, sealed
from ..telling import tell
from .shard_locks import hold
from .shard_record import DONE, ShardRecord, read_record
from .tasks import Part, Source, Task, plan_tasks

MANIFEST, INPUTS, SHARDS = "manifest.json", "inputs.parquet", "shards"
FORMAT, FORMAT_VERSION = "transtar-shards", 1

RUN = Marker(
    MANIFEST, "the folder of a run in shards",
    files=(MANIFEST, INPUTS, SHARDS, "status.csv", "log.txt", ".lock*"), says={"format": FORMAT},
)  # fmt: skip
"""How such a folder is known."""

REMEDY = "give another --out, or delete the folder to start again"


class ShardFolder:
    """A context in which this process works on a part of a run, and no other on the same.

    Parameters
    ----------
    path : path
    what : mapping
        All that decides the results, as plain data by name: a run goes on only with the same.
    part : Part
    suffix : str
        Of the shards.

    Raises
    ------
    InputError
        If another process works on the part, or something else stands there.
    """

    def __init__(
        self, path: str | os.PathLike, what: Mapping[str, Any], part: Part | None = None, suffix: str = ".parquet"
    ):
        self.path, self.what, self.part, self.suffix = Path(path).absolute(), dict(what), part or Part(), suffix
        self.records: dict[int, ShardRecord] = {}
        self.tasks: list[Task] = []

    def __enter__(self) -> ShardFolder:
        if not _is_of_run(self.path):
            try:
                check_replaceable(self.path, RUN)
            except InputError:
                # Another part may have begun the run just now.
                if not _is_of_run(self.path):
                    raise
        try:
            (self.path / SHARDS).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{self.path}: cannot be made a folder ({error.strerror})") from error
        self._locks = hold(self.path, self.part)
        discard_temporaries(self.path / SHARDS)
        return self

    def __exit__(self, *_: object) -> None:
        for lock in self._locks:
            os.close(lock)

    def shard(self, number: int) -> Path:
        """Where the shard of a task belongs."""
        return self.path / SHARDS / f"{number:06d}{self.suffix}"

    def record_path(self, number: int) -> Path:
        """Where the record of a task belongs."""
        return self.path / SHARDS / f"{number:06d}.json"

    def begin(self, list_now: Callable[[], Sequence[Source]]) -> list[Task]:
        """Find out what is left to do.

        Parameters
        ----------
        list_now : callable
            Lists the files as they are now. Those of the first start are the run's for good: later ones are told and left out.

        Returns
        -------
        list of Task
            Of this part, without a shard that is as noted, or whose files have changed since.

        Raises
        ------
        MismatchError
            If the run was begun with other settings.
        """
        sources = list(list_now())
        with locked(self.path):
            manifest = read_manifest(self.path) if (self.path / MANIFEST).is_file() else None
            if manifest is None:
                self._write_inputs(sources)
                self._write_manifest()
        if manifest is not None and (different := _differences(manifest["what"], self.what)):
            raise MismatchError(
                f"{self.path}: was begun with other settings: {'; '.join(different[:3])}; give the command as it was, or "
                "give another --out"
            )
        before = sources if manifest is None else read_sources(self.path, manifest)
        now = _compared(before, sources)
        # By their sizes when the run began, so that the tasks stay the same.
        self.tasks = plan_tasks(before, self.what)
        self._note_records(self.tasks)
        return [task for task in self.part.of(self.tasks) if not self._is_done(task, now)]

    def _is_done(self, task: Task, now: Mapping[str, Source]) -> bool:
        record = self.records.get(task.number)
        if record is None or record.state != DONE:
            return False
        try:
            size = self.shard(task.number).stat().st_size
        except OSError:
            size = -1
        if size != record.size:
            tell(f"{self.shard(task.number)}: not the shard that its record is of; it is made again")
            return False
        for state in record.files:
            # Of a file that is gone the rows are kept.
            source = now.get(state.path)
            if source is not None and (state.size, state.time) != (source.size, source.time):
                tell(f"{state.path}: changed since its shard was made; shard {task.number} is made again")
                return False
        return True

    def _note_records(self, tasks: Iterable[Task]) -> None:
        for task in tasks:
            if task.number in self.records:
                continue
            try:
                record = read_record(self.record_path(task.number))
            except InputError as error:
                tell(f"{error}; it is made again")
                continue
            if record is not None and [one.path for one in record.files] == [one.path for one in task.sources]:
                self.records[task.number] = record

    def all_records(self) -> list[ShardRecord]:
        """Records of all tasks that have one, those of other parts among them."""
        self._note_records(self.tasks)
        return [self.records[number] for number in sorted(self.records)]

    def finish(self) -> None:
        """Note the shards in the manifest."""
        records = self.all_records()
        with locked(self.path):
            self._write_manifest(records)

    def _write_inputs(self, sources: Sequence[Source]) -> None:
        table = pa.table({
            "file": pa.array([one.path for one in sources], pa.string()),
            "size": pa.array([one.size for one in sources], pa.int64()),
            "time": pa.array([one.time for one in sources], pa.int64()),
        })  # fmt: skip
        with atomic_path(self.path / INPUTS, ours=True) as temporary:
            pq.write_table(table, temporary, compression="zstd")

    def _write_manifest(self, records: Sequence[ShardRecord] = ()) -> None:
        content = {
            "format": FORMAT, "format_version": FORMAT_VERSION, "what": self.what,
            "inputs": {"file": INPUTS, "sha256": file_hash(self.path / INPUTS)},
            "suffix": self.suffix,
            "outputs": [
                {"file": f"{SHARDS}/{self.shard(one.number).name}", "rows": one.n, "size": one.size, "sha256": one.hash}
                for one in records if one.state == DONE
            ],
        }  # fmt: skip
        write_json(self.path / MANIFEST, sealed(content), ours=True)


def _is_of_run(path: Path) -> bool:
    """Whether a run is here. In this order: the manifest that ends a beginning is found by the second question."""
    return _is_beginning(path) or RUN.fits(path)


def _is_beginning(path: Path) -> bool:
    """Whether another part of the run is just beginning here, or was killed then: there is no manifest yet."""
    if path.is_symlink() or not path.is_dir() or (path / MANIFEST).exists():
        return False
    names = {entry.name for entry in path.iterdir()}
    empty = (path / SHARDS).is_dir() and not any((path / SHARDS).iterdir())
    return empty and all(
        name in (SHARDS, INPUTS, "log.txt", "status.csv") or name.startswith((".lock", TEMPORARY)) for name in names
    )


def read_manifest(path: Path) -> dict[str, Any]:
    """What manifest.json of a folder of shards says.

    Raises
    ------
    InputError
        If there is none, or it is damaged or of another transtar.
    """
    file = path / MANIFEST
    if not file.is_file():
        raise InputError(f"{path}: no folder of a run in shards (no {MANIFEST})")
    manifest = read_json(file)
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise InputError(f"{file}: not the manifest of a run in shards; {REMEDY}")
    if manifest.get("format_version") != FORMAT_VERSION:
        raise InputError(f"{file}: of another version of transtar; {REMEDY}")
    check_seal(manifest, file, REMEDY)
    return manifest


def read_sources(path: Path, manifest: Mapping[str, Any]) -> list[Source]:
    """The files of a run, as they were when it began.

    Raises
    ------
    InputError
        If the list is gone or damaged.
    """
    check_file(path / INPUTS, manifest["inputs"]["sha256"], REMEDY)
    table = pq.read_table(path / INPUTS).to_pydict()
    return [Source(*row) for row in zip(table["file"], table["size"], table["time"], strict=True)]


def _compared(before: Sequence[Source], now: Sequence[Source]) -> dict[str, Source]:
    """The files of the run that are still there, by path; what is new, and what is gone, is told."""
    known, seen = {one.path: one for one in before}, {one.path: one for one in now}
    if new := [path for path in seen if path not in known]:
        tell(
            f"{len(new):,} files are new since the run began and no part of it, the first: {new[0]}; another --out takes them in"
        )
    if gone := [path for path in known if path not in seen]:
        tell(f"{len(gone):,} files of the run are gone, the first: {gone[0]}; shards that are done keep their rows")
    return {path: one for path, one in seen.items() if path in known and one.size >= 0}


def _differences(before: Any, now: Any, name: str = "") -> list[str]:
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        keys = dict.fromkeys((*before, *now))
        return [
            line
            for key in keys
            for line in _differences(before.get(key), now.get(key), f"{name}.{key}" if name else str(key))
        ]
    return [] if before == now else [f"{name} {shown(repr(before), 80)}, now {shown(repr(now), 80)}"]
