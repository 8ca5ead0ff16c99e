"""Long runs on the command line: their options, their progress, and what they come to."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..errors import SettingsError, TranstarError
from . import arguments as values
from .common import read_stated, say, say_left_out

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from ..shards import Shards

_OPTIONS = ("workers", "part", "scheduler", "hash")

LINE_EVERY = 60.0
"""Seconds between two lines of progress where there is no terminal."""

MOST_TOLD = 5
"""Files and shards that failed of which the end tells; status.csv has all."""


def add_run(parser: argparse.ArgumentParser, when: str = "with a folder as --out", files: bool = True) -> None:
    """Add the options of long runs; `files` if they are of files."""
    group = parser.add_argument_group(f"long runs, {when}")
    group.add_argument(
        "--workers",
        type=values.workers,
        metavar="N",
        help="processes, or N of a scheduler's workers; all processors if not given",
    )
    group.add_argument(
        "--threads",
        type=values.workers,
        metavar="N",
        help="threads of each process; processors divided by workers if not given",
    )
    group.add_argument(
        "--part", metavar="I/N", help="do only one of N parts, such as 3/50, in a job array; all jobs share the folder"
    )
    group.add_argument(
        "--scheduler", metavar="ADDRESS", help="Dask scheduler, tcp://HOST:8786, whose workers do the work"
    )
    if not files:
        return
    group.add_argument(
        "--hash",
        choices=("head", "full"),
        help="what the checksum of each file in status.csv covers: its head, or all of it",
    )


def is_folder(out: Any) -> bool:
    """Whether --out names a folder: one that is there, or a name without ending."""
    return os.path.isdir(out) or not out.suffix


def refuse_run(arguments: argparse.Namespace) -> None:
    """Refuse options of long runs where a single catalog is written.

    Raises
    ------
    SettingsError
    """
    for name in _OPTIONS:
        if getattr(arguments, name) is not None:
            raise SettingsError(f"--{name} is for long runs; give a folder as --out, and merge its shards afterwards")


def run_in_shards(arguments: argparse.Namespace, quality: dict[str, Any]) -> int:
    """Predict into a folder of shards."""
    from ..catalog import predict_large_set, predict_survey
    from ..tables import Choice

    unit = "file" if arguments.data is None else "shard"
    with an_executor(arguments.scheduler) as (executor, n), run_progress("predict", unit) as progress:
        how = how_to_run(arguments, executor, n, progress)
        given: dict[str, Any] = {
            "quality": quality, "encoders": arguments.encoder or (), "part": how.part, "workers": how.workers,
            "threads": how.threads, "executor": executor, "progress": progress,
        }  # fmt: skip
        if arguments.data is not None:
            result = predict_large_set(arguments.model, arguments.data, arguments.out, **given)
        else:
            result = predict_survey(
                arguments.model,
                arguments.survey,
                arguments.spectra,
                arguments.out,
                stars=arguments.stars,
                velocities=arguments.velocities,
                columns=Choice.parse(arguments.columns),
                stated=read_stated(arguments),
                hash_inputs=how.hash_inputs,
                **given,
            )
    for line in result.lines:
        say(line)
    say_left_out(result.left_out)
    for path, why in result.skipped[:MOST_TOLD]:
        say(f"skipped: {why if path in why else f'{path}: {why}'}")
    if len(result.skipped) > MOST_TOLD:
        say(f"{len(result.skipped):,} files could not be used; {result.path / 'status.csv'} says why")
    for number, why in result.failed[:MOST_TOLD]:
        say(f"shard {number} failed: {why}")
    flags = ", ".join(f"{n} {name}" for name, n in result.flags.items()) or "none"
    rate = f"{result.n_new:,} rows in {result.seconds:.0f} s" if result.n_new else "nothing was left to do"
    print(
        f"{arguments.out}: {result.n_done} of {result.n_shards} shards, {result.n_spectra} rows ({rate}); flags: {flags}"
    )
    if result.failed:
        raise TranstarError(f"{len(result.failed)} shards could not be made; the same command tries them again")
    if result.n_done == result.n_shards:
        print(f"transtar merge {arguments.out} --out CATALOG makes one catalog of them")
    return 0


def how_to_run(arguments: argparse.Namespace, executor: Executor | None, n: int | None, progress: Any) -> Shards:
    """The options of a long run; `n` is the number of the executor's workers."""
    from ..shards import Part, Shards

    part = None if arguments.part is None else Part.parse(arguments.part)
    workers = arguments.workers or n
    # Not every verb has files of which it could take sums.
    whole = getattr(arguments, "hash", None) == "full"
    return Shards(part, workers, arguments.threads, executor, whole, progress)


def asks_for_shards(arguments: argparse.Namespace) -> bool:
    """Whether an option of long runs was given."""
    return any(getattr(arguments, name, None) is not None for name in _OPTIONS)


@contextmanager
def an_executor(address: str | None) -> Iterator[tuple[Executor | None, int | None]]:
    """Workers of Dask, if there is an address, and how many they are."""
    if address is None:
        yield None, None
        return
    from ..shards.dask_executor import dask_executor

    with dask_executor(address) as (executor, n):
        yield executor, n


@contextmanager
def run_progress(description: str, unit: str = "file") -> Iterator[Any]:
    """A bar of files, or of shards, with the rate of spectra and the time that is left; lines where there is no terminal."""
    from tqdm import tqdm

    terminal = sys.stderr.isatty()
    start, last = time.monotonic(), time.monotonic()
    with tqdm(unit=unit, desc=description, disable=not terminal, leave=False) as bar:

        def progress(spectra: int, files: int, n_files: int) -> None:
            nonlocal last
            now = time.monotonic()
            if not bar.total:
                bar.reset(n_files)
                bar.initial = bar.n = files
            bar.update(files - bar.n)
            rate = spectra / max(now - start, 1e-3)
            bar.set_postfix_str(f"{rate:,.0f} spectra/s")
            if not terminal and now - last > LINE_EVERY and files:
                last = now
                left = (now - start) * (n_files - files) / max(files, 1)
                say(
                    f"{description}: {files:,} of {n_files:,} {unit}s, {rate:,.0f} spectra/s, some {left / 60:.0f} min left"
                )

        yield progress
