"""``python -m tests.fuzz``: see the package."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from .cases import Verdict, World, keep, look_at_seeds
from .judge import FAULTS, OUTCOMES
from .seeds import build_corpus
from .subjects import SUBJECTS
from .workers import SECONDS, run_all


def main(arguments: list[str] | None = None) -> int:
    """Run, and print what came of it; 1 if there was a fault."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description="damaged and hostile files over all readers"
    )
    parser.add_argument("--n", type=int, default=2000, help="cases")
    parser.add_argument("--seed", type=int, default=0, help="decides the cases")
    parser.add_argument("--only", type=int, nargs="+", help="these cases alone, with all that is known of them")
    parser.add_argument(
        "--kinds", nargs="+", default=[], choices=sorted(SUBJECTS), help="these kinds of input alone (other cases)"
    )
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="that reading a file may take")
    parser.add_argument("--out", type=Path, help="folder where the files of faults are kept")
    parser.add_argument("--no-data", action="store_true", help="without real files, even where TRANSTAR_DATA is set")
    given = parser.parse_args(arguments)
    began = time.monotonic()
    data = None if given.no_data or not os.environ.get("TRANSTAR_DATA") else Path(os.environ["TRANSTAR_DATA"])
    _one_thread()
    with tempfile.TemporaryDirectory(prefix="transtar-fuzz-") as name:
        seeds = build_corpus(Path(name) / "corpus", data, tuple(given.kinds))
        world = World(seeds, look_at_seeds(seeds, SUBJECTS), given.seed, Path(name) / "cases")
        print(f"{len(seeds)} seeds, {time.monotonic() - began:.0f} s to make and read them", flush=True)
        for seed in seeds:
            if world.before[seed.name][0].values is None:
                print(f"  refused as it is: {seed.name}: {world.before[seed.name][0].error[:160]}")
        numbers = given.only or range(given.n)
        counts: Counter[str] = Counter()

        def progress(verdict: Verdict) -> None:
            counts[verdict.outcome] += 1
            if given.out and (verdict.outcome in FAULTS or given.only):
                keep(verdict, given.out)
            if given.only or verdict.outcome in (*FAULTS, "unmade"):
                print(_line(verdict), flush=True)
            elif sum(counts.values()) % 200 == 0:
                print(f"  {sum(counts.values())} cases, {time.monotonic() - began:.0f} s", flush=True)

        verdicts = run_all(world, numbers, given.workers, given.seconds, progress=progress)
    faults = [verdict for verdict in verdicts if verdict.outcome in FAULTS]
    print("\n" + table(verdicts))
    groups = Counter((one.outcome, one.kind, one.mutators) for one in faults)
    if not given.only:
        print("\n".join(["", *(f"{n:4d} x {' '.join(group)}" for group, n in sorted(groups.items()))]))
    print(f"\n{len(verdicts)} files in {time.monotonic() - began:.0f} s; {len(faults)} faults")
    return 1 if faults or any(verdict.outcome == "unmade" for verdict in verdicts) else 0


def table(verdicts: list[Verdict]) -> str:
    """Counts by kind of input and outcome."""
    names = [
        name for name in (*OUTCOMES, *FAULTS, "unmade") if name in OUTCOMES or any(v.outcome == name for v in verdicts)
    ]
    rows = [["", *names, "all"]]
    for kind in [*sorted({verdict.kind for verdict in verdicts}), "all"]:
        mine = [verdict for verdict in verdicts if kind in ("all", verdict.kind)]
        rows.append([kind, *(str(sum(v.outcome == name for v in mine)) for name in names), str(len(mine))])
    return "\n".join("".join(cell.rjust(11) if i else cell.ljust(14) for i, cell in enumerate(row)) for row in rows)


def _line(verdict: Verdict) -> str:
    return (
        f"{verdict.number:5d} {verdict.outcome:10s} {verdict.seed:24s} {verdict.mutators}  {verdict.seconds:.1f} s\n"
        f"      {verdict.reason}"
    )


def _one_thread() -> None:
    """Processes are forked, and threads do not live through that."""
    import pyarrow as pa
    import torch

    torch.set_num_threads(1)
    pa.set_cpu_count(1)


if __name__ == "__main__":
    sys.exit(main())
