"""Kill every verb that writes at random moments, and look at what is left: ``python -m tests.killing --kills 30``.

Before each kill there is an old result at --out, and files of the user in and beside it. After it each file must be the old or
the new one; what is replaced as a whole must be so as a whole; the user's files must be there. The same command, run to its end,
must give the right result and leave nothing temporary. With ``--signal TERM`` there must be nothing temporary at once.

This process imports all and computes nothing, so that each run is a fork of it and begins at once.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

import yaml

from transtar.catalog import predict as predicting
from transtar.cli import main
from transtar.datasets import read_set
from transtar.datasets.kept_rows import KEPT
from transtar.encoders import save_encoder
from transtar.files import LIST

from .cli.test_calibrate import write as write_stars
from .conftest import Silent
from .datasets.test_embed import network
from .encoders.aligned import star_spectra, tiny_encoders
from .fetch.stand_in import FIRST_ID, StandIn, records
from .made_catalogs import write_catalogs
from .made_surveys import made_lamost, made_miles
from .studies.test_run import STUDY
from .train.large.large_sets import XP, write_set

PREFIX = ".transtar-"
MARK = "TRANSTAR_KILLING"
DATES = rb"DATE    = '[^']*'|CHECKSUM= '[^']*'|[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{5} UTC"
FEW_STEPS = ("steps=8", "check_every=4", "checkpoint_steps=2")
SMALL_NETWORK = ("network.width=16", "network.layers=1", "network.heads=2")
USERS = {"notes.txt": "mine", "plots/a.txt": "mine, too"}


@dataclass
class Case:
    """A verb with arguments for the old and the new result; `whole` if its folder is replaced as a whole."""

    old: list
    new: list
    whole: bool = False
    out: str = "out"
    notes: tuple[str, ...] = (".",)
    resumed: tuple[str, ...] = field(default=())
    """Files that say how far a run has come, or patterns of their names."""
    timed: tuple[str, ...] = field(default=())
    """Patterns of files that say how long a run took."""


def cases(world: Path, address: str) -> dict[str, Case]:
    lamost, miles, source, target = world / "lamost", world / "miles", world / "source", world / "target"
    prepare = ["prepare", "--survey", "lamost", "--labels", lamost / "labels.csv", "--spectra"]
    pretrain = ["pretrain", "--data", source, "--label", "feh", "--lr", "1e-3", "--epochs"]
    finetune = ["finetune", "--model", world / "model", "--data", target, "--strategy"]
    predict = ["predict", "--model", world / "model", "--data"]
    evaluate = ["evaluate", "--catalog", world / "catalog.csv", "--labels"]
    select = ["select", "desi-finetuning", "--catalogs", world / "sky", "--set", "metal_rich=4"]
    calibrate = ["calibrate", "--catalog", world / "stars.csv", "--reference", world / "stars.csv"]
    saliency = ["explain", "saliency", "--model", world / "model", "--stars", 4, "--data", target, "--split"]
    landscape = ["explain", "landscape", "--model", world / "model", "--data", target, "--regime", "all", "--points", 3]
    embed = ["embed", "--replace", "--data", source, "--model"]
    encoder = ["pretrain", "--encoder", "lrs", "--data", source, "--batch-size", 8, "--set", *FEW_STEPS, *SMALL_NETWORK]
    align = [
        "align",
        "--lrs",
        world / "lrs",
        "--xp",
        world / "xp",
        "--data",
        source,
        world / "xp-set",
        "--batch-size",
        8,
    ]
    align += ["--set", *FEW_STEPS]
    training = {"resumed": ("out.training/*",), "timed": ("out.training/losses.*",)}
    search = ["search", "--model", world / "encoder", "--data", target, "--query"]
    fetch = ["fetch", "--service", "sparcl", "--server", address, "--page", 2, "--ids"]
    tiny = ["lamost=30", "common=30", "edr=40", "miles=4", "faults=2", "xp_continuous=0"]
    study = ["study", world / "study.yaml", "--workers", 2]
    folder = (".", "out")
    found = {
        "prepare": Case([*prepare, lamost / "spectra/spec-00*"], [*prepare, lamost / "spectra"], True, notes=folder),
        "search": Case([*search, source], [*search, target], out="out.parquet"),
        "embed": Case([*embed, world / "encoder"], [*embed, world / "encoder-2"], True, notes=folder),
        "pretrain": Case([*pretrain, 1], [*pretrain, 2], True, notes=folder),
        "encoder": Case([*encoder, "--seed", 1], encoder, True, notes=folder, **training),
        "align": Case([*align, "--seed", 1], [*align, "--variant", "pr"], True, notes=(*folder, "out/lrs"), **training),
        "finetune": Case([*finetune, "recalibrate"], [*finetune, "residual", "--epochs", 2], True, notes=folder),
        "evaluate": Case([*evaluate, world / "half.csv"], [*evaluate, miles / "labels.csv"], notes=folder),
        "select": Case([*select, "seed=1"], [*select, "seed=2"], out="out.csv"),
        "calibrate": Case([*calibrate, "--gravity", 3], calibrate, out="out.yaml"),
        "saliency": Case([*saliency, "test"], [*saliency, "all"], notes=folder),
        "landscape": Case([*landscape, "--seeds", 1], [*landscape, "--seeds", 2], notes=folder),
        "fetch": Case([*fetch, FIRST_ID], [*fetch, *(FIRST_ID + i for i in range(6))], notes=(*folder, "out/spectra")),
        "simulate": Case([], ["simulate", "--set", *tiny], notes=(".",), resumed=("out/universe.json",)),
        "study": Case([*study, "--set", "seeds=[0]"], study, notes=folder),
        "import": Case(
            ["models", "import", world / "model", "--name", "out"], ["models", "import", world / "model-2", "--name", "out"],
            True, out="", notes=folder,
        ),
    }  # fmt: skip
    for kind in ("parquet", "csv", "fits"):
        found[f"predict-{kind}"] = Case([*predict, source], [*predict, target], out=f"out.{kind}")
    return found


def make_world(world: Path) -> None:
    made_lamost(world / "lamost", n=30)
    made_miles(world / "miles", n=36)
    lines = (world / "miles/labels.csv").read_text().splitlines()
    (world / "half.csv").write_text("\n".join(lines[:19]) + "\n")
    write_stars(world / "stars.csv", n=400)
    sky = write_catalogs(world / "sky")
    assert sky.folder == world / "sky"
    (world / "study.yaml").write_text(
        yaml.safe_dump(STUDY | {"strategies": {"recalibrate": {}, "ridge": {}}, "adapter": {12: "recalibrate"}})
    )
    pretrain = ["pretrain", "--data", world / "source", "--label", "feh", "--lr", "1e-3", "--epochs"]
    for words in (
        ["prepare", "--survey", "lamost", "--spectra", world / "lamost/spectra", "--labels",
         world / "lamost/labels.csv", "--out", world / "source"],
        ["prepare", "--survey", "miles", "--spectra", world / "miles/spectra", "--labels", world / "miles/labels.csv",
         "--split", world / "miles/split.csv", "--out", world / "target"],
        [*pretrain, 1, "--out", world / "model"],
        [*pretrain, 2, "--out", world / "model-2"],
        ["predict", "--model", world / "model", "--data", world / "target", "--out", world / "catalog.csv"],
    ):  # fmt: skip
        assert main([str(word) for word in words]) == 0
    for seed, name in enumerate(("encoder", "encoder-2")):
        save_encoder(network(seed=seed), world / name)
    for name, one in zip(("lrs", "xp"), tiny_encoders(), strict=True):
        save_encoder(one, world / name)
    ids = read_set(world / "source").columns["id"]
    write_set(world / "xp-set", preprocessing=XP, ids=ids, flux=star_spectra(len(ids))[1])


def begin(work, log: Path) -> int:
    """Do `work` in a process of its own, which writes to `log`."""
    process = os.fork()
    if process:
        return process
    status = 99
    try:
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        os.environ[MARK] = log.name
        status = work()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status or 0)


def finish(process: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def run(work, log: Path) -> None:
    status = finish(begin(work, log))
    if status:
        raise SystemExit(f"status {status}: {log.read_text()[-2000:]}")


def snapshot(folder: Path) -> dict[str, bytes]:
    """All files but the lists of what was written, and without what is in temporary folders."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_file() and path.name != LIST and PREFIX not in name:
            # FITS and report say when they were written.
            found[name] = re.sub(DATES, b"", path.read_bytes())
    return found


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.name.startswith(PREFIX) and path.name != LIST]


