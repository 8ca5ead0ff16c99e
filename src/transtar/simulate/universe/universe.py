"""A mock universe on disk: planned, then written part by part, and taken up again where it was interrupted."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import TranstarError
from ...files import check_writable
from ...processes import start_worker, stop, usable_cpus
from ...progress import progress_bar
from ...telling import note
from .disk_space import check_disk
from .mock_catalogs import catalogs
from .samples import Plan, plan
from .spectrum_groups import Group, group_of, places, write_group
from .universe_record import add_group, begin_part, discard_unfinished, is_done, open_record, save_record
from .universe_settings import UniverseSettings

Say = Callable[[str], None]

FEW = 500
"""Spectra that are made sooner than processes for them are started."""


def simulate_universe(
    out,
    settings: UniverseSettings,
    catalogs_only: bool = False,
    workers: int | None = None,
    say: Say = note,
) -> dict[str, Any]:
    """Write a mock universe as native files; what an earlier, interrupted run completed is not made again.

    Parameters
    ----------
    out : path
        Folder; gets ``lamost``, ``miles``, ``desi``, ``apogee``, ``compilations``, ``gaia``, ``truth.parquet`` and
        ``universe.json``.
    settings : UniverseSettings
        From `universe_settings`. The same settings give the same bytes of data, whatever `workers`.
    catalogs_only : bool
        Tables but no spectra; these can be added by a later call without it.
    workers : int, optional
        Processes of one thread each; one per processor if not given.
    say : callable, optional
        Told what is going on.

    Returns
    -------
    dict
        The record, as in ``universe.json``: ``parts`` has files, rows and bytes of each part.

    Raises
    ------
    InputError
        If the folder holds something else.
    MismatchError
        If the universe there was begun with other settings.
    TranstarError
        If the disk has not enough space.
    """
    folder = Path(out)
    check_writable(folder)
    record = open_record(folder, settings)
    for line in settings.scale.describe().splitlines():
        say(line)
    if record["complete"] == "all" or (catalogs_only and record["complete"] == "catalogs"):
        say(f"{folder}: complete already")
        return record
    if folder.exists():
        discard_unfinished(folder)
    universe = _plan(settings)
    wanted = {} if catalogs_only else places(universe, settings)
    if wanted.get("gaia/continuous") and not find_spec("gaiaxpy"):
        say("GaiaXPy is not installed, so there will be no continuous XP spectra: pip install 'transtar[gaia]'")
        wanted["gaia/continuous"] = []
    done = sum(part["bytes"] for part in record["parts"].values())
    size = universe.size(catalogs_only, settings.resolution, settings.xp_continuous)
    say(check_disk(folder, max(size - done, 0)))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        save_record(folder, record)
        _write_catalogs(universe, folder, settings, record)
        _write_spectra(universe, wanted, folder, settings, record, workers or usable_cpus())
    except BaseException:
        discard_unfinished(folder)
        say(f"{folder}: not complete; the same command resumes where it stopped")
        raise
    record["complete"] = "catalogs" if catalogs_only else "all"
    save_record(folder, record)
    return record


def _plan(settings: UniverseSettings) -> Plan:
    with progress_bar(unit="star", desc="choose stars") as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        return plan(settings.draws(), settings.scale, settings.seed, progress, settings.xp_lamost, settings.related)


def _write_catalogs(universe: Plan, folder: Path, settings: UniverseSettings, record: dict[str, Any]) -> None:
    makers = catalogs(universe, settings)
    for name, (rows, write) in progress_bar(iterable=makers.items(), unit="table", desc="catalogs"):
        if is_done(record, name, 0):
            continue
        begin_part(folder, record, name)
        path = folder / name
        write(path)
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        size = sum(file.stat().st_size for file in files)
        add_group(record, name, 0, 1, {"files": len(files), "rows": rows, "bytes": size})
        save_record(folder, record)


def _write_spectra(
    universe: Plan,
    wanted: dict[str, list[np.ndarray]],
    folder: Path,
    settings: UniverseSettings,
    record: dict[str, Any],
    workers: int,
) -> None:
    every = [(part, number, place) for part, groups in wanted.items() for number, place in enumerate(groups)]
    missing = [(part, number, place) for part, number, place in every if not is_done(record, part, number)]
    for part in dict.fromkeys(part for part, _, _ in missing):
        begin_part(folder, record, part)
    total, left = (sum(len(place) for _, _, place in some) for some in (every, missing))
    workers = 1 if left < FEW else min(workers, len(missing))
    # Tables of stars are cut out when their turn has come.
    todo = (group_of(universe, *group, folder, settings) for group in missing)
    bar = progress_bar(total=total, initial=total - left, unit="spectra", desc="spectra")
    # Closed at once when interrupted, so that no worker writes on while the unfinished is tidied up.
    with bar, closing(_made(todo, workers)) as made:
        for group, written in made:
            add_group(record, group.part, group.number, len(wanted[group.part]), written)
            save_record(folder, record)
            bar.update(len(group.rows))


def _made(todo: Iterator[Group], workers: int) -> Generator[tuple[Group, dict[str, int]], None, None]:
    """Groups as they are completed, and what was written of each."""
    if workers <= 1:
        with _one_thread():
            for group in todo:
                yield group, write_group(group)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=start_worker)
    try:
        # No more than a few groups are on their way at a time, for each carries its table of stars.
        pending: dict[Future, Group] = {pool.submit(write_group, g): g for g in islice(todo, 2 * workers)}
        while pending:
            done, _ = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                group = pending.pop(future)
                yield group, future.result()
                for following in islice(todo, 1):
                    pending[pool.submit(write_group, following)] = following
    except BrokenProcessPool as error:
        raise TranstarError(
            "a process that made spectra has died, perhaps for lack of memory; try fewer --workers"
        ) from error
    except BaseException:
        stop(pool)
        raise
    pool.shutdown()


@contextmanager
def _one_thread() -> Iterator[None]:
    """As in a worker, so that the order of sums, and with it the last digits, do not depend on where a group is made."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
