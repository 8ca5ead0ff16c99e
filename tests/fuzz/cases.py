"""A case: which file, which change; and what becomes of it in the process that reads it."""

from __future__ import annotations

import os
import random
import shutil
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from transtar.errors import TranstarError

from .judge import Found, Read, judge
from .mutators import apply, draw
from .oracle_fits import Broken
from .seeds import Seed, copies
from .subjects import SUBJECTS, Listener, Subject, listen

SHARES = {
    "lamost": 4, "miles": 3, "desi": 3, "desi-brz": 1, "generic": 6, "gaia-xp": 4, "sparcl": 2, "page": 1, "table": 7, "set": 4,
    "model": 4, "encoder": 3, "study": 1.5, "preprocessing": 1,
}  # fmt: skip
"""How often each kind of input is taken."""

TWICE = 0.08
"""How often a file is changed by two mutators."""


@dataclass
class Verdict:
    """What a case came to."""

    number: int
    kind: str
    seed: str
    mutators: str
    outcome: str
    reason: str = ""
    seconds: float = 0.0
    folder: str = ""


@dataclass(frozen=True)
class World:
    """What all cases of a run share.

    Parameters
    ----------
    seeds : list of Seed
    before : dict
        By name of the seed: what transtar and the oracle make of the file as it was.
    seed : int
        Of the random numbers.
    folder : Path
        Below which cases are written.
    subjects : dict of str to Subject
    """

    seeds: list[Seed]
    before: dict[str, tuple[Read, Found]]
    seed: int
    folder: Path
    subjects: dict[str, Subject] = field(default_factory=lambda: SUBJECTS)


def look_at_seeds(seeds: list[Seed], subjects: dict[str, Subject]) -> dict[str, tuple[Read, Found]]:
    """Read each seed as it is."""
    listener = listen()
    before = {}
    for seed in seeds:
        path = seed.folder / seed.entry if seed.entry else seed.folder
        before[seed.name] = (use(subjects[seed.kind], path, listener), ask(subjects[seed.kind], path))
    return before


def use(subject: Subject, path: Path, listener: Listener) -> Read:
    """Read by transtar; anything but a `TranstarError` comes through."""
    listener.told.clear()
    try:
        values = subject.read(path)
    except TranstarError as error:
        return Read(None, str(error), list(listener.told))
    return Read(values, "", list(listener.told))


def ask(subject: Subject, path: Path) -> Found:
    """Read by the oracle, whose own exceptions say that the file is broken."""
    try:
        return Found(subject.oracle(path))
    except Broken as error:
        return Found(None, str(error)[:200])
    except (Exception, MemoryError) as error:
        return Found(None, f"{type(error).__name__}: {error}"[:200])


def make(world: World, number: int) -> tuple[Seed, str, Path, Path, bool]:
    """Write the changed file of a case.

    Returns
    -------
    seed : Seed
    mutators : str
    entry : Path
        What transtar is given.
    target : Path
        The file that was changed.
    damaged : bool
    """
    rng = random.Random(f"{world.seed}-{number}")
    kinds = sorted({seed.kind for seed in world.seeds})
    kind = rng.choices(kinds, [SHARES[kind] for kind in kinds])[0]
    several = [seed for seed in world.seeds if seed.kind == kind]
    seed = rng.choices(several, [one.share for one in several])[0]
    folder = world.folder / f"{number:05d}"
    shutil.rmtree(folder, ignore_errors=True)
    target = copies(folder, seed)
    names, damaged = [], False
    wanted, tries = (2 if rng.random() < TWICE else 1), 0
    while len(names) < wanted and tries < 60:
        tries += 1
        one = draw(seed, rng)
        if names and (one.group in ("file", "codec") or names[-1].startswith(("file", "codec"))):
            continue
        try:
            target = apply(one, seed, target, rng, world.seeds)
        except (Exception, MemoryError):
            # What was damaged once may not be readable to the next.
            continue
        names.append(one.name)
        damaged |= one.damaged
    entry = (
        folder / seed.name
        if not seed.entry
        else target
        if seed.entry == seed.target
        else folder / seed.name / seed.entry
    )
    return seed, " + ".join(names) or "none", entry, target, damaged


def run(world: World, number: int, tell: Callable[[str, Any], None], with_oracle: bool = True) -> Verdict:
    """Do a case; `tell` is told of each stage before it begins: 'make', 'read', 'judge'."""
    tell("make", Verdict(number, "?", "?", "?", ""))
    seed, mutators, entry, target, damaged = make(world, number)
    subject = world.subjects[seed.kind]
    verdict = Verdict(number, seed.kind, seed.name, mutators, "", folder=str(world.folder / f"{number:05d}"))
    listener = listen()
    tell("read", verdict)
    try:
        now = use(subject, entry, listener)
    except BaseException as error:
        where = traceback.extract_tb(error.__traceback__)
        ours = [frame for frame in where if "transtar" in frame.filename] or where
        verdict.outcome = "ended"
        verdict.reason = (
            f"{type(error).__name__}: {str(error)[:200]} ({Path(ours[-1].filename).name}:{ours[-1].lineno})"
        )
        return verdict
    tell("judge", verdict)
    found = ask(subject, entry) if with_oracle else Found(None, "the oracle did not come to an end")
    before, found_before = world.before[seed.name]
    named = entry if seed.entry == seed.target or not seed.entry else target
    verdict.outcome, verdict.reason = judge(subject, now, before, found, found_before, named, damaged)
    if verdict.outcome == "message" and named != entry:
        verdict.outcome, verdict.reason = judge(subject, now, before, found, found_before, entry, damaged)
    return verdict


def keep(verdict: Verdict, out: Path) -> None:
    """Copy the files of a case, for a look at them."""
    place = out / f"{verdict.number:05d}-{verdict.outcome}-{verdict.seed}"
    shutil.rmtree(place, ignore_errors=True)
    for root, _, names in os.walk(verdict.folder):
        for name in names:
            path = Path(root) / name
            there = place / path.relative_to(verdict.folder)
            there.parent.mkdir(parents=True, exist_ok=True)
            with suppress(OSError):
                if path.is_symlink():
                    there.symlink_to(os.readlink(path))
                elif path.is_fifo():
                    os.mkfifo(there)
                elif path.stat().st_size < 30_000_000:
                    shutil.copyfile(path, there)