def orphans(log: Path) -> list[str]:
    """Workers of a run that live on."""
    mark = f"{MARK}={log.name}".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark in path.read_bytes().split(b"\0"):
                found.append(path.parent.name)
        except OSError:
            continue
    return found


def compare(case: Case, found: dict, old: dict, new: dict) -> str:
    """'old', 'new' or 'between' (each file either), or what is broken."""
    if any(found.get(name) != old[name] for name in old if name.rsplit("/", 1)[-1] in ("notes.txt", "a.txt")):
        return "the user's file is gone"
    found, old, new = (without(files, case.resumed) for files in (found, old, new))
    if found == old:
        return "old"
    if found == new:
        return "new"
    if case.whole:
        return "neither old nor new"
    for name in {*found, *(set(old) & set(new))}:
        if name not in found:
            return f"{name} is gone"
        if found[name] not in (old.get(name), new.get(name)):
            return f"{name} is neither old nor new"
    return "between"


def without(files: dict, patterns: tuple[str, ...]) -> dict:
    return {name: files[name] for name in files if not any(fnmatchcase(name, pattern) for pattern in patterns)}


def different(one: dict, other: dict) -> list[str]:
    return sorted(name for name in {*one, *other} if one.get(name) != other.get(name))


class Killing:
    """A case, ready to be killed."""

    def __init__(self, name: str, case: Case, root: Path) -> None:
        self.name, self.case, self.root = name, case, root
        self.work, self.log, self.state = root / "work", root / f"log-{name}", root / f"old-{name}"
        self.clear()
        if case.old:
            run(self.command(case.old), self.log)
        for place in case.notes:
            for note, text in USERS.items():
                (self.work / place / note).parent.mkdir(parents=True, exist_ok=True)
                (self.work / place / note).write_text(text)
        shutil.copytree(self.work, self.state)
        self.old = snapshot(self.work)
        started = time.monotonic()
        run(self.command(case.new), self.log)
        self.seconds = time.monotonic() - started
        self.new = snapshot(self.work)
        assert self.new != self.old

    def command(self, words):
        out = ["--out", self.work / self.case.out] if self.case.out else []

        def work() -> int:
            os.environ["TRANSTAR_MODELS"] = str(self.work)
            return main([str(word) for word in [*words, *out]])

        return work

    def clear(self) -> None:
        if self.work.exists():
            shutil.rmtree(self.work)
        self.work.mkdir()

    def kill(self, moment: float, number: int) -> str:
        """Kill once at `moment` of the time that it takes; 'old', 'new', 'between', or what is broken."""
        shutil.rmtree(self.work)
        shutil.copytree(self.state, self.work)
        process = begin(self.command(self.case.new), self.log)
        time.sleep(moment * self.seconds)
        os.kill(process, number)
        status = finish(process)
        # One that is just starting finds its parent gone when it has started.
        for _ in range(600):
            if not orphans(self.log):
                break
            time.sleep(0.1)
        else:
            return "workers live on"
        # Looked at as the next command does: a reader brings back what a kill came between.
        outcome = compare(self.case, snapshot(self.work), self.old, self.new)
        # What a later run takes up stays, until it has.
        temporary = [name for name in leftovers(self.work) if not name.startswith(KEPT)]
        if number != signal.SIGKILL and temporary:
            return f"{temporary} is left"
        # Before the command has begun it ends as any program does.
        begun = status != -number or bool(self.log.exists() and self.log.read_text())
        if number != signal.SIGKILL and begun and status not in (0, 128 + number):
            return f"status {status}: {self.log.read_text()[-500:]}"
        if outcome not in ("old", "new", "between"):
            return outcome
        again = finish(begin(self.command(self.case.new), self.log))
        if again:
            return f"the next run ends with {again}: {self.log.read_text()[-500:]}"
        if other := different(*(without(files, self.case.timed) for files in (snapshot(self.work), self.new))):
            return f"the next run gives another result in {', '.join(other)}"
        return f"{leftovers(self.work)} is left by the next run" if leftovers(self.work) else outcome


def killed(names, kills: int, seed: int, number: int, root: Path) -> list[str]:
    """Outcomes of all kills, told line by line."""
    world = root / "world"
    world.mkdir()
    # Made-up spectra are of no star; of these the witnesses are silent.
    predicting.witnesses_for = lambda *_: Silent(None, None)
    os.environ |= {"no_proxy": "127.0.0.1", "TRANSTAR_DATA": str(world), "OMP_NUM_THREADS": "1"}
    run(lambda: make_world(world), root / "log-world")
    server = begin(lambda: serve(root / "address"), root / "log-server")
    try:
        while not (root / "address").exists():
            time.sleep(0.02)
        chosen = cases(world, (root / "address").read_text())
        draw = random.Random(seed)
        outcomes = []
        names = names or list(chosen)
        ready: dict[str, Killing] = {}
        for turn in range(kills):
            name = names[turn % len(names)]
            if name not in ready:
                ready[name] = Killing(name, chosen[name], root)
            moment = draw.random()
            outcome = ready[name].kill(moment, number)
            print(f"{name:16s} killed at {moment:4.0%} of {ready[name].seconds:5.2f} s: {outcome}", flush=True)
            outcomes.append(outcome)
        return outcomes
    finally:
        os.kill(server, signal.SIGKILL)
        finish(server)


def serve(address: Path) -> None:
    stand_in = StandIn(records(6))
    address.with_suffix(".tmp").write_text(stand_in.address)
    address.with_suffix(".tmp").rename(address)
    while True:
        time.sleep(60)


def report(outcomes: list[str]) -> str:
    """Counts, in one line."""
    good = {name: outcomes.count(name) for name in ("old", "between", "new")}
    return (
        f"{len(outcomes)} kills: {good['old']} old kept, {good['new']} new, {good['between']} with some files new, "
        f"{len(outcomes) - sum(good.values())} broken"
    )


def command_line() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.killing", description=__doc__)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--signal", choices=("KILL", "TERM"), default="KILL")
    parser.add_argument("--verbs", nargs="+", help="all if not given")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="killing-") as root:
        number = getattr(signal, f"SIG{options.signal}")
        outcomes = killed(options.verbs, options.kills, options.seed, number, Path(root))
    print(report(outcomes))
    return 0 if report(outcomes).endswith(" 0 broken") else 1


if __name__ == "__main__":
    sys.exit(command_line())
